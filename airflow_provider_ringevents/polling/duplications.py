"""The waiter for the copy of an event, which the response to a duplication does not name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsError
from airflow_provider_ringevents.client.transport.redaction import clean_value
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier
from airflow_provider_ringevents.observability.progress_log import LogFunction, WaitProgressLogger
from airflow_provider_ringevents.polling.schedule import PollSchedule
from airflow_provider_ringevents.polling.waiter import EventListing, PollRequest
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY, ExpectedEvent

UNMARKED_GRACE_SECONDS: Final = 30.0
"""Seconds for which a copy without its marker must have been seen before it is taken: the marker may come later."""


class DuplicationWaiter:
    """A wait until the copy that an idempotency key stands for is listed.

    :param organization_id: the organization whose events are listed.
    :param expected: the copy's marker and attributes.
    :param requested_at: when the duplication was requested, in seconds since the epoch.
    :param deadline: seconds since the epoch; None: the wait has no end.
    :param poll_interval: the longest delay between polls, in seconds.
    :param log: writes the progress, once a minute at most.
    :ivar copy_id: the id of the copy; empty until the wait is over.
    """

    def __init__(
        self,
        organization_id: str,
        expected: ExpectedEvent,
        requested_at: float,
        deadline: float | None,
        poll_interval: float,
        log: LogFunction,
    ) -> None:
        self.request: PollRequest = EventListing(organization_id)
        self.deadline = deadline
        self.copy_id = ""
        self._expected = expected
        self._requested_at = requested_at
        subject = f"the copy of event {expected.source_id}"
        self._schedule = PollSchedule(f"{subject} appearing", deadline, poll_interval)
        self._progress_log = WaitProgressLogger(subject, deadline, log)
        self._log = log
        self._unmarked_since: float | None = None

    def next_delay(self, concurrent_waits: int = 0) -> float:
        """Return the delay before the next listing, in seconds.

        :param concurrent_waits: ignored, since waits of one organization share a listing.
        """
        return self._schedule.next_delay(clock.now())

    def on_response(self, response: Sequence[Mapping[str, Any]]) -> bool:
        """Take the events of the organization; return True when the copy is among them.

        :raises RingEventsConfigError: several events may be the copy.
        :raises RingEventsWaitTimeoutError: the deadline has passed.
        :raises RingEventsError: the copy is listed under an id that no request can use.
        """
        found = self._expected.match(response) or self._match_without_marker(response)
        if found:
            copy_id = found["id"]
            if not is_valid_identifier(copy_id):
                raise RingEventsError(
                    f"the service lists the copy of event {self._expected.source_id} under an unusable id:"
                    f" {clean_value(copy_id)!r}",
                    retryable=True,
                )
            self.copy_id = copy_id
            self._progress_log.log_done(f"Event {self.copy_id} is there, the copy of {self._expected.source_id},")
            return True
        progress = f"it is not among the {len(response)} events of the organization"
        self._schedule.record_pending(clock.now(), progress)
        self._progress_log.log_pending(progress)
        return False

    def on_error(self, error: RingEventsError) -> None:
        """Take the error of a failed listing, and return if the wait goes on.

        :raises RingEventsError: the error ends the wait.
        """
        self._schedule.on_error(error, clock.now())
        self._progress_log.log_pending(f"a listing failed: {error}")

    def _match_without_marker(self, events: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
        now = clock.now()
        try:
            candidate = self._expected.match_without_marker(events, self._requested_at)
        except RingEventsConfigError:
            # One of several candidates may still get its marker.
            if not self._grace_has_passed(now):
                return None
            raise
        if candidate is None:
            self._unmarked_since = None
            return None
        if not self._grace_has_passed(now):
            return None
        self._log(
            "Event %s looks like the copy but does not carry its marker (metadata %r): idempotency is degraded, since a"
            " copy cannot be distinguished from another one with the same name and times",
            clean_value(candidate["id"]),
            MARKER_METADATA_KEY,
        )
        return candidate

    def _grace_has_passed(self, now: float) -> bool:
        if self._unmarked_since is None:
            self._unmarked_since = now
        return now - self._unmarked_since >= UNMARKED_GRACE_SECONDS
