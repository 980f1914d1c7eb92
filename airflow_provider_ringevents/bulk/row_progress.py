"""Progress of a bulk run in the log."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.observability.formatting import format_count, format_duration
from airflow_provider_ringevents.observability.progress_log import LogThrottle

log = logging.getLogger(__name__)

LOG_INTERVAL: Final = 10.0
"""Seconds between two lines of progress."""
OnProgress = Callable[[int, int], None]


class RowProgress:
    """Lines of progress every ten seconds: rows done, rate, remaining time, and failures by reason.

    :param total: the rows to send.
    :param failures: the number of failed rows by reason, as it is at the time of a line.
    :param on_progress: called with the rows done and the rows to do.
    """

    def __init__(self, total: int, failures: Counter[str], on_progress: OnProgress | None) -> None:
        self._total = total
        self._failures = failures
        self._on_progress = on_progress
        self._done = 0
        self._started = clock.monotonic()
        self._throttle = LogThrottle(LOG_INTERVAL)
        self._throttle.restart()
        log.info("Sending %s", format_count(total, "row"))

    def advance(self, rows: int) -> None:
        """Count rows that have an outcome."""
        self._done += rows
        if rows and self._on_progress is not None:
            self._on_progress(self._done, self._total)

    def log_if_due(self) -> None:
        """Write a line if the last one is ten seconds old."""
        if not self._throttle.is_due():
            return
        rate = self._done / max(clock.monotonic() - self._started, 1e-9)
        left = f"{format_duration((self._total - self._done) / rate)} left" if rate else "none done yet"
        total = format_count(self._total, "row")
        log.info("%s of %s sent, %.1f/s, %s%s", f"{self._done:,}", total, rate, left, self._shown_failures())

    def finish(self) -> None:
        """Write the last line."""
        seconds = clock.monotonic() - self._started
        log.info(
            "%s of %s sent in %s, %.1f/s%s",
            f"{self._done:,}",
            format_count(self._total, "row"),
            format_duration(seconds),
            self._done / max(seconds, 1e-9),
            self._shown_failures(),
        )

    def _shown_failures(self) -> str:
        if not self._failures:
            return ""
        return "; not sent or failed: " + _listed(self._failures.most_common(5))


def _listed(reasons: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{reason} ({number:,})" for reason, number in reasons)
