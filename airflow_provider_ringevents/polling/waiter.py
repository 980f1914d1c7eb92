"""The protocol of everything that is polled until it has happened, and the drivers that do the polling.

A waiter only decides: what to request, when, and what a response or an error means. The drivers sleep and fetch, one of
them on the worker, the other in the event loop of a triggerer, so that both modes end alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.secrets import conceal_response
from airflow_provider_ringevents.client.transport.time_budget import TimeBudget
from airflow_provider_ringevents.provisioning.event_lookup import list_events_of

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class EventListing:
    """A request for all events of an organization; waits of one event loop share its response."""

    organization_id: str


PollRequest = Call | EventListing


class Waiter(Protocol):
    """The decisions of one wait.

    :ivar request: what each poll fetches.
    :ivar deadline: seconds since the epoch; None: the wait has no end.
    """

    request: PollRequest
    deadline: float | None

    def next_delay(self, concurrent_waits: int = 0) -> float:
        """Return the delay before the next poll, in seconds.

        :param concurrent_waits: other waits of the same connection in the same event loop.
        """

    def on_response(self, response: Any) -> bool:
        """Take the envelope of a call or the rows of a listing; return True when the wait is over.

        :raises RingEventsError: the response ends the wait.
        """

    def on_error(self, error: RingEventsError) -> None:
        """Take the error of a failed poll, and return if the wait goes on.

        :raises RingEventsError: the error ends the wait.
        """


class ClientOwner(Protocol):
    """The owner of a client, such as the hook, that can replace it when its key was rotated."""

    def with_reauthentication(self, use: Callable[[Client], _Result], /) -> _Result:
        """Return what ``use`` returns; run it once more with a new client when the key was refused and has changed."""


class AsyncFetcher(Protocol):
    """A shared asynchronous client of the waits of one connection in one event loop."""

    @property
    def concurrent_waits(self) -> int:
        """Return the number of waits beside this one."""

    async def fetch(self, request: PollRequest, deadline: float | None, max_age: float) -> Any:
        """Return the envelope of a call or the rows of a listing.

        :param deadline: seconds since the epoch after which no response is waited for; None: there is none.
        :param max_age: seconds by which a listing that another wait has fetched may be older.
        :raises RingEventsError: the request failed.
        """


def wait_until_done(waiter: Waiter, client_owner: ClientOwner) -> None:
    """Poll on the worker until a wait is over.

    :param client_owner: the hook, or its like.
    :raises RingEventsError: the error that ends the wait.
    """
    while True:
        clock.sleep(waiter.next_delay())
        try:
            budget = poll_budget(waiter.deadline)
            response = client_owner.with_reauthentication(partial(_fetch, waiter.request, budget))
        except RingEventsError as error:
            waiter.on_error(error)
        else:
            if waiter.on_response(response):
                return


async def async_wait_until_done(waiter: Waiter, fetcher: AsyncFetcher) -> None:
    """Poll in an event loop until a wait is over.

    :raises RingEventsError: the error that ends the wait.
    """
    if fetcher.concurrent_waits > defaults.POLL_RATE_TARGET:
        # A triggerer starts its waits one after the other: the first of a thousand must not poll as if it were alone.
        delay = defaults.POLL_STARTUP_DELAY
        await clock.async_sleep(
            delay if waiter.deadline is None else max(0.0, min(delay, waiter.deadline - clock.now()))
        )
    while True:
        delay = waiter.next_delay(fetcher.concurrent_waits)
        await clock.async_sleep(delay)
        try:
            # A listing is fresh enough at half the delay, so that waits of one organization meet.
            response = await fetcher.fetch(waiter.request, waiter.deadline, max_age=delay / 2)
        except RingEventsError as error:
            waiter.on_error(error)
        else:
            if waiter.on_response(response):
                return


def poll_budget(deadline: float | None) -> TimeBudget | None:
    """Return the time of a poll that begins now: a wait ends at its deadline, however slowly the service responds.

    :param deadline: seconds since the epoch; None: the wait has no end.
    """
    if deadline is None:
        return None
    return TimeBudget(max(0.0, deadline - clock.now()) + defaults.DEADLINE_GRACE)


def _fetch(request: PollRequest, budget: TimeBudget | None, client: Client) -> Any:
    if isinstance(request, EventListing):
        return list_events_of(client, request.organization_id, budget=budget)
    return conceal_response(client.send(request, max_attempts=1, budget=budget))  # The next poll is the retry.
