"""At most so many requests per second. Pure: says how long to wait, the clients do the waiting."""

from __future__ import annotations

import threading


class Pacer:
    """Hands out moments at which a request may start, evenly spaced.

    :param rate: requests per second; None: no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self._interval = 1.0 / rate if rate else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Take the next free moment.

        :param now: seconds of a clock that never goes back.
        :returns: seconds from ``now`` until the request may start.
        """
        if not self._interval:
            return 0.0
        with self._lock:
            start = max(now, self._next)
            self._next = start + self._interval
        return start - now
