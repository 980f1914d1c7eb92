"""Waits for something to become true of an event; driven as the other waits are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import get_event
from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
)
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.types import validate_choice
from airflow_provider_ringevents.client.validation.datetimes import parse_timestamp
from airflow_provider_ringevents.observability.progress_log import WaitProgressLogger
from airflow_provider_ringevents.polling.waiter import PollSchedule

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.transport.responses import Envelope

EventConditionName = Literal["exists", "published", "status", "started", "ended"]

_AWAITED: Final = {
    "exists": "to exist",
    "published": "to be published",
    "started": "to have started",
    "ended": "to have ended",
}
_TIME_FIELDS: Final = {"started": "timeStart", "ended": "timeEnd"}


@dataclass(frozen=True, slots=True)
class EventCondition:
    """What is waited for.

    :ivar name: ``exists``, ``published``, ``status``, ``started`` or ``ended``.
    :ivar status: the status word for ``status``; upper and lower case are the same.
    :ivar offset: seconds after (or, negative, before) the start or the end.
    :raises RingEventsConfigError: a name that is not one of these, or a status or offset where it makes no sense.
    """

    name: str
    status: str | None = None
    offset: float = 0.0

    def __post_init__(self) -> None:
        validate_choice("condition", self.name, get_args(EventConditionName), closed=True)
        if self.name == "status" and not (isinstance(self.status, str) and self.status.strip()):
            raise RingEventsConfigError(f"status: condition 'status' needs a status word, got {self.status!r}")
        if self.name != "status" and self.status is not None:
            raise RingEventsConfigError(f"status: {self.status!r} is for condition 'status' alone, not {self.name!r}")
        if self.offset and self.name not in _TIME_FIELDS:
            raise RingEventsConfigError(f"offset: is for conditions 'started' and 'ended' alone, not {self.name!r}")

    @property
    def awaited(self) -> str:
        """As in "Waiting for event X ..."."""
        return _AWAITED.get(self.name) or f"to be {self.status!r}"

    def moment(self, event: Mapping[str, Any]) -> float | None:
        """When a condition of time is met, in seconds since the epoch; None while that is not known."""
        when = parse_timestamp(event.get(_TIME_FIELDS[self.name]), event.get("timezone"))
        return when.timestamp() + self.offset if when else None

    def met(self, event: Mapping[str, Any], now: float) -> bool:
        """Whether it is true of an event as read just now."""
        if self.name == "exists":
            return True
        if self.name == "published":
            return event.get("published") is True
        if self.name == "status":
            return str(event.get("status") or "").strip().lower() == str(self.status).strip().lower()
        moment = self.moment(event)
        return moment is not None and now >= moment

    def unmet(self, event: Mapping[str, Any]) -> str:
        """How far an event is from it, in words."""
        if self.name not in _TIME_FIELDS:
            return f"its status is {event.get('status')!r}, published: {event.get('published')}"
        field = _TIME_FIELDS[self.name]
        moment = self.moment(event)
        if moment is None:
            return f"it has no {field}"
        return (
            f"its {field} is {event.get(field)}; waiting until {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%SZ}"
        )


class EventWaiter:
    """A wait for a condition of an event; a known moment is slept towards, then confirmed, since events get moved.

    :param deadline: seconds since the epoch; None: no end.
    :param poll_interval: the longest pause between polls, in seconds, while no moment is known.
    :param say: told how it goes, once a minute at most.
    :ivar event: as it was read last; empty before.
    """

    def __init__(
        self,
        event_id: str,
        condition: EventCondition,
        deadline: float | None,
        poll_interval: float,
        say: Callable[..., None],
    ) -> None:
        self.call = get_event(event_id)
        self.event: Mapping[str, Any] = {}
        self._event_id = event_id
        self._condition = condition
        self._wait = PollSchedule(f"event {event_id}: condition {condition.name!r}", deadline, poll_interval)
        self.deadline = deadline
        self._notes = WaitProgressLogger(f"event {event_id} {condition.awaited}", deadline, say)
        self._moment: float | None = None

    def pause(self, others: int = 0) -> float:
        """Seconds to sleep before the next poll; none before the first, unless ``others`` begin beside this one."""
        now = clock.now()
        usual = self._wait.pause(now, others)
        if self._wait.polls == 1:
            return usual if others > defaults.POLL_RATE_TARGET else 0.0
        if self._moment is None or self._moment <= now:
            return usual
        until = min(self._moment, now + defaults.EVENT_RECHECK)
        return max(0.0, (until if self.deadline is None else min(until, self.deadline)) - now)

    def answered(self, envelope: Envelope) -> bool:
        """Take an answer; True when the condition is met.

        :raises RingEventsWaitTimeoutError: the deadline has passed; says where the event stands.
        """
        data = envelope.get("data")
        self.event = event = flatten_resource(data) if isinstance(data, Mapping) else {}
        now = clock.now()
        if self._condition.met(event, now):
            self._notes.finished(f"Event {self._event_id}: condition {self._condition.name!r} is met")
            return True
        self._moment = self._condition.moment(event) if self._condition.name in _TIME_FIELDS else None
        said = self._condition.unmet(event)
        self._wait.unfinished(now, said)
        self._notes.unfinished(said)
        return False

    def failed(self, error: RingEventsError) -> None:
        """Take a poll that failed; returns when that is to be lived with.

        :raises RingEventsError: it ends the wait.
        """
        now = clock.now()
        self._moment = None
        if self._condition.name == "exists" and isinstance(error, RingEventsNotFoundError):
            self._wait.unfinished(now, "there is no such event")
            self._notes.unfinished("there is no such event yet")
        else:
            self._wait.failed(error, now)
            self._notes.unfinished(f"a poll failed: {error}")
