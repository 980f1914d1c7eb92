"""Where the requests of one event loop wait for their turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.transport.retry import parse_retry_after
from airflow_provider_ringevents.client.transport.throttle import AdaptiveThrottle


class AsyncRateLimiter:
    """Lets so many requests through at a time, and so many in a second; none while the service wants a pause.

    ``async with gate as started`` around a request; then :meth:`answered`.

    :param rate: requests per second; None: no limit.
    :param now: seconds of a clock that never goes back.
    :param sleep: waits for so many seconds.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._pacer = AdaptiveThrottle(rate)
        self._now = now
        self._sleep = sleep
        # Where it is httpx that sends them, it slows down as requests queue up inside its pool: they wait here instead.
        self._free = asyncio.Semaphore(defaults.MAX_CONNECTIONS)

    def limit(self, rate: float | None) -> None:
        """Take another limit from now on: requests per second; None: none."""
        self._pacer.limit(rate)

    async def __aenter__(self) -> float:
        """Wait for a free place and for one's turn; gives the moment at which the request starts."""
        await self._free.acquire()
        try:
            return await self.turn()
        except BaseException:
            self._free.release()
            raise

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._free.release()

    async def turn(self) -> float:
        """Wait for one's turn alone."""
        while True:
            refusals = self._pacer.refusals
            pause = self._pacer.reserve(self._now())
            if not pause:
                return self._now()
            await self._sleep(pause)
            # Whoever slept while another one was refused would start within the pause that the service wants.
            if self._pacer.refusals == refusals:
                return self._now()

    def answered(self, started: float, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer.

        :param started: what entering gave.
        :param headers: of the answer; ``Retry-After`` is looked for.
        """
        if status == 429:
            self._pacer.refused(started, self._now(), parse_retry_after(headers.get("retry-after")))
        else:
            self._pacer.accepted()
