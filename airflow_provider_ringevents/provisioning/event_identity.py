"""The identity of an event: the marker that it carries, and the attributes that it must have. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.transport.redaction import clean_value, list_texts
from airflow_provider_ringevents.client.validation.datetimes import parse_timestamp

MARKER_METADATA_KEY: Final = "airflow_ringevents_key"
"""The key of the marker in an event's ``metadata``."""
CLOCK_SKEW: Final = 60.0
"""Seconds by which the clock of the service may be behind ours."""

_MAX_KEY_LENGTH = 128
_MAX_SLUG_NAME_LENGTH = 48
_SLUG_DIGEST_LENGTH = 12
_SLUG_SUFFIX = re.compile(rf"-([0-9a-f]{{{_SLUG_DIGEST_LENGTH}}})(?:-|\Z)")
_TIME_TOLERANCE = 1.0
"""Seconds by which two times may differ and still be equal: a service may drop fractions."""


def default_idempotency_key(dag_id: str, task_id: str, run_id: str, map_index: int) -> str:
    """Return the key of one task instance, which is the same for all of its tries."""
    return f"task-{_digest(json.dumps([dag_id, task_id, run_id, map_index]))[:32]}"


def validate_idempotency_key(key: Any) -> None:
    """Refuse a key that is not a printable string of 1 to 128 characters.

    :raises RingEventsConfigError: the key is invalid.
    """
    if not isinstance(key, str) or not key.strip() or len(key) > _MAX_KEY_LENGTH or not key.isprintable():
        raise invalid_argument("idempotency_key", f"a printable string of 1 to {_MAX_KEY_LENGTH} characters", key)


def slug_suffix_for(key: str, organization_id: str) -> str:
    """Return the end of the slug of a key, whatever the name of the event.

    It depends on the organization, too: a slug is unique among all organizations, a key within one.
    """
    return f"-{_digest(json.dumps([organization_id, key]))[:_SLUG_DIGEST_LENGTH]}"


def build_slug(name: str, suffix: str) -> str:
    """Return a readable slug that ends in ``suffix`` and that belongs to one key alone."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_SLUG_NAME_LENGTH].strip("-")
    return f"{words or 'event'}{suffix}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """The event that belongs to one key. Attributes that were not requested are None and are not compared.

    :ivar key: the idempotency key.
    :ivar slug: the marker of a plain event, which has no metadata; None: the marker is in the metadata.
    :ivar slug_suffix: the end of each slug of this key, though the service may append to it; None: the slug is the
        user's own.
    :ivar name: the requested name.
    :ivar time_start: the requested start, ISO 8601 with an offset.
    :ivar time_end: the requested end, likewise.
    :ivar source_id: for a copy, the id of the duplicated event, which may carry the same marker.
    """

    key: str
    slug: str | None = None
    slug_suffix: str | None = None
    name: str | None = None
    time_start: str | None = None
    time_end: str | None = None
    source_id: str | None = None

    @property
    def is_copy(self) -> bool:
        """True for an event that is a duplication of another one."""
        return self.source_id is not None

    def has_marker(self, event: Mapping[str, Any]) -> bool:
        """Return True if an event carries the marker; the source of a copy never does."""
        if self.is_copy and event.get("id") == self.source_id:
            return False
        if self.slug is None:
            return bool(read_marker(event) == self.key)
        slug = str(event.get("slug") or "").lower()
        return slug == self.slug.lower() or (self.slug_suffix is not None and self.slug_suffix in slug)

    def may_match(self, event: Mapping[str, Any]) -> bool:
        """Return True if an event carries the marker or has the requested name, so that it may be adopted."""
        if self.has_marker(event):
            return True
        return self.name is not None and _normalize_name(self.name) in _normalize_name(event.get("name"))

    def mismatches(self, event: Mapping[str, Any]) -> list[str]:
        """Describe the requested attributes that an event does not have; empty if it has all of them."""
        zone = event.get("timezone") or ""
        found = []
        if self.name is not None and _normalize_name(event.get("name")) != _normalize_name(self.name):
            found.append(f"its name is {clean_value(event.get('name'))!r}, not {self.name!r}")
        for field, requested in (("timeStart", self.time_start), ("timeEnd", self.time_end)):
            if requested is not None and not _is_same_instant(
                parse_timestamp(event.get(field), zone), parse_timestamp(requested, zone)
            ):
                found.append(f"its {field} is {clean_value(event.get(field))}, not {requested}")
        return found

    def match(self, events: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        """Return the event that carries the marker, None if no event does.

        :raises RingEventsConfigError: several events carry the marker, or the one that does was requested otherwise.
        """
        marked = [event for event in events if self.has_marker(event)]
        if len(marked) > 1:
            parameter, value = self._marker
            raise invalid_argument(
                parameter,
                "the key of one event",
                value,
                hint=f"Several events carry its marker: {_describe(marked)}. Delete the superfluous ones, or remove"
                " the marker from them.",
            )
        if marked:
            self.require_match(marked[0])
            return marked[0]
        return None

    def require_match(self, event: Mapping[str, Any]) -> None:
        """Refuse an event that does not have the requested attributes.

        :raises RingEventsConfigError: its name or one of its times differs.
        """
        if found := self.mismatches(event):
            parameter, value = self._marker
            raise invalid_argument(
                parameter,
                "unused, or the key of the same event",
                value,
                hint=f"Event {clean_value(event.get('id'))} uses it already: {'; '.join(found)}. Choose another one, or"
                " correct the event.",
            )

    def match_without_marker(
        self, events: Sequence[Mapping[str, Any]], requested_at: float
    ) -> Mapping[str, Any] | None:
        """Return the event that is likely the requested one although it does not carry the marker.

        For a service that does not store the marker. The event was created since the request, has the requested
        attributes (the name of the source, where a copy was requested without a name) and no marker of another key.

        :param requested_at: when the request may have been sent at the earliest, in seconds since the epoch.
        :raises RingEventsConfigError: there are several such events.
        """
        source = next((event for event in events if self.is_copy and event.get("id") == self.source_id), {})
        name = _normalize_name(self.name or source.get("name"))
        candidates = [
            event
            for event in events
            if event is not source
            and name
            and name in _normalize_name(event.get("name"))
            and _has_no_other_marker(event, source)
            and _is_created_since(event, requested_at - CLOCK_SKEW)
            and not self.mismatches(event)
        ]
        if len(candidates) > 1:
            raise RingEventsConfigError(
                f"The service does not store the marker of `idempotency_key` {self.key!r}, and several events have the"
                f" requested attributes: {_describe(candidates)}. Delete the superfluous ones, or request a name that"
                " no other event has.",
                parameter="idempotency_key",
            )
        return candidates[0] if candidates else None

    @property
    def _marker(self) -> tuple[str, str]:
        """The parameter that determines the marker, and its value."""
        if self.slug is not None and self.slug_suffix is None:
            return "slug", self.slug
        return "idempotency_key", self.key


def read_marker(event: Mapping[str, Any]) -> Any:
    """Return the marker in an event's metadata, None if there is none."""
    metadata = event.get("metadata")
    return metadata.get(MARKER_METADATA_KEY) if isinstance(metadata, Mapping) else None


def add_marker(attributes: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the attributes of a request with the marker merged into their metadata."""
    return {**attributes, "metadata": {**(attributes.get("metadata") or {}), MARKER_METADATA_KEY: key}}


def _has_no_other_marker(event: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Return True if neither kind of marker assigns an event to another key; a copy may keep those of its source."""
    return read_marker(event) in (None, read_marker(source)) and _slug_suffix_of(event) in (
        None,
        _slug_suffix_of(source),
    )


def _slug_suffix_of(event: Mapping[str, Any]) -> str | None:
    found = _SLUG_SUFFIX.search(str(event.get("slug") or "").lower())
    return found.group(1) if found else None


def _is_created_since(event: Mapping[str, Any], since: float) -> bool:
    created = parse_timestamp(event.get("createdAt"), event.get("timezone") or "")
    return created is not None and created.timestamp() >= since


def _normalize_name(name: Any) -> str:
    """Return a name without the differences that a service may introduce: white space and Unicode composition."""
    return " ".join(unicodedata.normalize("NFC", str(name or "")).split())


def _describe(events: Sequence[Mapping[str, Any]]) -> str:
    return list_texts(f"{clean_value(event.get('id'))} ({clean_value(event.get('name'))!r})" for event in events)


def _is_same_instant(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs((one - other).total_seconds()) < _TIME_TOLERANCE
