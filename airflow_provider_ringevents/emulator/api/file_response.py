"""Responses with a file, whole or in ranges, with or without a length."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response

from airflow_provider_ringevents.emulator.backend.report_files import FileContent, compressed, digest
from airflow_provider_ringevents.emulator.backend.reports import Report
from airflow_provider_ringevents.emulator.server.connection import transport_of
from airflow_provider_ringevents.emulator.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)\Z")


class FileResponse(Response):
    """A response with the file of a report.

    :param range_header: the request's ``Range``, if any.
    :param if_range: the request's ``If-Range``, if any.
    """

    def __init__(
        self,
        report: Report,
        content: FileContent,
        settings: Settings,
        range_header: str | None = None,
        if_range: str | None = None,
    ) -> None:
        encoding = settings.content_encoding
        if settings.file_encoding != "none":
            content = compressed(content, settings.file_encoding)
            encoding = "gzip" if encoding is None else encoding
        etag = f'"{report.id[:12]}-{report.revision}-{content.size}"'
        self._content = content
        self._start, self._stop = 0, content.size
        status = 200
        headers = {"content-type": settings.content_type}
        disposition = settings.disposition
        if disposition is None:
            name = quote(report.filename)
            disposition = f"attachment; filename=\"{report.filename}\"; filename*=UTF-8''{name}"
        if disposition:
            headers["content-disposition"] = disposition
        if encoding:
            headers["content-encoding"] = encoding
        if settings.etag:
            headers["etag"] = etag
        if settings.checksum == "content-md5":
            headers["content-md5"] = base64.b64encode(_digest(report, content, settings, "md5")).decode()
        elif settings.checksum == "repr-digest":
            headers["repr-digest"] = (
                f"sha-256=:{base64.b64encode(_digest(report, content, settings, 'sha256')).decode()}:"
            )
        if settings.ranges:
            headers["accept-ranges"] = "bytes"
            current = if_range is None or (settings.etag and if_range == etag)
            part = _part(range_header, content.size) if range_header and current else None
            if part == (0, 0):
                status, self._stop = 416, 0
                headers["content-range"] = f"bytes */{content.size}"
            elif part:
                status = 206
                self._start, self._stop = part
                headers["content-range"] = f"bytes {part[0]}-{part[1] - 1}/{content.size}"
        if not settings.chunked or status == 416:
            headers["content-length"] = str(self._stop - self._start)
        super().__init__(status_code=status)
        self.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        transport = transport_of(scope)
        if scope["method"] != "HEAD":
            for piece in self._content.read(self._start, self._stop):
                if transport.is_closing():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                # A fast reader never makes send() wait, which would block other requests.
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _digest(report: Report, content: FileContent, settings: Settings, algorithm: str) -> bytes:
    return report.digest(algorithm) if settings.file_encoding == "none" else digest(content, algorithm)


def _part(header: str, size: int) -> tuple[int, int] | None:
    """Return the requested range as [start, stop); (0, 0) if it is empty; None if the header is ignored."""
    match = _RANGE.match(header.strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    return (start, stop) if start < stop else (0, 0)
