"""The window of an export: a half-open interval of time on one field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.filters import Filter, FilterLike
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, to_utc

_NO_INTERVAL = (
    "Runs have one under CronDataIntervalTimetable and DeltaDataIntervalTimetable, and where [scheduler]"
    " create_cron_data_intervals (or create_delta_data_intervals) is true; on Airflow 3 a plain cron schedule has none,"
    " and manual and asset-triggered runs have none. Give window=(start, end), or let watermark=True keep the place."
)


@dataclass(frozen=True, slots=True)
class Window:
    """A window, ``start <= field < end``.

    :ivar start: aware, in UTC; None: from the beginning.
    :ivar end: aware, in UTC.
    """

    field: str
    start: datetime | None
    end: datetime

    def merge_into(self, filter: FilterLike | None) -> Filter:
        """Return a filter with the conditions of this window added.

        :raises RingEventsConfigError: the filter has conditions on the same field already.
        """
        if filter and self.field in filter:
            raise invalid_argument(
                "filter", f"without a condition on {self.field}, the field of the window", filter[self.field]
            )
        conditions = {"gte": format_timestamp(self.start)} if self.start else {}
        return Filter({**(filter or {}), self.field: {**conditions, "lt": format_timestamp(self.end)}})

    def to_dict(self) -> dict[str, str | None]:
        """Return ``field``, ``from`` and ``to`` as JSON values."""
        return {
            "field": self.field,
            "from": format_timestamp(self.start) if self.start else None,
            "to": format_timestamp(self.end),
        }

    def __str__(self) -> str:
        start = format_timestamp(self.start) if self.start else "the beginning"
        return f"{self.field} from {start} to before {format_timestamp(self.end)}"


def parse_window(field: str, window: Any) -> Window:
    """Return the window of an argument.

    :param window: start and end, ISO 8601 with an offset or aware datetimes.
    :raises RingEventsConfigError: it is not a pair, one of them cannot be read, or it is empty.
    """
    if not isinstance(window, Sequence) or isinstance(window, str) or len(window) != 2:
        raise invalid_argument("window", "a pair of start and end", window)
    start, end = to_utc("window start", window[0], None), to_utc("window end", window[1], None)
    if start >= end:
        raise invalid_argument("window", "a start before its end", (format_timestamp(start), format_timestamp(end)))
    return Window(field, start, end)


def data_interval_window(field: str, context: Mapping[str, Any]) -> Window:
    """Return the window of the run's data interval.

    :raises RingEventsConfigError: the run has none, or an empty one; the message names the timetables that have one.
    """
    start, end = context.get("data_interval_start"), context.get("data_interval_end")
    if start is None or end is None:
        raise invalid_argument("window", "given, since this run has no data interval", hint=_NO_INTERVAL)
    start, end = to_utc("data_interval_start", start, None), to_utc("data_interval_end", end, None)
    if start >= end:
        interval = f"{format_timestamp(start)} to {format_timestamp(end)}"
        raise invalid_argument(
            "window", f"given, since the data interval of this run is empty ({interval})", hint=_NO_INTERVAL
        )
    return Window(field, start, end)
