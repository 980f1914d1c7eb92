"""The state of a download: how the file of a report is located, resumed and verified. The drivers do the I/O.

The API's ``/download`` (with the key) responds with the file or redirects to it; where it fails, the report's signed
link leads there. An expired link is requested anew, and a body that was cut is resumed by Range where the server can
prove that it is still the same file. Where it announces a checksum, the bytes must match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.downloads.checksums import Checksum
from airflow_provider_ringevents.client.downloads.destinations import LinkPolicy
from airflow_provider_ringevents.client.downloads.transfer_clock import TransferClock
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsError,
    RingEventsTransferError,
    strip_frames,
)
from airflow_provider_ringevents.client.pagination import flatten_resource, url_origin
from airflow_provider_ringevents.client.secrets import Secret
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.client.transport.decompression import DecompressionError, StreamingDecompressor
from airflow_provider_ringevents.client.transport.redaction import clean_text, hide_secrets

_NOT_A_FILE = ("text/html", "application/json", "application/vnd.api+json", "application/problem+json")
_EXPIRED = frozenset({400, 401, 403, 404, 410})
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,20})-([0-9]{1,20})/([0-9]{1,20}|\*)")


@dataclass(frozen=True, slots=True)
class DownloadRequest:
    """One request on the way to the file.

    :ivar url: the address.
    :ivar headers: headers besides the client's own.
    :ivar send_credentials: send ``Authorization``: the API's own origin was never left on the way.
    """

    url: Secret
    headers: Mapping[str, str]
    send_credentials: bool


@dataclass(slots=True)
class DownloadState:
    """The progress of one download and the facts known of its file.

    :ivar call: the call that leads to the file.
    :ivar settings: those of the client.
    :ivar clock: the time of the transfer.
    :ivar received: bytes of the file delivered so far.
    :ivar size: bytes of the whole file, if the server declares it; None for a compressed one.
    :ivar etag: the strong ETag, if the server sends one.
    :ivar content_type: the file's media type, without parameters.
    :ivar file_name: the server's name for the file, without secrets; not safe to use as it is.
    :ivar encoded: the body is compressed although that was not requested; it cannot be resumed.
    :ivar resumes: the number of times that it was resumed.
    """

    call: Call
    settings: ClientSettings
    clock: TransferClock
    received: int = 0
    size: int | None = None
    etag: str | None = None
    content_type: str = ""
    file_name: str = ""
    encoded: bool = False
    resumes: int = 0
    _declared_size: int | None = None
    _range_end: int | None = None
    _url: Secret = field(default_factory=lambda: Secret(""))
    _left_api: bool = False
    _unresolved_host: str = ""
    _policy: LinkPolicy = field(init=False, repr=False)
    _uses_link: bool = False
    _redirects: int = 0
    _link_refreshes: int = 0
    _first_error: RingEventsError | None = field(default=None, repr=False)
    _checksum: Checksum | None = field(default=None, repr=False)
    _decompressor: StreamingDecompressor = field(default_factory=lambda: StreamingDecompressor(""), repr=False)

    def __post_init__(self) -> None:
        self._policy = LinkPolicy(self.settings)

    @property
    def verified(self) -> bool:
        """Return whether a body that ends early is noticed: the server declared its length or a checksum."""
        return self._declared_size is not None or self._checksum is not None

    # --- locating the file

    def restart(self) -> None:
        """Return to the address that hands out fresh links."""
        self._url, self._redirects = Secret(""), 0
        self._left_api, self._unresolved_host = False, ""

    @property
    def follows_link(self) -> bool:
        """Return whether the next request goes to a redirect or a signed link, not to the API's own address."""
        return bool(self._url)

    @property
    def pending_link_call(self) -> Call | None:
        """Return the call whose response holds the signed link, if that is needed next."""
        return self.call.link_call if self._uses_link and not self._url else None

    def accept_link(self, envelope: Mapping[str, Any]) -> None:
        """Take the response to :attr:`pending_link_call`.

        :raises RingEventsError: it describes another report, or holds no ``url`` (then the error of ``/download``, if
            there was one).
        """
        data = envelope.get("data")
        report = flatten_resource(data) if isinstance(data, Mapping) else {}
        link = _signed_link(report)
        is_other_report = report.get("id") not in (None, "", unquote(self.call.path.split("/")[-2]))
        del envelope, data, report  # The frame of an error keeps no link in plain.
        if is_other_report:
            raise RingEventsTransferError(f"{self.call.operation}: the service described another report")
        if not link:
            raise self._first_error or RingEventsTransferError(
                f"{self.call.operation}: the report has no link to its file (is it ready?)"
            )
        self._go(Secret(self.settings.base_url), link)

    @property
    def pending_lookup(self) -> str:
        """Return the host name whose addresses have to be examined before the next request; empty: none."""
        return self._unresolved_host

    def accept_addresses(self, addresses: Iterable[str]) -> None:
        """Take the addresses of :attr:`pending_lookup`; none where the look-up failed, as the connection then will.

        :raises RingEventsTransferError: the host is refused.
        """
        self._unresolved_host = ""
        if objection := self._policy.objection_to_addresses(addresses):
            raise self._refused(self._describe_host(), objection)

    def next_request(self) -> DownloadRequest:
        """Return the request to send next."""
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
            headers["If-Range"] = self.etag or ""
        return DownloadRequest(self._current, headers, send_credentials=not self._left_api)

    @property
    def _current(self) -> Secret:
        return self._url or Secret(f"{self.settings.base_url}{self.call.path}")

    def on_response(self, status: int, headers: Mapping[str, str]) -> bool:
        """Take the status and headers of a response below 400.

        :returns: True if the body is the file or its rest, False if :meth:`next_request` has to be sent.
        :raises RingEventsTransferError: it is not a file, and there is no other way to it.
        """
        outcome = self._accept_response(status, headers)
        del headers  # The frame of an error keeps no link in plain.
        if isinstance(outcome, RingEventsError):
            raise outcome
        return outcome

    def _accept_response(self, status: int, headers: Mapping[str, str]) -> bool | RingEventsError:
        try:
            return self._is_file(status, headers)
        except RingEventsError as error:
            return strip_frames(error)

    def _is_file(self, status: int, headers: Mapping[str, str]) -> bool:
        if 300 <= status < 400:
            self._redirect(Secret(headers.get("location", "")))
            return False
        kind = clean_text(headers.get("content-type", "").split(";")[0].strip().lower())
        if status not in (200, 206) or kind in _NOT_A_FILE:
            what = f"answered {status} with {kind or 'no content type'} where a file was expected"
            self._fall_back_to_link(RingEventsTransferError(f"{self._describe_host()} {what}"))
            return False
        self._begin(status, headers, kind)
        return True

    def on_error(self, error: RingEventsError) -> None:
        """Take an error in place of a response; return if there is another way to try.

        :raises RingEventsError: there is none.
        """
        status = error.status if isinstance(error, RingEventsApiError) else None
        if status == 416:
            raise self._restart_required("the file is shorter now")
        by_a_link = bool(self._url)
        if by_a_link and status in _EXPIRED and self._link_refreshes < defaults.MAX_LINK_REFRESHES:
            # Stores report an expired link by any of these; a fresh one costs one request.
            self._link_refreshes += 1
            self.restart()
            return
        if not by_a_link and status in (401, 429):
            raise error  # the signed link is requested with the same key from the same service
        if by_a_link and status is not None:
            # Not the API itself: advice on its key would mislead, and a retry gets a fresh link.
            error = RingEventsTransferError(f"{self._describe_host()} answered {status} where the file was expected")
        self._fall_back_to_link(error)

    def _redirect(self, location: Secret) -> None:
        self._redirects += 1
        if not location or self._redirects > defaults.MAX_REDIRECTS:
            what = "redirects without a location" if not location else "redirects endlessly"
            raise RingEventsTransferError(f"{self._describe_host()} {what}")
        self._go(self._current, location)

    def _go(self, base: Secret, link: Secret) -> None:
        try:
            url = Secret(urljoin(base.reveal(), link.reveal()))
            origin = url_origin(url.reveal())
        except ValueError:
            url, origin = Secret(""), ("", "", None)
        scheme, host, _port = origin
        if scheme not in ("http", "https") or not host:
            raise RingEventsTransferError(f"{self._describe_host()} leads to an address that is not http or https")
        if objection := self._policy.objection(scheme, host):
            raise self._refused(f"{self._describe_host()} leads to {scheme}://{clean_text(host)}", objection)
        # Once another host had its say, the way back to the API goes without the key.
        self._left_api = self._left_api or origin != url_origin(self.settings.base_url)
        self._unresolved_host = host if self._policy.needs_lookup(scheme, host) else ""
        self._url = url

    def _refused(self, what: str, objection: str) -> RingEventsTransferError:
        return RingEventsTransferError(
            f"{what}: {objection}. If it belongs to your network, see 'allow_private_links' of the connection's extra.",
            retryable=False,
        )

    def _fall_back_to_link(self, error: RingEventsError) -> None:
        if self._uses_link or self.call.link_call is None:
            raise error
        self._uses_link, self._first_error = True, error
        self.restart()

    def _describe_host(self) -> str:
        """Name the sender without path or query: a link is a secret."""
        return f"{self.call.operation}: {clean_text(urlsplit(self._current.reveal()).hostname or '')}"

    # --- the body

    def _begin(self, status: int, headers: Mapping[str, str], kind: str) -> None:
        etag = headers.get("etag", "")
        if self.received:
            match = _CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
            size = int(match[3]) if match is not None and match[3] != "*" else self.size
            same = match is not None and int(match[1]) == self.received and self.size in (None, size)
            encoded = headers.get("content-encoding", "").strip().lower() not in ("", "identity")
            if status != 206 or not same or encoded or etag != self.etag:
                raise self._restart_required("the server cannot resume it, or the file has changed")
            self.size = self._declared_size = size
            self._range_end = int(match[2]) + 1 if match is not None else None
            return
        if status != 200:
            raise RingEventsTransferError(
                f"{self._describe_host()} sent a part of the file where all of it was requested"
            )
        try:
            self._decompressor = StreamingDecompressor(headers.get("content-encoding", ""))
        except DecompressionError as error:
            raise RingEventsTransferError(
                f"{self._describe_host()} sent the file encoded: {clean_text(str(error))}"
            ) from None
        self.encoded = bool(self._decompressor.encoding)
        length = headers.get("content-length", "")
        self._declared_size = int(length) if length.isdecimal() else None
        self._range_end = None
        self.size = None if self.encoded else self._declared_size
        self.etag = etag if etag.startswith('"') else None
        # The checksum is that of the compressed bytes.
        self._checksum = None if self.encoded else Checksum.from_headers(headers)
        self.content_type = kind
        self.file_name = hide_secrets(file_name(headers.get("content-disposition", "")))

    def decompress(self, part: bytes) -> Iterator[bytes]:
        """Yield the bytes of the file that a part of a body holds.

        :raises DecompressionError: they are not in the declared encoding.
        """
        return self._decompressor.decompress(part)

    def record(self, block: bytes) -> None:
        """Count the next bytes of the file, in order, whichever response they came in."""
        self.received += len(block)
        if self._checksum is not None:
            self._checksum.update(block)

    def finish(self, raw_bytes: int) -> None:
        """Verify a body that ended without an error.

        :param raw_bytes: bytes that the body of the last response had on the wire.
        :raises RingEventsTransferError: its length differs from Content-Length, or its checksum from the announced one.
        """
        total = raw_bytes if self.encoded else self.received
        if self._declared_size is not None and total != self._declared_size:
            raise RingEventsTransferError(
                f"{self._describe_host()} sent {total} bytes of a file of {self._declared_size}"
            )
        # The end of a range of a file of unknown size is no proof that the file ends there, but that it goes so far.
        if self._range_end is not None and total != self._range_end:
            raise RingEventsTransferError(
                f"{self._describe_host()} sent {total} bytes where its range ends after {self._range_end}"
            )
        if self._decompressor.is_truncated:
            raise RingEventsTransferError(f"{self._describe_host()} sent a compressed file that ends in the middle")
        if self._checksum is not None:
            self._checksum.verify(self._describe_host())

    def on_disconnect(self, error: RingEventsError) -> None:
        """Take the error that cut the body; return if it can be resumed from :attr:`received`.

        :raises RingEventsTransferError: it cannot, or was resumed too often.
        """
        self.resumes += 1
        if self.resumes > defaults.MAX_RESUMES:
            raise RingEventsTransferError(
                f"{self._describe_host()} cut the file {self.resumes} times; gave up after {self.received} bytes"
            )
        if self.received and (self.etag is None or self.encoded):
            raise self._restart_required("it was cut, and the server sends no ETag to resume by")
        self.restart()

    def _restart_required(self, why: str) -> DownloadRestartRequired:
        return DownloadRestartRequired(f"{self._describe_host()}: {why}; {self.received} bytes are discarded")


def _signed_link(report: Mapping[str, Any]) -> Secret | None:
    """Return the ``url`` of a report."""
    url = report.get("url")
    return Secret(url) if isinstance(url, str) and url else None


class DownloadRestartRequired(RingEventsTransferError):
    """The download has to begin again with an empty destination."""


_PARAMETER = re.compile(r";\s*([\w!#$&+\-^`{}~.*%']+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;]*))")
_EXTENDED_VALUE = re.compile(r"([\w!#$&+\-^`{}~.]+)'[^']*'(.+)")


def file_name(content_disposition: str) -> str:
    """Return the file name in a Content-Disposition header (RFC 6266), the extended form first; empty without one."""
    plain = ""
    # The header may lack its type; a quoted value is one parameter, whatever it holds.
    for name, quoted, token in _PARAMETER.findall(f";{content_disposition}"):
        if name.lower() == "filename*" and (extended := _EXTENDED_VALUE.fullmatch((quoted or token).strip())):
            try:
                return unquote(extended[2], encoding=extended[1], errors="strict")
            except (LookupError, UnicodeError):
                continue  # an unknown or wrong charset: the plain form may do
        elif name.lower() == "filename" and not plain:
            plain = re.sub(r"\\(.)", r"\1", quoted) if quoted else token.strip()
    return plain
