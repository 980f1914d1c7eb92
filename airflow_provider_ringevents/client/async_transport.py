"""What carries the requests of the asynchronous client: aiohttp, imported when needed, unless a proxy is set."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from urllib.request import getproxies

import httpx


def open_transport(http: httpx.AsyncClient, *, proxy: str | None, verify: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The transport for a client; it opens its connections with its first request.

    Where a proxy is set, by the connection or by the environment, httpx's own client carries them: it alone knows by
    the same rules as ``Client`` which hosts go by it.

    :param http: is used, and left open, where there may be a proxy.
    :param proxy: URL of the connection's.
    :param verify: for TLS.
    """
    if proxy is not None or getproxies().keys() & {"http", "https", "all"}:
        return _ByClient(http)
    return _Direct(verify)


class _ByClient(httpx.AsyncBaseTransport):
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body is still to be read."""
        return await self._http.send(request, stream=True)


class _Direct(httpx.AsyncBaseTransport):
    def __init__(self, verify: ssl.SSLContext) -> None:
        self._verify = verify
        self._transport: httpx.AsyncBaseTransport | None = None
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body is still to be read."""
        return await (self._transport or await self._opened()).handle_async_request(request)

    async def _opened(self) -> httpx.AsyncBaseTransport:
        # Importing takes a tenth of a second, which no event loop that others wait in should lose.
        library = await asyncio.to_thread(
            importlib.import_module, "airflow_provider_ringevents.client.aiohttp_transport"
        )
        if self._closed:
            raise RuntimeError("the client has been closed")
        if self._transport is None:
            self._transport = library.AiohttpTransport(self._verify)
        return self._transport

    async def aclose(self) -> None:
        """Close all connections."""
        self._closed = True
        if self._transport is not None:
            await self._transport.aclose()
