"""``AsyncClient``: the asynchronous driver, for triggers. Decides nothing that ``Client`` does not decide alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import httpx
from tenacity import AsyncRetrying

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.async_transport import open_transport
from airflow_provider_ringevents.client.base_client import (
    HTTP_ERRORS,
    BaseClient,
    BoundedBodyReader,
    ChunkBuffer,
    OnRetry,
    ssl_context,
)
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.pagination import Page, PaginationPlan
from airflow_provider_ringevents.client.transport.rate_limiter import AsyncRateLimiter
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.client.transport.retry import RetryPolicy


class AsyncClient(BaseClient):
    """Speaks with the Events API from one event loop. Arguments as :class:`ClientCore`.

    :ivar gate: lets its requests start; may be replaced before the first one, so that clients share it.
    """

    def __init__(
        self,
        base_url: str = defaults.BASE_URL,
        api_key: str = "",
        *,
        policy: RetryPolicy | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(base_url, api_key, policy=policy, **settings)
        self._http = self._opened_with(httpx.AsyncClient, self._http_options())
        self._transport = open_transport(
            self._http, proxy=self.settings.proxy, verify=ssl_context(self.settings.verify)
        )
        self.gate = AsyncRateLimiter(self.settings.rate_limit)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()
        await self._http.aclose()

    async def send(self, call: Call, *, max_attempts: int | None = None, on_retry: OnRetry | None = None) -> Envelope:
        """Send a call, as :meth:`Client.send`."""
        if max_attempts == 1:
            return await self._send_once(call)
        arguments = self.policy.tenacity(repeatable=call.repeatable, max_attempts=max_attempts, on_retry=on_retry)
        return await AsyncRetrying(**arguments)(self._send_once, call)

    async def _send_once(self, call: Call) -> Envelope:
        request = self._request(call)
        async with self.gate as started:
            try:
                response = await self._transport.handle_async_request(request)
                try:
                    body = await self._read(call, response)
                finally:
                    await response.aclose()
            except HTTP_ERRORS as error:
                raise self._transport_error(call, error) from error
            self.gate.answered(started, response.status_code, response.headers)
        return self._answer(call, response, body)

    @staticmethod
    async def _read(call: Call, response: httpx.Response) -> bytes:
        body = BoundedBodyReader(call, response)
        async for part in response.aiter_raw():
            if not body.add(part):
                break
        return body.joined()

    # --- lists

    async def pages(
        self, call: Call, *, per_page: int | None = None, first_attempts: int | None = None
    ) -> AsyncIterator[Page]:
        """Read a list page by page, in order, one request at a time; otherwise as :meth:`Client.pages`.

        :param first_attempts: requests at most for the first page; default: the client's ``max_attempts``. Who asks
            again anyhow gives 1, so that an outage is not multiplied.
        """
        first, asked = self._first_page(call, per_page)
        page = Page.of(await self.send(first, max_attempts=first_attempts), 1, operation=call.operation)
        yield page
        plan = PaginationPlan.after(page, asked)
        seen: set[str] = set()
        while following := self._next_page(first, page, plan, seen):
            page = Page.of(await self.send(following), page.number + 1, operation=call.operation)
            yield page

    async def items(
        self, call: Call, *, per_page: int | None = None, first_attempts: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """The resources of a list, in order; arguments as :meth:`pages`."""
        async for page in self.pages(call, per_page=per_page, first_attempts=first_attempts):
            for item in page.items:
                yield item

    # --- files

    @asynccontextmanager
    async def download(self, call: Call) -> AsyncIterator[AsyncDownload]:
        """Open the file that a call leads to, as :meth:`Client.download`."""
        plan = DownloadState(call, self.settings.base_url)
        download = AsyncDownload(self, plan, await self._open_file(plan))
        try:
            yield download
        finally:
            await download.aclose()

    async def _open_file(self, plan: DownloadState) -> httpx.Response:
        while True:
            if wanted := plan.wants_link:
                plan.link_from(await self.send(wanted))
            try:
                retrying = AsyncRetrying(**self.policy.tenacity(repeatable=True))
                response: httpx.Response = await retrying(self._file_head, plan)
            except RingEventsError as error:
                plan.refused(error)
                continue
            try:
                if plan.answered(response.status_code, response.headers):
                    return response
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()

    async def _file_head(self, plan: DownloadState) -> httpx.Response:
        request = self._file_request(self._http, plan)
        await self.gate.turn()
        try:
            response = await self._http.send(request, stream=True)
            if not response.is_error:
                return response
            try:
                body = await self._read(plan.call, response)
            finally:
                await response.aclose()
        except HTTP_ERRORS as error:
            raise self._transport_error(plan.call, error) from error
        raise self._file_error(plan.call, response, body)


class AsyncDownload:
    """A file on its way, as :class:`~airflow_provider_ringevents.client.client.Download`."""

    def __init__(self, client: AsyncClient, plan: DownloadState, response: httpx.Response) -> None:
        self._client = client
        self.plan = plan
        self._response = response

    async def aclose(self) -> None:
        """Drop the connection."""
        await self._response.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The file, block by block; errors as the synchronous form."""
        plan = self.plan
        while True:
            blocks, failure = ChunkBuffer(), None
            try:
                async for part in self._response.aiter_raw():
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
            await self._response.aclose()
            plan.cut(failure)
            await asyncio.sleep(self._client.policy.backoff(plan.resumes))
            self._response = await self._client._open_file(plan)
