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
from httpx import Response as HttpResponse

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, reveal_all
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
) -> _Http:
    """Return an HTTP client that follows no redirect and keeps no cookie.

    :param timeout: the longest silence of the server, in seconds.
    :param trust_env: use the proxies of the environment.
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
            proxy=proxy.reveal() if proxy else None,
            trust_env=trust_env,
            event_hooks={"response": [_drop_reason if kind is HttpClient else _async_drop_reason]},
            follow_redirects=False,
        )
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # The connection's own URL was validated before, the environment's were not. Both may hold a password.
        hint = "SOCKS needs the package socksio" if isinstance(error, ImportError) else "its URL is malformed"
    # Raised out here, so that no traceback leads to the library's frames.
    raise RingEventsConfigError(
        f"`proxy` of the connection or of the environment cannot be used: {hint}.", parameter="proxy"
    )


def _drop_reason(response: HttpResponse) -> None:
    """Forget the reason phrase, which the representation of a response would show: a server may put anything there."""
    response.extensions.pop("reason_phrase", None)


async def _async_drop_reason(response: HttpResponse) -> None:
    _drop_reason(response)


def build_request(
    http: HttpClient | AsyncHttpClient,
    method: str,
    url: Secret,
    *,
    params: Mapping[str, str] | None = None,
    json: Any = None,
    headers: Mapping[str, str] | None = None,
    authorization: Secret | None = None,
) -> HttpRequest:
    """Build a request with the client's own headers and time limits.

    :param json: the body; secrets in it are sent as their texts.
    :raises ValueError: the URL is malformed, or a value cannot be encoded.
    """
    merged = httpx.Headers(http.headers)
    merged.update(headers or {})
    try:
        request = HttpRequest(
            method,
            url.reveal(),
            params=params,
            json=reveal_all(json),
            headers=merged,
            extensions={"timeout": http.timeout.as_dict()},
        )
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        # The name of the class where the message may quote the URL.
        problem = type(error).__name__ if isinstance(error, httpx.InvalidURL) else str(error)
    else:
        if authorization:
            request.headers["Authorization"] = authorization.reveal()
        return request
    raise ValueError(problem)


def normalize_host(host: str) -> str:
    """Return a host name as it is resolved, in ASCII.

    :raises ValueError: it cannot be one.
    """
    try:
        return httpx.URL(f"https://{host}").host.encode("idna").decode()
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error
