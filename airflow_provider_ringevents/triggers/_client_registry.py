"""One client per event loop and connection, shared by all triggers that wait there.

A client of its own for each wait would cost 20 ms of blocked event loop and a TCP connection each; a connection looked
up for each poll would cost a call to the API server.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
from airflow_provider_ringevents.client.transport.rate_limiter import AsyncRateLimiter
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.polling.waiter import Waiter
from airflow_provider_ringevents.provisioning.event_lookup import LOOKUP_PAGE_SIZE
from airflow_provider_ringevents.triggers.turns import Turns

_Result = TypeVar("_Result")


class SharedClient:
    """A client that several triggers use. Made by :func:`shared_client` alone."""

    def __init__(self, conn_id: str) -> None:
        self._hook = RingEventsHook(conn_id)
        self._client: AsyncClient | None = None
        self._lock = asyncio.Lock()
        # Of all clients that it will have: a pause that the service wants outlasts the key that it was told to.
        self._gate = AsyncRateLimiter(None, now=clock.monotonic, sleep=clock.async_sleep)
        self._in_use: Counter[AsyncClient] = Counter()
        self._listings: dict[str, tuple[float, asyncio.Future[list[dict[str, Any]]]]] = {}
        self._running: set[asyncio.Future[list[dict[str, Any]]]] = set()
        self.users = 0
        self.turns = Turns()

    @property
    def base_url(self) -> str | None:
        """Of the API; None while it was not asked."""
        return self._client.settings.base_url if self._client else None

    async def poll(self, call: Call, deadline: float | None = None) -> Envelope:
        """Send a reading call, one attempt: the next poll is its retry, so that an outage is not multiplied.

        Where the key is refused, the connection is looked up once more, since keys are rotated.

        :param deadline: as for :meth:`in_time`.
        :raises RingEventsError: as the client raises.
        """
        return await self.in_time(
            lambda: self.with_client(lambda client: client.send(call, max_attempts=1)),
            deadline,
        )

    async def in_time(self, ask: Callable[[], Awaitable[_Result]], deadline: float | None) -> _Result:
        """The answer, unless it comes later after the deadline than one request may take.

        :param ask: what to wait for.
        :param deadline: seconds since the epoch; None: there is none. Requests of a crowd may queue for longer.
        :raises RingEventsTransportError: it did not come.
        """
        if deadline is None:
            return await ask()
        try:
            async with asyncio.timeout(max(0.0, deadline - clock.now()) + defaults.READ_TIMEOUT) as patience:
                client = await self._current()  # how long a request may take, its connection says
                left = max(0.0, deadline - clock.now())
                patience.reschedule(asyncio.get_running_loop().time() + left + client.settings.timeout)
                return await ask()
        except TimeoutError:
            raise RingEventsTransportError(
                "no answer came in time: the service is slow, or the request stood in line because more is asked of"
                " this connection than 'rate_limit' or the service lets through",
                sent=True,
                timed_out=True,
            ) from None

    async def with_client(self, use: Callable[[AsyncClient], Awaitable[_Result]]) -> _Result:
        """Do something with the client; with another one, from its beginning, where the key is refused and a new one is
        there.

        :raises RingEventsError: as the client raises.
        """
        client = await self._current()
        try:
            return await self._using(client, use)
        except RingEventsAuthError as error:
            if error.status != 401:
                raise
            fresh = await self._reread(client)
            if fresh is None:
                raise
            return await self._using(fresh, use)

    async def _using(self, client: AsyncClient, use: Callable[[AsyncClient], Awaitable[_Result]]) -> _Result:
        self._in_use[client] += 1
        try:
            return await use(client)
        finally:
            self._in_use[client] -= 1
            await self._close_if_left(client)

    async def _close_if_left(self, client: AsyncClient) -> None:
        """Close a client with an old key when its last request has ended, not under the others' requests."""
        if client is not self._client and not self._in_use[client]:
            del self._in_use[client]
            await client.aclose()

    async def _current(self) -> AsyncClient:
        if self._client is None:
            async with self._lock:
                if self._client is None:
                    self._client = self._through_the_gate(await self._hook.get_async_conn())
        return self._client

    def _through_the_gate(self, client: AsyncClient) -> AsyncClient:
        self._gate.limit(client.settings.rate_limit)
        client.gate = self._gate
        return client

    async def _reread(self, refused: AsyncClient) -> AsyncClient | None:
        """A client with other settings than the one that was refused; None where they are still the same."""
        async with self._lock:
            if self._client is not None and self._client is not refused:
                return self._client  # another wait has found the new key already
            fresh = await self._hook.get_async_conn()
            if fresh.settings == refused.settings:
                await fresh.aclose()
                return None
            self._client = self._through_the_gate(fresh)
        await self._close_if_left(refused)
        return fresh

    async def events(self, organization_id: str, fresh_since: float) -> list[dict[str, Any]]:
        """All events of an organization; whoever asks while a listing is under way waits for that one.

        :param fresh_since: ``clock.steady()`` after which a listing that has ended must have begun to be good enough.
        :raises RingEventsError: as the client raises.
        """
        begun, listing = self._listings.get(organization_id, (float("-inf"), None))
        if listing is None or (listing.done() and (begun < fresh_since or _failed(listing))):
            listing = asyncio.ensure_future(self.with_client(partial(_list, organization_id)))
            self._running.add(listing)
            listing.add_done_callback(self._ended)
            self._listings[organization_id] = (clock.monotonic(), listing)
        # Shielded: a wait that is cancelled must not take the listing from the others.
        return await asyncio.shield(listing)

    def _ended(self, listing: asyncio.Future[list[dict[str, Any]]]) -> None:
        self._running.discard(listing)
        _failed(listing)  # its error is looked at, also where nobody waits for it any more

    async def aclose(self) -> None:
        """Close the connections."""
        running = list(self._running)
        for listing in running:
            listing.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()


async def _list(organization_id: str, client: AsyncClient) -> list[dict[str, Any]]:
    call = list_events(organization_id)
    try:
        return [event async for event in client.items(call, per_page=LOOKUP_PAGE_SIZE, first_attempts=1)]
    except RingEventsValidationError:  # so large a page is not taken
        return [event async for event in client.items(call, first_attempts=1)]


def _failed(listing: asyncio.Future[list[dict[str, Any]]]) -> bool:
    return listing.cancelled() or listing.exception() is not None


_CLIENTS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SharedClient]] = weakref.WeakKeyDictionary()


class acquire_shared_client:
    """The client of a connection in the running event loop; closed when its last user leaves.

    ``async with shared_client(conn_id) as client``: a :class:`SharedClient`.

    :param conn_id: the Airflow connection.
    """

    # By hand, since there are thousands: a generator made into a context manager is three objects more for each wait,
    # all of which Python's collector looks at again and again while the loop stands still.
    __slots__ = ("_clients", "_conn_id", "_shared")

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id

    async def __aenter__(self) -> SharedClient:
        self._clients = _CLIENTS.setdefault(asyncio.get_running_loop(), {})
        shared = self._clients.get(self._conn_id)
        if shared is None:
            shared = self._clients[self._conn_id] = SharedClient(self._conn_id)
        shared.users += 1
        self._shared = shared
        return shared

    async def __aexit__(self, *_: object) -> None:
        shared = self._shared
        shared.users -= 1
        if shared.users == 0:
            # Out of the table before anything is awaited: who comes now gets a client of its own.
            if self._clients.get(self._conn_id) is shared:
                del self._clients[self._conn_id]
            await shared.aclose()


async def poll_until_done(wait: Waiter, client: SharedClient) -> None:
    """Wait in the triggerer.

    :raises RingEventsError: what ends the wait.
    """
    if client.users - 1 > defaults.POLL_RATE_TARGET:
        # A triggerer starts its waits one after the other: without this the first ones of a thousand poll as if alone.
        left = defaults.POLL_STARTUP_DELAY if wait.deadline is None else wait.deadline - clock.now()
        await clock.async_sleep(max(0.0, min(defaults.POLL_STARTUP_DELAY, left)))
    await client.turns.until_end(_PollJob(wait, client))


@dataclass(frozen=True, slots=True)
class _PollJob:
    """Each turn of a wait is a poll.

    :ivar client: sends it; how many users it has says how many others poll.
    """

    wait: Waiter
    client: SharedClient

    def pause(self) -> float:
        return self.wait.pause(self.client.users - 1)

    async def take(self) -> bool:
        try:
            envelope = await self.client.poll(self.wait.call, self.wait.deadline)
        except RingEventsError as error:
            self.wait.failed(error)
            return False
        return self.wait.answered(envelope)
