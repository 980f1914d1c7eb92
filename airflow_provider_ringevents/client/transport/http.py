"""The HTTP library behind the clients: the only module that imports httpx, so that replacing it concerns one file."""

from __future__ import annotations

import functools
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar
from typing import Any, TypeVar

import httpcore
import httpx
from httpx import AsyncClient as AsyncHttpClient
from httpx import Client as HttpClient
from httpx import Headers as HttpHeaders
from httpx import Response as HttpResponse

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, reveal_all
from airflow_provider_ringevents.client.transport.decompression import DecompressionError
from airflow_provider_ringevents.client.transport.time_budget import (
    QueueTimeoutError,
    RequestTimeoutError,
    current_timer,
)

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

_Http = TypeVar("_Http", HttpClient, AsyncHttpClient)


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


def open_client(
    kind: type[_Http],
    *,
    headers: Mapping[str, str],
    timeout: float,
    verify: bool | str,
    proxy: Secret | None,
    trust_env: bool,
    max_connections: int = defaults.MAX_CONNECTIONS,
) -> _Http:
    """Return an HTTP client that follows no redirect and keeps no cookie.

    :param timeout: the longest silence of the server, in seconds.
    :param trust_env: use the proxies of the environment.
    :param max_connections: the most connections that it opens at once.
    :raises RingEventsConfigError: the CA bundle or the proxy cannot be used.
    """
    context = ssl_context(verify)
    try:
        client = kind(
            headers=headers,
            cookies=_NoCookies(),
            timeout=httpx.Timeout(timeout, connect=min(timeout, defaults.CONNECT_TIMEOUT), pool=defaults.POOL_TIMEOUT),
            limits=httpx.Limits(max_connections=max_connections, keepalive_expiry=defaults.KEEPALIVE_SECONDS),
            verify=context,
            proxy=proxy.reveal() if proxy else None,
            trust_env=trust_env,
            event_hooks={"response": [_drop_reason if kind is HttpClient else _async_drop_reason]},
            follow_redirects=False,
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # The connection's own URL was validated before, the environment's were not. Both may hold a password.
        hint = "SOCKS needs the package socksio" if isinstance(error, ImportError) else "its URL is malformed"
    else:
        if isinstance(client, HttpClient):
            _limit_reads(client)
        return client
    # Raised out here, so that no traceback leads to the library's frames.
    raise RingEventsConfigError(
        f"`proxy` of the connection or of the environment cannot be used: {hint}.", parameter="proxy"
    )


class _NoCookies(CookieJar):
    """A cookie jar that keeps nothing: this API has no sessions, and a service could fill memory with it."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Do nothing."""

    def add_cookie_header(self, request: Any) -> None:
        """Do nothing."""


def _limit_reads(client: HttpClient) -> None:
    """Let the timer of a request hold for each of its reads and writes.

    The library limits the silence before each read alone, and hands nothing on until the head of a response is whole:
    a head that drips would block a thread for hours. Its transport takes no network backend, so it is set here.
    """
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _TimedBackend(pool._network_backend)


def _limited(timeout: float | None, expired: type[Exception]) -> float | None:
    """Return the smaller of a timeout and what the timer of the request leaves.

    :raises Exception: the timer has run out; of the type ``expired``.
    """
    timer = current_timer()
    if timer is None:
        return timeout
    remaining = timer.remaining
    if remaining <= 0:
        raise expired("the time of the request has passed")
    return remaining if timeout is None else min(timeout, remaining)


class _TimedBackend(httpcore.NetworkBackend):
    """A network backend whose operations end with the timer of the request."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        limited = _limited(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._backend.connect_tcp(host, port, limited, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        self._backend.sleep(seconds)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose reads and writes end with the timer of the request, which its first write starts."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read."""
        return self._stream.read(max_bytes, _limited(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write."""
        if (timer := current_timer()) is not None:
            timer.start()
        self._stream.write(buffer, _limited(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS."""
        limited = _limited(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, limited))

    def get_extra_info(self, info: str) -> Any:
        """Return a fact of the connection."""
        return self._stream.get_extra_info(info)


def _drop_reason(response: HttpResponse) -> None:
    """Forget the reason phrase, which the representation of a response would show: a server may put anything there."""
    response.extensions.pop("reason_phrase", None)


async def _async_drop_reason(response: HttpResponse) -> None:
    _drop_reason(response)


class AsyncConnectionPool:
    """A pool of asynchronous HTTP clients with one connection each, which lends the one that was used last.

    httpx examines each connection of a client several times per request: with 16 of them that costs more CPU than all
    the rest of a small request. The pool does not limit the number of connections; its users do.

    :param options: the arguments of :func:`open_client`.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._idle: deque[tuple[float, AsyncHttpClient]] = deque()
        self._clients: set[AsyncHttpClient] = set()
        self._closed = False

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[AsyncHttpClient]:
        """Lend a client for one request, whose response must be closed before the client is given back.

        :raises RuntimeError: the pool was closed.
        """
        if self._closed:
            raise RuntimeError("The client has been closed.")
        if self._idle:
            client = self._idle.pop()[1]
        else:
            client = open_client(AsyncHttpClient, **self._options, max_connections=1)
            self._clients.add(client)
        try:
            yield client
        finally:
            now = time.monotonic()
            self._idle.append((now, client))
            while self._idle and self._idle[0][0] < now - defaults.KEEPALIVE_SECONDS:
                await self._close(self._idle.popleft()[1])

    async def _close(self, client: AsyncHttpClient) -> None:
        self._clients.discard(client)
        await client.aclose()

    async def aclose(self) -> None:
        """Close all connections, and lend no more."""
        self._closed = True
        self._idle.clear()
        for client in tuple(self._clients):
            await self._close(client)


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
