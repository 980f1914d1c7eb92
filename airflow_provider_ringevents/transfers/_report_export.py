"""The work of the operators that export reports; imported when such a task runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import create_report, get_report
from airflow_provider_ringevents.client.errors import (
    RingEventsNotFoundError,
    RingEventsReportFailedError,
)
from airflow_provider_ringevents.operators._xcom import within_limit
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.waiter import wait_until_done
from airflow_provider_ringevents.state.report_checkpoint import ReportCheckpoint, fingerprint
from airflow_provider_ringevents.storage import identifier_file_name
from airflow_provider_ringevents.transfers.base import manifest
from airflow_provider_ringevents.transfers.report_upload import upload_report
from airflow_provider_ringevents.triggers._payload import parse_payload
from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.storage import Destination
    from airflow_provider_ringevents.transfers.report_to_object_storage import (
        RingEventsBaseReportOperator,
        RingEventsDownloadReportOperator,
        RingEventsReportToObjectStorageOperator,
    )

_DEAD_REPORT_ERRORS = (RingEventsReportFailedError, RingEventsNotFoundError)


class _PendingReport(NamedTuple):
    """A report that was requested.

    :ivar deadline: the end of the wait, in seconds since the epoch.
    :ivar not_found_until: seconds since the epoch until which a 404 means that the report is not visible yet.
    """

    report_id: str
    deadline: float
    not_found_until: float


def download_report(operator: RingEventsDownloadReportOperator, context: Context) -> dict[str, Any]:
    """Download a report that is ready and publish it."""
    report_id = operator.report_id
    destination = operator.connect_destination()
    if destination.must_skip(operator.if_exists):
        return _finish(operator, context, {"uri": destination.uri, "skipped": True}, report_id=report_id)
    with operator.hook as hook:
        title = hook.get_report(report_id).get("title")
        published = _upload(operator, hook, report_id, destination, f"report-{report_id}.csv")
        operator.record_lineage(hook, get_report(report_id).path, published, destination)
    return _finish(operator, context, published, report_id=report_id, title=title)


def export_report(operator: RingEventsReportToObjectStorageOperator, context: Context) -> dict[str, Any]:
    """Request a report or take up an earlier try's; wait for it here and publish it, or defer the wait."""
    destination = operator.connect_destination()
    if destination.must_skip(operator.if_exists):
        return _finish_export(operator, context, {"uri": destination.uri, "skipped": True})
    checkpoint = _checkpoint(operator, context)
    with operator.hook as hook:
        report = _request(operator, hook, checkpoint)
        if operator.deferrable:
            operator.defer(
                trigger=RingEventsReportTrigger(
                    report.report_id,
                    operator.ringevents_conn_id,
                    operator.poll_interval,
                    report.deadline,
                    report.not_found_until,
                ),
                method_name="execute_complete",
                kwargs={"awaited": operator.awaited()},
            )
        waiter = ReportWaiter(
            report.report_id, report.deadline, operator.poll_interval, report.not_found_until, operator.log.info
        )
        with checkpoint.clear_on(*_DEAD_REPORT_ERRORS):
            wait_until_done(waiter, hook)
        return _publish(operator, context, hook, checkpoint, report.report_id, destination)


def publish_awaited_report(
    operator: RingEventsReportToObjectStorageOperator,
    context: Context,
    event: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Publish the report that the trigger has waited for.

    :param event: the payload of the trigger.
    """
    checkpoint = _checkpoint(operator, context)
    with operator.hook as hook:
        with checkpoint.clear_on(*_DEAD_REPORT_ERRORS):
            report_id: str = parse_payload(event)["report_id"]
        return _publish(operator, context, hook, checkpoint, report_id, operator.connect_destination())


def _checkpoint(operator: RingEventsReportToObjectStorageOperator, context: Context) -> ReportCheckpoint:
    """Return the id of the report, which outlives the tries of the task on Airflow 3.3 and later."""
    request = fingerprint(
        operator.ringevents_conn_id,
        operator.event_id,
        operator.report_type,
        operator.report_version,
        operator.attributes,
    )
    return ReportCheckpoint(task_state_store(context), request, operator.wait_timeout)


def _request(
    operator: RingEventsReportToObjectStorageOperator, hook: RingEventsHook, checkpoint: ReportCheckpoint
) -> _PendingReport:
    deadline = operator.deadline()
    if resumed := checkpoint.load(hook.client):
        report_id, requested_at = resumed
        operator.log.info("Resuming report %s, which an earlier try requested", report_id)
    else:
        report_id = hook.create_report(
            operator.event_id,
            operator.report_type,
            operator.report_version,
            operator.attributes,
            allow_undocumented=operator.allow_undocumented,
        )["id"]
        requested_at = clock.now()
        checkpoint.save(report_id, requested_at)
        operator.log.info(
            "Requested the %s report of event %s: report %s", operator.report_type, operator.event_id, report_id
        )
    return _PendingReport(report_id, deadline, requested_at + defaults.NOT_FOUND_GRACE)


def _publish(
    operator: RingEventsReportToObjectStorageOperator,
    context: Context,
    hook: RingEventsHook,
    checkpoint: ReportCheckpoint,
    report_id: str,
    destination: Destination,
) -> dict[str, Any]:
    call = create_report(operator.event_id, operator.report_type, operator.report_version, allow_undocumented=True)
    with checkpoint.clear_on(RingEventsNotFoundError):
        title = hook.get_report(report_id).get("title")
        fallback_name = f"{operator.report_type}-{identifier_file_name(operator.event_id)}.csv"
        published = _upload(operator, hook, report_id, destination, fallback_name)
    operator.record_lineage(hook, call.path, published, destination)
    checkpoint.clear()
    return _finish_export(operator, context, published, report_id=report_id, title=title)


def _upload(
    operator: RingEventsBaseReportOperator,
    hook: RingEventsHook,
    report_id: str,
    destination: Destination,
    fallback_name: str,
) -> dict[str, Any]:
    return upload_report(
        hook.client,
        report_id,
        destination,
        if_exists=operator.if_exists,
        fallback_name=fallback_name,
        required_columns=list(operator.required_columns or ()),
        allow_empty=operator.allow_empty,
    )


def _finish_export(
    operator: RingEventsReportToObjectStorageOperator,
    context: Context,
    published: Mapping[str, Any],
    **report: Any,
) -> dict[str, Any]:
    return _finish(operator, context, published, event_id=operator.event_id, report_type=operator.report_type, **report)


def _finish(
    operator: RingEventsBaseReportOperator, context: Context, published: Mapping[str, Any], **report: Any
) -> dict[str, Any]:
    """Report the published object to the link and the assets, and return the manifest."""
    result = within_limit(manifest(published, **report))
    operator.publish_outcome(context, [result])
    return result
