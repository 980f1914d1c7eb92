"""``Client``: the synchronous driver. With ``async_client`` the only place that opens a socket."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import Retrying

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.base_client import (
    HTTP_ERRORS,
    BaseClient,
    BoundedBodyReader,
    ChunkBuffer,
    OnRetry,
)
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsRateLimitError
from airflow_provider_ringevents.client.pagination import Page, PaginationPlan
from airflow_provider_ringevents.client.settings import check_number
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.client.transport.retry import RetryPolicy
from airflow_provider_ringevents.client.transport.throttle import AdaptiveThrottle
from airflow_provider_ringevents.client.wide_reads import widen

log = logging.getLogger(__name__)

PREFETCH_FACTOR = 2
"""Pages asked for or held, for each that is in flight: else a slow page in front leaves the others' places empty."""

_Unread = tuple[Call, httpx.Response, bytes]
"""A page as it came. Rows are made of it when its turn has come: making them would keep the next request waiting, and
those of all pages in flight take several times the memory."""


class Client(BaseClient):
    """Speaks with the Events API; safe to use from several threads. Arguments as :class:`ClientCore`."""

    def __init__(
        self,
        base_url: str = defaults.BASE_URL,
        api_key: str = "",
        *,
        policy: RetryPolicy | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(base_url, api_key, policy=policy, **settings)
        self._pacer = AdaptiveThrottle(self.settings.rate_limit)
        self._http = self._opened_with(httpx.Client, self._http_options())
        widen(self._http)

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
        """Send a call, again where the retry policy says so.

        :param max_attempts: requests at most; default: the client's.
        :param on_retry: told of each error that is followed by another attempt.
        :returns: the answer's JSON object, with ``.status``.
        :raises RingEventsError: as the error tree says.
        """
        arguments = self.policy.tenacity(repeatable=call.repeatable, max_attempts=max_attempts, on_retry=on_retry)
        return Retrying(**arguments)(self._send_once, call)

    def _send_once(self, call: Call) -> Envelope:
        response, body = self._exchange(call, self._request(call))
        return self._answer(call, response, body)

    def _exchange(self, call: Call, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        try:
            response = self._opened(request)
            try:
                body = self._read(call, response)
            finally:
                response.close()
        except HTTP_ERRORS as error:
            raise self._transport_error(call, error) from error
        return response, body

    def _opened(self, request: httpx.Request) -> httpx.Response:
        if pause := self._pacer.reserve(time.monotonic()):
            time.sleep(pause)
        return self._http.send(request, stream=True)

    @staticmethod
    def _read(call: Call, response: httpx.Response) -> bytes:
        body = BoundedBodyReader(call, response)
        for part in response.iter_raw():
            if not body.add(part):
                break
        return body.joined()

    # --- lists

    def pages(
        self, call: Call, *, per_page: int | None = None, concurrency: int | None = None
    ) -> Generator[Page, None, None]:
        """Read a list page by page, in order, with several requests in flight.

        After the first page the others are planned from ``meta.count``; where that is missing, ``links.next`` is
        followed. After a 429 the rest of the list is read one page at a time. Holds twice ``concurrency`` pages at
        most.

        :param per_page: rows asked for in a page; default: the client's.
        :param concurrency: pages in flight; default: the client's.
        :raises RingEventsError: a page could not be read; the message names it.
        """
        first, asked = self._first_page(call, per_page)
        width = self.settings.concurrency if concurrency is None else concurrency
        check_number("concurrency", width, whole=True, least=1, most=defaults.MAX_CONCURRENCY)
        limited: list[BaseException] = []
        page = Page.of(self.send(first, on_retry=limited.append), 1, operation=call.operation)
        if any(isinstance(error, RingEventsRateLimitError) for error in limited):
            width = 1
        yield page
        plan = PaginationPlan.after(page, asked) if call.paged else None
        if plan and plan.last > 1:
            with closing(self._planned(first, plan, width)) as planned:
                for page in planned:
                    yield page
                    if not page.items:
                        return
        seen: set[str] = set()
        while following := self._next_page(first, page, plan, seen):
            page = Page.of(self.send(following), page.number + 1, operation=call.operation)
            yield page

    def _planned(self, call: Call, plan: PaginationPlan, concurrency: int) -> Generator[Page, None, None]:
        gate = _AdaptiveConcurrencyLimit(concurrency)
        abandoned = threading.Event()

        def attempt(numbered: Call) -> _Unread:
            request = self._request(numbered)
            with gate:
                if abandoned.is_set():
                    raise CancelledError
                response, body = self._exchange(numbered, request)
                if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                    gate.width = 1
            self._check(numbered, response, body)
            return numbered, response, body

        def pause(seconds: float) -> None:
            if abandoned.wait(seconds):
                raise CancelledError

        def fetch(number: int) -> _Unread:
            numbered = call.with_params(page=number, perPage=plan.per_page)
            retrying = Retrying(**self.policy.tenacity(repeatable=call.repeatable), sleep=pause)
            return retrying(attempt, numbered)

        numbers = iter(range(2, plan.last + 1))
        waiting: deque[Future[_Unread]] = deque()
        number = 1
        # No more threads than places: one that waits at the gate is overtaken by those that come back for another page,
        # and the page in front, for which all others wait, comes late.
        with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="ringevents-pages") as pool:
            try:
                while True:
                    while (
                        len(waiting) < PREFETCH_FACTOR * gate.width and (following := next(numbers, None)) is not None
                    ):
                        waiting.append(pool.submit(fetch, following))
                    if not waiting:
                        return
                    number += 1
                    yield Page.of(self._answer(*waiting.popleft().result()), number, operation=call.operation)
            finally:
                abandoned.set()
                for future in waiting:
                    future.cancel()

    def items(
        self, call: Call, *, per_page: int | None = None, concurrency: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """The resources of a list, in order; arguments and errors as :meth:`pages`."""
        with closing(self.pages(call, per_page=per_page, concurrency=concurrency)) as pages:
            for page in pages:
                yield from page.items

    # --- files

    @contextmanager
    def download(self, call: Call) -> Iterator[Download]:
        """Open the file that a call leads to; iterate over what this gives for the file's bytes.

        :raises RingEventsError: there is no way to the file.
        """
        plan = DownloadState(call, self.settings.base_url)
        download = Download(self, plan, self._open_file(plan))
        try:
            yield download
        finally:
            download.close()

    def _open_file(self, plan: DownloadState) -> httpx.Response:
        while True:
            if wanted := plan.wants_link:
                plan.link_from(self.send(wanted))
            try:
                response = Retrying(**self.policy.tenacity(repeatable=True))(self._file_head, plan)
            except RingEventsError as error:
                plan.refused(error)
                continue
            try:
                if plan.answered(response.status_code, response.headers):
                    return response
            except BaseException:
                response.close()
                raise
            response.close()

    def _file_head(self, plan: DownloadState) -> httpx.Response:
        request = self._file_request(self._http, plan)
        try:
            response = self._opened(request)
            if not response.is_error:
                return response
            try:
                body = self._read(plan.call, response)
            finally:
                response.close()
        except HTTP_ERRORS as error:
            raise self._transport_error(plan.call, error) from error
        raise self._file_error(plan.call, response, body)


class _AdaptiveConcurrencyLimit:
    """Lets so many requests of a list through at a time.

    :ivar width: how many; may be lowered at any time.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self._inside = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._inside < self.width)
            self._inside += 1

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify()


class Download:
    """A file on its way: iterate over it once, for blocks of bytes in order.

    :ivar plan: what is known of the file: ``size``, ``content_type``, ``file_name``, ``verified``, ``resumes``.
    """

    def __init__(self, client: Client, plan: DownloadState, response: httpx.Response) -> None:
        self._client = client
        self.plan = plan
        self._response = response

    def close(self) -> None:
        """Drop the connection."""
        self._response.close()

    def __iter__(self) -> Iterator[bytes]:
        """The file, block by block; taken up again after a cut where that is possible.

        :raises RestartDownload: it has to begin again from nothing.
        :raises RingEventsTransferError: it cannot be had whole.
        """
        plan = self.plan
        while True:
            blocks, failure = ChunkBuffer(), None
            try:
                for part in self._response.iter_raw():
                    for piece in plan.unpacked(part):
                        if block := blocks.add(piece):
                            plan.took(block)
                            yield block
            except HTTP_ERRORS as error:
                failure = self._client._transport_error(plan.call, error)
            # What came before a cut is part of the file, too.
            if block := blocks.rest():
                plan.took(block)
                yield block
            if failure is None:
                plan.ended(self._response.num_bytes_downloaded)
                return
            self._response.close()
            plan.cut(failure)
            log.warning("%s; going on from byte %d", str(failure).rstrip("."), plan.received)
            time.sleep(self._client.policy.backoff(plan.resumes))
            self._response = self._client._open_file(plan)
