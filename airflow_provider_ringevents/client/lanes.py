"""Connections side by side, each in an HTTP client of its own.

A pool of httpx looks at each of its connections before and after each request: with 16 of them that is most of what a
request costs. With one for each it is nothing, and as few stay open as the requests need.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import httpx

from airflow_provider_ringevents.client import defaults


class Lanes:
    """HTTP clients, each for one request at a time. Who uses them sees to it that they are not too many.

    :param make: opens another one.
    """

    def __init__(self, make: Callable[[], httpx.AsyncClient]) -> None:
        self._make = make
        self._idle: deque[tuple[float, httpx.AsyncClient]] = deque()
        self._busy: set[httpx.AsyncClient] = set()

    def take(self) -> httpx.AsyncClient:
        """The one that was used last; another one where all are at work."""
        lane = self._idle.pop()[1] if self._idle else self._make()
        self._busy.add(lane)
        return lane

    async def give_back(self, lane: httpx.AsyncClient) -> None:
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
