"""A registry of reference-counted clients: one per event loop and connection, shared by all triggers that wait there.

A client for each wait would block the event loop for 20 ms and hold a TCP connection each; looking the connection up
for each poll would cost a call to the API server. So each wait reads its connection once, when it begins, and shares a
client with the other waits for which the connection has said the same.
"""

from __future__ import annotations

import asyncio
import copy
import weakref
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.async_client import AsyncClient
from airflow_provider_ringevents.client.endpoints import Call, list_events
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsError,
    RingEventsTransportError,
    RingEventsValidationError,
)
from airflow_provider_ringevents.client.secrets import conceal_response
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.client.transport.rate_limiter import AsyncRateLimiter
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.polling.waiter import EventListing, PollRequest
from airflow_provider_ringevents.provisioning.event_lookup import LOOKUP_PAGE_SIZE, EventRows
from airflow_provider_ringevents.triggers._listing_cache import ListingCache, OnPage

_Result = TypeVar("_Result")


class ConnectionReader:
    """A reader of connections in one event loop: readings of one connection within five seconds are one."""

    def __init__(self) -> None:
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._outcomes: dict[str, tuple[float, ClientSettings | RingEventsError]] = {}

    async def read(self, conn_id: str, max_age: float = defaults.CONNECTION_MAX_AGE) -> ClientSettings:
        """Return the settings that a connection holds.

        :param max_age: seconds by which another reading, or its error, may be older.
        :raises RingEventsConfigError: the connection does not exist or is invalid.
        """
        async with self._locks[conn_id]:
            now = clock.monotonic()
            # Of all connections: no settings stay in memory, with their keys, for as long as the triggerer lives.
            self._outcomes = {
                name: (read_at, outcome)
                for name, (read_at, outcome) in self._outcomes.items()
                if now - read_at < defaults.CONNECTION_MAX_AGE
            }
            read_at, outcome = self._outcomes.get(conn_id, (now - max_age, None))
            if outcome is None or now - read_at >= max_age:
                try:
                    outcome = await RingEventsHook(conn_id).get_async_settings()
                except RingEventsError as error:
                    outcome = error
                self._outcomes[conn_id] = (now, outcome)
        if isinstance(outcome, RingEventsError):
            raise copy.copy(outcome)  # each wait gets one of its own, with its own traceback
        return outcome


class SharedClient:
    """A client that several triggers use; made by :func:`acquire_shared_client`.

    :ivar conn_id: the Airflow connection.
    :ivar ref_count: the triggers that use it.
    """

    def __init__(self, conn_id: str, settings: ClientSettings, connections: ConnectionReader) -> None:
        self.conn_id = conn_id
        self.ref_count = 0
        self._connections = connections
        self._lock = asyncio.Lock()
        # One for all clients that follow each other: a pause that the service asks for outlasts a rotated key.
        self._rate_limiter = AsyncRateLimiter(None, now=clock.monotonic, sleep=clock.async_sleep)
        self._client = self._open(settings)
        self._in_use: Counter[AsyncClient] = Counter()
        self._listings = ListingCache(
            lambda organization_id, on_page: self.with_reauthentication(partial(_list, organization_id, on_page))
        )

    @property
    def settings(self) -> ClientSettings:
        """Return the settings of the connection, as it was read last."""
        return self._client.settings

    @property
    def base_url(self) -> str:
        """Return the base URL of the API."""
        return self.settings.base_url

    @property
    def concurrent_waits(self) -> int:
        """Return the number of triggers beside the one that asks."""
        return self.ref_count - 1

    async def fetch(self, request: PollRequest, deadline: float | None = None, max_age: float = 0.0) -> Any:
        """Return the envelope of a call, or the rows of a listing, after one attempt: the next poll is the retry.

        A request that may queue among many others is given up when it cannot be answered soon after the deadline.

        :param deadline: seconds since the epoch; None: there is none.
        :param max_age: seconds by which a listing that another trigger has fetched may be older.
        :raises RingEventsError: the request failed.
        """
        try:
            async with asyncio.timeout(None) as limit:
                if deadline is not None:
                    loop = asyncio.get_running_loop()
                    limit.reschedule(loop.time() + max(0.0, deadline - clock.now()) + defaults.DEADLINE_GRACE)
                if isinstance(request, EventListing):
                    return await self._listings.get(request.organization_id, max_age)
                return conceal_response(await self.with_reauthentication(lambda client: client.send_once(request)))
        except TimeoutError:
            raise RingEventsTransportError(
                "no response came in time: the service is slow, or the request was queued, because this connection has"
                " more requests than 'rate_limit' or the service allows",
                sent=True,
                timed_out=True,
            ) from None

    async def with_reauthentication(self, use: Callable[[AsyncClient], Awaitable[_Result]]) -> _Result:
        """Return what ``use`` returns for the client.

        When the key is refused with a 401 and the connection holds other settings by now, run ``use`` once more with a
        client for these: keys are rotated while a wait goes on.

        :raises RingEventsError: as ``use`` raises.
        """
        client = self._client
        try:
            async with self._borrowed(client):
                return await use(client)
        except RingEventsAuthError as error:
            if error.status != 401:
                raise
            fresh = await self._reload_connection(client)
            if fresh is None:
                raise
        async with self._borrowed(fresh):
            return await use(fresh)

    @asynccontextmanager
    async def _borrowed(self, client: AsyncClient) -> AsyncIterator[None]:
        self._in_use[client] += 1
        try:
            yield
        finally:
            self._in_use[client] -= 1
            await self._close_if_unused(client)

    async def _close_if_unused(self, client: AsyncClient) -> None:
        """Close a client that was replaced, once its last request has ended."""
        if client is not self._client and not self._in_use[client]:
            del self._in_use[client]
            await client.aclose()

    def _open(self, settings: ClientSettings) -> AsyncClient:
        client = AsyncClient.from_settings(settings)
        self._rate_limiter.set_rate(client.settings.rate_limit)
        client.rate_limiter = self._rate_limiter
        return client

    async def _reload_connection(self, refused: AsyncClient) -> AsyncClient | None:
        """Return a client for the current connection; None if its settings are those that were refused."""
        async with self._lock:
            if self._client is not refused:
                return self._client  # Another wait has found the new key.
            settings = await self._connections.read(self.conn_id, max_age=0.0)
            if settings == refused.settings:
                return None
            self._client = self._open(settings)
        await self._close_if_unused(refused)
        return self._client

    async def aclose(self) -> None:
        """Close the connections."""
        await self._listings.aclose()
        await self._client.aclose()


_CLIENTS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[SharedClient]] = weakref.WeakKeyDictionary()
_READERS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ConnectionReader] = weakref.WeakKeyDictionary()


async def read_connection(conn_id: str) -> ClientSettings:
    """Return the settings that a connection holds; readings within five seconds in one event loop are one.

    :raises RingEventsConfigError: the connection does not exist or is invalid.
    """
    return await _reader().read(conn_id)


@asynccontextmanager
async def acquire_shared_client(conn_id: str) -> AsyncIterator[SharedClient]:
    """Read a connection, and share the client for what it says in the running event loop.

    The last trigger that leaves closes the client.

    :param conn_id: the Airflow connection.
    :raises RingEventsConfigError: the connection does not exist or is invalid.
    """
    settings = await read_connection(conn_id)
    clients = _CLIENTS.setdefault(asyncio.get_running_loop(), [])
    client = next((each for each in clients if each.conn_id == conn_id and each.settings == settings), None)
    if client is None:
        client = SharedClient(conn_id, settings, _reader())
        clients.append(client)
    client.ref_count += 1
    try:
        yield client
    finally:
        client.ref_count -= 1
        if client.ref_count == 0:
            # Removed before anything is awaited: a trigger that starts meanwhile gets a client of its own.
            clients.remove(client)
            await client.aclose()


def _reader() -> ConnectionReader:
    return _READERS.setdefault(asyncio.get_running_loop(), ConnectionReader())


async def _list(organization_id: str, on_page: OnPage, client: AsyncClient) -> list[dict[str, Any]]:
    call = list_events(organization_id)

    async def read(per_page: int | None) -> list[dict[str, Any]]:
        found = EventRows(call.operation)
        async for page in client.pages(call, per_page=per_page, first_attempts=1):
            found.add(page.items)
            on_page()
        return found.rows

    async with limited_listing(call):
        try:
            return await read(LOOKUP_PAGE_SIZE)
        except RingEventsValidationError:  # The service does not accept pages of that size.
            return await read(None)


@asynccontextmanager
async def limited_listing(call: Call) -> AsyncIterator[None]:
    """Limit the time in which a block reads a list whole.

    :raises RingEventsTransportError: the time has passed.
    """
    try:
        async with asyncio.timeout(defaults.LOOKUP_TIMEOUT):
            yield
    except TimeoutError:
        raise RingEventsTransportError(
            f"{call.operation}: the list was not read whole in {defaults.LOOKUP_TIMEOUT:g} s",
            sent=True,
            timed_out=True,
        ) from None
