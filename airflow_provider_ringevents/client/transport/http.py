"""The HTTP library behind the clients: the only module that imports httpx, so that replacing it concerns one file.

Requests, responses and errors are those of httpx. They are sent by connections of httpcore, the library below it: so
each operation of the network ends in time, and a connection is chosen at a cost that does not grow with their number.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, Final, TypeVar, cast
from urllib.request import getproxies

import httpcore
import httpx
from httpx import Headers as HttpHeaders
from httpx import Response as HttpResponse

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, reveal_all
from airflow_provider_ringevents.client.transport.connections import AsyncConnectionPool, ConnectionPool, Proxy, Route
from airflow_provider_ringevents.client.transport.decompression import DecompressionError
from airflow_provider_ringevents.client.transport.time_budget import QueueTimeoutError, RequestTimeoutError

__all__ = ["AsyncHttpClient", "HttpClient", "HttpHeaders", "HttpRequest", "HttpResponse"]

HTTP_ERRORS = (httpx.HTTPError, httpx.InvalidURL, UnicodeError, DecompressionError, RequestTimeoutError)
"""Raised in place of a response. ``InvalidURL`` comes from a malformed Location, although it is not followed, and
``UnicodeError`` from a host name that cannot be resolved."""

NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
    QueueTimeoutError,
)
"""Those of them that prove that no byte of the request has left."""

TIMEOUT_ERRORS = (httpx.TimeoutException, RequestTimeoutError)

# httpx's own logger, so that its users find the lines where they look for them.
_request_log = logging.getLogger("httpx")

_CLOSED: Final = "The client has been closed."


class HttpRequest(httpx.Request):
    """A request whose representation shows neither its URL, which may be a signed link, nor its headers."""

    def __repr__(self) -> str:
        return f"<HttpRequest({self.method!r})>"


@lru_cache(maxsize=8)
def ssl_context(verify: bool | str) -> ssl.SSLContext:
    """Return the TLS context for a ``verify`` setting, one per setting and process.

    Making one costs 20 ms of CPU, which an event loop must not spend often.

    :raises RingEventsConfigError: the CA bundle cannot be read.
    """
    if isinstance(verify, bool):
        return httpx.create_ssl_context(verify=verify)
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise invalid_argument(
            "verify", "true, false or the path of a readable CA bundle", verify, hint=f"Reading it failed: {error}."
        ) from error


class HttpClient:
    """A synchronous client that follows no redirect and keeps no cookie: a service could fill memory with them.

    The client of httpx prepares for redirects, credentials and cookies, at a tenth of the CPU of a small request.

    :ivar headers: the headers of every request.
    :ivar timeout: the limits of every request.
    """

    def __init__(self, headers: HttpHeaders, timeout: httpx.Timeout, route: Route) -> None:
        self.headers = headers
        self.timeout = timeout
        self._pool = ConnectionPool(route)
        self._is_closed = False

    def open(self, request: HttpRequest) -> HttpResponse:
        """Send a request; return the response with its body unread, to be closed.

        :raises RuntimeError: the client was closed.
        """
        if self._is_closed:
            raise RuntimeError(_CLOSED)
        core = _core_request(request)
        try:
            connection = self._pool.lend(core.url.origin, request.url.host)
            try:
                response = connection.handle_request(core)
            except BaseException:
                self._pool.discard(connection)
                raise
        except _CORE_ERRORS as error:
            raise _translated(error) from error
        return _response(request, response, _Body(response, partial(self._pool.take_back, connection)))

    def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        self._pool.close()


class AsyncHttpClient:
    """An asynchronous client, as :class:`HttpClient`."""

    def __init__(self, headers: HttpHeaders, timeout: httpx.Timeout, route: Route) -> None:
        self.headers = headers
        self.timeout = timeout
        self._pool = AsyncConnectionPool(route)
        self._is_closed = False

    async def open(self, request: HttpRequest) -> HttpResponse:
        """Send a request, as :meth:`HttpClient.open`."""
        if self._is_closed:
            raise RuntimeError(_CLOSED)
        core = _core_request(request)
        try:
            connection = await self._pool.lend(core.url.origin, request.url.host)
            try:
                response = await connection.handle_async_request(core)
            except BaseException:
                await self._pool.discard(connection)
                raise
        except _CORE_ERRORS as error:
            raise _translated(error) from error
        return _response(request, response, _AsyncBody(response, partial(self._pool.take_back, connection)))

    async def aclose(self) -> None:
        """Close all connections."""
        self._is_closed = True
        await self._pool.aclose()


def _response(request: HttpRequest, response: httpcore.Response, body: _Body | _AsyncBody) -> HttpResponse:
    """Write the line of a request, and return its response without the reason phrase.

    A server may put anything there, and the representation of a response would show it.
    """
    opened = HttpResponse(response.status, headers=response.headers, stream=body, extensions=response.extensions)
    _request_log.info(
        'HTTP Request: %s %s "%s %d %s"',
        request.method,
        request.url,
        opened.http_version,
        opened.status_code,
        opened.reason_phrase,
    )
    opened.extensions.pop("reason_phrase", None)
    return opened


_Http = TypeVar("_Http", HttpClient, AsyncHttpClient)


def open_client(
    kind: type[_Http],
    *,
    headers: Mapping[str, str],
    timeout: float,
    verify: bool | str,
    proxy: Secret | None,
    trust_env: bool,
) -> _Http:
    """Return an HTTP client.

    :param timeout: the longest silence of the server, in seconds.
    :param trust_env: use the proxies of the environment.
    :raises RingEventsConfigError: the CA bundle or the proxy cannot be used.
    """
    context = ssl_context(verify)
    limits = httpx.Timeout(timeout, connect=min(timeout, defaults.CONNECT_TIMEOUT))
    try:
        route = Route(context, _proxies(proxy, trust_env=trust_env), from_environment=proxy is None)
        return kind(HttpHeaders(headers), limits, route)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # The connection's own URL was validated before, the environment's were not. Both may hold a password.
        hint = "SOCKS needs the package socksio" if isinstance(error, ImportError) else "its URL is malformed"
    # Raised out here, so that no traceback leads to the library's frames.
    raise RingEventsConfigError(
        f"`proxy` of the connection or of the environment cannot be used: {hint}.", parameter="proxy"
    )


def _proxies(proxy: Secret | None, *, trust_env: bool) -> dict[str, Proxy]:
    """Return the proxies for each scheme of an origin, or for ``all``.

    :raises ValueError: the URL of one is malformed.
    """
    urls = {"all": proxy.reveal()} if proxy else getproxies() if trust_env else {}
    return {
        scheme: _parse_proxy(url if "://" in url else f"http://{url}")
        for scheme, url in urls.items()
        if scheme in ("http", "https", "all") and url
    }


def _parse_proxy(url: str) -> Proxy:
    parsed = httpx.Proxy(url)
    return Proxy(_core_url(parsed.url), parsed.raw_auth)


def _core_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _core_request(request: HttpRequest) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=_core_url(request.url),
        headers=request.headers.raw,
        content=cast("Iterable[bytes] | AsyncIterable[bytes]", request.stream),
        extensions=request.extensions,
    )


_CORE_ERRORS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


def _translated(error: Exception) -> httpx.TransportError:
    """Return the error of httpx for one of httpcore, which has the same name."""
    translated: httpx.TransportError = getattr(httpx, type(error).__name__)(str(error))
    return translated


class _Body(httpx.SyncByteStream):
    """The body of a response.

    :param release: called once it is closed.
    """

    def __init__(self, response: httpcore.Response, release: Callable[[], None]) -> None:
        self._response = response
        self._release: Callable[[], None] | None = release

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from cast("Iterable[bytes]", self._response.stream)
        except _CORE_ERRORS as error:
            raise _translated(error) from error

    def close(self) -> None:
        """Give the connection back."""
        if (release := self._release) is None:
            return
        self._release = None
        try:
            self._response.close()
        finally:
            release()


class _AsyncBody(httpx.AsyncByteStream):
    """The body of a response, as :class:`_Body`."""

    def __init__(self, response: httpcore.Response, release: Callable[[], Awaitable[None]]) -> None:
        self._response = response
        self._release: Callable[[], Awaitable[None]] | None = release

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in cast("AsyncIterable[bytes]", self._response.stream):
                yield part
        except _CORE_ERRORS as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        """Give the connection back."""
        if (release := self._release) is None:
            return
        self._release = None
        try:
            await self._response.aclose()
        finally:
            await release()


def merge_headers(
    http: HttpClient | AsyncHttpClient,
    headers: Mapping[str, str] | None = None,
    *,
    authorization: Secret | None = None,
) -> HttpHeaders:
    """Return the client's own headers with others in addition; their representation does not show the credentials."""
    merged = HttpHeaders(http.headers)
    merged.update(headers or {})
    if authorization:
        merged["Authorization"] = authorization.reveal()
    return merged


def build_request(
    http: HttpClient | AsyncHttpClient,
    method: str,
    url: Secret | str,
    headers: HttpHeaders,
    *,
    params: Mapping[str, str] | None = None,
    json: Any = None,
) -> HttpRequest:
    """Build a request with the client's time limits.

    :param url: a secret where it may be a signed link.
    :param headers: all of its headers, from :func:`merge_headers`.
    :param json: the body; secrets in it are sent as their texts.
    :raises ValueError: the URL is malformed, or a value cannot be encoded.
    """
    try:
        return HttpRequest(
            method,
            url.reveal() if isinstance(url, Secret) else url,
            params=params,
            json=None if json is None else reveal_all(json),
            headers=headers,
            extensions={"timeout": http.timeout.as_dict()},
        )
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        # The name of the class where the message may quote the URL.
        problem = type(error).__name__ if isinstance(error, httpx.InvalidURL) else str(error)
    raise ValueError(problem)


def normalize_host(host: str) -> str:
    """Return a host name as it is resolved, in ASCII.

    :raises ValueError: it cannot be one.
    """
    try:
        return httpx.URL(f"https://{host}").host.encode("idna").decode()
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error
