"""Asking for reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    RingEventsBaseOperator,
    is_known,
    is_literal,
    reject_invalid_arguments,
    translate_errors_decorator,
)


def check_report_request(
    known: Callable[[Any], bool],
    event_id: Any,
    report_type: Any,
    report_version: Any,
    attributes: Any,
    *,
    allow_undocumented: bool,
) -> None:
    """Refuse a request for a report that the API would refuse, as far as its arguments are known.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    from airflow_provider_ringevents.client.endpoints import create_report
    from airflow_provider_ringevents.client.validation.requests import validate_request

    if known(event_id):
        validate_identifier("event_id", event_id)
    if known(attributes):
        validate_request("create_report", attributes or {}, allow_undocumented=allow_undocumented)
    create_report(
        event_id if known(event_id) else "later",
        report_type if known(report_type) else "all",
        report_version if known(report_version) else None,
        allow_undocumented=allow_undocumented,
    )


class RingEventsCreateReportOperator(RingEventsBaseOperator):
    """Asks for a report of an event and goes on; the report is made in the background.

    ``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``

    :param event_id: the event (templated).
    :param report_type: one of the 28 that the API documents, e.g. ``registrations`` (templated).
    :param report_version: the report's version; left out when None, which the service takes for ``2`` (templated).
    :param attributes: what some reports can be narrowed by: ``segmentType``, ``virtualSpaceId``,
        ``participationReportType``, ``participationTypeId`` (templated).
    :param allow_undocumented: let report types, versions and attributes through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the report as a dict with ``id``, without its signed link.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "report_type",
        "report_version",
        "attributes",
        *RingEventsBaseOperator.template_fields,
    )

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
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
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
        """Ask for the report."""
        self._check(is_known)
        with self.hook as hook:
            report = hook.create_report(
                self.event_id,
                self.report_type,
                self.report_version,
                self.attributes,
                allow_undocumented=self.allow_undocumented,
            )
        self.log.info("Asked for the %s report of event %s: report %s", self.report_type, self.event_id, report["id"])
        # The link lets anyone in for a minute: it does not go into XCom.
        return {name: value for name, value in report.items() if name != "url"}
