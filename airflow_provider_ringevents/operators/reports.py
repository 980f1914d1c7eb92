"""Operators that request reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors


def check_report_arguments(arguments: Arguments) -> None:
    """Check ``event_id``, ``report_type``, ``report_version``, ``attributes`` and ``allow_undocumented``."""
    # As costly as the checks of requests.
    from airflow_provider_ringevents.client.endpoints import create_report

    arguments.identifier("event_id")
    allow_undocumented = bool(arguments["allow_undocumented"])
    arguments.request("create_report", {}, attributes="attributes", allow_undocumented=allow_undocumented)
    report_type, version = arguments.text("report_type"), arguments.text("report_version")
    for name, value in (("report_type", report_type), ("report_version", version)):
        arguments.is_plain_text(name, "a part of the path of the request", value)
    with arguments.gather():
        create_report(
            "later",
            report_type if arguments.is_known(report_type) else "all",
            version if arguments.is_known(version) else None,
            allow_undocumented=allow_undocumented,
        )


class RingEventsCreateReportOperator(RingEventsBaseOperator):
    """Request a report of an event, which the service generates in the background, and do not wait for it.

    ``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``

    :param event_id: the id of the event (templated).
    :param report_type: one of the 28 types that the API documents, such as ``registrations`` (templated).
    :param report_version: the version of the report; None: the service uses ``2`` (templated).
    :param attributes: conditions of some reports: ``segmentType``, ``virtualSpaceId``, ``participationReportType``,
        ``participationTypeId`` (templated).
    :param allow_undocumented: accept report types, versions and attributes that the API does not document (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the report as a dict with ``id``, without its signed link.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: the request failed.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "report_type",
        "report_version",
        "attributes",
        "allow_undocumented",
        *RingEventsBaseOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_undocumented",)

    def __init__(
        self,
        *,
        event_id: str,
        report_type: str,
        report_version: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_id = event_id
        self.report_type = report_type
        self.report_version = report_version
        self.attributes = attributes
        self.allow_undocumented = allow_undocumented
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        check_report_arguments(arguments)

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Request the report, and return it without its signed link."""
        from airflow_provider_ringevents.client.types import Report
        from airflow_provider_ringevents.operators._xcom import xcom_resource

        self.validate_rendered()
        with self.hook as hook:
            report = hook.create_report(
                self.event_id,
                self.report_type,
                self.report_version,
                self.attributes,
                allow_undocumented=self.allow_undocumented,
            )
        self.log.info("Requested the %s report of event %s: report %s", self.report_type, self.event_id, report["id"])
        return xcom_resource(report, Report)
