"""What time it is, and how to wait: whatever waits asks here, so that a test can let hours pass in no time."""

from __future__ import annotations

import asyncio
import time


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def steady() -> float:
    """Seconds on a clock that nobody sets: for how long ago something was."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait on the worker."""
    time.sleep(seconds)


async def sleep_in_loop(seconds: float) -> None:
    """Wait in an event loop."""
    await asyncio.sleep(seconds)
