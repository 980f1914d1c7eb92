"""The position of a watcher in a list that grows and changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, parse_timestamp

_AHEAD_KEY_LENGTH: Final = 12
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def ahead_key(row_id: str) -> str:
    """Return the short digest under which a row with a time in the future is kept."""
    return hashlib.sha256(row_id.encode("utf-8", "replace")).hexdigest()[:_AHEAD_KEY_LENGTH]


@dataclass(frozen=True, slots=True)
class WatchCursor:
    """The position up to which a watcher knows the changes of a list.

    :ivar time: the latest time that a row was seen with, aware and in UTC; or the start of the watch.
    :ivar ids: the rows that were seen with exactly this time, which other rows may still get; None: too many to keep.
    :ivar ahead: rows that were seen with a time so far in the future that it did not move the position; each is the
        :func:`ahead_key` of its id, and the time.
    :ivar baseline: a time, before the first scan, before which no change is new although none was seen.
    """

    time: datetime
    ids: frozenset[str] | None = frozenset()
    baseline: datetime | None = None
    ahead: frozenset[tuple[str, datetime]] = frozenset()

    @classmethod
    def baseline_at(cls, now: datetime) -> WatchCursor:
        """Return a cursor for which all changes until ``now`` are known.

        The first scan reaches further back: it finds the latest time by the clock of the service, which counts from
        then on.
        """
        return cls(now - timedelta(seconds=defaults.WATCH_CLOCK_SLACK), baseline=now)

    @property
    def lower_bound(self) -> datetime:
        """Return the time at which unknown changes begin."""
        return self.baseline or self.time

    @property
    def filter_condition(self) -> dict[str, str]:
        """Return the condition on the time by which the list is filtered."""
        return {"gt" if self.ids is None else "gte": format_timestamp(self.time)}

    def has_seen(self, row_id: str, time: datetime) -> bool:
        """Return True when a row with that time is not new."""
        if time < self.lower_bound or (self.ahead and (ahead_key(row_id), time) in self.ahead):
            return True
        return time == self.time and (self.ids is None or row_id in self.ids)

    def to_json(self) -> dict[str, Any]:
        """Return the cursor as plain JSON values."""
        return {
            "time": format_timestamp(self.time),
            "ids": None if self.ids is None else sorted(self.ids),
            "baseline": format_timestamp(self.baseline) if self.baseline else None,
            # Compact: a thousand of them and a thousand ids fit into the 65,535 bytes of Airflow's column.
            "ahead": sorted(f"{key}{(time - _EPOCH) // _MICROSECOND}" for key, time in self.ahead),
        }

    @classmethod
    def from_json(cls, value: Any) -> WatchCursor:
        """Return the cursor that :meth:`to_json` has written.

        :raises ValueError: the value is something else; likewise :class:`LookupError` and :class:`TypeError`.
        """
        time, ids = parse_timestamp(value["time"], None), value["ids"]
        if time is None or not (ids is None or isinstance(ids, list)):
            raise ValueError(f"not a cursor: {value!r:.200}")
        try:
            ahead = frozenset(
                (text[:_AHEAD_KEY_LENGTH], _EPOCH + int(text[_AHEAD_KEY_LENGTH:]) * _MICROSECOND)
                for text in value.get("ahead", ())
            )
        except OverflowError as error:
            raise ValueError(f"a time beyond the calendar: {error}") from None
        known = None if ids is None else frozenset(map(str, ids))
        return cls(time, known, parse_timestamp(value["baseline"], None), ahead)


def min_cursor(cursors: Iterable[WatchCursor]) -> WatchCursor:
    """Return the earliest of several cursors, after which none of them misses a change.

    Of cursors with the same time only the rows count that all of them have seen.
    """
    cursors = list(cursors)
    ahead = frozenset.intersection(*(cursor.ahead for cursor in cursors))
    ordered = sorted(cursors, key=lambda cursor: cursor.lower_bound)
    first = ordered[0]
    ties = [cursor.ids for cursor in ordered if cursor.time == first.time and cursor.lower_bound == first.lower_bound]
    known = [ids for ids in ties if ids is not None]
    return WatchCursor(first.time, frozenset.intersection(*known) if known else None, first.baseline, ahead)
