"""The drivers of one download: they do the I/O that its state asks for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Self

from tenacity import AsyncRetrying, Retrying

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.downloads.state import DownloadState
from airflow_provider_ringevents.client.downloads.transfer_clock import SlowTransferError, TransferClock
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.transport.http import HTTP_ERRORS, TIMEOUT_ERRORS, HttpResponse

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.async_client import AsyncClient
    from airflow_provider_ringevents.client.base_client import BaseClient
    from airflow_provider_ringevents.client.client import Client
    from airflow_provider_ringevents.client.transport.responses import Envelope

log = logging.getLogger(__name__)


class ChunkBuffer:
    """A buffer that joins small network reads into blocks, so that their consumer is called less often."""

    def __init__(self, size: int = defaults.CHUNK_BYTES) -> None:
        self._size = size
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, part: bytes) -> bytes:
        """Add a part; return a block once there is enough for one, else nothing."""
        self._parts.append(part)
        self._length += len(part)
        return self.flush() if self._length >= self._size else b""

    def flush(self) -> bytes:
        """Return the rest."""
        block = b"".join(self._parts)
        self._parts.clear()
        self._length = 0
        return block


class _BaseDownload:
    """The part of both forms of a download that does no I/O: blocks, failures and pauses.

    :ivar state: ``size``, ``content_type``, ``file_name``, ``verified`` and ``resumes`` of the file.
    """

    _response: HttpResponse

    def __init__(self, client: BaseClient, call: Call, clock: TransferClock | None = None) -> None:
        self.state = DownloadState(call, client.settings, clock or client.transfer_clock())
        self._blocks = ChunkBuffer()

    def _completed(self, part: bytes) -> Iterator[bytes]:
        """Yield the blocks that a part of the body completes."""
        for piece in self.state.decompress(part):
            if block := self._blocks.add(piece):
                self.state.record(block)
                yield block

    def _last_block(self) -> Iterator[bytes]:
        """Yield the rest; the bytes before a disconnect are part of the file, too."""
        if block := self._blocks.flush():
            self.state.record(block)
            yield block

    def _pause(self, client: BaseClient, failure: Exception) -> float:
        """Return the seconds to wait before the file is resumed.

        :raises RingEventsTransferError: it cannot be.
        """
        if not isinstance(failure, SlowTransferError):
            failure = client.to_transport_error(self.state.call, failure)
        self.state.on_disconnect(failure)
        log.warning("%s; resuming from byte %d", str(failure).rstrip("."), self.state.received)
        return client.policy.backoff(self.state.resumes)


class Download(_BaseDownload):
    """A file in transit: iterate over it once, for its blocks of bytes in order.

    :raises RingEventsError: the file cannot be reached.
    """

    def __init__(self, client: Client, call: Call, clock: TransferClock | None = None) -> None:
        super().__init__(client, call, clock)
        self._client = client
        self._response = self._open()

    def close(self) -> None:
        """Drop the connection."""
        self._response.close()

    def _open(self) -> HttpResponse:
        state = self.state
        while True:
            state.clock.check()
            if link_call := state.pending_link_call:
                state.accept_link(self._client.send(link_call, budget=state.clock.budget))
            if host := state.pending_lookup:
                state.accept_addresses(self._client.addresses_of(host))
            try:
                retrying = Retrying(**self._client.policy.tenacity_kwargs(idempotent=True, budget=state.clock.budget))
                response = retrying(self._client.request_file, state)
            except RingEventsError as error:
                state.on_error(error)
                continue
            try:
                if state.on_response(response.status_code, response.headers):
                    return response
            except BaseException:
                response.close()
                raise
            response.close()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the file in blocks, and resume after a disconnect where that is possible.

        :raises DownloadRestartRequired: the download has to begin again from nothing.
        :raises RingEventsTransferError: the file cannot be had whole.
        """
        while True:
            failure: Exception | None = None
            try:
                for part in self._parts():
                    yield from self._completed(part)
            except (SlowTransferError, *HTTP_ERRORS) as error:
                failure = error
            yield from self._last_block()
            if failure is None:
                self.state.finish(self._response.num_bytes_downloaded)
                return
            self._response.close()
            time.sleep(self._pause(self._client, failure))
            self._response = self._open()

    def _parts(self) -> Iterator[bytes]:
        """Yield the parts of the body as they come, and time the waiting for each."""
        clock = self.state.clock
        clock.begin_body()
        parts = self._response.iter_raw()
        while True:
            try:
                with clock.read_timer().limiting():
                    part = next(parts, None)
            except TIMEOUT_ERRORS:
                if error := clock.fail_read():
                    raise error from None
                raise
            if part is None:
                return
            clock.end_read(len(part))
            yield part


class AsyncDownload(_BaseDownload):
    """A file in transit, as :class:`Download`; opened by :meth:`open`."""

    def __init__(self, client: AsyncClient, call: Call, clock: TransferClock | None = None) -> None:
        super().__init__(client, call, clock)
        self._client = client

    async def open(self) -> Self:
        """Open the connection to the file.

        :raises RingEventsError: the file cannot be reached.
        """
        self._response = await self._open()
        return self

    async def aclose(self) -> None:
        """Drop the connection."""
        await self._response.aclose()

    async def _open(self) -> HttpResponse:
        state = self.state
        while True:
            state.clock.check()
            if link_call := state.pending_link_call:
                state.accept_link(await self._send_in_time(link_call))
            if host := state.pending_lookup:
                # The look-up of the operating system blocks.
                state.accept_addresses(await asyncio.to_thread(self._client.addresses_of, host))
            try:
                retrying = AsyncRetrying(
                    **self._client.policy.tenacity_kwargs(idempotent=True, budget=state.clock.budget)
                )
                response: HttpResponse = await retrying(self._client.request_file, state)
            except RingEventsError as error:
                state.on_error(error)
                continue
            try:
                if state.on_response(response.status_code, response.headers):
                    return response
            except BaseException:
                await response.aclose()
                raise
            await response.aclose()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the file in blocks; errors as the synchronous form."""
        while True:
            failure: Exception | None = None
            try:
                async for part in self._parts():
                    for block in self._completed(part):
                        yield block
            except (SlowTransferError, *HTTP_ERRORS) as error:
                failure = error
            for block in self._last_block():
                yield block
            if failure is None:
                self.state.finish(self._response.num_bytes_downloaded)
                return
            await self._response.aclose()
            await asyncio.sleep(self._pause(self._client, failure))
            self._response = await self._open()

    async def _parts(self) -> AsyncIterator[bytes]:
        clock = self.state.clock
        clock.begin_body()
        parts = self._response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout(clock.begin_read()):
                    part = await anext(parts, None)
            except TIMEOUT_ERRORS:
                if error := clock.fail_read():
                    raise error from None
                raise
            except TimeoutError:
                raise clock.fail_read() or clock.slow_error() from None
            if part is None:
                return
            clock.end_read(len(part))
            yield part

    async def _send_in_time(self, call: Call) -> Envelope:
        try:
            async with asyncio.timeout(self.state.clock.budget.remaining):
                return await self._client.send(call)
        except TimeoutError:
            raise self.state.clock.expired_error() from None
