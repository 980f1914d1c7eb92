"""The detection of rows that are new in a list since the last scan."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, parse_timestamp
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier
from airflow_provider_ringevents.state.watch_cursor import WatchCursor, ahead_key

_SECOND = timedelta(seconds=1)
_MAX_KEY_LENGTH = 25
"""Characters of an id of this API."""
_NO_ID = "None"
"""The key of rows with nothing that tells one from another."""
_IDENTITY = ("email", "ticketId", "userId", "createdAt", "firstName", "lastName")
"""Fields that tell rows without an id apart. Others change without a new time, such as links that are signed anew."""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """The changes that one scan has found.

    :ivar since: the cursor before the scan.
    :ivar cursor: the cursor after it.
    :ivar count: new rows; one that moved to another page meanwhile counts twice.
    :ivar unreadable: rows without a readable time.
    :ivar latest: the latest time of a row that the window must hold; beyond the cursor's where a new row is ahead.
    :ivar ignored: rows ahead of both clocks that were not counted, since so many are kept already.
    """

    since: WatchCursor
    cursor: WatchCursor
    count: int
    unreadable: int
    latest: datetime
    ignored: int = 0

    def payload(self, event_id: str, window_field: str) -> dict[str, Any]:
        """Return the payload of the asset event, which holds no personal data.

        The window begins where the last one had its latest row and ends after the latest of this one. Both are whole
        seconds, so that it holds all of them however exact the times are that the service shows; its first second may
        have been in the last window, too. A new row with a time beyond both clocks is in it, but only once.
        """
        return {
            "event_id": event_id,
            "window_field": window_field,
            "from": format_timestamp(_truncate(self.since.lower_bound)),
            "to": format_timestamp(_second_after(self.latest)),
            "count": self.count,
        }


class ChangeScan:
    """One pass over a list, row by row in any order, in memory that does not grow with the list.

    :param since: the cursor before the scan.
    :param field: the time of a row that counts.
    :param timezone: the zone of the event, in which times without an offset are local; empty: it is not known.
    """

    def __init__(self, since: WatchCursor, field: str, timezone: str = "") -> None:
        self.timezone = timezone
        self._since = since
        self._field = field
        self._latest = since.time
        # Rows seen before stay known: one may slip onto a page that was read already.
        self._ids = None if since.ids is None else set(since.ids)
        self._ahead = set(since.ahead)
        self._furthest = since.time
        self._count = 0
        self._unreadable = 0
        self._ignored = 0

    def add(self, row: Mapping[str, Any], latest_credible: datetime | None = None) -> None:
        """Take a row.

        :param latest_credible: a row with a later time counts once, and does not move the cursor; None: there is no
            such limit.
        """
        row_id, time = _row_key(row), parse_timestamp(row.get(self._field), self.timezone)
        if time is None:
            self._unreadable += 1
            return
        if latest_credible is not None and time > latest_credible:
            self._add_ahead(row_id, time)
            return
        if time > self._latest:
            self._latest, self._ids = time, {row_id}
        elif time == self._latest and self._ids is not None:
            self._ids.add(row_id)
            if len(self._ids) > defaults.WATCH_MAX_BOUNDARY_IDS:
                self._ids = None
        self._count += not self._since.has_seen(row_id, time)

    def _add_ahead(self, row_id: str, time: datetime) -> None:
        """Count a row with a time beyond both clocks, once."""
        key = ahead_key(row_id)
        if (key, time) in self._ahead or self._since.has_seen(row_id, time):
            return
        if row_id != _NO_ID:
            # The time that the row had before will not come again, and only so many are kept.
            self._ahead -= {(known, other) for known, other in self._ahead if known == key}
        if len(self._ahead) >= defaults.WATCH_MAX_BOUNDARY_IDS:
            self._ignored += 1
            return
        self._ahead.add((key, time))
        self._furthest = max(self._furthest, time)
        self._count += 1

    def changes(self) -> ChangeSet:
        """Return the changes, once all rows were added."""
        ids = None if self._ids is None else frozenset(self._ids)
        # What the cursor has reached is known by its time.
        ahead = frozenset((key, time) for key, time in self._ahead if time > self._latest)
        cursor = WatchCursor(self._latest, ids, ahead=ahead)
        latest = max(self._latest, self._furthest)
        return ChangeSet(self._since, cursor, self._count, self._unreadable, latest, self._ignored)


def _row_key(row: Mapping[str, Any]) -> str:
    """Return the id of a row, or a digest of it or, where there is none, of the person.

    An id that is longer than the API's becomes a digest, since the asset's state keeps a thousand.
    """
    text = str(row.get("id"))
    if row.get("id") in (None, ""):
        identity = [str(row.get(name) or "") for name in _IDENTITY]
        if not any(identity):
            return _NO_ID
        text = "\n".join(["", *identity])
    if len(text) <= _MAX_KEY_LENGTH and is_valid_identifier(text):
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_MAX_KEY_LENGTH]


def _second_after(time: datetime) -> datetime:
    """Return the next whole second after a time, or the last moment of the calendar."""
    try:
        return _truncate(time) + _SECOND
    except OverflowError:
        return datetime.max.replace(tzinfo=time.tzinfo)


def _truncate(time: datetime) -> datetime:
    return time.replace(microsecond=0)
