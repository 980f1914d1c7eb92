"""The delays of a loop without an end, and the log lines about its failures."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.observability.progress_log import LogThrottle

_LOG_EVERY = 10
_LOG_SECONDS = 600.0


@dataclass(slots=True)
class Backoff:
    """An exponential backoff with jitter that logs some of the failures.

    :ivar subject: what the loop does, as in "...: failed 3 times in a row".
    :ivar log: takes the messages.
    :ivar failures: failures in a row.
    """

    subject: str
    log: logging.Logger
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False)
    failures: int = 0
    _throttle: LogThrottle = field(default_factory=lambda: LogThrottle(_LOG_SECONDS), repr=False)

    def initial_delay(self, interval: float) -> float:
        """Return the delay before the first poll, in seconds, which spreads loops that start together."""
        return self.uniform(0.0, min(interval, defaults.WATCH_INITIAL_JITTER))

    def on_success(self, interval: float) -> float:
        """Record a success; return the delay before the next poll, in seconds."""
        if self.failures:
            self.log.info("%s: works again after %d failures in a row", self.subject, self.failures)
        self.failures = 0
        return self._jittered(interval)

    def on_failure(self, error: Exception, interval: float) -> float:
        """Record a failure; return the delay before the next poll, in seconds, longer after each failure.

        The first failure in a row is logged, then every tenth, and one at least every ten minutes.
        """
        self.failures += 1
        longest = max(interval, defaults.WATCH_BACKOFF_MAX)
        retry_after = min(getattr(error, "retry_after", None) or 0.0, defaults.WATCH_RETRY_AFTER_MAX)
        delay = max(self._jittered(min(interval * 2.0 ** min(self.failures - 1, 64), longest)), retry_after)
        if self.failures == 1 or self.failures % _LOG_EVERY == 0:
            self._throttle.restart()
            self._log_failure(error, delay)
        elif self._throttle.is_due():
            self._log_failure(error, delay)
        return delay

    def _log_failure(self, error: Exception, delay: float) -> None:
        is_own = isinstance(error, RingEventsError)
        self.log.warning(
            "%s: failed %d times in a row, next try in %.0f s: %s",
            self.subject,
            self.failures,
            delay,
            error if is_own else f"{type(error).__name__}: {error}",
            exc_info=None if is_own else error,  # An error of our own needs no traceback.
        )

    def _jittered(self, seconds: float) -> float:
        return self.uniform(seconds * (1 - defaults.POLL_JITTER), seconds * (1 + defaults.POLL_JITTER))
