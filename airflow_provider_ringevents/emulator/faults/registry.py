"""Faults: what may go wrong between a client and the service, asked for one by one."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final, Literal, get_args
from urllib.parse import unquote_plus

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
    "registers",
    "cancels",
]
KINDS: Final[tuple[str, ...]] = get_args(Kind)


@dataclass
class Fault:
    """One thing that goes wrong.

    Which requests: those that fit ``method``, ``path``, ``query`` and ``origin``; the first ``skip`` of them are
    spared, then ``times`` of them are hit, each with the likelihood ``chance``.

    What happens to them, by ``kind`` (what is in brackets may be set):

    - instead of an answer, and nothing is applied: ``status`` (status, headers such as Retry-After, body), ``reset``
      (TCP reset), ``close`` (the connection ends without an answer), ``hang`` (seconds; None: until the client
      leaves), ``body`` (status, body, headers), ``html`` (a page with 200), ``redirect`` (status, url), ``endless``
      (status, a body without an end);
    - the request is applied, the answer is lost: ``applied_then_cut`` (TCP reset), ``applied_then_status`` (status,
      500), ``applied_then_hang`` (seconds), ``applied_late`` (TCP reset at once, applied after ``seconds``);
    - the answer comes, but: ``delay`` (seconds before it is made), ``headers``, ``content_type`` (body: the type),
      ``gzip`` (compressed whatever was asked for), ``truncated_json``, ``wrong_count`` (value), ``missing_count``,
      ``next_loop``, ``next_foreign`` (url: the other origin), ``expired_link`` (on the API: links in the answer have
      expired; on the links' origin: 403 as for one that has), ``cut_body`` (after, rst), ``truncate_chunked`` (the same
      without a Content-Length), ``close_delimited`` (neither length nor chunks; ends early if ``after`` is set),
      ``slow_body`` (rate), ``stall`` (after, seconds), ``flip_byte`` (after: its place);
    - the answer comes, and when it is made, before it is sent, the list of registrations that was asked for changes:
      ``registers`` (value: so many people register), ``cancels`` (value: so many registrations go, the first that the
      list shows, so that all others move up).

    :ivar method: HTTP method, or None for all.
    :ivar path: regular expression that is searched for in the path, or None for all.
    :ivar query: regular expression that is searched for in the query as it is after decoding, or None for all;
        ``\\bpage=3\\b`` is page 3 of a list.
    :ivar origin: ``api``, ``links``, or None for both.
    :ivar times: how many requests are hit; None: all.
    :ivar after: bytes of the body that come before something happens.
    :ivar seconds: how long something takes.
    :ivar rate: bytes per second.
    :ivar rst: end with a TCP reset, not the orderly way.
    :ivar fired: how many requests were hit so far.
    :raises ValueError: a kind, an origin or a regular expression that cannot be.
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
    fired: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind: there is no fault {self.kind!r}; there are {', '.join(KINDS)}")
        if self.origin not in (None, "api", "links"):
            raise ValueError(f"origin: {self.origin!r} is neither 'api' nor 'links'")
        if self.rate <= 0:
            raise ValueError(f"rate: {self.rate!r} bytes per second would never end; use stall")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"status: {self.status!r} is not an HTTP status from 200 to 599")
        if self.kind in ("redirect", "next_foreign") and not self.url:
            raise ValueError(f"url: {self.kind} needs one")
        if self.kind in ("registers", "cancels") and self.value is not None and self.value < 1:
            raise ValueError(f"value: {self.value!r} registrations are none; at least 1 is wanted")
        for name in ("path", "query"):
            try:
                re.compile(getattr(self, name) or "")
            except re.error as error:
                raise ValueError(f"{name}: {getattr(self, name)!r} is not a regular expression: {error}") from error

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fault:
        """Read what :meth:`to_json` wrote, or what a user sends.

        :raises ValueError: something in it cannot be.
        """
        known = [each.name for each in fields(cls) if each.name != "fired"]
        unknown = sorted(set(values) - set(known) - {"fired"})
        if unknown:
            raise ValueError(f"no such field: {', '.join(unknown)}; there are {', '.join(known)}")
        if "kind" not in values:
            raise ValueError(f"kind: is missing; there are {', '.join(KINDS)}")
        try:
            return cls(**{name: value for name, value in values.items() if name != "fired"})
        except TypeError as error:
            raise ValueError(f"a field has the wrong type: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)

    def fits(self, origin: str, method: str, path: str, query: str) -> bool:
        """Whether a request is of the kind that is hit."""
        return (
            self.origin in (None, origin)
            and (self.method is None or self.method.upper() == method)
            and (self.path is None or re.search(self.path, path) is not None)
            and (self.query is None or re.search(self.query, unquote_plus(query)) is not None)
        )


class FaultRegistry:
    """The faults that are set, tried in the order in which they were added. Safe to use from any thread.

    :param seed: of the dice that ``chance`` throws.
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
        """Set a fault; returned for its ``fired``."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """Take one fault away; nothing happens if it is not set."""
        with self._lock:
            self._faults = [each for each in self._faults if each is not fault]

    def clear(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._faults.clear()
            self._skipped.clear()
            self._random.seed(self._seed)

    def take(self, origin: str, method: str, path: str, query: str) -> Fault | None:
        """The fault that hits this request, if any; ``query`` as it was sent."""
        with self._lock:
            for fault in self._faults:
                if not fault.fits(origin, method, path, query):
                    continue
                skipped = self._skipped.get(id(fault), 0)
                if skipped < fault.skip:
                    self._skipped[id(fault)] = skipped + 1
                    continue
                if fault.times is not None and fault.fired >= fault.times:
                    continue
                if fault.chance < 1 and self._random.random() >= fault.chance:
                    continue
                fault.fired += 1
                return fault
        return None
