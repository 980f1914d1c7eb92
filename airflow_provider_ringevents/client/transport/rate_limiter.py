"""Rate limits of the requests that one client, or the clients of one event loop, send."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.transport.retry import parse_retry_after


class AdaptiveThrottle:
    """An evenly spaced schedule of request starts that slows down after rejections (429). It does not wait itself.

    After a rejection requests start one after the other, and each further one doubles their interval. Accepted requests
    halve it every six seconds, however many they are, so that the old pace is reached within about a minute.

    :ivar rejection_count: the number of rejections so far; a change invalidates reservations made before.
    :param rate: requests per second; None: no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self.rejection_count = 0
        self._lock = threading.Lock()
        self._min_interval = 0.0
        self._throttled_interval = 0.0
        self._next_start = 0.0
        self._held_until = float("-inf")
        self._last_rejection = float("-inf")
        self._last_change = float("-inf")
        self.set_rate(rate)

    def set_rate(self, rate: float | None) -> None:
        """Limit the requests per second from now on; None: no limit."""
        self._min_interval = 1.0 / rate if rate else 0.0

    def reserve(self, now: float) -> float:
        """Reserve the next free start, and return the delay until then, in seconds.

        :param now: seconds of a monotonic clock.
        """
        with self._lock:
            interval = max(self._min_interval, self._throttled_interval)
            if not interval and now >= self._next_start:
                return 0.0
            start = max(now, self._next_start)
            self._next_start = start + interval
        return start - now

    def on_rejected(self, started: float, now: float, retry_after: float | None) -> None:
        """Let no request start before the pause is over that a 429 asks for.

        :param started: the time at which the rejected request started; those in flight together count as one
            rejection.
        :param now: seconds of the same monotonic clock.
        :param retry_after: the pause in seconds, if the service sent one; at most ``defaults.RETRY_AFTER_MAX`` is
            obeyed.
        """
        with self._lock:
            if started >= self._last_rejection:
                doubled = max(2 * max(self._throttled_interval, self._min_interval), defaults.THROTTLE_MIN_INTERVAL)
                self._throttled_interval = min(doubled, defaults.THROTTLE_MAX_INTERVAL)
            self._last_rejection = now
            pause = max(min(retry_after or 0.0, defaults.RETRY_AFTER_MAX), self._throttled_interval, self._min_interval)
            self._held_until = max(self._held_until, now + pause)
            self._next_start = self._last_change = self._held_until
            self.rejection_count += 1

    def on_accepted(self, now: float) -> None:
        """Shorten the interval after a request that was not rejected, by the time since the last one.

        :param now: seconds of the same monotonic clock.
        """
        if not self._throttled_interval:
            return
        with self._lock:
            elapsed = min(now - self._last_change, defaults.THROTTLE_MAX_STEP)
            if elapsed <= 0:
                return  # sent before the pause
            self._last_change = now
            self._throttled_interval *= 0.5 ** (elapsed / defaults.THROTTLE_HALF_LIFE)
            if self._throttled_interval < defaults.THROTTLE_RESET_BELOW:
                self._throttled_interval = 0.0


class AsyncRateLimiter:
    """A rate and concurrency limit for the requests of one event loop, paused after a 429.

    Hold ``in_flight`` around a request, call :meth:`acquire` before it is sent, and :meth:`record_response` after it.

    :ivar in_flight: a semaphore that limits the requests in flight.
    :param rate: requests per second; None: no limit.
    :param now: returns the seconds of a monotonic clock.
    :param sleep: waits for a number of seconds.
    """

    def __init__(
        self,
        rate: float | None,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._throttle = AdaptiveThrottle(rate)
        self._now = now
        self._sleep = sleep
        self.in_flight = asyncio.Semaphore(defaults.MAX_CONNECTIONS)

    def set_rate(self, rate: float | None) -> None:
        """Limit the requests per second from now on; None: no limit."""
        self._throttle.set_rate(rate)

    async def acquire(self) -> float:
        """Wait for the next start of a request; return the time."""
        while True:
            rejections = self._throttle.rejection_count
            delay = self._throttle.reserve(self._now())
            if not delay:
                return self._now()
            await self._sleep(delay)
            # A rejection meanwhile has moved all starts: this one would fall within the pause.
            if self._throttle.rejection_count == rejections:
                return self._now()

    def record_response(self, started: float, status: int, headers: Mapping[str, str]) -> None:
        """Adapt to a response.

        :param started: the time that :meth:`acquire` returned.
        :param headers: those of the response; ``Retry-After`` is read.
        """
        if status == 429:
            self._throttle.on_rejected(started, self._now(), parse_retry_after(headers.get("retry-after")))
        else:
            self._throttle.on_accepted(self._now())
