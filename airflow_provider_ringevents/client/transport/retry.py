"""The retry policy of both clients: which requests are sent again, and after which delay."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from tenacity import RetryCallState

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsRateLimitError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.transport.time_budget import TimeBudget

IDEMPOTENT_METHODS = frozenset({"GET", "DELETE", "PATCH"})
"""Methods whose request can be sent twice with the effect of one: the only PATCH of the API sets given values."""
# float() would take "1_0", "1e3" and digits of other scripts, too.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Return the delay of a ``Retry-After`` header, in seconds.

    :param value: seconds (also with a fraction) or an HTTP date.
    :param now: the current time, aware; default: the system's.
    :returns: 0 for a date in the past; ``defaults.RETRY_AFTER_LIMIT`` for anything longer than that; None for a missing
        or malformed header.
    """
    text = (value or "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), defaults.RETRY_AFTER_LIMIT)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    seconds = (date - (now or datetime.now(UTC))).total_seconds()
    return min(max(0.0, seconds), defaults.RETRY_AFTER_LIMIT)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The numbers of the policy; see :mod:`~airflow_provider_ringevents.client.defaults` for their reasons.

    :ivar max_attempts: the most requests of a call.
    :ivar initial_delay: the upper bound of the first delay, in seconds; it doubles with each attempt.
    :ivar max_delay: the upper bound of any delay, in seconds.
    :ivar max_total_delay: the sum of the delays after which a call gives up, in seconds, without ``Retry-After``.
    :ivar retry_after_max: the longest ``Retry-After`` that is slept, in seconds.
    :ivar uniform: draws a random number between two bounds.
    """

    max_attempts: int = defaults.MAX_ATTEMPTS
    initial_delay: float = defaults.BACKOFF_BASE
    max_delay: float = defaults.BACKOFF_CAP
    max_total_delay: float = defaults.BACKOFF_TOTAL
    retry_after_max: float = defaults.RETRY_AFTER_MAX
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False)

    def should_retry(self, error: BaseException, *, idempotent: bool) -> bool:
        """Return whether a request that failed with ``error`` may be sent again.

        :param idempotent: the method is one of :data:`IDEMPOTENT_METHODS`. Others are sent again only if they provably
            never left, or were rejected with 429.
        """
        if isinstance(error, RingEventsTransportError):
            return error.retryable and (idempotent or not error.sent)
        if isinstance(error, RingEventsRateLimitError):
            return True
        return isinstance(error, RingEventsApiError) and idempotent and error.status in defaults.RETRY_STATUSES

    def backoff(self, attempt: int) -> float:
        """Return the delay after attempt number ``attempt`` (from 1), in seconds, without a ``Retry-After``."""
        return self.uniform(0.0, min(self.max_delay, self.initial_delay * 2.0 ** min(attempt - 1, 30)))

    def tenacity_kwargs(
        self,
        *,
        idempotent: bool,
        max_attempts: int | None = None,
        on_retry: Callable[[BaseException], None] | None = None,
        budget: TimeBudget | None = None,
    ) -> dict[str, Any]:
        """Return the arguments of ``tenacity.Retrying`` or ``tenacity.AsyncRetrying`` for one call.

        :param on_retry: called with each error that will be followed by another attempt.
        :param budget: the time of the whole call; no attempt is made after it. None: there is no limit.
        """
        return _CallBackoff(self, idempotent, max_attempts or self.max_attempts, on_retry, budget).arguments()


class _CallBackoff:
    """The backoff of one call. Delays that ``Retry-After`` sets do not count towards its total."""

    def __init__(
        self,
        policy: RetryPolicy,
        idempotent: bool,
        max_attempts: int,
        on_retry: Callable[[BaseException], None] | None,
        budget: TimeBudget | None,
    ) -> None:
        self._budget = budget
        self._policy = policy
        self._idempotent = idempotent
        self._max_attempts = max_attempts
        self._on_retry = on_retry
        self._slept = 0.0

    def arguments(self) -> dict[str, Any]:
        return {
            "retry": self._retry,
            "wait": self._wait,
            "stop": self._stop,
            "before_sleep": self._before_sleep,
            "reraise": True,
        }

    def _before_sleep(self, state: RetryCallState) -> None:
        error = self._error(state)
        if self._on_retry is not None and error is not None:
            self._on_retry(error)

    @staticmethod
    def _error(state: RetryCallState) -> BaseException | None:
        return state.outcome.exception() if state.outcome else None

    def _retry(self, state: RetryCallState) -> bool:
        error = self._error(state)
        return error is not None and self._policy.should_retry(error, idempotent=self._idempotent)

    def _wait(self, state: RetryCallState) -> float:
        retry_after = getattr(self._error(state), "retry_after", None)
        if retry_after is not None:
            return float(retry_after)
        delay = self._policy.backoff(state.attempt_number)
        self._slept += delay
        return delay

    def _stop(self, state: RetryCallState) -> bool:
        retry_after = getattr(self._error(state), "retry_after", None)
        return (
            state.attempt_number >= self._max_attempts
            or self._slept > self._policy.max_total_delay
            or (retry_after is not None and retry_after > self._policy.retry_after_max)
            or (self._budget is not None and state.upcoming_sleep >= self._budget.remaining)
        )
