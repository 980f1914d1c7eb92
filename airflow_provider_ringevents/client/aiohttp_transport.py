"""aiohttp behind the face of a transport of httpx.

Thousands of waits poll from one event loop, and nearly all that a poll costs is its HTTP library: half as much CPU with
aiohttp, whose parser is written in C, as with the transport of httpx. Where aiohttp leaves open what httpx promises
(that every request ends, that an answer is the request's own), it is seen to here.
"""

from __future__ import annotations

import asyncio
import logging
import select
import ssl
import weakref
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import httpx
import yarl
from aiohttp.http_exceptions import HttpProcessingError

from airflow_provider_ringevents.client import defaults

_FAILURES = (aiohttp.ClientError, HttpProcessingError)
_log = logging.getLogger("httpx")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Connections straight to the service, kept open for the next request. Belongs to the running event loop.

    :param verify: for TLS.
    """

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=defaults.MAX_CONNECTIONS,
                keepalive_timeout=defaults.KEEPALIVE_SECONDS,
                resolver=aiohttp.ThreadedResolver(),  # the system's, as Client uses, whatever else is installed
                ssl=verify,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=defaults.MAX_HEADER_BYTES,
            max_field_size=defaults.MAX_HEADER_BYTES,
            skip_auto_headers=("Content-Type",),
        )
        # What may be sent again, and how often, the client's policy says alone; aiohttp has no option for it.
        self._session._retry_connection = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body is still to be read.

        :raises httpx.TransportError: as httpx's own transport would.
        """
        times = request.extensions["timeout"]
        try:
            response = await self._head(request, times)
        except (TimeoutError, *_FAILURES) as error:
            # Its words hold the whole URL, and that a filter: they are in no traceback.
            raise _as_httpx(error) from None
        if response.status < 200:
            response.close()
            raise httpx.RemoteProtocolError("an answer that is none")
        version = response.version or aiohttp.HttpVersion11
        answer = httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Body(response, times["read"]),
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

    async def _head(self, request: httpx.Request, times: Mapping[str, float]) -> aiohttp.ClientResponse:
        # aiohttp has no limit for writing, and forgets the one for reading after an interim answer.
        async with asyncio.timeout(times["connect"] + times["write"] + times["read"]):
            return await self._session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=times["connect"], sock_read=times["read"]),
            )

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


class _Connector(aiohttp.TCPConnector):
    """Takes no kept connection on which something has come: the server has ended it, or said what nobody asked for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._used: weakref.WeakSet[asyncio.BaseProtocol] = weakref.WeakSet()

    async def connect(self, *args: Any, **options: Any) -> Any:
        while True:
            connection: Any = await super().connect(*args, **options)
            protocol = connection.protocol
            if protocol not in self._used:  # a new one may have the tickets of TLS to read
                self._used.add(protocol)
                return connection
            if not (protocol.should_close or _has_something_to_read(connection.transport)):
                return connection
            connection.close()


def _has_something_to_read(transport: asyncio.BaseTransport | None) -> bool:
    plug = transport.get_extra_info("socket") if transport is not None else None
    if plug is None or plug.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(plug.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class _Body(httpx.AsyncByteStream):
    """A body as it comes.

    :param patience: seconds of silence.
    """

    def __init__(self, response: aiohttp.ClientResponse, patience: float) -> None:
        self._response = response
        self._patience = patience

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while not content.at_eof():
                part = content.read_nowait()  # a short body has come with its head: no clock is set for it
                if not part:
                    # aiohttp forgets its own limit where what comes is malformed.
                    async with asyncio.timeout(self._patience):
                        part = await content.readany()
                if part:
                    yield part
        except (TimeoutError, *_FAILURES) as error:
            raise _as_httpx(error) from None

    async def aclose(self) -> None:
        """Give the connection back, or drop it where not all was read."""
        self._response.close()


def _as_httpx(error: Exception) -> httpx.TransportError:
    """The same failure in httpx's words: what matters is whether anything was sent."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout(name)
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(name)
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout(name)
    if isinstance(error, aiohttp.ClientOSError):
        return httpx.ReadError(name)
    return httpx.RemoteProtocolError(name)
