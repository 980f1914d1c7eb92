"""What a task says in its log, for people: waits once a minute, figures with units, details folded away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from airflow_provider_ringevents import clock

Say = Callable[..., None]
"""Takes a message and its arguments, as ``log.info`` does."""

LOG_INTERVAL: Final = 60.0
"""Seconds between two lines of one wait, however often it polls."""


class WaitProgressLogger:
    """What one wait says: at first what it waits for, then once a minute how that stands, at last how long it took.

    A wait that is over at its first poll says its end alone.

    :param what: what is waited for, as in "Waiting for ...".
    :param deadline: seconds since the epoch; None: no end.
    """

    def __init__(self, what: str, deadline: float | None, say: Say) -> None:
        self._what = what
        self._deadline = deadline
        self._say = say
        self._started = clock.monotonic()
        self._said_at: float | None = None
        self._polls = 0

    def unfinished(self, said: str) -> None:
        """A poll found that it has not happened.

        :param said: how it stands.
        """
        self._polls += 1
        now = clock.monotonic()
        if self._said_at is None:
            until = "" if self._deadline is None else f"; until {_when(self._deadline)} at the latest"
            self._say("Waiting for %s: %s%s", self._what, said, until)
        elif now - self._said_at >= LOG_INTERVAL:
            self._say("Still waiting for %s after %s: %s", self._what, self.so_far(now), said)
        else:
            return
        self._said_at = now

    def finished(self, said: str) -> None:
        """A poll found that it has happened.

        :param said: what, as in "... after 5 s (3 polls)".
        """
        self._polls += 1
        self._say("%s after %s", said, self.so_far(clock.monotonic()))

    def so_far(self, now: float) -> str:
        """How long it has taken, and how many polls."""
        return f"{format_duration(now - self._started)} ({format_count(self._polls, 'poll')})"


@contextmanager
def log_group(say: Say, title: str) -> Iterator[None]:
    """Lines that Airflow's pages show folded, under a title."""
    say("::group::%s", title)
    try:
        yield
    finally:
        say("::endgroup::")


def format_bytes(number: float) -> str:
    """A number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError("the loop returns")


def format_count(number: int, thing: str) -> str:
    """A number of things for people."""
    return f"{number:,} {thing if number == 1 else thing + 's'}"


def format_duration(seconds: float) -> str:
    """A length of time for people."""
    if seconds < 0.9995:
        return f"{max(seconds, 0.0) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _when(moment: float) -> str:
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return "the year 10000"  # no calendar goes there; a wait may
