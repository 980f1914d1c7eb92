"""The work of the report export: one report over the tries of a task, requested, awaited and published."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import create_report
from airflow_provider_ringevents.client.errors import RingEventsNotFoundError, RingEventsReportFailedError
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.waiter import wait_until_done
from airflow_provider_ringevents.state.report_checkpoint import ReportCheckpoint, fingerprint

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.storage import Destination
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator


class PendingReport(NamedTuple):
    """A report that was requested.

    :ivar deadline: the end of the wait, in seconds since the epoch.
    :ivar not_found_until: seconds since the epoch until which a 404 means that the report is not visible yet.
    """

    report_id: str
    deadline: float
    not_found_until: float


class ReportExport:
    """The export of one report, whose id outlives the tries of the task on Airflow 3.3 and later."""

    def __init__(
        self, operator: RingEventsReportToObjectStorageOperator, context: Context, hook: RingEventsHook
    ) -> None:
        self._operator = operator
        self._hook = hook
        request = (
            operator.ringevents_conn_id,
            operator.event_id,
            operator.report_type,
            operator.report_version,
            operator.attributes,
        )
        self._checkpoint = ReportCheckpoint(task_state_store(context), fingerprint(*request), operator.wait_timeout)

    def request(self, deadline: float) -> PendingReport:
        """Request the report, or take up the one that an earlier try has requested.

        :param deadline: the end of the wait, in seconds since the epoch.
        """
        operator = self._operator
        if resumed := self._checkpoint.load(self._hook.client):
            report_id, requested_at = resumed
            operator.log.info("Resuming report %s, which an earlier try requested", report_id)
        else:
            report_id = self._hook.create_report(
                operator.event_id,
                operator.report_type,
                operator.report_version,
                operator.attributes,
                allow_undocumented=operator.allow_undocumented,
            )["id"]
            requested_at = clock.now()
            self._checkpoint.save(report_id, requested_at)
            operator.log.info(
                "Requested the %s report of event %s: report %s", operator.report_type, operator.event_id, report_id
            )
        return PendingReport(report_id, deadline, requested_at + defaults.NOT_FOUND_GRACE)

    def forgets_dead_reports(self) -> AbstractContextManager[None]:
        """Return a context in which an error that shows the report to be dead lets the next try request a new one."""
        return self._checkpoint.clear_on(RingEventsReportFailedError, RingEventsNotFoundError)

    def wait(self, report: PendingReport, poll_interval: float) -> None:
        """Wait on the worker until the report is ready."""
        waiter = ReportWaiter(
            report.report_id, report.deadline, poll_interval, report.not_found_until, self._operator.log.info
        )
        with self.forgets_dead_reports():
            wait_until_done(waiter, self._hook)

    def publish(self, report_id: str, destination: Destination) -> tuple[dict[str, Any], str | None]:
        """Publish the report.

        :returns: the published object, and the title of the report.
        """
        operator = self._operator
        call = create_report(operator.event_id, operator.report_type, operator.report_version, allow_undocumented=True)
        with self._checkpoint.clear_on(RingEventsNotFoundError):
            title = self._hook.get_report(report_id).get("title")
            fallback_name = f"{operator.report_type}-{operator.event_id}.csv"
            published = operator.upload(self._hook, report_id, destination, fallback_name)
        operator.record_lineage(self._hook, call.path, published, destination)
        self._checkpoint.clear()
        return published, title
