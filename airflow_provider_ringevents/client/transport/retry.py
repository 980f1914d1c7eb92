"""What is tried again, and how long to wait: one policy for the sync and the async client. Pure, no I/O."""

from __future__ import annotations

import math
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

REPEATABLE_METHODS = frozenset({"GET", "DELETE", "PATCH"})
"""Sending these twice is the same as once: the only PATCH of the API sets the values that its body holds."""
# float() would take "1_0", "1e3" and digits of other scripts, too.
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def parse_retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Read a ``Retry-After`` header.

    :param value: seconds (also with a fraction) or an HTTP date.
    :param now: the present, aware; default: now.
    :returns: seconds to wait, 0 for a moment in the past; None for nothing or for garbage.
    """
    text = (value or "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The numbers of the policy; see :mod:`~airflow_provider_ringevents.client.defaults` for their reasons."""

    max_attempts: int = defaults.MAX_ATTEMPTS
    base: float = defaults.BACKOFF_BASE
    cap: float = defaults.BACKOFF_CAP
    total: float = defaults.BACKOFF_TOTAL
    retry_after_max: float = defaults.RETRY_AFTER_MAX
    draw: Callable[[float, float], float] = field(default=random.uniform, repr=False)

    def repeats(self, error: BaseException, *, repeatable: bool) -> bool:
        """Whether a request that ended with ``error`` may be sent again.

        :param repeatable: the method is one of :data:`REPEATABLE_METHODS`. Others are sent again only when they
            provably never left, or were answered with 429.
        """
        if isinstance(error, RingEventsTransportError):
            return error.retryable and (repeatable or not error.sent)
        if isinstance(error, RingEventsRateLimitError):
            return True
        return isinstance(error, RingEventsApiError) and repeatable and error.status in defaults.RETRY_STATUSES

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after the ``attempt``-th try (from 1), when the service does not say."""
        return self.draw(0.0, min(self.cap, self.base * 2.0 ** min(attempt - 1, 30)))

    def tenacity(
        self,
        *,
        repeatable: bool,
        max_attempts: int | None = None,
        on_retry: Callable[[BaseException], None] | None = None,
    ) -> dict[str, Any]:
        """Arguments for ``tenacity.Retrying`` and ``tenacity.AsyncRetrying`` of one call.

        :param on_retry: told of each error that will be followed by another attempt.
        """
        return _CallBackoff(self, repeatable, max_attempts or self.max_attempts, on_retry).arguments()


class _CallBackoff:
    """How long one call has slept of its own accord; Retry-After does not count."""

    def __init__(
        self,
        policy: RetryPolicy,
        repeatable: bool,
        max_attempts: int,
        on_retry: Callable[[BaseException], None] | None,
    ) -> None:
        self._policy = policy
        self._repeatable = repeatable
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
        return error is not None and self._policy.repeats(error, repeatable=self._repeatable)

    def _wait(self, state: RetryCallState) -> float:
        asked = getattr(self._error(state), "retry_after", None)
        if asked is not None:
            return float(asked)
        pause = self._policy.backoff(state.attempt_number)
        self._slept += pause
        return pause

    def _stop(self, state: RetryCallState) -> bool:
        asked = getattr(self._error(state), "retry_after", None)
        return (
            state.attempt_number >= self._max_attempts
            or self._slept > self._policy.total
            or (asked is not None and asked > self._policy.retry_after_max)
        )
