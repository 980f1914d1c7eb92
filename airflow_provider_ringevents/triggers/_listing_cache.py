"""A cache that lets the waits of one organization share a listing of its events."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults

_Rows = list[dict[str, Any]]
OnPage = Callable[[], None]
"""Called with each page of a listing that has arrived."""


class _Listing:
    """One reading of the events of an organization.

    :ivar started: when it began, by the monotonic clock.
    :ivar task: its result.
    """

    def __init__(self, fetch: Callable[[OnPage], Awaitable[_Rows]]) -> None:
        self.started = self._progressed = clock.monotonic()
        self.task = asyncio.ensure_future(fetch(self._on_page))

    def _on_page(self) -> None:
        self._progressed = clock.monotonic()

    @property
    def patience(self) -> float:
        """Return the seconds after which it is taken to hang, unless another page arrives."""
        return self._progressed + defaults.LISTING_STALL - clock.monotonic()

    @property
    def succeeded(self) -> bool:
        """Return whether it has ended with the rows."""
        return self.task.done() and not self.task.cancelled() and self.task.exception() is None


class ListingCache:
    """The listings of each organization that run, and the last one that has ended.

    Callers share a listing while its pages arrive. One that hangs is left to itself: all callers, those that began it
    included, then wait for whichever of it and a new one ends first.

    :param fetch: reads the events of an organization, and reports each page.
    """

    def __init__(self, fetch: Callable[[str, OnPage], Awaitable[_Rows]]) -> None:
        self._fetch = fetch
        self._last: dict[str, _Listing] = {}
        self._running: defaultdict[str, list[_Listing]] = defaultdict(list)

    async def get(self, organization_id: str, max_age: float) -> _Rows:
        """Return all events of an organization.

        :param max_age: seconds since which a listing that has ended may have begun.
        :raises RingEventsError: all listings that were waited for have failed.
        """
        last = self._last.get(organization_id)
        if last is not None and last.succeeded and clock.monotonic() - last.started <= max_age:
            return last.task.result()
        running = self._running[organization_id]
        if not running:
            self._begin(organization_id)
        mine = list(running)
        while True:
            ended = [listing for listing in mine if listing.task.done()]
            for listing in ended:
                if listing.succeeded:
                    return listing.task.result()
            if len(ended) == len(mine):
                return mine[-1].task.result()  # raises its error
            hangs = max(listing.patience for listing in mine if listing not in ended) <= 0
            # So many at most: where all of them hang, the caller gets their error, and its next poll is the retry.
            if hangs and len(mine) < defaults.MAX_LISTINGS:
                newer = [listing for listing in running if listing not in mine]
                if not newer and len(running) < defaults.MAX_LISTINGS:
                    newer = [self._begin(organization_id)]
                mine += newer
            patience = max(listing.patience for listing in mine if listing not in ended)
            # A task that is waited for is not cancelled with its waiter, so that no wait takes it from the others.
            await asyncio.wait(
                [listing.task for listing in mine if listing not in ended],
                timeout=patience if patience > 0 else defaults.LISTING_STALL,
                return_when=asyncio.FIRST_COMPLETED,
            )

    def _begin(self, organization_id: str) -> _Listing:
        listing = _Listing(lambda on_page: self._fetch(organization_id, on_page))
        self._running[organization_id].append(listing)
        listing.task.add_done_callback(lambda _task: self._on_done(organization_id, listing))
        return listing

    def _on_done(self, organization_id: str, listing: _Listing) -> None:
        self._running[organization_id].remove(listing)
        if listing.succeeded:  # Retrieves the exception, too, which nobody may be waiting for any more.
            self._last[organization_id] = listing

    async def aclose(self) -> None:
        """Cancel the listings that still run."""
        running = [listing.task for listings in self._running.values() for listing in listings]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
