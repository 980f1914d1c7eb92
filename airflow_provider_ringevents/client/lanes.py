"""Connections side by side, each in an HTTP transport of its own.

A pool of httpx looks at each of its connections before and after each request: with 16 of them that is most of what a
request costs. With one for each it is nothing, and as few stay open as the requests need.

Transports, since what an HTTP client does around them (cookies, redirects, logins, a choice of proxies) is a tenth of
what a poll costs, and none of it is wanted for the API.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.request import getproxies

import httpx

from airflow_provider_ringevents.client import defaults

_log = logging.getLogger("httpx")


def open_lane(**options: Any) -> httpx.AsyncBaseTransport:
    """Open one; takes what ``httpx.AsyncClient`` takes, and of it what a transport needs."""
    if options["proxy"] is None and getproxies().keys() & {"http", "https", "all"}:
        return _ClientLane(httpx.AsyncClient(**options))
    return _Lane(verify=options["verify"], limits=options["limits"], proxy=options["proxy"])


class _Lane(httpx.AsyncHTTPTransport):
    """A transport that writes the same line for each request, to the same logger, as an HTTP client does."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body is still to be read."""
        response = await super().handle_async_request(request)
        _log.info(
            'HTTP Request: %s %s "%s %d %s"',
            request.method,
            request.url,
            response.http_version,
            response.status_code,
            response.reason_phrase,
        )
        return response


class _ClientLane(httpx.AsyncBaseTransport):
    """An HTTP client as a lane: it alone knows which proxy of the environment is for which hosts."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body is still to be read."""
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        """Close its connection."""
        await self._client.aclose()


class Lanes:
    """Transports, each for one request at a time. Who uses them sees to it that they are not too many.

    :param make: opens another one.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self._idle: deque[tuple[float, httpx.AsyncBaseTransport]] = deque()
        self._busy: set[httpx.AsyncBaseTransport] = set()

    def take(self) -> httpx.AsyncBaseTransport:
        """The one that was used last; another one where all are at work."""
        lane = self._idle.pop()[1] if self._idle else self._make()
        self._busy.add(lane)
        return lane

    async def give_back(self, lane: httpx.AsyncBaseTransport) -> None:
        """Make one free again; one that nobody has needed for long is closed."""
        self._busy.discard(lane)
        now = time.monotonic()
        self._idle.append((now, lane))
        if now - self._idle[0][0] > defaults.KEEPALIVE_SECONDS:
            await self._idle.popleft()[1].aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        lanes = [*self._busy, *(lane for _, lane in self._idle)]
        self._busy.clear()
        self._idle.clear()
        for lane in lanes:
            await lane.aclose()
