"""How an event is known again: the mark it carries, and what it must look like. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.validation.datetimes import parse_timestamp

MARKER_METADATA_KEY: Final = "airflow_ringevents_key"
"""Where the mark stands in an event's ``metadata``."""

CLOCK_SKEW: Final = 60.0
"""Seconds by which the clock of the service may be behind ours."""

_MAX_KEY = 128
_SLUG_NAME = 48
_SLUG_DIGITS = 12
_SLUG_SUFFIX = re.compile(rf"-([0-9a-f]{{{_SLUG_DIGITS}}})(?:-|\Z)")
_CLOSE_ENOUGH = 1.0
"""Seconds: a service may drop fractions."""


def default_idempotency_key(dag_id: str, task_id: str, run_id: str, map_index: int) -> str:
    """The key of one task instance, the same for all its tries."""
    return f"task-{_digest(json.dumps([dag_id, task_id, run_id, map_index]))[:32]}"


def validate_idempotency_key(key: Any) -> None:
    """Refuse what cannot be a key.

    :raises RingEventsConfigError: it is no printable string of 1 to 128 characters.
    """
    if not isinstance(key, str) or not key.strip() or len(key) > _MAX_KEY or not key.isprintable():
        raise RingEventsConfigError(
            f"idempotency_key: a printable string of 1 to {_MAX_KEY} characters is wanted, got {key!r}"
        )


def slug_suffix_for(key: str, organization_id: str) -> str:
    """How the slug of a key ends, whatever the event is called.

    Of the organization, too: a slug is taken for all of them, a key is not.
    """
    return f"-{_digest(json.dumps([organization_id, key]))[:_SLUG_DIGITS]}"


def build_slug(name: str, tail: str) -> str:
    """A slug that people can read and that only one key has."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_NAME].strip("-")
    return f"{words or 'event'}{tail}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """The event that one key stands for. What was not asked is None and does not matter.

    :ivar key: the key.
    :ivar slug: the mark of a plain event, which has no metadata; None: the mark is in the metadata.
    :ivar tail: what every slug of this key ends with, though the service may put more behind it; None: the slug is
        the user's own.
    :ivar name: as asked.
    :ivar time_start: ISO 8601 with an offset, as asked.
    :ivar time_end: likewise.
    :ivar source_id: of a copy: the event that it was copied from, which may carry the same mark.
    """

    key: str
    slug: str | None = None
    tail: str | None = None
    name: str | None = None
    time_start: str | None = None
    time_end: str | None = None
    source_id: str | None = None

    @property
    def is_copy(self) -> bool:
        """It is made by copying another event."""
        return self.source_id is not None

    def marks(self, event: Mapping[str, Any]) -> bool:
        """Whether an event carries the mark."""
        if self.is_copy and event.get("id") == self.source_id:
            return False
        if self.slug is None:
            return bool(read_marker(event) == self.key)
        slug = str(event.get("slug") or "").lower()
        return slug == self.slug.lower() or (self.tail is not None and self.tail in slug)

    def differences(self, event: Mapping[str, Any]) -> list[str]:
        """In what an event is not what was asked, in words; empty when it is."""
        zone = event.get("timezone")
        differing = []
        if self.name is not None and _plain(event.get("name")) != _plain(self.name):
            differing.append(f"its name is {event.get('name')!r}, not {self.name!r}")
        for field, asked in (("timeStart", self.time_start), ("timeEnd", self.time_end)):
            if asked is not None and not _same_instant(
                parse_timestamp(event.get(field), zone), parse_timestamp(asked, zone)
            ):
                differing.append(f"its {field} is {event.get(field)}, not {asked}")
        return differing

    def find(self, events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """The event that carries the mark, if there is one and it is what was asked.

        :raises RingEventsConfigError: the key is used by another event, or by several.
        """
        marked = [event for event in events if self.marks(event)]
        if len(marked) > 1:
            raise RingEventsConfigError(
                f"{self._mark} is carried by several events: {_named(marked)}; delete those that are too many, or take"
                " the mark from them"
            )
        if marked:
            self.check(marked[0])
            return marked[0]
        return None

    def check(self, event: Mapping[str, Any]) -> None:
        """Refuse an event that is not what was asked.

        :raises RingEventsConfigError: its name or one of its times is another.
        """
        if differing := self.differences(event):
            raise RingEventsConfigError(
                f"{self._mark} is already used by event {event.get('id')}: {'; '.join(differing)}; give this one"
                " another, or mend the event"
            )

    def find_unmarked(self, events: Sequence[Mapping[str, Any]], since: float) -> Mapping[str, Any] | None:
        """The event that may be meant although it does not carry the mark, if there is one.

        For a service that does not keep the mark: made since then, as asked, named like the source where a copy was
        asked for without a name, and with no mark of somebody else.

        :param since: seconds since the epoch.
        :raises RingEventsConfigError: there are several.
        """
        source = next((event for event in events if self.is_copy and event.get("id") == self.source_id), {})
        name = _plain(self.name or source.get("name"))
        candidates = [
            event
            for event in events
            if event is not source
            and name
            and name in _plain(event.get("name"))
            and _has_no_other_marker(event, source)
            and _made_since(event, since)
            and not self.differences(event)
        ]
        if len(candidates) > 1:
            raise RingEventsConfigError(
                f"idempotency_key: the service does not keep the mark of {self.key!r}, and several events are what was"
                f" asked: {_named(candidates)}; delete those that are too many, or ask for a name that no other event"
                " has"
            )
        return candidates[0] if candidates else None

    @property
    def _mark(self) -> str:
        own_slug = self.slug is not None and self.tail is None
        return f"slug: {self.slug!r}" if own_slug else f"idempotency_key: {self.key!r}"


def read_marker(event: Mapping[str, Any]) -> Any:
    """The mark in an event's metadata, None where there is none."""
    metadata = event.get("metadata")
    return metadata.get(MARKER_METADATA_KEY) if isinstance(metadata, Mapping) else None


def _has_no_other_marker(event: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Whether an event is nobody else's, by either kind of mark; a copy may have kept those of its source."""
    return read_marker(event) in (None, read_marker(source)) and _slug_suffix_of(event) in (
        None,
        _slug_suffix_of(source),
    )


def _slug_suffix_of(event: Mapping[str, Any]) -> str | None:
    found = _SLUG_SUFFIX.search(str(event.get("slug") or "").lower())
    return found.group(1) if found else None


def _made_since(event: Mapping[str, Any], since: float) -> bool:
    created = parse_timestamp(event.get("createdAt"), event.get("timezone"))
    return created is not None and created.timestamp() >= since


def add_marker(attributes: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Attributes with the mark merged into their metadata."""
    return {**attributes, "metadata": {**(attributes.get("metadata") or {}), MARKER_METADATA_KEY: key}}


def _plain(name: Any) -> str:
    """A name without what a service may change on its way: white space, and how letters are put together."""
    return " ".join(unicodedata.normalize("NFC", str(name or "")).split())


def _named(events: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{event.get('id')} ({event.get('name')!r})" for event in events)


def _same_instant(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs((one - other).total_seconds()) < _CLOSE_ENOUGH
