"""At most so many requests per second, and none while the service wants a pause. Pure: the clients do the waiting."""

from __future__ import annotations

import threading

from airflow_provider_ringevents.client import defaults


class AdaptiveThrottle:
    """Hands out moments at which a request may start, evenly spaced.

    Where refusals are told, too, it finds a pace that the service takes: after one, requests start one after the other,
    each further refusal doubles their spacing, and each request that is let through makes it a little shorter.

    :param rate: requests per second; None: no limit.
    """

    def __init__(self, rate: float | None) -> None:
        self.refusals = 0
        self._lock = threading.Lock()
        self._least = 0.0
        self._slowed = 0.0
        self._next = 0.0
        self._held_until = float("-inf")
        self._refused_at = float("-inf")
        self.limit(rate)

    def limit(self, rate: float | None) -> None:
        """Take another limit from now on: requests per second; None: none."""
        self._least = 1.0 / rate if rate else 0.0

    def reserve(self, now: float) -> float:
        """Take the next free moment. A refusal that is told meanwhile makes it void: see ``refusals``.

        :param now: seconds of a clock that never goes back.
        :returns: seconds from ``now`` until the request may start.
        """
        with self._lock:
            spacing = max(self._least, self._slowed)
            if not spacing and now >= self._next:
                return 0.0
            start = max(now, self._next)
            self._next = start + spacing
        return start - now

    def refused(self, started: float, now: float, retry_after: float | None) -> None:
        """A request was answered with 429: let nothing start before the pause is over that the service asks for.

        :param started: when the request started; those that were on their way together count as one refusal.
        :param retry_after: seconds, if it said any; up to ``defaults.RETRY_AFTER_MAX`` are obeyed.
        """
        with self._lock:
            if started >= self._refused_at:
                doubled = max(2 * max(self._slowed, self._least), defaults.THROTTLE_MIN_INTERVAL)
                self._slowed = min(doubled, defaults.THROTTLE_MAX_INTERVAL)
            self._refused_at = now
            asked = min(retry_after or 0.0, defaults.RETRY_AFTER_MAX)
            self._held_until = max(self._held_until, now + max(asked, self._slowed, self._least))
            self._next = self._held_until
            self.refusals += 1

    def accepted(self) -> None:
        """A request was let through."""
        if not self._slowed:
            return
        with self._lock:
            self._slowed *= defaults.THROTTLE_DECAY
            if self._slowed < defaults.THROTTLE_RESET_BELOW:
                self._slowed = 0.0
