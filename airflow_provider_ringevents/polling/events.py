"""The waiter for conditions of an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import get_event
from airflow_provider_ringevents.client.errors import (
    RingEventsError,
    RingEventsNotFoundError,
    invalid_argument,
)
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.transport.redaction import clean_value
from airflow_provider_ringevents.client.types import validate_choice
from airflow_provider_ringevents.client.validation.datetimes import is_local_time, parse_timestamp
from airflow_provider_ringevents.observability.progress_log import LogFunction, WaitProgressLogger
from airflow_provider_ringevents.polling.schedule import PollSchedule

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.transport.responses import Envelope
    from airflow_provider_ringevents.polling.waiter import PollRequest

EventConditionName = Literal["exists", "published", "status", "started", "ended"]

_DESCRIPTIONS: Final = {
    "exists": "to exist",
    "published": "to be published",
    "started": "to have started",
    "ended": "to have ended",
}
LAST_SECOND: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
"""The end of the calendar, in seconds since the epoch: an end plus an offset may lie behind it."""
_TIME_FIELDS: Final = {"started": "timeStart", "ended": "timeEnd"}


@dataclass(frozen=True, slots=True)
class EventCondition:
    """A condition of an event that can be waited for.

    :ivar name: ``exists``, ``published``, ``status``, ``started`` or ``ended``.
    :ivar status: the status for the condition ``status``, compared without case.
    :ivar offset: seconds after (or, negative, before) the start or the end.
    :raises RingEventsConfigError: the name is none of these, or a status or an offset does not go with it.
    """

    name: str
    status: str | None = None
    offset: float = 0.0

    def __post_init__(self) -> None:
        validate_choice("condition", self.name, get_args(EventConditionName), closed=True)
        if self.name == "status" and not (isinstance(self.status, str) and self.status.strip()):
            raise invalid_argument("status", "a status for the condition 'status'", self.status)
        if self.name != "status" and self.status is not None:
            raise invalid_argument("status", f"left out for the condition {self.name!r}", self.status)
        if self.offset and self.name not in _TIME_FIELDS:
            raise invalid_argument("offset", f"left out for the condition {self.name!r}", self.offset)

    @property
    def description(self) -> str:
        """Return the condition as in "Waiting for event X ..."."""
        return _DESCRIPTIONS.get(self.name) or f"to be {self.status!r}"

    def due_at(self, event: Mapping[str, Any]) -> float | None:
        """Return when a condition of time is met, in seconds since the epoch; None if the event does not say."""
        if self.name not in _TIME_FIELDS:
            return None
        time = parse_timestamp(event.get(_TIME_FIELDS[self.name]), event.get("timezone") or "")
        return min(max(time.timestamp() + self.offset, 0.0), LAST_SECOND) if time else None

    def is_met(self, event: Mapping[str, Any], now: float) -> bool:
        """Return True when an event that was read just now meets the condition.

        :param now: seconds since the epoch.
        """
        if self.name == "exists":
            return True
        if self.name == "published":
            return event.get("published") is True
        if self.name == "status":
            return str(event.get("status") or "").strip().lower() == str(self.status).strip().lower()
        due_at = self.due_at(event)
        return due_at is not None and now >= due_at

    def describe_progress(self, event: Mapping[str, Any]) -> str:
        """Return the state of an event that does not meet the condition yet, as a phrase."""
        if self.name not in _TIME_FIELDS:
            status, published = clean_value(event.get("status")), clean_value(event.get("published"))
            return f"its status is {status!r}, published: {published}"
        field = _TIME_FIELDS[self.name]
        due_at = self.due_at(event)
        if due_at is None and event.get(field) is None:
            return f"it has no {field}"
        if due_at is None and is_local_time(event[field]):
            return (
                f"its {field} is {clean_value(event[field])} without an offset, and its time zone"
                f" {clean_value(event.get('timezone'))!r} is not known"
            )
        if due_at is None:
            return f"its {field} {clean_value(event[field])!r} is not a time"
        until = f"{datetime.fromtimestamp(due_at, UTC):%Y-%m-%d %H:%M:%SZ}"
        return f"its {field} is {clean_value(event.get(field))}; waiting until {until}"


class EventWaiter:
    """A wait until an event meets a condition.

    A known start or end is slept towards, then confirmed by a poll, since events get moved.

    :param deadline: seconds since the epoch; None: the wait has no end.
    :param poll_interval: the longest delay between polls while no start or end is known, in seconds.
    :param log: writes the progress, once a minute at most.
    :ivar event: the event as the last poll has read it; empty before.
    """

    def __init__(
        self,
        event_id: str,
        condition: EventCondition,
        deadline: float | None,
        poll_interval: float,
        log: LogFunction,
    ) -> None:
        self.request: PollRequest = get_event(event_id)
        self.event: Mapping[str, Any] = {}
        self._event_id = event_id
        self._condition = condition
        self._schedule = PollSchedule(f"event {event_id}: condition {condition.name!r}", deadline, poll_interval)
        self.deadline = deadline
        self._progress_log = WaitProgressLogger(f"event {event_id} {condition.description}", deadline, log)
        self._due_at: float | None = None

    def next_delay(self, concurrent_waits: int = 0) -> float:
        """Return the delay before the next poll, in seconds; 0 before the first poll, unless many waits begin."""
        now = clock.now()
        delay = self._schedule.next_delay(now, concurrent_waits)
        if self._schedule.polls == 1:
            return delay if concurrent_waits > defaults.POLL_RATE_TARGET else 0.0
        if self._due_at is None or self._due_at <= now:
            return delay
        until = min(self._due_at, now + defaults.EVENT_RECHECK)
        return max(0.0, (until if self.deadline is None else min(until, self.deadline)) - now)

    def on_response(self, response: Envelope) -> bool:
        """Take a response; return True when the condition is met.

        :raises RingEventsWaitTimeoutError: the deadline has passed; the message has the state of the event.
        """
        data = response.get("data")
        self.event = event = flatten_resource(data) if isinstance(data, Mapping) else {}
        now = clock.now()
        if self._condition.is_met(event, now):
            self._progress_log.log_done(f"Event {self._event_id}: condition {self._condition.name!r} is met")
            return True
        self._due_at = self._condition.due_at(event)
        progress = self._condition.describe_progress(event)
        self._schedule.record_pending(now, progress)
        self._progress_log.log_pending(progress)
        return False

    def on_error(self, error: RingEventsError) -> None:
        """Take the error of a failed poll, and return if the wait goes on.

        :raises RingEventsError: the error ends the wait.
        """
        now = clock.now()
        self._due_at = None
        if self._condition.name == "exists" and isinstance(error, RingEventsNotFoundError):
            self._schedule.record_pending(now, "there is no such event")
            self._progress_log.log_pending("there is no such event yet")
        else:
            self._schedule.on_error(error, now)
            self._progress_log.log_pending(f"a poll failed: {error}")
