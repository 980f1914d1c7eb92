"""The waiter for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.endpoints import get_report
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsReportFailedError
from airflow_provider_ringevents.client.report_status import ReportState, ReportStatus, report_status
from airflow_provider_ringevents.observability.progress_log import LogFunction, WaitProgressLogger
from airflow_provider_ringevents.polling.schedule import PollSchedule

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.transport.responses import Envelope
    from airflow_provider_ringevents.polling.waiter import PollRequest


class ReportWaiter:
    """A wait until a report is ready.

    :param deadline: seconds since the epoch; None: the wait has no end.
    :param poll_interval: the longest delay between polls, in seconds.
    :param not_found_until: seconds since the epoch until which a 404 means "not visible yet"; None: never.
    :param log: writes the progress, once a minute at most.
    """

    def __init__(
        self,
        report_id: str,
        deadline: float | None,
        poll_interval: float,
        not_found_until: float | None,
        log: LogFunction,
    ) -> None:
        self.request: PollRequest = get_report(report_id)
        self.deadline = deadline
        self._report_id = report_id
        self._schedule = PollSchedule(f"report {report_id} being ready", deadline, poll_interval, not_found_until)
        self._progress_log = WaitProgressLogger(f"report {report_id}", deadline, log)

    def next_delay(self, concurrent_waits: int = 0) -> float:
        """Return the delay before the next poll, in seconds."""
        return self._schedule.next_delay(clock.now(), concurrent_waits)

    def on_response(self, response: Envelope) -> bool:
        """Take a response; return True when the report is ready.

        :raises RingEventsReportFailedError: the service could not generate the report.
        :raises RingEventsWaitTimeoutError: the deadline has passed.
        """
        status = report_status(response)
        if status.state is ReportState.FAILED:
            raise report_failed_error(self._report_id, status)
        if status.state is ReportState.READY:
            self._progress_log.log_done(f"Report {self._report_id} is ready")
            return True
        description = describe_status(status)
        self._schedule.record_pending(clock.now(), description)
        self._progress_log.log_pending(description)
        return False

    def on_error(self, error: RingEventsError) -> None:
        """Take the error of a failed poll, and return if the wait goes on.

        :raises RingEventsError: the error ends the wait.
        """
        self._schedule.on_error(error, clock.now())
        self._progress_log.log_pending(f"a poll failed: {error}")


def describe_status(status: ReportStatus) -> str:
    """Return the status of a report that is not ready as a phrase."""
    if status.word is None:
        return "the service says that it is in progress"
    hint = "" if status.known else " (an unknown word, so not taken for success)"
    return f"the service says {status.word!r}{hint}"


def report_failed_error(report_id: str, status: ReportStatus) -> RingEventsReportFailedError:
    """Return the error for a report that the service could not make."""
    return RingEventsReportFailedError(
        f"report {report_id}: the service could not make it (status {status.word!r}); ask for a new one, and if that"
        " fails too, try it in the Events web application"
    )
