"""Clocks on which hours pass in no time: one that sleeping moves on, one that is stepped, and a loop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self, TypeVar
from unittest.mock import patch

import tenacity.nap

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import client

_Result = TypeVar("_Result")
_yield_to_loop = asyncio.sleep

START = 1_790_000_000.0
"""The time of a fake clock at its beginning, in seconds since the epoch."""


class FakeClock:
    """A clock that sleeping moves on.

    :ivar time: seconds since the epoch.
    :ivar pauses: what was slept, in order.
    """

    def __init__(self, start: float = START) -> None:
        self.time = start
        self.pauses: list[float] = []
        self._changes: list[tuple[float, Callable[[], Any]]] = []

    def now(self) -> float:
        return self.time

    def after(self, seconds: float, change: Callable[[], Any]) -> None:
        """Make a change when so much time has passed."""
        self._changes.append((self.time + seconds, change))

    def advance(self, seconds: float) -> None:
        assert seconds >= 0
        self.time += seconds
        for due, change in list(self._changes):
            if due <= self.time:
                self._changes.remove((due, change))
                change()

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.advance(seconds)

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)
        await _yield_to_loop(0)

    @contextmanager
    def installed(self) -> Iterator[Self]:
        """Replace the clock of the package, that of the client's throttle, and the pauses between attempts."""
        with (
            patch.multiple(clock, now=self.now, monotonic=self.now, sleep=self.sleep, async_sleep=self.async_sleep),
            patch.object(tenacity.nap, "time", SimpleNamespace(sleep=self.sleep)),
            patch.object(client, "time", SimpleNamespace(monotonic=self.now)),
        ):
            yield self


class SteppedClock(FakeClock):
    """A clock that is stepped by a test; coroutines that sleep wake when it has gone far enough."""

    SETTLED = 0.05
    """Seconds of real time in which requests that may start have started."""

    async def async_sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.after(seconds - 1e-6, lambda: woken.done() or woken.set_result(None))
        await woken

    async def step(self, seconds: float) -> None:
        self.advance(seconds)
        await _yield_to_loop(self.SETTLED)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock moves on only where everything sleeps. Not for sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        real = selector.select

        def select(timeout: float | None) -> Any:
            self._now += timeout or 0.0
            return real(0)

        selector.select = select

    def time(self) -> float:
        return self._now


def run_in_virtual_time(main: Coroutine[Any, Any, _Result]) -> _Result:
    """As `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def loop_time() -> float:
    """Seconds of the loop's clock."""
    return asyncio.get_running_loop().time()
