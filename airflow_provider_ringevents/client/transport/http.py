"""The HTTP library behind the clients: the only module that imports httpx, so that replacing it concerns one file."""

from __future__ import annotations

import functools
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar

import httpx
from httpx import AsyncClient as AsyncHttpClient
from httpx import Client as HttpClient
from httpx import Request as HttpRequest
from httpx import Response as HttpResponse

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.transport.decompression import DecompressionError

__all__ = ["AsyncHttpClient", "HttpClient", "HttpRequest", "HttpResponse"]

HTTP_ERRORS = (httpx.HTTPError, httpx.InvalidURL, UnicodeError, DecompressionError)
"""Raised in place of a response. ``InvalidURL`` comes from a malformed Location, although it is not followed, and
``UnicodeError`` from a host name that cannot be resolved."""

NOT_SENT_ERRORS = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)
"""Those of them that prove that no byte of the request has left."""

TIMEOUT_ERRORS = (httpx.TimeoutException,)

_Http = TypeVar("_Http", HttpClient, AsyncHttpClient)


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


def open_client(
    kind: type[_Http], *, headers: Mapping[str, str], timeout: float, verify: bool | str, proxy: str | None
) -> _Http:
    """Return an HTTP client that follows no redirect and keeps no cookie.

    :param timeout: the longest silence of the server, in seconds.
    :raises RingEventsConfigError: the CA bundle or the proxy cannot be used.
    """
    context = ssl_context(verify)
    try:
        return kind(
            headers=headers,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=httpx.Timeout(timeout, connect=min(timeout, defaults.CONNECT_TIMEOUT), pool=defaults.POOL_TIMEOUT),
            limits=httpx.Limits(max_connections=defaults.MAX_CONNECTIONS, keepalive_expiry=defaults.KEEPALIVE_SECONDS),
            verify=context,
            proxy=proxy,
            follow_redirects=False,
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # The connection's own URL was validated before, the environment's were not. Both may hold a password.
        hint = "SOCKS needs the package socksio" if isinstance(error, ImportError) else "its URL is malformed"
        raise RingEventsConfigError(
            f"`proxy` of the connection or of the environment cannot be used: {hint}.", parameter="proxy"
        ) from None


def build_request(http: HttpClient | AsyncHttpClient, method: str, url: str, **options: Any) -> HttpRequest:
    """Build a request from the client's defaults and ``options`` (``params``, ``json``, ``headers``).

    :raises ValueError: the URL is malformed, or a value cannot be encoded.
    """
    try:
        return http.build_request(method, url, **options)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError(str(error)) from error


def normalize_host(host: str) -> str:
    """Return a host name as it is resolved, in ASCII.

    :raises ValueError: it cannot be one.
    """
    try:
        return httpx.URL(f"https://{host}").host.encode("idna").decode()
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error
