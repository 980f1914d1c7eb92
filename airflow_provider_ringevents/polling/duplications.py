"""Waits for the copy of an event to appear: a duplication answers nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsError
from airflow_provider_ringevents.observability.progress_log import WaitProgressLogger
from airflow_provider_ringevents.polling.waiter import PollSchedule
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY, ExpectedEvent

UNMARKED_GRACE_SECONDS: Final = 30.0
"""Seconds for which a copy must have been seen without its mark before it is taken: the mark may come later."""
CLOCK_SKEW: Final = 60.0
"""Seconds that the service's clock may be behind ours."""


class DuplicationWaiter:
    """A wait for the copy that a key stands for.

    :param wanted: what it must carry and look like.
    :param asked_at: when the duplication was asked for, in seconds since the epoch.
    :param deadline: seconds since the epoch; None: no end.
    :param poll_interval: the longest pause between looks, in seconds.
    :param say: told how it goes, once a minute at most.
    """

    def __init__(
        self,
        wanted: ExpectedEvent,
        asked_at: float,
        deadline: float | None,
        poll_interval: float,
        say: Callable[..., None],
    ) -> None:
        self._wanted = wanted
        self._asked_at = asked_at
        self._wait = PollSchedule(f"the copy of event {wanted.source_id} appearing", deadline, poll_interval)
        self._say_it = say
        self._notes = WaitProgressLogger(f"the copy of event {wanted.source_id}", deadline, say)
        self._unmarked_since: float | None = None

    def pause(self) -> float:
        """Seconds to sleep before the next look."""
        return self._wait.pause(clock.now())

    def looked(self, events: Sequence[Mapping[str, Any]]) -> str | None:
        """Take the organization's events; gives the copy's id when it is there.

        :raises RingEventsConfigError: several events may be the copy.
        :raises RingEventsWaitTimeoutError: the deadline has passed.
        """
        found = self._wanted.find(events) or self._unmarked(events)
        if found:
            self._notes.finished(f"Event {found['id']} is there, the copy of {self._wanted.source_id},")
            return str(found["id"])
        said = f"it is not among the {len(events)} events of the organization"
        self._wait.unfinished(clock.now(), said)
        self._notes.unfinished(said)
        return None

    def failed(self, error: RingEventsError) -> None:
        """Take a look that failed; returns when that is to be lived with.

        :raises RingEventsError: it ends the wait.
        """
        self._wait.failed(error, clock.now())
        self._notes.unfinished(f"a look failed: {error}")

    def _unmarked(self, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        now = clock.now()
        try:
            candidate = self._wanted.find_unmarked(events, self._asked_at - CLOCK_SKEW)
        except RingEventsConfigError:
            # Several: one of them may get its mark yet.
            if not self._seen_unmarked_long_enough(now):
                return None
            raise
        if candidate is None:
            self._unmarked_since = None
            return None
        if not self._seen_unmarked_long_enough(now):
            return None
        self._say_it(
            "Event %s looks like the copy but does not carry its mark (metadata %r): create-once is degraded, since a"
            " copy cannot be told from another one with the same name and times",
            candidate["id"],
            MARKER_METADATA_KEY,
        )
        return candidate

    def _seen_unmarked_long_enough(self, now: float) -> bool:
        if self._unmarked_since is None:
            self._unmarked_since = now
        return now - self._unmarked_since >= UNMARKED_GRACE_SECONDS
