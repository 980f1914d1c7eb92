"""``AsyncClient``: the asynchronous driver, for triggers. Its decisions are those of ``Client``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from tenacity import AsyncRetrying

from airflow_provider_ringevents.client.base_client import BaseClient, OnRetry
from airflow_provider_ringevents.client.consistent_listing import ListReading
from airflow_provider_ringevents.client.downloads.download import AsyncDownload
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.downloads.transfer_clock import TransferClock
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsValidationError, strip_frames, unwrap
from airflow_provider_ringevents.client.pagination import Page, parse_page
from airflow_provider_ringevents.client.transport.http import (
    HTTP_ERRORS,
    AsyncHttpClient,
    HttpResponse,
    open_client,
)
from airflow_provider_ringevents.client.transport.rate_limiter import AsyncRateLimiter
from airflow_provider_ringevents.client.transport.redaction import paths_hidden
from airflow_provider_ringevents.client.transport.responses import BoundedBodyReader, Envelope, parse_response_in_slices
from airflow_provider_ringevents.client.transport.time_budget import RequestTimer
from airflow_provider_ringevents.client.types import ON_INCOMPLETE, OnIncomplete, validate_choice

log = logging.getLogger(__name__)


class AsyncClient(BaseClient):
    """An asynchronous client of the Events API, for one event loop. Arguments as :class:`BaseClient`.

    :ivar rate_limiter: limits its requests; may be replaced before the first one, so that clients share it.
    """

    _http: AsyncHttpClient

    def _connect(self) -> AsyncHttpClient:
        self.rate_limiter = AsyncRateLimiter(self.settings.rate_limit)
        return open_client(AsyncHttpClient, **self._http_options())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def send(self, call: Call, *, max_attempts: int | None = None, on_retry: OnRetry | None = None) -> Envelope:
        """Send a call, as :meth:`Client.send`."""
        call = self._accepted_types.apply(call)
        try:
            return await self._send_with_retries(call, max_attempts, on_retry)
        except RingEventsValidationError as error:
            other = self._accepted_types.alternative(call, error)
            if other is None:
                raise
        envelope = await self._send_with_retries(other, max_attempts, on_retry)
        self._accepted_types.record(other)
        return envelope

    async def _send_with_retries(self, call: Call, max_attempts: int | None, on_retry: OnRetry | None) -> Envelope:
        if max_attempts == 1:
            return await self.send_once(call)
        arguments = self.policy.tenacity_kwargs(
            idempotent=call.idempotent, max_attempts=max_attempts, on_retry=on_retry
        )
        return await AsyncRetrying(**arguments)(self.send_once, call)

    async def send_once(self, call: Call) -> Envelope:
        """Send a call without retries; callers that poll use it, since their next poll is the retry."""
        try:
            return await self._exchange(call)
        except RingEventsError as error:
            failure = strip_frames(error)
        # Raised out here: of the frames that it passes none has a header or a body.
        raise failure

    async def _exchange(self, call: Call) -> Envelope:
        request = self._build_request(call)
        failure: RingEventsError | None = None
        async with self.rate_limiter.in_flight:
            started = await self.rate_limiter.acquire()
            timer = self._timer(call)
            try:
                async with _limited_by(timer):
                    response = await self._http.open(request)
                    try:
                        body = await self._read(call, response)
                    finally:
                        await response.aclose()
            except HTTP_ERRORS as error:
                failure = self.to_transport_error(call, error, timer)
            else:
                self.rate_limiter.record_response(started, response.status_code, response.headers)
        if failure is not None:
            raise failure
        slices = parse_response_in_slices(call, response.status_code, response.headers, body, secret=self._api_key)
        while True:
            try:
                next(slices)
            except StopIteration as stop:
                envelope: Envelope = stop.value
                return envelope
            await asyncio.sleep(0)

    @staticmethod
    async def _read(call: Call, response: HttpResponse) -> bytes:
        body = BoundedBodyReader(call, response.status_code, response.headers)
        async for part in response.aiter_raw():
            if not body.add(part):
                break
        return body.getvalue()

    # --- lists

    async def pages(
        self,
        call: Call,
        *,
        per_page: int | None = None,
        first_attempts: int | None = None,
        on_incomplete: OnIncomplete = "fail",
        reading: ListReading | None = None,
    ) -> AsyncIterator[Page]:
        """Yield a list page by page, in order, one request at a time; otherwise as :meth:`Client.pages`.

        :param first_attempts: the most requests for the first page; default: the client's ``max_attempts``. Callers
            that poll pass 1, so that retries do not multiply the load of an outage.
        """
        reading = self.reading(call, per_page=per_page) if reading is None else reading
        validate_choice("on_incomplete", on_incomplete, ON_INCOMPLETE, closed=True)
        while True:
            attempts = first_attempts if reading.pages == 0 else None
            following: Call | None = reading.first_call()
            while following:
                yield await self._take_page(reading, await self.send(following, max_attempts=attempts))
                attempts, following = None, reading.next_call()
            if not reading.begin_next_reading():
                break
            log.info("%s: the list changed while it was read, or rows are missing; reading it again", call.operation)
        self._conclude(reading, on_incomplete)

    async def _take_page(self, reading: ListReading, envelope: Envelope) -> Page:
        parsed = parse_page(envelope, reading.number + 1, operation=reading.call.operation)
        del envelope
        page = self._accept(reading, unwrap(parsed))
        while probe := reading.filter_probe.next_call():
            self._take_probe(reading, Page.from_envelope(await self.send(probe), 1, operation=probe.operation))
        return page

    async def items(
        self,
        call: Call,
        *,
        per_page: int | None = None,
        first_attempts: int | None = None,
        on_incomplete: OnIncomplete = "fail",
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the resources of a list, in order, each once; arguments as :meth:`pages`."""
        pages = self.pages(call, per_page=per_page, first_attempts=first_attempts, on_incomplete=on_incomplete)
        async for page in pages:
            # No variable keeps a row, which may hold a magic link, while the next page is fetched.
            for position in range(len(page.items)):
                yield page.items[position]

    # --- files

    @asynccontextmanager
    async def download(self, call: Call, *, clock: TransferClock | None = None) -> AsyncIterator[AsyncDownload]:
        """Open the file that a call leads to, as :meth:`Client.download`."""
        download = await AsyncDownload(self, call, clock).open()
        try:
            yield download
        finally:
            await download.aclose()

    async def request_file(self, state: DownloadState) -> HttpResponse:
        """Send the next request of a download, as :meth:`Client.request_file`."""
        return unwrap(await self._attempt_file(state))

    async def _attempt_file(self, state: DownloadState) -> HttpResponse | RingEventsError:
        request = self._build_file_request(state)
        await self.rate_limiter.acquire()
        timer = self._timer(state.call, state.clock.budget)
        try:
            async with _limited_by(timer):
                with paths_hidden(state.follows_link):
                    response = await self._http.open(request)
                if not response.is_error:
                    return response
                try:
                    body = await self._read(state.call, response)
                finally:
                    await response.aclose()
        except HTTP_ERRORS as error:
            return strip_frames(self.to_transport_error(state.call, error, timer))
        except RingEventsError as error:
            return strip_frames(error)
        return self._file_error(state.call, response, body)


@asynccontextmanager
async def _limited_by(timer: RequestTimer) -> AsyncIterator[None]:
    """Limit a block to the time of a request that begins with it.

    :raises RequestTimeoutError: the time has passed.
    """
    timer.start()
    try:
        async with asyncio.timeout(timer.remaining):
            yield
    except TimeoutError:
        raise timer.error() from None
