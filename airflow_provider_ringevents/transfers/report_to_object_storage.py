"""Reports into object storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, conf

from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsNotFoundError, RingEventsReportFailedError
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    is_known,
    is_literal,
    reject_invalid_arguments,
    translate_errors_decorator,
    validate_duration,
)
from airflow_provider_ringevents.operators.reports import check_report_request
from airflow_provider_ringevents.transfers.base import (
    IfExists,
    RingEventsBaseExportOperator,
    manifest,
    validate_target,
)
from airflow_provider_ringevents.triggers._payload import parse_payload

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.state.report_checkpoint import ReportCheckpoint
    from airflow_provider_ringevents.storage import Destination


class RingEventsDownloadReportOperator(RingEventsBaseExportOperator):
    """Downloads a report that is ready into object storage: the whole file, or nothing.

    ``GET /v1/reports/{reportId}/download``, or the report's signed link where that will not do.

    :param report_id: which report (templated).
    :param destination: where to, as a URI of object storage (``s3://``, ``gs://``, ``abfs://``, ``file://``, ...), with
        ``conn@`` before the bucket if it needs a connection; ending in ``/``, it takes the server's file name
        (templated).
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@`` (templated).
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail``.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri``, ``bytes``, ``sha256``, ``content_type``, ``verified``, ``report_id``, ``title``.
    """

    template_fields: Sequence[str] = (
        "report_id",
        "destination",
        "object_storage_conn_id",
        *RingEventsBaseExportOperator.template_fields,
    )

    def __init__(
        self,
        *,
        report_id: str,
        destination: str,
        object_storage_conn_id: str | None = None,
        if_exists: IfExists = "overwrite",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report_id = report_id
        self.destination = destination
        self.object_storage_conn_id = object_storage_conn_id
        self.if_exists = if_exists
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        validate_target(known, self.destination, self.if_exists)
        if known(self.report_id):
            validate_identifier("report_id", self.report_id)

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Download and publish."""
        from airflow_provider_ringevents.client.endpoints import get_report
        from airflow_provider_ringevents.storage import Destination
        from airflow_provider_ringevents.transfers.report_upload import skip_if_exists, upload_report

        self._check(is_known)
        destination = Destination.resolve(self.destination, self.object_storage_conn_id)
        if skip_if_exists(destination, self.if_exists):
            published: dict[str, Any] = {"uri": destination.uri, "skipped": True}
            return self._finish(context, published, title=None)
        with self.hook as hook:
            title = hook.get_report(self.report_id).get("title")
            published = upload_report(
                hook.client,
                self.report_id,
                destination,
                if_exists=self.if_exists,
                fallback_name=f"report-{self.report_id}.csv",
            )
            self.record_lineage(hook, get_report(self.report_id).path, published, destination)
        return self._finish(context, published, title=title)

    def _finish(self, context: Context, published: dict[str, Any], *, title: str | None) -> dict[str, Any]:
        told = manifest(published, report_id=self.report_id, event_id=None, report_type=None, title=title)
        self.publish_outcome(context, [told])
        return told


class RingEventsReportToObjectStorageOperator(RingEventsBaseExportOperator):
    """Asks for a report, waits until it is ready, and publishes it in object storage: the whole file, or nothing.

    ``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``, ``GET /v1/reports/{reportId}``,
    ``GET /v1/reports/{reportId}/download``

    A retry takes up the report that an earlier try has asked for (Airflow 3.3 and later; before, it asks for a new
    one). Clearing a task that has ended makes a fresh report.

    :param event_id: the event (templated).
    :param report_type: one of the 28 that the API documents, e.g. ``registrations`` (templated).
    :param destination: where to, as a URI of object storage (``s3://``, ``gs://``, ``abfs://``, ``file://``, ...), with
        ``conn@`` before the bucket if it needs a connection; ending in ``/``, it takes the server's file name, else
        ``<report_type>-<event_id>.csv`` (templated).
    :param report_version: the report's version; left out when None (templated).
    :param attributes: what some reports can be narrowed by, e.g. ``segmentType`` (templated).
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@`` (templated).
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail``; looked at before the
        report is asked for, with a folder as destination when the file's name is known.
    :param poll_interval: the longest pause between polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: let report types, versions and attributes through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri`` (without ``conn@``), ``bytes``, ``sha256``, ``content_type``, ``verified``,
        ``report_id``, ``event_id``, ``report_type``, ``title``.
    :raises RingEventsReportFailedError: the service could not make the report (fails the task without retries).
    :raises RingEventsWaitTimeoutError: it was not ready in time.
    :raises RingEventsTransferError: the file could not be had, or written, whole.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "report_type",
        "destination",
        "report_version",
        "attributes",
        "object_storage_conn_id",
        *RingEventsBaseExportOperator.template_fields,
    )

    def __init__(
        self,
        *,
        event_id: str,
        report_type: str,
        destination: str,
        report_version: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        object_storage_conn_id: str | None = None,
        if_exists: IfExists = "overwrite",
        poll_interval: float = defaults.POLL_INTERVAL,
        wait_timeout: float = defaults.WAIT_TIMEOUT,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_id = event_id
        self.report_type = report_type
        self.destination = destination
        self.report_version = report_version
        self.attributes = attributes
        self.object_storage_conn_id = object_storage_conn_id
        self.if_exists = if_exists
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout
        self.deferrable = deferrable
        self.allow_undocumented = allow_undocumented
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        validate_duration("poll_interval", self.poll_interval)
        validate_duration("wait_timeout", self.wait_timeout)
        validate_target(known, self.destination, self.if_exists)
        check_report_request(
            known,
            self.event_id,
            self.report_type,
            self.report_version,
            self.attributes,
            allow_undocumented=self.allow_undocumented,
        )

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Ask for the report; wait and publish here, or defer the wait."""
        from airflow_provider_ringevents.polling.reports import ReportWaiter
        from airflow_provider_ringevents.polling.waiter import wait_until_done
        from airflow_provider_ringevents.storage import Destination
        from airflow_provider_ringevents.transfers.report_upload import skip_if_exists

        self._check(is_known)
        destination = Destination.resolve(self.destination, self.object_storage_conn_id)
        if skip_if_exists(destination, self.if_exists):
            return self._finish(context, {"uri": destination.uri, "skipped": True}, report_id=None, title=None)
        memory = self._memory(context)
        with self.hook as hook:
            report_id, asked_at = self._report(hook, memory)
            deadline = time.time() + self.wait_timeout
            not_found_until = asked_at + defaults.NOT_FOUND_GRACE
            if self.deferrable:
                from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

                self.defer(
                    trigger=RingEventsReportTrigger(
                        report_id, self.ringevents_conn_id, self.poll_interval, deadline, not_found_until
                    ),
                    method_name="execute_complete",
                )
            with memory.clear_on(RingEventsReportFailedError, RingEventsNotFoundError):
                wait_until_done(
                    ReportWaiter(report_id, deadline, self.poll_interval, not_found_until, self.log.info), hook
                )
            return self._publish(context, hook, report_id, destination, memory)

    @translate_errors_decorator
    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Take the trigger's event and publish the report."""
        from airflow_provider_ringevents.storage import Destination

        memory = self._memory(context)
        with memory.clear_on(RingEventsReportFailedError, RingEventsNotFoundError):
            report_id: str = parse_payload(event)["report_id"]
        destination = Destination.resolve(self.destination, self.object_storage_conn_id)
        with self.hook as hook:
            return self._publish(context, hook, report_id, destination, memory)

    def _memory(self, context: Context) -> ReportCheckpoint:
        from airflow_provider_ringevents.state.report_checkpoint import ReportCheckpoint, fingerprint

        asked_for = (self.ringevents_conn_id, self.event_id, self.report_type, self.report_version, self.attributes)
        return ReportCheckpoint(task_state_store(context), fingerprint(*asked_for), self.wait_timeout)

    def _report(self, hook: RingEventsHook, memory: ReportCheckpoint) -> tuple[str, float]:
        """The report to wait for, and when it was asked for (seconds since the epoch)."""
        if remembered := memory.load(hook.client):
            self.log.info("Taking up report %s, which an earlier try has asked for", remembered[0])
            return remembered
        report = hook.create_report(
            self.event_id,
            self.report_type,
            self.report_version,
            self.attributes,
            allow_undocumented=self.allow_undocumented,
        )
        asked_at = time.time()
        report_id: str = report["id"]
        memory.save(report_id, asked_at)
        self.log.info("Asked for the %s report of event %s: report %s", self.report_type, self.event_id, report_id)
        return report_id, asked_at

    def _publish(
        self,
        context: Context,
        hook: RingEventsHook,
        report_id: str,
        destination: Destination,
        memory: ReportCheckpoint,
    ) -> dict[str, Any]:
        from airflow_provider_ringevents.client.endpoints import create_report
        from airflow_provider_ringevents.transfers.report_upload import upload_report

        asked = create_report(self.event_id, self.report_type, self.report_version, allow_undocumented=True)
        with memory.clear_on(RingEventsNotFoundError):
            title = hook.get_report(report_id).get("title")
            published = upload_report(
                hook.client,
                report_id,
                destination,
                if_exists=self.if_exists,
                fallback_name=f"{self.report_type}-{self.event_id}.csv",
            )
        self.record_lineage(hook, asked.path, published, destination)
        memory.clear()
        return self._finish(context, published, report_id=report_id, title=title)

    def _finish(
        self, context: Context, published: dict[str, Any], *, report_id: str | None, title: str | None
    ) -> dict[str, Any]:
        told = manifest(
            published, report_id=report_id, event_id=self.event_id, report_type=self.report_type, title=title
        )
        self.publish_outcome(context, [told])
        return told
