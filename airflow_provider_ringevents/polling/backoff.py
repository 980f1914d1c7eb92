"""How a loop without an end goes: when to try again, and how much to say of what fails."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError

_LOG_EVERY = 10
_LOG_SECONDS = 600.0


@dataclass(slots=True)
class Backoff:
    """The pauses of one loop, and its complaints.

    :ivar what: names what is tried, in messages.
    :ivar log: takes them.
    :ivar failures: how many tries have failed in a row.
    """

    what: str
    log: logging.Logger
    draw: Callable[[float, float], float] = field(default=random.uniform, repr=False)
    failures: int = 0
    _said: float = 0.0

    def first(self, interval: float) -> float:
        """Seconds to sleep before the first try, so that many that start together do not try together."""
        return self.draw(0.0, min(interval, defaults.WATCH_INITIAL_JITTER))

    def worked(self, interval: float) -> float:
        """A try has worked: seconds to sleep before the next."""
        if self.failures:
            self.log.info("%s: works again after %d failures in a row", self.what, self.failures)
        self.failures = 0
        return self._jittered(interval)

    def failed(self, error: Exception, interval: float) -> float:
        """A try has failed: seconds to sleep before the next, longer each time.

        Said the first time, then every tenth time or every ten minutes.
        """
        self.failures += 1
        longest = max(interval, defaults.WATCH_BACKOFF_MAX)
        asked = min(getattr(error, "retry_after", None) or 0.0, defaults.WATCH_RETRY_AFTER_MAX)
        pause = max(self._jittered(min(interval * 2.0 ** min(self.failures - 1, 64), longest)), asked)
        now = clock.monotonic()
        if self.failures == 1 or self.failures % _LOG_EVERY == 0 or now - self._said >= _LOG_SECONDS:
            self._said = now
            self.log.warning(
                "%s: failed %d times in a row, next try in %.0f s: %s",
                self.what,
                self.failures,
                pause,
                error if isinstance(error, RingEventsError) else f"{type(error).__name__}: {error}",
                # An error of our own says all that there is to say.
                exc_info=None if isinstance(error, RingEventsError) else error,
            )
        return pause

    def _jittered(self, seconds: float) -> float:
        return self.draw(seconds * (1 - defaults.POLL_JITTER), seconds * (1 + defaults.POLL_JITTER))
