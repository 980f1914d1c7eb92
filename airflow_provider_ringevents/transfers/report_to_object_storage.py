"""Transfers of reports to object storage."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, conf

from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsNotFoundError,
    RingEventsReportFailedError,
    invalid_argument,
)
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    is_known,
    is_literal,
    reject_invalid_arguments,
    translate_errors_decorator,
    validate_duration,
)
from airflow_provider_ringevents.operators.reports import check_report_request
from airflow_provider_ringevents.storage import IfExists
from airflow_provider_ringevents.transfers.base import (
    RingEventsBaseExportOperator,
    manifest,
    validate_target,
)
from airflow_provider_ringevents.triggers._payload import parse_payload

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.state.report_checkpoint import ReportCheckpoint
    from airflow_provider_ringevents.storage import Destination


class _ReportExportOperator(RingEventsBaseExportOperator):
    """Base class of the operators that publish the file of a report.

    :ivar required_columns: the columns that the report must have, or None.
    :ivar allow_empty: True to publish a report without a single byte.
    """

    if_exists: IfExists
    required_columns: Sequence[str] | None
    allow_empty: bool

    def check_target(self, known: Callable[[Any], bool]) -> None:
        """Refuse an invalid destination, or invalid demands on the content of the file.

        :raises RingEventsConfigError: the message names the argument, its value and the allowed values.
        """
        from airflow_provider_ringevents.transfers._report_content import validate_report_suffix

        validate_target(known, self.destination, self.if_exists, self.object_storage_conn_id, self.object_options)
        if known(self.destination):
            validate_report_suffix(self.destination)
        columns = self.required_columns
        if columns is not None and known(columns):
            is_list = isinstance(columns, Sequence) and not isinstance(columns, str)
            if not is_list or not all(isinstance(name, str) and name for name in columns):
                raise invalid_argument("required_columns", "a list of names of columns", columns)
        if not isinstance(self.allow_empty, bool):
            raise invalid_argument("allow_empty", "True or False", self.allow_empty)

    def upload(
        self, hook: RingEventsHook, report_id: str, destination: Destination, fallback_name: str
    ) -> dict[str, Any]:
        """Download a report and publish it."""
        from airflow_provider_ringevents.transfers.report_upload import upload_report

        return upload_report(
            hook.client,
            report_id,
            destination,
            if_exists=self.if_exists,
            fallback_name=fallback_name,
            required_columns=list(self.required_columns or ()),
            allow_empty=self.allow_empty,
        )

    def finish(
        self,
        context: Context,
        published: Mapping[str, Any],
        *,
        report_id: str | None = None,
        event_id: str | None = None,
        report_type: str | None = None,
        title: str | None = None,
    ) -> dict[str, Any]:
        """Report the published object to link and assets, and return the manifest."""
        result = manifest(published, report_id=report_id, event_id=event_id, report_type=report_type, title=title)
        self.publish_outcome(context, [result])
        return result


class RingEventsDownloadReportOperator(_ReportExportOperator):
    """Download a report that is ready to object storage: the whole file, or nothing.

    ``GET /v1/reports/{reportId}/download``, or the signed link of the report where that fails.

    :param report_id: the id of the report (templated).
    :param destination: the URI of the object (``s3://``, ``gs://``, ``abfs://``, ``file://``, ...), with
        ``conn@`` before the bucket if it needs a connection; ending in ``/``, it takes the server's file name
        (templated). With ``.gz`` at its end the file is compressed, without it is not.
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@`` (templated).
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail``.
    :param object_options: headers of the object, such as ``{"StorageClass": "STANDARD_IA"}`` on S3 (templated).
    :param required_columns: names of columns; the task fails when the report lacks one of them (templated).
    :param allow_empty: publish a report without a single byte, too.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri``, ``bytes``, ``sha256``, ``content_type``, ``verified``, ``columns``, ``rows``,
        ``report_id``, ``title``.
    """

    template_fields: Sequence[str] = (
        "report_id",
        "destination",
        "object_storage_conn_id",
        "object_options",
        "required_columns",
        *RingEventsBaseExportOperator.template_fields,
    )

    def __init__(
        self,
        *,
        report_id: str,
        destination: str,
        object_storage_conn_id: str | None = None,
        if_exists: IfExists = "overwrite",
        object_options: Mapping[str, Any] | None = None,
        required_columns: Sequence[str] | None = None,
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report_id = report_id
        self.destination = destination
        self.object_storage_conn_id = object_storage_conn_id
        self.if_exists = if_exists
        self.object_options = object_options
        self.required_columns = required_columns
        self.allow_empty = allow_empty
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        self.check_target(known)
        if known(self.report_id):
            validate_identifier("report_id", self.report_id)

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Download the report and publish it."""
        from airflow_provider_ringevents.client.endpoints import get_report

        self._check(is_known)
        destination = self.connect_destination()
        if destination.must_skip(self.if_exists):
            return self.finish(context, {"uri": destination.uri, "skipped": True}, report_id=self.report_id)
        with self.hook as hook:
            title = hook.get_report(self.report_id).get("title")
            published = self.upload(hook, self.report_id, destination, f"report-{self.report_id}.csv")
            self.record_lineage(hook, get_report(self.report_id).path, published, destination)
        return self.finish(context, published, report_id=self.report_id, title=title)


class RingEventsReportToObjectStorageOperator(_ReportExportOperator):
    """Request a report, wait until it is ready, and publish it in object storage: the whole file, or nothing.

    ``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``, ``GET /v1/reports/{reportId}``,
    ``GET /v1/reports/{reportId}/download``

    A retry resumes the report that an earlier try requested (Airflow 3.3 and later; before, it requests a new one).
    Clearing a task that has ended makes a fresh report.

    :param event_id: the id of the event (templated).
    :param report_type: one of the 28 that the API documents, e.g. ``registrations`` (templated).
    :param destination: the URI of the object (``s3://``, ``gs://``, ``abfs://``, ``file://``, ...), with
        ``conn@`` before the bucket if it needs a connection; ending in ``/``, it takes the server's file name, else
        ``<report_type>-<event_id>.csv`` (templated). With ``.gz`` at its end the file is compressed, without it is not.
    :param report_version: the version of the report; left out when None (templated).
    :param attributes: further attributes that narrow some reports, e.g. ``segmentType`` (templated).
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@`` (templated).
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail``; checked before the
        report is requested (in a folder, when the name of the file is known), and again when it is published.
    :param object_options: headers of the object, such as ``{"StorageClass": "STANDARD_IA"}`` on S3 (templated).
    :param required_columns: names of columns; the task fails when the report lacks one of them (templated).
    :param allow_empty: publish a report without a single byte, too.
    :param poll_interval: the longest delay between polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: accept report types, versions and attributes that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri`` (without ``conn@``), ``bytes``, ``sha256``, ``content_type``, ``verified``,
        ``columns`` and ``rows`` (of the CSV; None where they cannot be read), ``report_id``, ``event_id``,
        ``report_type``, ``title``.
    :raises RingEventsReportFailedError: the service could not make the report (fails the task without retries).
    :raises RingEventsWaitTimeoutError: it was not ready in time.
    :raises RingEventsTransferError: the file could not be read, or written, whole, or it is not a report.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "report_type",
        "destination",
        "report_version",
        "attributes",
        "object_storage_conn_id",
        "object_options",
        "required_columns",
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
        object_options: Mapping[str, Any] | None = None,
        required_columns: Sequence[str] | None = None,
        allow_empty: bool = False,
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
        self.object_options = object_options
        self.required_columns = required_columns
        self.allow_empty = allow_empty
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout
        self.deferrable = deferrable
        self.allow_undocumented = allow_undocumented
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        validate_duration("poll_interval", self.poll_interval)
        validate_duration("wait_timeout", self.wait_timeout)
        self.check_target(known)
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
        """Request the report; wait and publish here, or defer the wait."""
        from airflow_provider_ringevents.polling.reports import ReportWaiter
        from airflow_provider_ringevents.polling.waiter import wait_until_done

        self._check(is_known)
        destination = self.connect_destination()
        if destination.must_skip(self.if_exists):
            return self._finish(context, {"uri": destination.uri, "skipped": True})
        checkpoint = self._checkpoint(context)
        with self.hook as hook:
            report_id, requested_at = self._request(hook, checkpoint)
            deadline = time.time() + self.wait_timeout
            not_found_until = requested_at + defaults.NOT_FOUND_GRACE
            if self.deferrable:
                from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

                self.defer(
                    trigger=RingEventsReportTrigger(
                        report_id, self.ringevents_conn_id, self.poll_interval, deadline, not_found_until
                    ),
                    method_name="execute_complete",
                )
            with checkpoint.clear_on(RingEventsReportFailedError, RingEventsNotFoundError):
                wait_until_done(
                    ReportWaiter(report_id, deadline, self.poll_interval, not_found_until, self.log.info), hook
                )
            return self._publish(context, hook, report_id, destination, checkpoint)

    @translate_errors_decorator
    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Publish the report that the trigger's event names."""
        checkpoint = self._checkpoint(context)
        with checkpoint.clear_on(RingEventsReportFailedError, RingEventsNotFoundError):
            report_id: str = parse_payload(event)["report_id"]
        destination = self.connect_destination()
        with self.hook as hook:
            return self._publish(context, hook, report_id, destination, checkpoint)

    def _checkpoint(self, context: Context) -> ReportCheckpoint:
        from airflow_provider_ringevents.state.report_checkpoint import ReportCheckpoint, fingerprint

        request = (self.ringevents_conn_id, self.event_id, self.report_type, self.report_version, self.attributes)
        return ReportCheckpoint(task_state_store(context), fingerprint(*request), self.wait_timeout)

    def _request(self, hook: RingEventsHook, checkpoint: ReportCheckpoint) -> tuple[str, float]:
        """Return the id of the report to wait for, and the time of its request in seconds since the epoch."""
        if resumed := checkpoint.load(hook.client):
            self.log.info("Resuming report %s, which an earlier try requested", resumed[0])
            return resumed
        report = hook.create_report(
            self.event_id,
            self.report_type,
            self.report_version,
            self.attributes,
            allow_undocumented=self.allow_undocumented,
        )
        requested_at = time.time()
        report_id: str = report["id"]
        checkpoint.save(report_id, requested_at)
        self.log.info("Requested the %s report of event %s: report %s", self.report_type, self.event_id, report_id)
        return report_id, requested_at

    def _publish(
        self,
        context: Context,
        hook: RingEventsHook,
        report_id: str,
        destination: Destination,
        checkpoint: ReportCheckpoint,
    ) -> dict[str, Any]:
        from airflow_provider_ringevents.client.endpoints import create_report

        request = create_report(self.event_id, self.report_type, self.report_version, allow_undocumented=True)
        with checkpoint.clear_on(RingEventsNotFoundError):
            title = hook.get_report(report_id).get("title")
            published = self.upload(hook, report_id, destination, f"{self.report_type}-{self.event_id}.csv")
        self.record_lineage(hook, request.path, published, destination)
        checkpoint.clear()
        return self._finish(context, published, report_id=report_id, title=title)

    def _finish(
        self, context: Context, published: Mapping[str, Any], *, report_id: str | None = None, title: str | None = None
    ) -> dict[str, Any]:
        return self.finish(
            context,
            published,
            report_id=report_id,
            event_id=self.event_id,
            report_type=self.report_type,
            title=title,
        )
