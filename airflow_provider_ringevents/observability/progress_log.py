"""Progress lines of tasks and waits, limited in number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.observability.formatting import format_count, format_duration, format_time

LogFunction = Callable[..., None]
"""A function that takes a message and its arguments, as ``log.info`` does."""

LOG_INTERVAL: Final = 60.0
"""Seconds between two lines of one wait, however often it polls."""


class LogThrottle:
    """A limiter that lets one log line pass in a number of seconds.

    :param interval: seconds from one line to the next.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._last: float | None = None

    def is_due(self) -> bool:
        """Return True, and start the next interval, when a line may be written now."""
        if self._last is not None and clock.monotonic() - self._last < self._interval:
            return False
        self.restart()
        return True

    def restart(self) -> None:
        """Start the next interval now, since a line was or need not be written."""
        self._last = clock.monotonic()


class WaitProgressLogger:
    """The log lines of one wait: its subject at first, its state once a minute, its duration at last.

    A wait that is over at its first poll logs its end alone.

    :param subject: what is waited for, as in "Waiting for ...".
    :param deadline: seconds since the epoch; None: the wait has no end.
    :param log: writes the lines.
    """

    def __init__(self, subject: str, deadline: float | None, log: LogFunction) -> None:
        self._subject = subject
        self._deadline = deadline
        self._log = log
        self._started = clock.monotonic()
        self._throttle = LogThrottle(LOG_INTERVAL)
        self._announced = False
        self._polls = 0

    def log_pending(self, state: str) -> None:
        """Record a poll after which the wait goes on.

        :param state: the state that the poll found.
        """
        self._polls += 1
        if not self._throttle.is_due():
            return
        if self._announced:
            self._log("Still waiting for %s after %s: %s", self._subject, self.elapsed(), state)
        else:
            until = "" if self._deadline is None else f"; until {format_time(self._deadline)} at the latest"
            self._log("Waiting for %s: %s%s", self._subject, state, until)
            self._announced = True

    def log_done(self, result: str) -> None:
        """Record the poll that ended the wait.

        :param result: the result, as in "... after 5 s (3 polls)".
        """
        self._polls += 1
        self._log("%s after %s", result, self.elapsed())

    def elapsed(self) -> str:
        """Return the time since the wait began, with the number of polls."""
        return f"{format_duration(clock.monotonic() - self._started)} ({format_count(self._polls, 'poll')})"


@contextmanager
def log_group(log: LogFunction, title: str) -> Iterator[None]:
    """Write the lines of a block between the markers that Airflow's pages show as a folded group."""
    log("::group::%s", title)
    try:
        yield
    finally:
        log("::endgroup::")
