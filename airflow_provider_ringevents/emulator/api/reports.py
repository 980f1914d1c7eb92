"""Reports, and the files that they end in: on the API's own origin and on that of the signed links."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from airflow_provider_ringevents.contract._generated import REPORT_TYPES, REPORT_VERSIONS
from airflow_provider_ringevents.emulator.api import validation
from airflow_provider_ringevents.emulator.api.errors import ApiError, ErrorEntry
from airflow_provider_ringevents.emulator.api.file_response import FileResponse
from airflow_provider_ringevents.emulator.api.responses import RequestContext, list_response, resource_response
from airflow_provider_ringevents.emulator.backend.backend import Backend
from airflow_provider_ringevents.emulator.backend.reports import Report
from airflow_provider_ringevents.emulator.backend.signed_urls import error_xml
from airflow_provider_ringevents.emulator.settings import Settings


class ReportsApi:
    """Handlers named after the operations of the contract, which run under the store's lock; only a download waits."""

    def __init__(self, backend: Backend) -> None:
        self._store = backend.store
        self._reports = backend.reports
        self._signer = backend.signer

    def create_report(self, call: RequestContext) -> Response:
        """Handle ``create_report``."""
        event = self._store.event(call.path("eventId"))
        report_type = call.path("reportType")
        version = call.request.path_params.get("reportVersion", REPORT_VERSIONS[0])
        if report_type not in REPORT_TYPES:
            raise ApiError(422, [ErrorEntry(f"report type {report_type!r} is not known", parameter="reportType")])
        if version not in REPORT_VERSIONS:
            raise ApiError(422, [ErrorEntry(f"report version {version!r} is not known", parameter="reportVersion")])
        attributes = validation.read_attributes(call.body, "create_report")
        report = self._reports.create(event, report_type, attributes)
        return resource_response("report", {"id": report.id, "title": report.title, "status": "enqueued"}, 201)

    def list_reports(self, call: RequestContext) -> Response:
        """Handle ``list_reports``."""
        event = self._store.event(call.path("eventId"))
        return list_response(call, "report", map(self._attributes, self._reports.of_event(event)))

    def get_report(self, call: RequestContext) -> Response:
        """Handle ``get_report``."""
        report = self._reports.find(call.path("reportId"))
        settings = self._store.settings
        if not self._reports.is_done(report):
            attributes = {"id": report.id, "status": settings.report_pending_status}
            return resource_response("report", attributes, settings.report_pending_code)
        return resource_response("report", self._attributes(report))

    def _attributes(self, report: Report) -> dict[str, Any]:
        attributes: dict[str, Any] = {"id": report.id, "title": report.title}
        if not self._reports.is_done(report):
            return attributes | {"status": self._store.settings.report_pending_status}
        if report.has_url and not report.failed:
            attributes["url"] = self._link(report)
        return attributes | {"status": report.status}

    def _link(self, report: Report) -> str:
        return self._signer.sign(report.id, report.filename, self._store.settings.link_seconds)

    async def download_report(self, call: RequestContext) -> Response:
        """Handle ``download_report``."""
        report = self._reports.downloadable(call.path("reportId"))
        if call.settings.download == "redirect":
            return RedirectResponse(self._link(report), status_code=302)
        return await _file(call.request, report, call.settings)


async def signed_file(request: Request, backend: Backend) -> Response:
    """Return the file behind a signed link, or 403 in XML."""
    report_id = request.path_params["report_id"]
    query = request.query_params
    code = backend.signer.check(report_id, query.get("expires", ""), query.get("signature", ""))
    if code is not None:
        return Response(error_xml(code), 403, media_type="application/xml")
    try:
        report = backend.reports.downloadable(report_id)
    except ApiError:
        return Response(error_xml("NoSuchKey"), 404, media_type="application/xml")
    return await _file(request, report, backend.settings)


async def _file(request: Request, report: Report, settings: Settings) -> Response:
    def make() -> Response:
        wanted, condition = request.headers.get("range"), request.headers.get("if-range")
        return FileResponse(report, report.file(), settings, wanted, condition)

    # Writing a large report or computing its checksum takes seconds and must not block other requests.
    return await asyncio.get_running_loop().run_in_executor(None, make)
