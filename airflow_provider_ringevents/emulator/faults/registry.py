"""Faults that users set, and the registry that matches requests against them."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal, get_args
from urllib.parse import unquote_plus

from airflow_provider_ringevents.emulator.arguments import (
    check_choice,
    check_header_value,
    check_headers,
    check_number,
    check_switch,
    check_text,
    invalid,
)

Kind = Literal[
    "status",
    "reset",
    "close",
    "hang",
    "delay",
    "body",
    "html",
    "redirect",
    "endless",
    "headers",
    "content_type",
    "gzip",
    "truncated_json",
    "wrong_count",
    "missing_count",
    "next_loop",
    "next_foreign",
    "short_page",
    "repeated_page",
    "expired_link",
    "cut_body",
    "truncate_chunked",
    "close_delimited",
    "slow_body",
    "stall",
    "flip_byte",
    "applied_then_cut",
    "applied_then_status",
    "applied_then_hang",
    "applied_late",
    "registrations_added",
    "registrations_cancelled",
    "registrations_updated",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
MAX_CHANGES: Final = 100_000
"""Largest number of registrations that one fault or one control request changes."""
MAX_FAULTS: Final = 10_000
_METHOD: Final = re.compile(r"[A-Za-z]+")
_MOST: Final = 2**53
_CENTURY: Final = 100 * 365 * 86_400
_LEAST_RATE: Final = 0.001
_CHANGES: Final = ("registrations_added", "registrations_cancelled", "registrations_updated")


@dataclass
class Fault:
    r"""A fault to inject into matching requests.

    Requests match by ``method``, ``path``, ``query`` and ``origin``. The first ``skip`` of them are spared, the next
    ``times`` are hit, each with the probability ``chance``. docs/emulator.md lists the kinds and their fields.

    :ivar method: HTTP method, or None for all.
    :ivar path: regular expression searched for in the path, or None for all.
    :ivar query: regular expression searched for in the decoded query, or None for all; ``page=3`` is page 3 of a
        list.
    :ivar origin: ``api``, ``links``, or None for both.
    :ivar times: number of requests to hit, or None for all.
    :ivar after: bytes of the body that are sent before the fault.
    :ivar seconds: duration of the fault in seconds.
    :ivar rate: bytes per second.
    :ivar rst: end with a TCP reset instead of an orderly close.
    :ivar hit_count: number of requests hit so far.
    :raises ValueError: a field has a value that is not allowed.
    """

    kind: Kind
    method: str | None = None
    path: str | None = None
    query: str | None = None
    origin: Literal["api", "links"] | None = None
    times: int | None = 1
    skip: int = 0
    chance: float = 1.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    url: str | None = None
    after: int | None = None
    seconds: float | None = None
    rate: float = 10_000.0
    value: int | None = None
    rst: bool = False
    hit_count: int = 0

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        if self.method is not None and not (isinstance(self.method, str) and _METHOD.fullmatch(self.method)):
            raise invalid("method", "an HTTP method, or None for all", self.method)
        if self.origin is not None:
            check_choice("origin", self.origin, ("api", "links"))
        self._check_numbers()
        check_switch("rst", self.rst)
        check_headers("headers", self.headers)
        if self.body is not None:
            (check_header_value if self.kind == "content_type" else check_text)("body", self.body)
        if self.url is not None:
            check_header_value("url", self.url)
        if self.kind in ("redirect", "next_foreign") and not self.url:
            raise invalid("url", f"given for the fault {self.kind}", self.url)
        self._check_patterns()

    def _check_numbers(self) -> None:
        for name, high in (("times", _MOST), ("after", _MOST)):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0, high, integer=True)
        check_number("skip", self.skip, 0, _MOST, integer=True)
        check_number("chance", self.chance, 0, 1)
        if self.status is not None:
            check_number("status", self.status, 200, 599, integer=True)
        if self.seconds is not None:
            check_number("seconds", self.seconds, 0, _CENTURY)
        check_number("rate", self.rate, _LEAST_RATE, _MOST, unit="bytes per second")
        if self.value is not None:
            least = {"wrong_count": -_MOST, **dict.fromkeys(_CHANGES, 1)}.get(self.kind, 0)
            most = MAX_CHANGES if self.kind in _CHANGES else _MOST
            check_number("value", self.value, least, most, integer=True)

    def _check_patterns(self) -> None:
        for name in ("path", "query"):
            given = getattr(self, name)
            if given is None:
                continue
            try:
                if not isinstance(given, str):
                    raise TypeError(f"no pattern, but {type(given).__name__}")
                re.compile(given)
            except (re.error, TypeError, OverflowError, RecursionError) as error:
                raise invalid(name, f"a regular expression ({error})", given) from error

    @classmethod
    def from_json(cls, values: Any) -> Fault:
        """Return the fault that :meth:`to_json` or a user has written as a JSON object.

        :raises ValueError: a field is unknown or has a value that is not allowed.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"A fault must be a JSON object, got {type(values).__name__}.")
        known = [each.name for each in fields(cls) if each.name != "hit_count"]
        unknown = sorted(set(values) - set(known) - {"hit_count"})
        if unknown:
            raise ValueError(f"Fields must be among {', '.join(known)}, got {', '.join(unknown)}.")
        if "kind" not in values:
            raise ValueError(f"`kind` must be given: one of {', '.join(KINDS)}.")
        return cls(**{name: value for name, value in values.items() if name != "hit_count"})

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def matches(self, origin: str, method: str, path: str, query: str) -> bool:
        """Return True when a request meets all conditions of the fault."""
        return (
            self.origin in (None, origin)
            and (self.method is None or self.method.upper() == method)
            and (self.path is None or re.search(self.path, path) is not None)
            and (self.query is None or re.search(self.query, unquote_plus(query)) is not None)
        )


class FaultRegistry:
    """A thread-safe list of faults; the first one that matches a request hits it.

    :param seed: seed of the random numbers behind ``chance``.
    """

    def __init__(self, seed: int) -> None:
        self._lock = threading.Lock()
        self._seed = seed
        self._faults: list[Fault] = []
        self._skipped: dict[int, int] = {}
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(list(self._faults))

    def add(self, fault: Fault) -> Fault:
        """Set a fault and return it."""
        return self.add_all([fault])[0]

    def add_all(self, faults: list[Fault]) -> list[Fault]:
        """Set several faults, all or none, and return them.

        :raises ValueError: more than :data:`MAX_FAULTS` would be set.
        """
        with self._lock:
            if len(self._faults) + len(faults) > MAX_FAULTS:
                raise ValueError(f"At most {MAX_FAULTS} faults can be set, got {len(self._faults) + len(faults)}.")
            self._faults += faults
        return faults

    def remove(self, fault: Fault) -> None:
        """Remove one fault if it is set."""
        with self._lock:
            self._faults = [each for each in self._faults if each is not fault]

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._faults.clear()
            self._skipped.clear()
            self._random.seed(self._seed)

    def match(self, origin: str, method: str, path: str, query: str) -> Fault | None:
        """Return the fault that hits a request, or None.

        :param query: the query as it was sent, not decoded.
        """
        with self._lock:
            for fault in self._faults:
                if not fault.matches(origin, method, path, query):
                    continue
                skipped = self._skipped.get(id(fault), 0)
                if skipped < fault.skip:
                    self._skipped[id(fault)] = skipped + 1
                    continue
                if fault.times is not None and fault.hit_count >= fault.times:
                    continue
                if fault.chance < 1 and self._random.random() >= fault.chance:
                    continue
                fault.hit_count += 1
                return fault
        return None
