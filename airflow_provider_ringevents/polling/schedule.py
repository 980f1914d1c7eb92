"""The schedule of one wait, and the failure policy that it shares with poked sensors."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
    RingEventsWaitTimeoutError,
)
from airflow_provider_ringevents.observability.formatting import format_count


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


@dataclass(slots=True)
class PollSchedule:
    """The delays, the failures and the deadline of one wait.

    :ivar subject: what is waited for, as in "... did not happen in time".
    :ivar deadline: seconds since the epoch; None: the wait has no end.
    :ivar poll_interval: the longest delay between polls, in seconds.
    :ivar not_found_until: seconds since the epoch until which a 404 means "not visible yet"; None: never.
    :ivar polls: polls made so far.
    """

    subject: str
    deadline: float | None
    poll_interval: float = defaults.POLL_INTERVAL
    not_found_until: float | None = None
    initial_delay: float = defaults.POLL_FIRST
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False)
    polls: int = 0
    _failures: FailurePolicy = field(init=False)
    _last_status: str = ""
    _phase_randomized: bool = False
    _last_poll_at: float = 0.0

    def __post_init__(self) -> None:
        self._failures = FailurePolicy(self.poll_interval, self.not_found_until)

    def next_delay(self, now: float, concurrent_waits: int = 0) -> float:
        """Return the delay before the next poll, in seconds.

        Delays grow exponentially up to ``poll_interval`` with 10 % jitter and never pass the deadline. A
        ``Retry-After`` overrides ``poll_interval``.

        :param now: seconds since the epoch.
        :param concurrent_waits: other waits of the same connection. With many of them the polls are spread evenly, and
            their rate is limited.
        """
        crowded = concurrent_waits / defaults.POLL_RATE_TARGET
        backoff = max(self.initial_delay * defaults.POLL_GROWTH ** min(self.polls, 64), crowded)
        interval = min(self.poll_interval, backoff)
        longest = min(self.poll_interval, interval * (1 + defaults.POLL_JITTER))
        delay = self.uniform(interval * (1 - defaults.POLL_JITTER), longest)
        is_longest = interval >= self.poll_interval * (1 - defaults.POLL_JITTER)
        if concurrent_waits and (self.polls == 0 or (is_longest and not self._phase_randomized)):
            # Jitter alone would take hours to spread the polls of waits that began together.
            delay = self.uniform(0.0, delay)
            self._phase_randomized = is_longest
        # The interval is measured from poll to poll: a slow response must not stretch it.
        response_time = max(0.0, now - self._last_poll_at) if self.polls else 0.0
        retry_after = self._failures.remaining_pause(now)
        delay = max(delay - response_time, delay / 2, retry_after)
        if concurrent_waits > defaults.POLL_RATE_TARGET and interval >= 20 * defaults.TIMER_COALESCING:
            # Waking an idle process costs as much as a poll, so polls that are almost due together start together.
            # Intervals so short that this would shorten them noticeably are left alone.
            tick = (now + delay) / defaults.TIMER_COALESCING
            earlier = math.floor(tick + 1e-4) * defaults.TIMER_COALESCING - now
            delay = earlier if earlier > retry_after else delay
        self.polls += 1
        if self.deadline is not None:
            delay = max(0.0, min(delay, self.deadline - now))
        self._last_poll_at = now + delay
        return delay

    def record_pending(self, now: float, status: str = "") -> None:
        """Record a poll that was answered, while what is waited for has not happened.

        :param now: seconds since the epoch.
        :param status: the state that the service reports, for the message of the timeout.
        :raises RingEventsWaitTimeoutError: the deadline has passed.
        """
        self._failures.on_success()
        self._last_status = status
        self._check_deadline(now)

    def on_error(self, error: RingEventsError, now: float) -> None:
        """Record a poll that failed, and return if the wait goes on.

        :param now: seconds since the epoch.
        :raises RingEventsError: the failure ends the wait; see :class:`FailurePolicy`.
        :raises RingEventsWaitTimeoutError: the deadline has passed.
        """
        self._failures.on_error(error, now)
        self._last_status = f"the last poll failed: {error}"
        self._check_deadline(now)

    def _check_deadline(self, now: float) -> None:
        if self.deadline is not None and now >= self.deadline:
            raise RingEventsWaitTimeoutError(
                f"{self.subject} did not happen in time ({format_count(self.polls, 'poll')})"
                f"{f'; {self._last_status}' if self._last_status else ''}"
            )
