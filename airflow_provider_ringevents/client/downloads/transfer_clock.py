"""The time of one transfer, over all its requests, links and restarts."""

from __future__ import annotations

import time
from typing import Final

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.transport.time_budget import RequestTimer, TimeBudget

_SHORTEST_WAIT: Final = 0.001


class SlowTransferError(RingEventsTransferError):
    """The server sends too few bytes of a file; another connection may be faster."""


class TransferClock:
    """The clock of one transfer, which tells waiting for the server from the time that the destination takes.

    :param limit: the most seconds of the whole transfer.
    :param timeout: the longest silence of the server that is allowed, in seconds.
    :ivar budget: the time of the whole transfer.
    :ivar waited: seconds spent waiting for the bytes of the file.
    """

    def __init__(self, limit: float, timeout: float) -> None:
        self.budget = TimeBudget(limit)
        self.waited = 0.0
        self._limit = limit
        self._window = max(defaults.TRANSFER_RATE_WINDOW, timeout)
        self.begin_body()

    def begin_body(self) -> None:
        """Measure the rate anew, on a new connection."""
        self._window_waited = 0.0
        self._window_bytes = 0
        self._read_began = 0.0

    def check(self) -> None:
        """Refuse to go on after the end of the transfer's time.

        :raises RingEventsTransferError: the time has passed.
        """
        if self.budget.is_spent:
            raise self.expired_error()

    def expired_error(self) -> RingEventsTransferError:
        """Return the error of a transfer whose time has passed."""
        return RingEventsTransferError(
            f"the transfer took longer than {self._limit:g} s ('transfer_timeout' of the connection), of which"
            f" {self.waited:.0f} s were spent waiting for the server's bytes"
        )

    def begin_read(self) -> float:
        """Begin to wait for the next bytes; return the most seconds that this may take.

        :raises RingEventsTransferError: the time of the transfer has passed.
        """
        self.check()
        self._read_began = time.monotonic()
        return max(_SHORTEST_WAIT, min(self._window - self._window_waited, self.budget.remaining))

    def read_timer(self) -> RequestTimer:
        """Begin to wait for the next bytes, as :meth:`begin_read`; return the timer of the read."""
        return RequestTimer(self._limit, TimeBudget(self.begin_read()))

    def end_read(self, received: int) -> None:
        """Record bytes that came.

        :raises SlowTransferError: too few came in a minute of waiting.
        """
        seconds = time.monotonic() - self._read_began
        self.waited += seconds
        self._window_waited += seconds
        self._window_bytes += received
        if self._window_waited < self._window:
            return
        if self._window_bytes < defaults.MIN_TRANSFER_RATE * self._window_waited:
            raise self.slow_error()
        self._window_waited, self._window_bytes = 0.0, 0

    def fail_read(self) -> RingEventsTransferError | None:
        """Return the error of a read that ended at its limit; None if that has not passed."""
        seconds = time.monotonic() - self._read_began
        self.waited += seconds
        self._window_waited += seconds
        if self.budget.is_spent:
            return self.expired_error()
        return self.slow_error() if self._window_waited >= self._window else None

    def slow_error(self) -> SlowTransferError:
        """Return the error of a server that sends too few bytes."""
        return SlowTransferError(
            f"the server sent {self._window_bytes} bytes of the file in {self._window_waited:.0f} s of waiting, less"
            f" than {defaults.MIN_TRANSFER_RATE} bytes a second"
        )
