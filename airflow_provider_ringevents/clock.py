"""What time it is, and how to wait: whatever waits asks here, so that a test can let hours pass in no time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def monotonic() -> float:
    """Seconds on a clock that nobody sets: for how long ago something was."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait on the worker."""
    time.sleep(seconds)


def async_sleep(seconds: float) -> Coroutine[Any, Any, None]:
    """Wait in an event loop; to be awaited."""
    return asyncio.sleep(seconds)


def call_later(seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
    """Call something in the running event loop, unless what this returns is cancelled before."""
    return asyncio.get_running_loop().call_later(seconds, call)
