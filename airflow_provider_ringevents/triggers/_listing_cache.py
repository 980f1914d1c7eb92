"""A cache that lets the waits of one organization share a listing of its events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults

_Rows = list[dict[str, Any]]


class ListingCache:
    """The last listing of each organization, finished or still running.

    :param fetch: reads the events of an organization.
    """

    def __init__(self, fetch: Callable[[str], Awaitable[_Rows]]) -> None:
        self._fetch = fetch
        self._listings: dict[str, tuple[float, asyncio.Future[_Rows]]] = {}
        self._running: set[asyncio.Future[_Rows]] = set()

    async def get(self, organization_id: str, max_age: float) -> _Rows:
        """Return all events of an organization; callers that come soon after a listing has begun wait for that one.

        :param max_age: seconds since which a listing that has ended may have begun.
        :raises RingEventsError: the listing failed.
        """
        started, listing = self._listings.get(organization_id, (0.0, None))
        age = clock.monotonic() - started
        if listing is not None and listing.done():
            is_usable = age <= max_age and not _has_failed(listing)
        else:
            is_usable = listing is not None and age <= defaults.LISTING_JOIN_AGE
        if listing is None or not is_usable:
            listing = asyncio.ensure_future(self._fetch(organization_id))
            self._running.add(listing)
            listing.add_done_callback(self._on_done)
            self._listings[organization_id] = (clock.monotonic(), listing)
        # Shielded, so that a wait that is cancelled does not take the listing from the others.
        return await asyncio.shield(listing)

    def _on_done(self, listing: asyncio.Future[_Rows]) -> None:
        self._running.discard(listing)
        _has_failed(listing)  # Retrieves the exception, which nobody may be waiting for any more.

    async def aclose(self) -> None:
        """Cancel the listings that still run."""
        running = list(self._running)
        for listing in running:
            listing.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _has_failed(listing: asyncio.Future[_Rows]) -> bool:
    return listing.cancelled() or listing.exception() is not None
