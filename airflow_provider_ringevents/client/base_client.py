"""What both clients share: how a call becomes a request, an answer a result, a failure an error. No I/O."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self, TypeVar

import httpx

import airflow_provider_ringevents
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransferError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.pagination import Page, PaginationPlan, next_page_params
from airflow_provider_ringevents.client.settings import ClientSettings, check_number
from airflow_provider_ringevents.client.transport import redaction
from airflow_provider_ringevents.client.transport.decompression import (
    ACCEPT_ENCODING,
    DecompressionError,
    StreamingDecompressor,
)
from airflow_provider_ringevents.client.transport.responses import (
    Envelope,
    api_error,
    parse_response,
    transport_error,
    validate_response,
)
from airflow_provider_ringevents.client.transport.retry import RetryPolicy

NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)

HTTP_ERRORS = (httpx.HTTPError, httpx.InvalidURL, UnicodeError, DecompressionError)
"""What is raised in place of an answer: the second for a Location that is no URL, though it is not followed, the third
for a host name that cannot be looked up, the last for a body that is not packed as its head says."""

_NO_BODY = httpx.ByteStream(b"")
_url = functools.lru_cache(maxsize=defaults.KEPT_ADDRESSES)(httpx.URL)
_Http = TypeVar("_Http")
OnRetry = Callable[[BaseException], None]


@functools.lru_cache(maxsize=8)
def ssl_context(verify: bool | str) -> ssl.SSLContext:
    """One context per setting and process: making one costs 20 ms of CPU, which an event loop must not pay often.

    :raises RingEventsConfigError: there is no readable CA bundle at that path.
    """
    if isinstance(verify, bool):
        return httpx.create_ssl_context(verify=verify)
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise RingEventsConfigError(f"verify: {verify!r} is no readable CA bundle ({error})") from error


def _is_certificate_error(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


class BaseClient:
    """The part of a client that opens no socket.

    :param base_url: scheme and host, e.g. ``https://api.events.ringcentral.com``.
    :param api_key: the key; sent to that origin alone.
    :param policy: other numbers for retries; ``max_attempts`` is taken from the settings.
    :param settings: the other fields of :class:`~airflow_provider_ringevents.client.settings.ClientSettings`.
    :raises RingEventsConfigError: a setting cannot be used.
    """

    def __init__(
        self,
        base_url: str = defaults.BASE_URL,
        api_key: str = "",
        *,
        policy: RetryPolicy | None = None,
        **settings: Any,
    ) -> None:
        self.settings = ClientSettings(base_url=base_url, api_key=api_key, **settings)
        self.policy = replace(policy or RetryPolicy(), max_attempts=self.settings.max_attempts)
        self._timeout = httpx.Timeout(
            self.settings.timeout,
            connect=min(self.settings.timeout, defaults.CONNECT_TIMEOUT),
            pool=defaults.POOL_TIMEOUT,
        )
        self._common_headers = {
            "User-Agent": f"airflow-provider-ringevents/{airflow_provider_ringevents.__version__}",
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        host = httpx.URL(self.settings.base_url).netloc.decode("ascii")
        self._headers = httpx.Headers(
            {"Host": host, **self._common_headers, "Authorization": self.settings.authorization}
        )
        self._extensions = {"timeout": self._timeout.as_dict()}
        redaction.install(self.settings.base_url, self.settings.api_key)

    @classmethod
    def from_settings(cls, settings: ClientSettings) -> Self:
        """Build a client from settings that were checked before."""
        return cls(**{name: getattr(settings, name) for name in ClientSettings.__slots__})

    def _http_options(self) -> dict[str, Any]:
        return {
            "headers": self._common_headers,
            "timeout": self._timeout,
            "limits": httpx.Limits(
                max_connections=defaults.MAX_CONNECTIONS, keepalive_expiry=defaults.KEEPALIVE_SECONDS
            ),
            "verify": ssl_context(self.settings.verify),
            "proxy": self.settings.proxy,
            "follow_redirects": False,
        }

    @staticmethod
    def _opened_with(make: Callable[..., _Http], options: Mapping[str, Any]) -> _Http:
        try:
            return make(**options)
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            # The certificates and the URL given were checked before; the environment's proxies were not.
            hint = "SOCKS needs the package socksio" if isinstance(error, ImportError) else "it is no proxy's URL"
            raise RingEventsConfigError(
                f"proxy: the proxy of the connection or of the environment cannot be used: {hint}"
            ) from None

    def _request(self, call: Call) -> httpx.Request:
        # What httpx's client would make of it, from what is merged once: half the work, and no cookies.
        address = f"{self.settings.base_url}{call.path}"
        if call.method == "GET" and not call.params and call.body is None:
            # A poll asks the same again and again: what can be kept of it is kept.
            return httpx.Request(
                "GET", _url(address), headers=self._headers, stream=_NO_BODY, extensions=self._extensions
            )
        try:
            return httpx.Request(
                call.method,
                address,
                params=dict(call.params) or None,
                json=call.body,
                headers=self._headers,
                extensions=self._extensions,
            )
        except (TypeError, ValueError) as error:
            raise RingEventsConfigError(f"{call.operation}: the body cannot be written as JSON: {error}") from error

    def _file_request(self, http: httpx.Client | httpx.AsyncClient, plan: DownloadState) -> httpx.Request:
        target = plan.target()
        headers = dict(target.headers)
        if target.with_key:
            headers["Authorization"] = self.settings.authorization
        try:
            return http.build_request("GET", target.url, headers=headers)
        except (httpx.InvalidURL, ValueError):
            raise RingEventsTransferError(f"{plan.call.operation}: the link to the file is no usable address") from None

    def _transport_error(self, call: Call, error: Exception) -> RingEventsTransportError:
        if _is_certificate_error(error):
            return RingEventsTransportError(
                f"{call.operation}: the server's certificate is not trusted; if it is your own, set 'verify' in the"
                " connection's extra to the path of the CA bundle that vouches for it",
                sent=False,
                retryable=False,
            )
        return transport_error(
            call,
            error,
            sent=not isinstance(error, NOT_SENT_ERRORS),
            timed_out=isinstance(error, httpx.TimeoutException),
        )

    def _answer(self, call: Call, response: httpx.Response, body: bytes) -> Envelope:
        return parse_response(call, response.status_code, response.headers, body, secret=self.settings.api_key)

    def _check(self, call: Call, response: httpx.Response, body: bytes) -> None:
        validate_response(call, response.status_code, response.headers, body, secret=self.settings.api_key)

    def _file_error(self, call: Call, response: httpx.Response, body: bytes) -> RingEventsError:
        return api_error(call, response.status_code, response.headers, body, secret=self.settings.api_key)

    def _first_page(self, call: Call, per_page: int | None) -> tuple[Call, int]:
        asked = self.settings.per_page if per_page is None else per_page
        check_number("per_page", asked, whole=True, least=1)
        return (call.with_params(page=1, perPage=asked) if call.paged else call), asked

    def _next_page(self, call: Call, page: Page, plan: PaginationPlan | None, seen: set[str]) -> Call | None:
        """The call for the page after ``page``, None after the last one.

        :param seen: links that were followed; one that comes again is a loop.
        """
        if not call.paged or not page.items:
            return None
        if plan and page.number < plan.last:
            return call.with_params(page=page.number + 1, perPage=plan.per_page)
        if page.next_link is None:
            return None
        params = next_page_params(page.next_link, self.settings.base_url, operation=call.operation)
        number = params.get("page", "")
        # What a link leaves out still holds: the filter, and the size that its page number counts in.
        left_out = {name: value for name, value in call.params.items() if name != "page"}
        if not number:
            left_out.pop("perPage", None)
        if page.next_link in seen or (number.isdecimal() and int(number) <= page.number):
            raise RingEventsTransportError(
                f"{call.operation}: links.next of page {page.number} leads back to a page that was read; not followed",
                sent=True,
                retryable=False,
            )
        seen.add(page.next_link)
        return replace(call, params={**left_out, **params})


class BoundedBodyReader:
    """Unpacks and collects an answer's body up to a limit, so that an endless one does not fill memory."""

    def __init__(self, call: Call, response: httpx.Response) -> None:
        self._call = call
        self._is_error = response.is_error
        self._limit = defaults.MAX_ERROR_BYTES if response.is_error else defaults.MAX_JSON_BYTES
        self._unpacker = StreamingDecompressor(response.headers.get("content-encoding", ""))
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, part: bytes) -> bool:
        """Take a part, as it was sent; False when no more is wanted.

        :raises RingEventsTransportError: a success goes on beyond the limit.
        :raises UnpackingError: it is not packed as the head says.
        """
        for piece in self._unpacker.pieces(part):
            self._parts.append(piece)
            self._length += len(piece)
            if self._length > self._limit:
                return self._too_long()
        return True

    def _too_long(self) -> bool:
        if self._is_error:
            return False
        raise RingEventsTransportError(
            f"{self._call.operation}: the answer is longer than {self._limit} bytes; not read further",
            sent=True,
            ambiguous=not self._call.repeatable,
            retryable=False,
        )

    def joined(self) -> bytes:
        """All that was taken."""
        return b"".join(self._parts)


class ChunkBuffer:
    """Joins small network reads into blocks, so that what follows is called less often."""

    def __init__(self, size: int = defaults.CHUNK_BYTES) -> None:
        self._size = size
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, part: bytes) -> bytes:
        """Take a part; returns a block when there is enough for one, else nothing."""
        self._parts.append(part)
        self._length += len(part)
        return self.rest() if self._length >= self._size else b""

    def rest(self) -> bytes:
        """What is left over."""
        block = b"".join(self._parts)
        self._parts.clear()
        self._length = 0
        return block
