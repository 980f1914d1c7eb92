"""The current time and sleeping, in one module so that a test can let hours pass in no time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any


def now() -> float:
    """Return the current time in seconds since the epoch."""
    return time.time()


def monotonic() -> float:
    """Return seconds of a clock that is never set, for measuring durations."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Block the worker for some seconds."""
    time.sleep(seconds)


def async_sleep(seconds: float) -> Coroutine[Any, Any, None]:
    """Return an awaitable that suspends the current task for some seconds."""
    return asyncio.sleep(seconds)
