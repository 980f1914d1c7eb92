"""What carries the requests of the asynchronous client: aiohttp, behind the face of a transport of httpx.

Thousands of waits poll from one event loop, and nearly all that a poll costs is its HTTP library: half as much CPU with
aiohttp, whose parser is written in C, as with the transport of httpx. Where a proxy is set, by the connection or by
the environment, httpx's own client carries them: it alone knows by the same rules as ``Client`` which hosts go by it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.request import getproxies

import httpx

from airflow_provider_ringevents.client import defaults

if TYPE_CHECKING:
    import aiohttp

_log = logging.getLogger("httpx")


def open_transport(http: httpx.AsyncClient, *, proxy: str | None, verify: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The transport for a client; it opens its connections with its first request.

    :param http: is used, and left open, where there may be a proxy.
    :param proxy: URL of the connection's.
    :param verify: for TLS.
    """
    if proxy is not None or getproxies().keys() & {"http", "https", "all"}:
        return _ByClient(http)
    return DirectTransport(verify)


class _ByClient(httpx.AsyncBaseTransport):
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body is still to be read."""
        return await self._http.send(request, stream=True)


class DirectTransport(httpx.AsyncBaseTransport):
    """Connections straight to the service, kept open for the next request. Belongs to one event loop.

    :param verify: for TLS.
    """

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._verify = verify
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body is still to be read.

        :raises httpx.TransportError: as httpx's own transport would.
        """
        session = self._session or await self._opened()
        import aiohttp
        import yarl

        times = request.extensions["timeout"]
        try:
            response = await session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=times["connect"], sock_read=times["read"]),
            )
        except aiohttp.ClientError as error:
            raise _as_httpx(error) from error
        version = response.version or aiohttp.HttpVersion11
        answer = httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(response),
            request=request,
            extensions={
                "http_version": f"HTTP/{version.major}.{version.minor}".encode(),
                "reason_phrase": (response.reason or "").encode("ascii", "ignore"),
            },
        )
        # httpx's client writes this line for each request: whoever looks for it finds it with both.
        _log.info(
            'HTTP Request: %s %s "%s %d %s"',
            request.method,
            request.url,
            answer.http_version,
            answer.status_code,
            answer.reason_phrase,
        )
        return answer

    async def _opened(self) -> aiohttp.ClientSession:
        # A tenth of a second, which no event loop that others wait in should lose.
        aiohttp = await asyncio.to_thread(importlib.import_module, "aiohttp")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=defaults.MAX_CONNECTIONS,
                    keepalive_timeout=defaults.KEEPALIVE_SECONDS,
                    resolver=aiohttp.ThreadedResolver(),  # the system's, as Client uses, whatever else is installed
                    ssl=self._verify,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=defaults.MAX_HEADER_BYTES,
                max_field_size=defaults.MAX_HEADER_BYTES,
            )
            # What may be sent again, and how often, the client's policy says alone; aiohttp has no option for it.
            self._session._retry_connection = False
        return self._session

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import aiohttp

        try:
            async for part in self._response.content.iter_any():
                yield part
        except aiohttp.ClientError as error:
            raise _as_httpx(error) from error

    async def aclose(self) -> None:
        """Give the connection back, or drop it where not all was read."""
        self._response.close()


def _as_httpx(error: aiohttp.ClientError) -> httpx.TransportError:
    """The same failure in httpx's words: what matters is whether anything was sent."""
    import aiohttp

    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout("")
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError("")
    if isinstance(error, aiohttp.ServerTimeoutError):
        return httpx.ReadTimeout("")
    if isinstance(error, aiohttp.ClientOSError):
        return httpx.ReadError("")
    return httpx.RemoteProtocolError("")
