"""The time that a request, a call or a whole list may take, beside the silence that each read may have."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class RequestTimeoutError(Exception):
    """A response did not arrive whole within its time, although the server was not silent."""


class QueueTimeoutError(RequestTimeoutError):
    """A request did not get its turn in time, and was not sent."""


class TimeBudget:
    """An amount of time that has begun to run.

    :ivar deadline: the end, in seconds of a monotonic clock; infinite: there is none.
    :param seconds: the amount; None: without end.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.deadline = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Return the seconds that are left; negative after the end."""
        return self.deadline - time.monotonic()

    @property
    def is_spent(self) -> bool:
        """Return True after the end."""
        return self.remaining <= 0


class RequestTimer:
    """The time of one request, which begins with the first byte sent.

    :param seconds: the most seconds from the first byte sent to the last byte received.
    :param budget: the time of all that the request is a part of; it runs already. None: without end.
    """

    def __init__(self, seconds: float, budget: TimeBudget | None = None) -> None:
        self._seconds = seconds
        self._budget = budget
        self._deadline = math.inf

    def start(self) -> None:
        """Start the clock, with the first byte that is sent."""
        if self._deadline == math.inf:
            self._deadline = time.monotonic() + self._seconds

    @property
    def remaining(self) -> float:
        """Return the seconds that are left; negative after the end."""
        left = self._deadline - time.monotonic()
        return left if self._budget is None else min(left, self._budget.remaining)

    def error(self) -> RequestTimeoutError:
        """Return the error for the limit that has passed."""
        if self._budget is not None and self._budget.is_spent:
            return RequestTimeoutError("its deadline has passed")
        return RequestTimeoutError(f"it took longer than {self._seconds:g} s, see 'request_timeout' of the connection")

    @contextmanager
    def limiting(self) -> Iterator[None]:
        """Limit the reads and writes that this thread does in the block."""
        token = _timer.set(self)
        try:
            yield
        finally:
            _timer.reset(token)


_timer: ContextVar[RequestTimer | None] = ContextVar("ringevents_request_timer", default=None)


def current_timer() -> RequestTimer | None:
    """Return the timer of the request that this thread works on."""
    return _timer.get()
