"""What is new in a list since the last look: a watermark, and what was seen at it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, parse_timestamp

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class WatchCursor:
    """Up to where the changes are known.

    :ivar time: the latest time that a row was seen with, aware and in UTC; or where to begin.
    :ivar ids: the rows that were seen with just this time: others may still get it. None: too many to keep.
    :ivar quiet_until: before the first look: what has changed before this is not new, though it was not seen.
    """

    time: datetime
    ids: frozenset[str] | None = frozenset()
    quiet_until: datetime | None = None

    @classmethod
    def from_now_on(cls, now: datetime) -> WatchCursor:
        """Take what has changed till ``now`` for known.

        The first look goes back further: it finds the latest time by the service's own clock, which is what counts from
        then on.
        """
        return cls(now - timedelta(seconds=defaults.WATCH_CLOCK_SLACK), quiet_until=now)

    @property
    def begins(self) -> datetime:
        """Where what is not known begins."""
        return self.quiet_until or self.time

    @property
    def condition(self) -> dict[str, str]:
        """What to filter the list by."""
        return {"gt" if self.ids is None else "gte": format_timestamp(self.time)}

    def knows(self, row_id: str, time: datetime) -> bool:
        """Whether a row with that time is not new."""
        if time < self.begins:
            return True
        return time == self.time and (self.ids is None or row_id in self.ids)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "time": format_timestamp(self.time),
            "ids": None if self.ids is None else sorted(self.ids),
            "quiet_until": format_timestamp(self.quiet_until) if self.quiet_until else None,
        }

    @classmethod
    def from_json(cls, values: Any) -> WatchCursor | None:
        """Read what :meth:`to_json` wrote; None where it is something else."""
        if not isinstance(values, Mapping):
            return None
        time, ids = parse_timestamp(values.get("time"), None), values.get("ids")
        if time is None or not (ids is None or isinstance(ids, list)):
            return None
        kept = None if ids is None else frozenset(map(str, ids))
        return cls(time, kept, parse_timestamp(values.get("quiet_until"), None))


def min_cursor(watermarks: Iterable[WatchCursor]) -> WatchCursor:
    """The one after which nothing is missed by anybody; of several with the same time what all of them know."""
    found = sorted(watermarks, key=lambda watermark: watermark.begins)
    first = found[0]
    kept = [other.ids for other in found if other.time == first.time and other.begins == first.begins]
    known = [ids for ids in kept if ids is not None]
    return WatchCursor(first.time, frozenset.intersection(*known) if known else None, first.quiet_until)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one look has found.

    :ivar since: what was known before.
    :ivar watermark: what is known now.
    :ivar count: rows that are new; one that moved to another page meanwhile counts twice.
    :ivar unreadable: rows without a time that can be read.
    """

    since: WatchCursor
    watermark: WatchCursor
    count: int
    unreadable: int

    def payload(self, event_id: str, window_field: str) -> dict[str, Any]:
        """What the asset event carries: no personal data.

        The window begins where the last one had its latest row and ends after the latest of this one. Both are whole
        seconds, so that it holds all of them however exact the times are that the service shows; its first second may
        have been in the last window, too.
        """
        return {
            "event_id": event_id,
            "window_field": window_field,
            "from": format_timestamp(_whole(self.since.begins)),
            "to": format_timestamp(_whole(self.watermark.time) + _SECOND),
            "count": self.count,
        }


class ChangeScan:
    """One reading of a list, row by row in whatever order, in memory that does not grow with the list.

    :param since: what is known.
    :param field: the rows' time that counts.
    """

    def __init__(self, since: WatchCursor, field: str) -> None:
        self._since = since
        self._field = field
        self._latest = since.time
        # A row that slipped from a page unread to one that was read is still known.
        self._ids = None if since.ids is None else set(since.ids)
        self._count = 0
        self._unreadable = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row."""
        row_id, time = str(row.get("id")), parse_timestamp(row.get(self._field), None)
        if time is None:
            self._unreadable += 1
            return
        if time > self._latest:
            self._latest, self._ids = time, {row_id}
        elif time == self._latest and self._ids is not None:
            self._ids.add(row_id)
            if len(self._ids) > defaults.WATCH_MAX_BOUNDARY_IDS:
                self._ids = None
        self._count += not self._since.knows(row_id, time)

    def changes(self) -> ChangeSet:
        """What was found when the list has ended."""
        ids = None if self._ids is None else frozenset(self._ids)
        return ChangeSet(self._since, WatchCursor(self._latest, ids), self._count, self._unreadable)


def _whole(time: datetime) -> datetime:
    return time.replace(microsecond=0)
