"""``Client``: the synchronous driver."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Self

from tenacity import Retrying, nap

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.base_client import BaseClient, OnRetry
from airflow_provider_ringevents.client.consistent_listing import ListReading
from airflow_provider_ringevents.client.downloads.download import Download
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.downloads.transfer_clock import TransferClock
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    RingEventsError,
    RingEventsRateLimitError,
    RingEventsValidationError,
    strip_frames,
    unwrap,
)
from airflow_provider_ringevents.client.pagination import Page, parse_page
from airflow_provider_ringevents.client.transport.http import (
    HTTP_ERRORS,
    HttpClient,
    HttpRequest,
    HttpResponse,
    open_client,
)
from airflow_provider_ringevents.client.transport.rate_limiter import AdaptiveThrottle
from airflow_provider_ringevents.client.transport.redaction import paths_hidden
from airflow_provider_ringevents.client.transport.response_errors import too_many_bytes_held_error
from airflow_provider_ringevents.client.transport.responses import BoundedBodyReader, Envelope, validate_response
from airflow_provider_ringevents.client.transport.retry import parse_retry_after
from airflow_provider_ringevents.client.transport.time_budget import QueueTimeoutError, RequestTimer, TimeBudget
from airflow_provider_ringevents.client.types import ON_INCOMPLETE, OnIncomplete, validate_choice
from airflow_provider_ringevents.client.validation.numbers import check_number

log = logging.getLogger(__name__)

PREFETCH_FACTOR = 2
"""Pages requested or held for each that is in flight: with fewer, a slow page in front leaves the others idle."""

_RawPage = tuple[Call, HttpResponse, bytes]
"""A page before it is parsed. Its rows are made when its turn has come: earlier they would delay the next request and
take several times the memory."""


class Client(BaseClient):
    """A synchronous client of the Events API, safe to use from several threads. Arguments as :class:`BaseClient`."""

    _http: HttpClient

    def _connect(self) -> HttpClient:
        self._throttle = AdaptiveThrottle(self.settings.rate_limit)
        return open_client(HttpClient, **self._http_options())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(
        self,
        call: Call,
        *,
        max_attempts: int | None = None,
        on_retry: OnRetry | None = None,
        budget: TimeBudget | None = None,
    ) -> Envelope:
        """Send a call, and again where the retry policy allows it.

        :param max_attempts: the most requests; default: the client's.
        :param on_retry: called with each error that is followed by another attempt.
        :param budget: the time for all requests and pauses; None: each request has its own alone.
        :returns: the JSON object of the response, with its ``.status``.
        :raises RingEventsError: the last attempt failed.
        """
        call = self._accepted_types.apply(call)
        arguments = self.policy.tenacity_kwargs(
            idempotent=call.idempotent, max_attempts=max_attempts, on_retry=on_retry, budget=budget
        )
        try:
            return Retrying(**arguments)(self._send_once, call, budget)
        except RingEventsValidationError as error:
            other = self._accepted_types.alternative(call, error)
            if other is None:
                raise
        envelope = Retrying(**arguments)(self._send_once, other, budget)
        self._accepted_types.record(other)
        return envelope

    def _send_once(self, call: Call, budget: TimeBudget | None) -> Envelope:
        return unwrap(self._attempt(call, budget))

    def _attempt(self, call: Call, budget: TimeBudget | None) -> Envelope | RingEventsError:
        """Return the response or the error of one request, which no frame with a header or a body belongs to."""
        try:
            response, body = self._exchange(call, self._build_request(call), budget)
            return self._parse(call, response, body)
        except RingEventsError as error:
            return strip_frames(error)

    def _exchange(
        self,
        call: Call,
        request: HttpRequest,
        budget: TimeBudget | None = None,
        on_bytes: Callable[[int], None] | None = None,
        sleep: Callable[[float], None] = nap.sleep,
    ) -> tuple[HttpResponse, bytes]:
        timer = self._timer(call, budget)
        try:
            with timer.limiting():
                started = self._acquire(timer, sleep)
                response = self._http.open(request)
                self._record_response(started, response)
                try:
                    body = self._read(call, response, on_bytes)
                finally:
                    response.close()
        except HTTP_ERRORS as error:
            failure = self.to_transport_error(call, error, timer)
        else:
            return response, body
        raise failure

    def _open(self, request: HttpRequest, timer: RequestTimer) -> HttpResponse:
        self._acquire(timer, nap.sleep)
        return self._http.open(request)

    def _acquire(self, timer: RequestTimer, sleep: Callable[[float], None]) -> float:
        """Wait for the next start of a request; return the time."""
        while True:
            rejections = self._throttle.rejection_count
            delay = self._throttle.reserve(time.monotonic())
            if not delay:
                return time.monotonic()
            if delay >= timer.remaining:
                raise QueueTimeoutError("its turn would have come after the deadline, see 'rate_limit'")
            sleep(delay)
            # A rejection meanwhile has moved all starts: this one would fall within the pause.
            if self._throttle.rejection_count == rejections:
                return time.monotonic()

    def _record_response(self, started: float, response: HttpResponse) -> None:
        """Slow all requests down after a 429, unless its pause is so long that the caller gets the error at once."""
        if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            self._throttle.on_accepted(time.monotonic())
            return
        retry_after = parse_retry_after(response.headers.get("retry-after"))
        if retry_after is None or retry_after <= self.policy.retry_after_max:
            self._throttle.on_rejected(started, time.monotonic(), retry_after)

    @staticmethod
    def _read(call: Call, response: HttpResponse, on_bytes: Callable[[int], None] | None = None) -> bytes:
        body = BoundedBodyReader(call, response.status_code, response.headers, on_bytes)
        for part in response.iter_raw():
            if not body.add(part):
                break
        return body.getvalue()

    # --- lists

    def pages(
        self,
        call: Call,
        *,
        per_page: int | None = None,
        concurrency: int | None = None,
        on_incomplete: OnIncomplete = "fail",
        reading: ListReading | None = None,
        budget: TimeBudget | None = None,
    ) -> Generator[Page, None, None]:
        """Yield a list page by page, in order, each row once, with several requests in flight.

        After the first page the others are planned from ``meta.count``; then, or where that is missing, ``links.next``
        is followed. After a 429 the rest of the list is read one page at a time. Holds twice ``concurrency`` pages and
        32 MiB of JSON at most. A list from which rows are missing is read again, twice at most: its pages have what no
        reading had.

        :param per_page: rows per page; default: the client's.
        :param concurrency: pages in flight; default: the client's.
        :param on_incomplete: ``fail``: raise, after the rows that came, if rows are missing still; ``warn``: log it.
        :param reading: takes the figures of this reading; from :meth:`reading`.
        :param budget: the time for the whole list; None: each request has its own alone.
        :raises RingEventsIncompleteListError: rows are missing after all readings.
        :raises RingEventsError: a page could not be read; the message names it.
        """
        reading = self.reading(call, per_page=per_page) if reading is None else reading
        width = self.settings.concurrency if concurrency is None else concurrency
        check_number("concurrency", width, integer=True, minimum=1, maximum=defaults.MAX_CONCURRENCY)
        validate_choice("on_incomplete", on_incomplete, ON_INCOMPLETE, closed=True)
        retried: list[BaseException] = []
        while True:
            # No variable holds a response, which may have a magic link, while a page is parsed or fetched.
            size, page = self._fetch_page(reading, reading.first_call(), retried, budget)
            yield page
            if any(isinstance(error, RingEventsRateLimitError) for error in retried):
                width = 1
            if numbers := reading.planned():
                with closing(self._fetch_concurrently(reading, numbers, width, size, budget)) as fetched:
                    for page in map(partial(self._take_page, reading, budget=budget), fetched):
                        yield page
                        if reading.is_stalled:
                            break
            while following := reading.next_call():
                yield self._fetch_page(reading, following, retried, budget)[1]
            if not reading.begin_next_reading():
                break
            log.info("%s: the list changed while it was read, or rows are missing; reading it again", call.operation)
        self._conclude(reading, on_incomplete)

    def _fetch_page(
        self, reading: ListReading, call: Call, retried: list[BaseException], budget: TimeBudget | None
    ) -> tuple[int, Page]:
        """Return the size in bytes of a page, and the page."""
        responses = [self.send(call, on_retry=retried.append, budget=budget)]
        size = responses[0].size
        return size, self._take_page(reading, responses.pop(), budget)

    def _take_page(self, reading: ListReading, envelope: Envelope, budget: TimeBudget | None) -> Page:
        parsed = parse_page(envelope, reading.number + 1, operation=reading.call.operation)
        del envelope
        page = self._accept(reading, unwrap(parsed))
        while probe := reading.filter_probe.next_call():
            self._take_probe(reading, Page.from_envelope(self.send(probe, budget=budget), 1, operation=probe.operation))
        return page

    def _fetch_concurrently(
        self,
        reading: ListReading,
        numbers: Sequence[int],
        concurrency: int,
        page_bytes: int,
        budget: TimeBudget | None,
    ) -> Generator[Envelope, None, None]:
        held = HeldPages(reading.call, page_bytes)
        limit = _AdaptiveConcurrencyLimit(concurrency)
        cancelled = threading.Event()

        def attempt(numbered: Call) -> _RawPage:
            return unwrap(exchange(numbered))

        def exchange(numbered: Call) -> _RawPage | RingEventsError:
            try:
                return exchange_or_raise(numbered)
            except RingEventsError as error:
                return strip_frames(error)

        def exchange_or_raise(numbered: Call) -> _RawPage:
            request = self._build_request(numbered)
            with limit:
                if cancelled.is_set():
                    raise CancelledError
                with held.adding() as add:
                    response, body = self._exchange(numbered, request, budget, add, sleep)
                    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                        limit.width = 1
                    validate_response(numbered, response.status_code, response.headers, body, secret=self._api_key)
            return numbered, response, body

        def sleep(seconds: float) -> None:
            if cancelled.wait(seconds):
                raise CancelledError

        def fetch(number: int) -> _RawPage:
            numbered = reading.page_call(number)
            retrying = Retrying(
                **self.policy.tenacity_kwargs(idempotent=numbered.idempotent, budget=budget), sleep=sleep
            )
            return retrying(attempt, numbered)

        remaining = iter(numbers)
        pending: deque[Future[_RawPage]] = deque()
        # No more threads than places: one that waits at the limit is overtaken by those that come back for another
        # page, and the page in front, for which all others wait, would come late.
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="ringevents-pages") as pool:
            try:
                while True:
                    while (
                        len(pending) < min(PREFETCH_FACTOR * limit.width, held.capacity)
                        and (following := next(remaining, None)) is not None
                    ):
                        pending.append(pool.submit(fetch, following))
                    if not pending:
                        return
                    yield unwrap(self._parse_raw(pending.popleft(), held))
            finally:
                cancelled.set()
                for future in pending:
                    future.cancel()

    def _parse_raw(self, future: Future[_RawPage], held: HeldPages) -> Envelope | RingEventsError:
        try:
            numbered, response, body = future.result()
            held.remove(len(body))
            return self._parse(numbered, response, body)
        except RingEventsError as error:
            return strip_frames(error)

    def items(
        self,
        call: Call,
        *,
        per_page: int | None = None,
        concurrency: int | None = None,
        on_incomplete: OnIncomplete = "fail",
    ) -> Iterator[dict[str, Any]]:
        """Yield the resources of a list, in order, each once; arguments and errors as :meth:`pages`."""
        pages = self.pages(call, per_page=per_page, concurrency=concurrency, on_incomplete=on_incomplete)
        with closing(pages):
            for page in pages:
                yield from page.items

    # --- files

    @contextmanager
    def download(self, call: Call, *, clock: TransferClock | None = None) -> Iterator[Download]:
        """Open the file that a call leads to; iterate over the result for its bytes.

        :param clock: the clock of the transfer, where this is not its first download; from :meth:`transfer_clock`.
        :raises RingEventsError: the file cannot be reached.
        """
        with closing(Download(self, call, clock)) as download:
            yield download

    def request_file(self, state: DownloadState) -> HttpResponse:
        """Send the next request of a download, once, and return the response with its body unread.

        :raises RingEventsError: no response came, or it is an error.
        """
        return unwrap(self._attempt_file(state))

    def _attempt_file(self, state: DownloadState) -> HttpResponse | RingEventsError:
        request = self._build_file_request(state)
        timer = self._timer(state.call, state.clock.budget)
        try:
            with timer.limiting():
                with paths_hidden(state.follows_link):
                    response = self._open(request, timer)
                if not response.is_error:
                    return response
                try:
                    body = self._read(state.call, response)
                finally:
                    response.close()
        except HTTP_ERRORS as error:
            return strip_frames(self.to_transport_error(state.call, error, timer))
        except RingEventsError as error:
            return strip_frames(error)
        return self._file_error(state.call, response, body)


class HeldPages:
    """The pages of one list that are held at a time, counted in bytes of JSON while they are read.

    :param call: the list.
    :param page_bytes: the bytes of its first page.
    """

    def __init__(self, call: Call, page_bytes: int) -> None:
        self._call = call
        self._largest = max(page_bytes, 1)
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def capacity(self) -> int:
        """Return the number of pages that may be requested ahead, where some are up to twice as large as the others."""
        return max(1, defaults.MAX_PAGES_BYTES // (2 * self._largest))

    @contextmanager
    def adding(self) -> Iterator[Callable[[int], None]]:
        """Count the bytes of a page while it is read; forget them if that fails."""
        added = 0

        def add(size: int) -> None:
            nonlocal added
            added += size
            with self._lock:
                self._bytes += size
                self._largest = max(self._largest, added)
                if self._bytes > defaults.MAX_PAGES_BYTES:
                    raise too_many_bytes_held_error(self._call)

        try:
            yield add
        except BaseException:
            self.remove(added)
            raise

    def remove(self, size: int) -> None:
        """Forget the bytes of a page that is not held any more."""
        with self._lock:
            self._bytes -= size


class _AdaptiveConcurrencyLimit:
    """A limit of the requests of one list in flight.

    :ivar width: the limit; may be lowered at any time.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._in_flight = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight < self.width)
            self._in_flight += 1

    def __exit__(self, *exc_info: object) -> None:
        with self._changed:
            self._in_flight -= 1
            self._changed.notify()
