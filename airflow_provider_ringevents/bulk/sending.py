"""Requests of many rows, several in flight, until all are done or one ends the run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsAuthError,
    RingEventsError,
    RingEventsRateLimitError,
)
from airflow_provider_ringevents.client.secrets import Secret

MAX_FAILURES_IN_A_ROW: Final = 10
"""Retryable failures in a row after which the other rows are not tried: the service is down."""
_PREFETCH: Final = 16
"""Rows held ready for each request in flight."""
_BATCH: Final = 64
"""Outcomes after which they are recorded before the interval is over."""
_INTERVAL: Final = 0.1
"""Seconds between two recordings of outcomes. One for each row would wake another thread for each."""

Job = TypeVar("Job")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one request.

    :ivar status: the status of the row.
    :ivar error: None if it succeeded.
    """

    status: str
    id: str | None = None
    link: Secret | None = None
    error: RingEventsError | None = None


class RequestPool(Generic[Job]):
    """A number of threads that perform one job after the other.

    Each thread counts its failure before it takes another job: where another one counted them, requests would go on
    while that was busy.

    :param perform: sends the request of a job; called in these threads.
    :param concurrency: the number of threads.
    :ivar stopped: the error that ended it early, if one did.
    :ivar is_final: a request failed as all further ones would.
    """

    def __init__(self, perform: Callable[[Job], Outcome], concurrency: int) -> None:
        self._perform = perform
        self._concurrency = concurrency
        self._ready: deque[Job] = deque()
        self._done: deque[tuple[Job, Outcome]] = deque()
        self._condition = threading.Condition()
        self._wake = threading.Event()
        self._is_over = False
        self._working = concurrency
        self._in_a_row = 0
        self.stopped: RingEventsError | None = None
        self.is_final = False

    def run(self, jobs: Iterator[Job], record: Callable[[list[tuple[Job, Outcome]]], None]) -> None:
        """Perform jobs until there are none or an error ends it; requests in flight are finished.

        :param jobs: iterated in this thread.
        :param record: called in this thread with the outcomes since the last call, at least every tenth of a second,
            and once before the first request.
        """
        record([])
        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="ringevents-rows") as threads:
            try:
                workers = [threads.submit(self._work) for _ in range(self._concurrency)]
                while self._working:
                    self._prefetch(jobs)
                    self._wake.wait(_INTERVAL)
                    self._wake.clear()
                    record(self._take_outcomes())
                for worker in workers:
                    worker.result()
            finally:
                self._end()
        record(self._take_outcomes())

    def _prefetch(self, jobs: Iterator[Job]) -> None:
        if self._is_over:
            return
        wanted = _PREFETCH * self._concurrency - len(self._ready)
        fetched: list[Job] = []
        for _ in range(wanted):
            job = next(jobs, None)
            if job is None:
                break
            fetched.append(job)
        with self._condition:
            if not self._is_over:
                self._ready.extend(fetched)
                self._is_over = len(fetched) < wanted
            self._condition.notify_all()

    def _take_outcomes(self) -> list[tuple[Job, Outcome]]:
        with self._condition:
            taken = list(self._done)
            self._done.clear()
        return taken

    def _end(self) -> None:
        with self._condition:
            self._is_over = True
            self._ready.clear()
            self._condition.notify_all()

    # --- in the threads

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._finish(job, self._perform(job))
        finally:
            with self._condition:
                self._working -= 1
            self._wake.set()

    def _next(self) -> Job | None:
        with self._condition:
            while not self._ready:
                if self._is_over:
                    return None
                self._wake.set()
                self._condition.wait()
            if len(self._ready) == self._concurrency:
                self._wake.set()
            return self._ready.popleft()

    def _finish(self, job: Job, outcome: Outcome) -> None:
        error = outcome.error
        with self._condition:
            self._done.append((job, outcome))
            self._in_a_row = self._in_a_row + 1 if error is not None and error.retryable else 0
            if error is not None and self.stopped is None:
                self.is_final = is_final(error)
                if self.is_final or self._in_a_row >= MAX_FAILURES_IN_A_ROW:
                    self.stopped = error
                    self._is_over = True
                    self._ready.clear()
                    self._condition.notify_all()
            if len(self._done) >= _BATCH:
                self._wake.set()


def is_final(error: RingEventsError) -> bool:
    """Return True for an error after which no further row is tried: all would fail alike."""
    if isinstance(error, RingEventsAuthError | RingEventsRateLimitError):
        return True
    retry_after = error.retry_after if isinstance(error, RingEventsApiError) else None
    return retry_after is not None and retry_after > defaults.RETRY_AFTER_MAX
