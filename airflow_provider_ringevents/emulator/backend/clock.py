"""The clock of the emulator and its time formats."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

Clock = Callable[[], float]
"""Returns the time in seconds since the epoch."""

DAY: Final = 86400.0


class ManualClock:
    """A clock that tests advance.

    :param now: seconds since the epoch.
    """

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance by ``seconds``."""
        if seconds < 0:
            raise ValueError(f"`seconds` must be at least 0, got {seconds!r}.")
        self.now += seconds


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(milliseconds: int) -> str:
    """Return milliseconds since the epoch as ``2026-11-22T08:06:01.250Z``."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_minute(seconds // 60)}{seconds % 60:02d}.{rest:03d}Z"


@lru_cache(maxsize=4096)
def _minute(number: int) -> str:
    return (_EPOCH + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:")


def iso_seconds(seconds: float) -> str:
    """Return seconds since the epoch as ``2026-11-22T08:06:01Z``."""
    return (_EPOCH + timedelta(seconds=int(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> int | None:
    """Return an ISO 8601 time with an offset in milliseconds since the epoch, or None for any other text."""
    if "T" not in text.upper():
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def system_clock() -> float:
    """Return the time of the machine, in seconds since the epoch."""
    return time.time()
