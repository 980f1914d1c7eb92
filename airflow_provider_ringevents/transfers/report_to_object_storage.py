"""Transfers of reports to object storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import DEFAULT_DEFERRABLE, DeferrableWaitMixin, translate_errors
from airflow_provider_ringevents.operators.reports import check_report_arguments
from airflow_provider_ringevents.transfers._report_name import validate_report_suffix
from airflow_provider_ringevents.transfers.base import RingEventsBaseExportOperator, check_destination

if TYPE_CHECKING:
    from airflow_provider_ringevents.storage import IfExists


class RingEventsBaseReportOperator(RingEventsBaseExportOperator):
    """Base class of the operators that publish the file of a report; each of them describes the arguments."""

    template_fields: Sequence[str] = (
        "required_columns",
        "allow_empty",
        *RingEventsBaseExportOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_empty",)

    def __init__(
        self,
        *,
        required_columns: Sequence[str] | None = None,
        allow_empty: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.required_columns = required_columns
        self.allow_empty = allow_empty

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the destination and the demands on the content of the file, as far as they are known."""
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


class RingEventsDownloadReportOperator(RingEventsBaseReportOperator):
    """Download a report that is ready to object storage, complete or not at all.

    ``GET /v1/reports/{reportId}/download``, or the signed link of the report where that fails.

    :param report_id: the id of the report (templated).
    :param destination: the URI of the object (``s3://``, ``gs://``, ``abfs://``, ``file://``, ...), with
        ``conn@`` before the bucket if it needs a connection; ending in ``/``, it takes the server's file name
        (templated). A suffix ``.gz`` compresses the file.
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@`` (templated).
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail`` (templated).
    :param object_options: headers of the object, such as ``{"StorageClass": "STANDARD_IA"}`` on S3 (templated).
    :param required_columns: names of columns; the task fails when the report lacks one of them (templated).
    :param allow_empty: also publish an empty report (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri``, ``bytes``, ``sha256``, ``content_type``, ``verified``, ``columns``, ``rows``,
        ``report_id``, ``title``.
    """

    template_fields: Sequence[str] = ("report_id", *RingEventsBaseReportOperator.template_fields)

    def __init__(
        self,
        *,
        report_id: str,
        destination: str,
        required_columns: Sequence[str] | None = None,
        allow_empty: bool = False,
        object_storage_conn_id: str | None = None,
        if_exists: IfExists = "overwrite",
        object_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            destination=destination,
            object_storage_conn_id=object_storage_conn_id,
            if_exists=if_exists,
            object_options=object_options,
            required_columns=required_columns,
            allow_empty=allow_empty,
            **kwargs,
        )
        self.report_id = report_id
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("report_id")
        super().check_arguments(arguments)

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Download the report and publish it."""
        from airflow_provider_ringevents.transfers._report_export import download_report

        self.validate_rendered()
        return download_report(self, context)


class RingEventsReportToObjectStorageOperator(DeferrableWaitMixin, RingEventsBaseReportOperator):
    """Request a report, wait until it is ready, and publish it in object storage, complete or not at all.

    ``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``, ``GET /v1/reports/{reportId}``,
    ``GET /v1/reports/{reportId}/download``

    A retry resumes the report that an earlier try requested (Airflow 3.3 and later; before, it requests a new one).
    Clearing a finished task requests a new report.

    :param event_id: the id of the event (templated).
    :param report_type: one of the 28 that the API documents, for example ``registrations`` (templated).
    :param destination: the URI of the object (``s3://``, ``gs://``, ``abfs://``, ``file://``, ...), with
        ``conn@`` before the bucket if it needs a connection; ending in ``/``, it takes the server's file name, else
        ``<report_type>-<event_id>.csv`` (templated). A suffix ``.gz`` compresses the file.
    :param report_version: the version of the report; left out when None (templated).
    :param attributes: further attributes that narrow some reports, for example ``segmentType`` (templated).
    :param object_storage_conn_id: the connection of the storage, instead of ``conn@`` (templated).
    :param if_exists: ``overwrite``, ``skip`` (success, ``skipped`` in the result) or ``fail``; checked before the
        report is requested (in a folder, when the name of the file is known), and again when it is published
        (templated).
    :param object_options: headers of the object, such as ``{"StorageClass": "STANDARD_IA"}`` on S3 (templated).
    :param required_columns: names of columns; the task fails when the report lacks one of them (templated).
    :param allow_empty: also publish an empty report (templated).
    :param poll_interval: the longest delay between polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: accept report types, versions and attributes that the API does not document
        (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the manifest: ``uri`` (without ``conn@``), ``bytes``, ``sha256``, ``content_type``, ``verified``,
        ``columns`` and ``rows`` (of the CSV; None where they cannot be read), ``report_id``, ``event_id``,
        ``report_type``, ``title``.
    :raises RingEventsReportFailedError: the service could not generate the report (fails the task without retries).
    :raises RingEventsWaitTimeoutError: it was not ready in time.
    :raises RingEventsTransferError: the file could not be read, or written, whole, or it is not a report.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "report_type",
        "report_version",
        "attributes",
        "allow_undocumented",
        *RingEventsBaseReportOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_undocumented", *RingEventsBaseReportOperator.switches)
    awaited_arguments: Sequence[str] = ("event_id", "report_type", "report_version", "attributes")

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
        required_columns: Sequence[str] | None = None,
        allow_empty: bool = False,
        object_storage_conn_id: str | None = None,
        if_exists: IfExists = "overwrite",
        object_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            destination=destination,
            object_storage_conn_id=object_storage_conn_id,
            if_exists=if_exists,
            object_options=object_options,
            required_columns=required_columns,
            allow_empty=allow_empty,
            deferrable=deferrable,
            **kwargs,
        )
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
        from airflow_provider_ringevents.transfers._report_export import export_report

        self.validate_rendered()
        return export_report(self, context)

    @translate_errors()
    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None, awaited: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Publish the report that the trigger's event names.

        :param event: the payload of the trigger.
        :param awaited: the arguments with which the report was requested; another value now is an error.
        """
        from airflow_provider_ringevents.transfers._report_export import publish_awaited_report

        self.validate_rendered()
        self.require_awaited(awaited)
        return publish_awaited_report(self, context, event)
