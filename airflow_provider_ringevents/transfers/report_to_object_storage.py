"""Transfers of reports to object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import DEFAULT_DEFERRABLE, DeferrableWaitMixin, translate_errors
from airflow_provider_ringevents.operators.reports import check_report_arguments
from airflow_provider_ringevents.storage import IfExists
from airflow_provider_ringevents.transfers.base import RingEventsBaseExportOperator, check_destination, manifest
from airflow_provider_ringevents.triggers._payload import parse_payload

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.storage import Destination
    from airflow_provider_ringevents.transfers._report_export import ReportExport


class _ReportExportOperator(RingEventsBaseExportOperator):
    """Base class of the operators that publish the file of a report.

    :param destination: the URI of the object, or of a folder.
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@``.
    :param if_exists: ``overwrite``, ``skip`` or ``fail``.
    :param object_options: headers of the object.
    :param required_columns: the columns that the report must have, or None.
    :param allow_empty: True to publish a report without a single byte.
    """

    template_fields: Sequence[str] = (
        "required_columns",
        "allow_empty",
        *RingEventsBaseExportOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_empty",)

    def __init__(
        self,
        *,
        destination: str,
        object_storage_conn_id: str | None = None,
        if_exists: IfExists = "overwrite",
        object_options: Mapping[str, Any] | None = None,
        required_columns: Sequence[str] | None = None,
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.object_storage_conn_id = object_storage_conn_id
        self.if_exists = if_exists
        self.object_options = object_options
        self.required_columns = required_columns
        self.allow_empty = allow_empty

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the destination and the demands on the content of the file, as far as they are known."""
        from airflow_provider_ringevents.transfers._report_content import validate_report_suffix

        if check_destination(arguments):
            with arguments.gather():
                validate_report_suffix(arguments["destination"])
        columns = arguments["required_columns"]
        if (
            columns is not None
            and arguments.is_known(columns)
            and not (isinstance(columns, list) and all(isinstance(name, str) and name for name in columns))
        ):
            arguments.refuse("required_columns", "a list of names of columns", columns)

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
        from airflow_provider_ringevents.operators._xcom import within_limit

        all_of_it = manifest(published, report_id=report_id, event_id=event_id, report_type=report_type, title=title)
        result = within_limit(all_of_it)
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
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail`` (templated).
    :param object_options: headers of the object, such as ``{"StorageClass": "STANDARD_IA"}`` on S3 (templated).
    :param required_columns: names of columns; the task fails when the report lacks one of them (templated).
    :param allow_empty: publish a report without a single byte, too (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri``, ``bytes``, ``sha256``, ``content_type``, ``verified``, ``columns``, ``rows``,
        ``report_id``, ``title``.
    """

    template_fields: Sequence[str] = ("report_id", *_ReportExportOperator.template_fields)

    def __init__(self, *, report_id: str, destination: str, **kwargs: Any) -> None:
        super().__init__(destination=destination, **kwargs)
        self.report_id = report_id
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("report_id")
        super().check_arguments(arguments)

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Download the report and publish it."""
        from airflow_provider_ringevents.client.endpoints import get_report

        self.validate_rendered()
        destination = self.connect_destination()
        if destination.must_skip(self.if_exists):
            return self.finish(context, {"uri": destination.uri, "skipped": True}, report_id=self.report_id)
        with self.hook as hook:
            title = hook.get_report(self.report_id).get("title")
            published = self.upload(hook, self.report_id, destination, f"report-{self.report_id}.csv")
            self.record_lineage(hook, get_report(self.report_id).path, published, destination)
        return self.finish(context, published, report_id=self.report_id, title=title)


class RingEventsReportToObjectStorageOperator(DeferrableWaitMixin, _ReportExportOperator):
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
        report is requested (in a folder, when the name of the file is known), and again when it is published
        (templated).
    :param object_options: headers of the object, such as ``{"StorageClass": "STANDARD_IA"}`` on S3 (templated).
    :param required_columns: names of columns; the task fails when the report lacks one of them (templated).
    :param allow_empty: publish a report without a single byte, too (templated).
    :param poll_interval: the longest delay between polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: accept report types, versions and attributes that the API does not document
        (templated).
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
        "report_version",
        "attributes",
        "allow_undocumented",
        *_ReportExportOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_undocumented", *_ReportExportOperator.switches)

    def __init__(
        self,
        *,
        event_id: str,
        report_type: str,
        destination: str,
        report_version: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        deferrable: bool = DEFAULT_DEFERRABLE,
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(destination=destination, deferrable=deferrable, **kwargs)
        self.event_id = event_id
        self.report_type = report_type
        self.report_version = report_version
        self.attributes = attributes
        self.allow_undocumented = allow_undocumented
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        check_report_arguments(arguments)
        super().check_arguments(arguments)

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Request the report; wait and publish here, or defer the wait."""
        self.validate_rendered()
        destination = self.connect_destination()
        if destination.must_skip(self.if_exists):
            return self._finish(context, {"uri": destination.uri, "skipped": True})
        with self.hook as hook:
            export = self._export(context, hook)
            report = export.request(self.deadline())
            if self.deferrable:
                from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

                self.defer(
                    trigger=RingEventsReportTrigger(
                        report.report_id,
                        self.ringevents_conn_id,
                        self.poll_interval,
                        report.deadline,
                        report.not_found_until,
                    ),
                    method_name="execute_complete",
                )
            export.wait(report, self.poll_interval)
            return self._publish(context, export, report.report_id, destination)

    @translate_errors()
    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Publish the report that the trigger's event names."""
        self.validate_rendered()
        with self.hook as hook:
            export = self._export(context, hook)
            with export.forgets_dead_reports():
                report_id: str = parse_payload(event)["report_id"]
            return self._publish(context, export, report_id, self.connect_destination())

    def _export(self, context: Context, hook: RingEventsHook) -> ReportExport:
        # Imports the client and the transfer, which no DAG needs while it is parsed.
        from airflow_provider_ringevents.transfers._report_export import ReportExport

        return ReportExport(self, context, hook)

    def _publish(
        self, context: Context, export: ReportExport, report_id: str, destination: Destination
    ) -> dict[str, Any]:
        published, title = export.publish(report_id, destination)
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
