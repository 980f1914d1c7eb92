"""How a report's file is reached, followed, resumed and checked. Pure: decides, the clients do the I/O.

The way to the file: the API's ``/download`` (with the key) answers with the file or redirects to it; where it will not
do, the report's signed link leads there. A link that has expired is asked for anew, a body that was cut goes on by
Range where the server can say that it is still the same file. Where it says a checksum, the bytes are held to that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.downloads.checksums import Checksum
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsError,
    RingEventsTransferError,
)
from airflow_provider_ringevents.client.pagination import flatten_resource, url_origin
from airflow_provider_ringevents.client.settings import is_loopback
from airflow_provider_ringevents.client.transport.decompression import StreamingDecompressor

_NOT_A_FILE = ("text/html", "application/json", "application/vnd.api+json", "application/problem+json")
_DECODED = ("gzip", "deflate")
_EXPIRED = frozenset({400, 401, 403, 404, 410})
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """One request on the way to the file.

    :ivar url: where to.
    :ivar headers: what to send besides the client's own headers.
    :ivar with_key: it is the API's own origin: send ``Authorization``.
    """

    url: str
    headers: Mapping[str, str]
    with_key: bool


@dataclass(slots=True)
class DownloadState:
    """Where one download stands.

    :ivar received: bytes of the file handed on so far.
    :ivar size: bytes of the whole file, if the server says; None for a compressed one.
    :ivar etag: a strong ETag, if the server gives one.
    :ivar content_type: the file's media type, without parameters.
    :ivar file_name: the server's name for the file, as sent; not safe to use as it is.
    :ivar encoded: the body is compressed in spite of what was asked; it cannot be resumed.
    """

    call: Call
    base_url: str
    received: int = 0
    size: int | None = None
    etag: str | None = None
    content_type: str = ""
    file_name: str = ""
    encoded: bool = False
    resumes: int = 0
    _sent_size: int | None = None
    _url: str = ""
    _by_link: bool = False
    _redirects: int = 0
    _asked_anew: int = 0
    _first_error: RingEventsError | None = field(default=None, repr=False)
    _checksum: Checksum | None = field(default=None, repr=False)
    _unpacker: StreamingDecompressor = field(default_factory=lambda: StreamingDecompressor(""), repr=False)

    @property
    def verified(self) -> bool:
        """The server said how long the file is, or its checksum: a body that ends early cannot pass for whole."""
        return self._sent_size is not None or self._checksum is not None

    # --- the way to the file

    def start(self) -> None:
        """Go (back) to the beginning of the way: the place that hands out fresh links."""
        self._url, self._redirects = "", 0

    @property
    def wants_link(self) -> Call | None:
        """The call whose answer's ``url`` is needed next, if the way goes by the signed link."""
        return self.call.link if self._by_link and not self._url else None

    def link_from(self, envelope: Mapping[str, Any]) -> None:
        """Take the answer of :attr:`wants_link`.

        :raises RingEventsError: it holds no ``url``: what went wrong at ``/download`` is raised.
        """
        data = envelope.get("data")
        url = flatten_resource(data).get("url") if isinstance(data, Mapping) else None
        if not isinstance(url, str) or not url:
            raise self._first_error or RingEventsTransferError(
                f"{self.call.operation}: the report has no link to its file (is it ready?)"
            )
        self._go(self.base_url, url)

    def target(self) -> DownloadRequest:
        """What to ask next."""
        url = self._url or f"{self.base_url}{self.call.path}"
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
            headers["If-Range"] = self.etag or ""
        return DownloadRequest(url, headers, with_key=url_origin(url) == url_origin(self.base_url))

    def answered(self, status: int, headers: Mapping[str, str]) -> bool:
        """Take the head of an answer below 400.

        :returns: True: the body is the file (or its rest); False: go on with the next :meth:`target`.
        :raises RingEventsTransferError: it is no file, and there is no other way.
        """
        if 300 <= status < 400:
            self._redirect(headers.get("location", ""))
            return False
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if status not in (200, 206) or kind in _NOT_A_FILE:
            what = f"answered {status} with {kind or 'no content type'} where a file was expected"
            self._other_way(RingEventsTransferError(f"{self._place()} {what}"))
            return False
        self._begin(status, headers, kind)
        return True

    def refused(self, error: RingEventsError) -> None:
        """Take an error in place of an answer; returns when there is another way to try.

        :raises RingEventsError: there is none.
        """
        status = error.status if isinstance(error, RingEventsApiError) else None
        if status == 416:
            raise self._start_over("the file is shorter now")
        by_a_link = bool(self._url)
        if by_a_link and status in _EXPIRED and self._asked_anew < defaults.MAX_LINK_REFRESHES:
            # The link has expired, or says so in its own way: a fresh one costs one request.
            self._asked_anew += 1
            self.start()
            return
        if not by_a_link and status in (401, 429):
            raise error  # the signed link is asked for with the same key, at the same service
        if by_a_link and status is not None:
            # Not the API's own word: advice on its key would mislead, and a fresh link may do another time.
            error = RingEventsTransferError(f"{self._place()} answered {status} where the file was expected")
        self._other_way(error)

    def _redirect(self, location: str) -> None:
        self._redirects += 1
        if not location or self._redirects > defaults.MAX_REDIRECTS:
            what = "redirects to nowhere" if not location else "redirects without end"
            raise RingEventsTransferError(f"{self._place()} {what}")
        self._go(self.target().url, location)

    def _go(self, base: str, link: str) -> None:
        try:
            url = urljoin(base, link)
            scheme, host, _port = url_origin(url)
        except ValueError:
            scheme = host = url = ""
        if scheme not in ("http", "https") or not host:
            raise RingEventsTransferError(f"{self._place()} leads to something that is no http(s) address")
        if scheme == "http" and not is_loopback(host):
            raise RingEventsTransferError(f"{self._place()} leads to http://{host}: a report is not read in the clear")
        self._url = url

    def _other_way(self, error: RingEventsError) -> None:
        if self._by_link or self.call.link is None:
            raise error from self._first_error
        self._by_link, self._first_error = True, error
        self.start()

    def _place(self) -> str:
        """Name who answered, without path or query: a link is a secret."""
        url = self._url or self.base_url
        return f"{self.call.operation}: {urlsplit(url).hostname}"

    # --- the body

    def _begin(self, status: int, headers: Mapping[str, str], kind: str) -> None:
        etag = headers.get("etag", "")
        if self.received:
            match = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
            size = int(match[3]) if match is not None and match[3] != "*" else self.size
            same = match is not None and int(match[1]) == self.received and self.size in (None, size)
            if status != 206 or not same or (etag and etag != self.etag):
                raise self._start_over("the server cannot go on where it was cut, or the file has changed")
            self.size = self._sent_size = size
            return
        if status != 200:
            raise RingEventsTransferError(f"{self._place()} answered with a part of the file where all was asked for")
        encoding = headers.get("content-encoding", "").strip().lower()
        self.encoded = encoding not in ("", "identity")
        if self.encoded and encoding not in _DECODED:
            raise RingEventsTransferError(f"{self._place()} sent the file in an encoding that was not asked for")
        length = headers.get("content-length", "")
        self._sent_size = int(length) if length.isdecimal() else None
        self.size = None if self.encoded else self._sent_size
        self.etag = etag if etag.startswith('"') else None
        self._unpacker = StreamingDecompressor(encoding)
        # Of what was unpacked nobody has said a checksum.
        self._checksum = None if self.encoded else Checksum.of(headers)
        self.content_type = kind
        self.file_name = file_name(headers.get("content-disposition", ""))

    def unpacked(self, part: bytes) -> Iterator[bytes]:
        """What bytes of a body hold of the file.

        :raises UnpackingError: they are not packed as the head says.
        """
        return self._unpacker.pieces(part)

    def took(self, block: bytes) -> None:
        """Take the next bytes of the file, in order, whichever answer they came in."""
        self.received += len(block)
        if self._checksum is not None:
            self._checksum.take(block)

    def ended(self, raw_bytes: int) -> None:
        """The body ended without an error.

        :param raw_bytes: bytes that this answer's body had on the wire.
        :raises RingEventsTransferError: that is not what Content-Length said, or the checksum is another.
        """
        in_all = raw_bytes if self.encoded else self.received
        if self._sent_size is not None and in_all != self._sent_size:
            raise RingEventsTransferError(f"{self._place()} sent {in_all} bytes of a file of {self._sent_size}")
        if self._unpacker.cut:
            raise RingEventsTransferError(f"{self._place()} sent a compressed file that ends in the middle")
        if self._checksum is not None:
            self._checksum.check(self._place())

    def cut(self, error: RingEventsError) -> None:
        """The body broke off; returns when it can go on from :attr:`received`.

        :raises RingEventsTransferError: it cannot: start over, or give up.
        """
        self.resumes += 1
        if self.resumes > defaults.MAX_RESUMES:
            raise RingEventsTransferError(
                f"{self._place()} cut the file {self.resumes} times; gave up after {self.received} bytes"
            ) from error
        if self.received and (self.etag is None or self.encoded):
            raise self._start_over("it was cut, and the server gives no ETag to go on by") from error
        self.start()

    def _start_over(self, why: str) -> DownloadRestartRequired:
        return DownloadRestartRequired(f"{self._place()}: {why}; {self.received} bytes are thrown away")


class DownloadRestartRequired(RingEventsTransferError):
    """The download has to begin again with an empty destination."""


_EXTENDED_NAME = re.compile(r"(?:^|;)\s*filename\*\s*=\s*([\w!#$&+\-^`{}~.]+)'[^']*'([^;]+)", re.IGNORECASE)
_PLAIN_NAME = re.compile(r"(?:^|;)\s*filename\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;]+))", re.IGNORECASE)


def file_name(content_disposition: str) -> str:
    """The file name in a Content-Disposition header (RFC 6266), the extended form first; empty if there is none."""
    extended = _EXTENDED_NAME.search(content_disposition)
    if extended:
        try:
            return unquote(extended[2].strip(), encoding=extended[1], errors="strict")
        except (LookupError, UnicodeError):
            pass  # an unknown or wrong charset: the plain form may do
    plain = _PLAIN_NAME.search(content_disposition)
    if not plain:
        return ""
    return re.sub(r"\\(.)", r"\1", plain[1]) if plain[1] is not None else plain[2].strip()
