"""``Client``: the synchronous driver."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from tenacity import Retrying

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.base_client import BaseClient, OnRetry
from airflow_provider_ringevents.client.downloads.download import Download
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsRateLimitError
from airflow_provider_ringevents.client.pagination import Page, PaginationPlan
from airflow_provider_ringevents.client.settings import check_number
from airflow_provider_ringevents.client.transport.http import (
    HTTP_ERRORS,
    HttpClient,
    HttpRequest,
    HttpResponse,
    open_client,
)
from airflow_provider_ringevents.client.transport.rate_limiter import AdaptiveThrottle
from airflow_provider_ringevents.client.transport.responses import BoundedBodyReader, Envelope
from airflow_provider_ringevents.client.transport.retry import RetryPolicy

PREFETCH_FACTOR = 2
"""Pages requested or held for each that is in flight: with fewer, a slow page in front leaves the others idle."""

_RawPage = tuple[Call, HttpResponse, bytes]
"""A page before it is parsed. Its rows are made when its turn has come: earlier they would delay the next request and
take several times the memory."""


class Client(BaseClient):
    """A synchronous client of the Events API, safe to use from several threads. Arguments as :class:`BaseClient`."""

    _http: HttpClient

    def __init__(
        self,
        base_url: str = defaults.BASE_URL,
        api_key: str = "",
        *,
        policy: RetryPolicy | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(base_url, api_key, policy=policy, **settings)
        self._throttle = AdaptiveThrottle(self.settings.rate_limit)
        self._http = open_client(HttpClient, **self._http_options())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def send(self, call: Call, *, max_attempts: int | None = None, on_retry: OnRetry | None = None) -> Envelope:
        """Send a call, and again where the retry policy allows it.

        :param max_attempts: the most requests; default: the client's.
        :param on_retry: called with each error that is followed by another attempt.
        :returns: the JSON object of the response, with its ``.status``.
        :raises RingEventsError: the last attempt failed.
        """
        arguments = self.policy.tenacity_kwargs(
            idempotent=call.idempotent, max_attempts=max_attempts, on_retry=on_retry
        )
        return Retrying(**arguments)(self._send_once, call)

    def _send_once(self, call: Call) -> Envelope:
        response, body = self._exchange(call, self._build_request(call))
        return self._parse(call, response, body)

    def _exchange(self, call: Call, request: HttpRequest) -> tuple[HttpResponse, bytes]:
        try:
            response = self._open(request)
            try:
                body = self._read(call, response)
            finally:
                response.close()
        except HTTP_ERRORS as error:
            raise self.to_transport_error(call, error) from error
        return response, body

    def _open(self, request: HttpRequest) -> HttpResponse:
        if delay := self._throttle.reserve(time.monotonic()):
            time.sleep(delay)
        return self._http.send(request, stream=True)

    @staticmethod
    def _read(call: Call, response: HttpResponse) -> bytes:
        body = BoundedBodyReader(call, response.status_code, response.headers)
        for part in response.iter_raw():
            if not body.add(part):
                break
        return body.getvalue()

    # --- lists

    def pages(
        self, call: Call, *, per_page: int | None = None, concurrency: int | None = None
    ) -> Generator[Page, None, None]:
        """Yield a list page by page, in order, with several requests in flight.

        After the first page the others are planned from ``meta.count``; where that is missing, ``links.next`` is
        followed. After a 429 the rest of the list is read one page at a time. Holds twice ``concurrency`` pages at
        most.

        :param per_page: rows per page; default: the client's.
        :param concurrency: pages in flight; default: the client's.
        :raises RingEventsError: a page could not be read; the message names it.
        """
        first, requested = self._first_page(call, per_page)
        width = self.settings.concurrency if concurrency is None else concurrency
        check_number("concurrency", width, integer=True, minimum=1, maximum=defaults.MAX_CONCURRENCY)
        retried: list[BaseException] = []
        page = Page.from_envelope(self.send(first, on_retry=retried.append), 1, operation=call.operation)
        if any(isinstance(error, RingEventsRateLimitError) for error in retried):
            width = 1
        yield page
        plan = PaginationPlan.from_first_page(page, requested) if call.paged else None
        if plan and plan.last > 1:
            with closing(self._fetch_concurrently(first, plan, width)) as fetched:
                for page in fetched:
                    yield page
                    if not page.items:
                        return
        seen: set[str] = set()
        while following := self._next_page(first, page, plan, seen):
            page = Page.from_envelope(self.send(following), page.number + 1, operation=call.operation)
            yield page

    def _fetch_concurrently(self, call: Call, plan: PaginationPlan, concurrency: int) -> Generator[Page, None, None]:
        limit = _AdaptiveConcurrencyLimit(concurrency)
        cancelled = threading.Event()

        def attempt(numbered: Call) -> _RawPage:
            request = self._build_request(numbered)
            with limit:
                if cancelled.is_set():
                    raise CancelledError
                response, body = self._exchange(numbered, request)
                if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                    limit.width = 1
            self._validate(numbered, response, body)
            return numbered, response, body

        def sleep(seconds: float) -> None:
            if cancelled.wait(seconds):
                raise CancelledError

        def fetch(number: int) -> _RawPage:
            numbered = call.with_params(page=number, perPage=plan.per_page)
            retrying = Retrying(**self.policy.tenacity_kwargs(idempotent=call.idempotent), sleep=sleep)
            return retrying(attempt, numbered)

        numbers = iter(range(2, plan.last + 1))
        pending: deque[Future[_RawPage]] = deque()
        number = 1
        # No more threads than places: one that waits at the limit is overtaken by those that come back for another
        # page, and the page in front, for which all others wait, would come late.
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="ringevents-pages") as pool:
            try:
                while True:
                    while (
                        len(pending) < PREFETCH_FACTOR * limit.width and (following := next(numbers, None)) is not None
                    ):
                        pending.append(pool.submit(fetch, following))
                    if not pending:
                        return
                    number += 1
                    envelope = self._parse(*pending.popleft().result())
                    yield Page.from_envelope(envelope, number, operation=call.operation)
            finally:
                cancelled.set()
                for future in pending:
                    future.cancel()

    def items(
        self, call: Call, *, per_page: int | None = None, concurrency: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the resources of a list, in order; arguments and errors as :meth:`pages`."""
        with closing(self.pages(call, per_page=per_page, concurrency=concurrency)) as pages:
            for page in pages:
                yield from page.items

    # --- files

    @contextmanager
    def download(self, call: Call) -> Iterator[Download]:
        """Open the file that a call leads to; iterate over the result for its bytes.

        :raises RingEventsError: the file cannot be reached.
        """
        with closing(Download(self, call)) as download:
            yield download

    def request_file(self, state: DownloadState) -> HttpResponse:
        """Send the next request of a download, once, and return the response with its body unread.

        :raises RingEventsError: no response came, or it is an error.
        """
        request = self._build_file_request(state)
        try:
            response = self._open(request)
            if not response.is_error:
                return response
            try:
                body = self._read(state.call, response)
            finally:
                response.close()
        except HTTP_ERRORS as error:
            raise self.to_transport_error(state.call, error) from error
        raise self._file_error(state.call, response, body)


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

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._in_flight -= 1
            self._changed.notify()
