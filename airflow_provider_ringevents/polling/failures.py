"""The failure policy that waits on the worker, waits in the triggerer and poked sensors share."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
)


@dataclass(slots=True)
class FailurePolicy:
    """A policy that decides which failed polls end a wait, and how long a ``Retry-After`` holds the next poll back.

    A refused key and a configuration error end a wait at once, other errors at the tenth failure in a row. A 429 is no
    failure: the service works, and asks for a pause.

    :ivar poll_interval: the longest delay between polls, in seconds.
    :ivar not_found_until: seconds since the epoch until which a 404 is no failure; None: it always is.
    :ivar failures: failed polls in a row.
    :ivar paused_until: seconds since the epoch before which the service wants no request.
    """

    poll_interval: float
    not_found_until: float | None = None
    failures: int = 0
    paused_until: float = 0.0

    def on_success(self) -> None:
        """Forget the failures in a row."""
        self.failures = 0

    def on_error(self, error: RingEventsError, now: float) -> None:
        """Record a failed poll, and return if the wait goes on.

        :param now: seconds since the epoch.
        :raises RingEventsError: the error that was given ends the wait.
        """
        if isinstance(error, (RingEventsAuthError, RingEventsConfigError)):
            raise error
        if not self._is_expected(error, now):
            self.failures += 1
            if self.failures >= defaults.POLL_FAILURES:
                raise error
        retry_after = getattr(error, "retry_after", None) or 0.0
        self.paused_until = now + min(retry_after, max(self.poll_interval, defaults.RETRY_AFTER_MAX))

    def remaining_pause(self, now: float) -> float:
        """Return for how many seconds the service still wants no request."""
        return max(0.0, self.paused_until - now)

    def _is_expected(self, error: RingEventsError, now: float) -> bool:
        if isinstance(error, RingEventsRateLimitError):
            return True
        not_found = isinstance(error, RingEventsNotFoundError)
        return not_found and self.not_found_until is not None and now < self.not_found_until
