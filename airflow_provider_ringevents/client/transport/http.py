"""The HTTP library behind the clients: the only module that imports httpx, so that replacing it concerns one file.

The clients of httpx stand on transports of ours, which open connections by httpcore, the library below httpx: so each
operation of the network ends in time, and a connection is chosen at a cost that does not grow with their number.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, Final, Generic, TypeVar, cast
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
from httpx import Headers as HttpHeaders
from httpx import Response as HttpResponse

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, reveal_all
from airflow_provider_ringevents.client.transport.decompression import DecompressionError
from airflow_provider_ringevents.client.transport.network import AsyncioBackend, TimedBackend, limited_timeout
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

_Connection = TypeVar("_Connection", httpcore.ConnectionInterface, httpcore.AsyncConnectionInterface)
_Pool = TypeVar("_Pool")


class HttpRequest(httpx.Request):
    """A request whose representation shows neither its URL, which may be a signed link, nor its headers."""

    def __repr__(self) -> str:
        return f"<HttpRequest({self.method!r})>"


@functools.lru_cache(maxsize=8)
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


def is_certificate_error(error: BaseException | None) -> bool:
    """Return whether a certificate that could not be verified caused an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def describe_os_error(error: BaseException | None) -> str:
    """Return the operating system's or the TLS library's own description of an error, empty without one.

    The messages of the HTTP library are left out: they may quote a URL or a response.
    """
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""


class HttpClient(httpx.Client):
    """A client that sends requests as they are, and keeps no cookie: a service could fill memory with them.

    httpx's own ``send`` prepares for redirects, credentials and cookies, at a tenth of the CPU of a small request.
    """

    def __init__(self, *, transport: httpx.BaseTransport, **options: Any) -> None:
        super().__init__(transport=transport, **options)
        self._wire = transport

    def open(self, request: HttpRequest) -> HttpResponse:
        """Send a request; return the response with its body unread, to be closed.

        :raises RuntimeError: the client was closed.
        """
        if self.is_closed:
            raise RuntimeError("The client has been closed.")
        return _logged(request, self._wire.handle_request(request))


class AsyncHttpClient(httpx.AsyncClient):
    """An asynchronous client, as :class:`HttpClient`."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport, **options: Any) -> None:
        super().__init__(transport=transport, **options)
        self._wire = transport

    async def open(self, request: HttpRequest) -> HttpResponse:
        """Send a request, as :meth:`HttpClient.open`."""
        if self.is_closed:
            raise RuntimeError("The client has been closed.")
        return _logged(request, await self._wire.handle_async_request(request))


def _logged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Write the line of a request, and return its response without the reason phrase.

    A server may put anything there, and the representation of a response would show it.
    """
    _request_log.info(
        'HTTP Request: %s %s "%s %d %s"',
        request.method,
        request.url,
        response.http_version,
        response.status_code,
        response.reason_phrase,
    )
    response.extensions.pop("reason_phrase", None)
    return response


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
    """Return an HTTP client that follows no redirect and keeps no cookie.

    :param timeout: the longest silence of the server, in seconds.
    :param trust_env: use the proxies of the environment.
    :raises RingEventsConfigError: the CA bundle or the proxy cannot be used.
    """
    context = ssl_context(verify)
    is_sync = kind is HttpClient
    try:
        transport = (_Transport if is_sync else _AsyncTransport)(
            context, proxy, trust_env=trust_env, max_connections=defaults.MAX_CONNECTIONS
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # The connection's own URL was validated before, the environment's were not. Both may hold a password.
        hint = "SOCKS needs the package socksio" if isinstance(error, ImportError) else "its URL is malformed"
    else:
        return kind(
            headers=headers,
            timeout=httpx.Timeout(timeout, connect=min(timeout, defaults.CONNECT_TIMEOUT), pool=defaults.POOL_TIMEOUT),
            transport=cast("Any", transport),
            trust_env=False,
        )
    # Raised out here, so that no traceback leads to the library's frames.
    raise RingEventsConfigError(
        f"`proxy` of the connection or of the environment cannot be used: {hint}.", parameter="proxy"
    )


class _Connections(Generic[_Connection]):
    """The idle connections of a transport, of which the one that was used last is lent first.

    The pool of the library examines each of its connections several times per request: with 16 of them that costs more
    CPU than all the rest of a small request.
    """

    def __init__(self) -> None:
        self._idle: deque[tuple[float, _Connection]] = deque()
        self._all: set[_Connection] = set()
        self._lock = threading.Lock()

    def add(self, connection: _Connection) -> _Connection:
        """Take a new connection, which is lent at once, and return it."""
        with self._lock:
            self._all.add(connection)
        return connection

    def take(self, origin: httpcore.Origin) -> _Connection | None:
        """Lend an idle connection to an origin; None where there is none."""
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                connection = self._idle[place][1]
                if connection.can_handle_request(origin):
                    del self._idle[place]
                    return connection
        return None

    def put(self, connection: _Connection) -> list[_Connection]:
        """Take a connection back; return those that have to be closed: it has ended, or others are idle for long."""
        now = time.monotonic()
        with self._lock:
            if connection in self._all and connection.is_available():
                self._idle.append((now, connection))
                unused = []
            else:
                self._all.discard(connection)
                unused = [connection]
            while self._idle and self._idle[0][0] < now - defaults.KEEPALIVE_SECONDS:
                unused.append(self._idle.popleft()[1])
                self._all.discard(unused[-1])
        return unused

    def remove(self, connection: _Connection) -> None:
        """Forget a connection that was lent."""
        with self._lock:
            self._all.discard(connection)

    def clear(self) -> list[_Connection]:
        """Forget all connections, and return them."""
        with self._lock:
            connections = list(self._all)
            self._all.clear()
            self._idle.clear()
        return connections


class _Route(Generic[_Pool]):
    """The choice between the direct way and the proxies.

    :param direct: opens connections without a proxy.
    :param proxied: scheme of the origin, or ``all`` -> opens connections by a proxy.
    :param from_environment: the proxies are those of the environment, which names exceptions, too.
    """

    def __init__(self, direct: _Pool, proxied: Mapping[str, _Pool], *, from_environment: bool) -> None:
        self._direct = direct
        self._proxied = proxied
        self._from_environment = from_environment

    def to(self, url: httpx.URL) -> _Pool:
        """Return what opens connections for a URL."""
        pool = self._proxied.get(url.scheme) or self._proxied.get("all")
        if pool is None or (self._from_environment and proxy_bypass(url.host)):
            return self._direct
        return pool


def _proxies(proxy: Secret | None, *, trust_env: bool) -> dict[str, httpx.Proxy]:
    """Return the proxies for each scheme of an origin, or for ``all``.

    :raises ValueError: the URL of one is malformed.
    :raises ImportError: one speaks SOCKS, and the package for it is missing.
    """
    urls = {"all": proxy.reveal()} if proxy else getproxies() if trust_env else {}
    found = {
        scheme: httpx.Proxy(url if "://" in url else f"http://{url}")
        for scheme, url in urls.items()
        if scheme in ("http", "https", "all") and url
    }
    if any(_is_socks(each) for each in found.values()) and find_spec("socksio") is None:
        raise ImportError("socksio")
    return found


def _is_socks(proxy: httpx.Proxy) -> bool:
    return proxy.url.scheme.startswith("socks")


def _proxy_url(proxy: httpx.Proxy) -> httpcore.URL:
    url = proxy.url
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


def _core_request(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
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


class _Transport(httpx.BaseTransport):
    """The transport of the synchronous client, safe to use from several threads.

    :param max_connections: the most connections in use at once.
    :raises ValueError: the URL of a proxy is malformed.
    :raises ImportError: a proxy speaks SOCKS, and the package for it is missing.
    """

    def __init__(self, context: ssl.SSLContext, proxy: Secret | None, *, trust_env: bool, max_connections: int) -> None:
        self._places = threading.BoundedSemaphore(max_connections)
        self._connections: _Connections[httpcore.ConnectionInterface] = _Connections()
        options: dict[str, Any] = {
            "ssl_context": context,
            "keepalive_expiry": defaults.KEEPALIVE_SECONDS,
            "network_backend": TimedBackend(),
        }

        def by(each: httpx.Proxy) -> httpcore.ConnectionPool:
            kind = httpcore.SOCKSProxy if _is_socks(each) else httpcore.HTTPProxy
            return kind(proxy_url=_proxy_url(each), proxy_auth=each.raw_auth, **options)

        proxied = {scheme: by(each) for scheme, each in _proxies(proxy, trust_env=trust_env).items()}
        self._route = _Route(httpcore.ConnectionPool(**options), proxied, from_environment=proxy is None)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the connection is free again once the response is closed."""
        pool_timeout = limited_timeout(request.extensions["timeout"]["pool"], httpx.PoolTimeout)
        if not self._places.acquire(timeout=pool_timeout):
            raise httpx.PoolTimeout("no connection became free in time")
        try:
            core = _core_request(request)
            connection = self._lend(core.url.origin, request.url)
            try:
                response = connection.handle_request(core)
            except BaseException:
                self._connections.remove(connection)
                connection.close()
                raise
        except _CORE_ERRORS as error:
            self._places.release()
            raise _translated(error) from error
        except BaseException:
            self._places.release()
            raise
        body = _Body(response, functools.partial(self._take_back, connection))
        return httpx.Response(response.status, headers=response.headers, stream=body, extensions=response.extensions)

    def _lend(self, origin: httpcore.Origin, url: httpx.URL) -> httpcore.ConnectionInterface:
        while (connection := self._connections.take(origin)) is not None:
            if not connection.has_expired():
                return connection
            self._connections.remove(connection)
            connection.close()
        return self._connections.add(self._route.to(url).create_connection(origin))

    def _take_back(self, connection: httpcore.ConnectionInterface) -> None:
        self._places.release()
        for unused in self._connections.put(connection):
            unused.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.clear():
            connection.close()


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


class _AsyncTransport(httpx.AsyncBaseTransport):
    """The transport of the asynchronous client, as :class:`_Transport`."""

    def __init__(self, context: ssl.SSLContext, proxy: Secret | None, *, trust_env: bool, max_connections: int) -> None:
        self._places = asyncio.BoundedSemaphore(max_connections)
        self._connections: _Connections[httpcore.AsyncConnectionInterface] = _Connections()
        options: dict[str, Any] = {
            "ssl_context": context,
            "keepalive_expiry": defaults.KEEPALIVE_SECONDS,
            "network_backend": AsyncioBackend(),
        }

        def by(each: httpx.Proxy) -> httpcore.AsyncConnectionPool:
            kind = httpcore.AsyncSOCKSProxy if _is_socks(each) else httpcore.AsyncHTTPProxy
            return kind(proxy_url=_proxy_url(each), proxy_auth=each.raw_auth, **options)

        proxied = {scheme: by(each) for scheme, each in _proxies(proxy, trust_env=trust_env).items()}
        self._route = _Route(httpcore.AsyncConnectionPool(**options), proxied, from_environment=proxy is None)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the connection is free again once the response is closed."""
        try:
            async with asyncio.timeout(request.extensions["timeout"]["pool"]):
                await self._places.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("no connection became free in time") from None
        try:
            core = _core_request(request)
            connection = await self._lend(core.url.origin, request.url)
            try:
                response = await connection.handle_async_request(core)
            except BaseException:
                self._connections.remove(connection)
                await connection.aclose()
                raise
        except _CORE_ERRORS as error:
            self._places.release()
            raise _translated(error) from error
        except BaseException:
            self._places.release()
            raise
        body = _AsyncBody(response, functools.partial(self._take_back, connection))
        return httpx.Response(response.status, headers=response.headers, stream=body, extensions=response.extensions)

    async def _lend(self, origin: httpcore.Origin, url: httpx.URL) -> httpcore.AsyncConnectionInterface:
        while (connection := self._connections.take(origin)) is not None:
            if not connection.has_expired():
                return connection
            self._connections.remove(connection)
            await connection.aclose()
        return self._connections.add(self._route.to(url).create_connection(origin))

    async def _take_back(self, connection: httpcore.AsyncConnectionInterface) -> None:
        self._places.release()
        for unused in self._connections.put(connection):
            await unused.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in self._connections.clear():
            await connection.aclose()


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
