"""A poll loop over the registrations of an event that all watchers of them in one event loop share."""

from __future__ import annotations

import asyncio
import json
import logging
import weakref
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.async_client import AsyncClient
from airflow_provider_ringevents.client.endpoints import get_event, list_registrations
from airflow_provider_ringevents.client.errors import RingEventsTransportError
from airflow_provider_ringevents.client.pagination import Page, flatten_resource
from airflow_provider_ringevents.client.validation.datetimes import is_local_time
from airflow_provider_ringevents.polling.watch_backoff import Backoff
from airflow_provider_ringevents.state.watch_cursor import WatchCursor, min_cursor
from airflow_provider_ringevents.triggers._change_detection import ChangeScan, ChangeSet
from airflow_provider_ringevents.triggers._client_registry import (
    acquire_shared_client,
    limited_listing,
    read_connection,
)

log = logging.getLogger(__name__)

_MAX_CLOCK_DIFFERENCE = timedelta(days=1)
"""A service's ``Date`` that is further ahead of our clock is no time to go by."""


@dataclass(frozen=True, slots=True)
class PollKey:
    """The list that is polled; watchers with equal keys share their polls."""

    conn_id: str
    event_id: str
    window_field: str
    filter: str

    @classmethod
    def from_arguments(
        cls, conn_id: str, event_id: str, window_field: str, filter: Mapping[str, Any] | None
    ) -> PollKey:
        """Return the key for the arguments of a trigger."""
        return cls(conn_id, event_id, window_field, json.dumps(filter or {}, sort_keys=True))


@dataclass(eq=False, slots=True)
class Subscriber:
    """A watcher, with its cursor and its poll interval in seconds."""

    cursor: WatchCursor
    poll_interval: float


@dataclass
class RegistrationPoller:
    """A poll loop and its subscribers.

    :ivar ref_count: the triggers that use it, the one that runs the loop included.
    """

    key: PollKey
    ref_count: int = 0
    _subscribers: set[Subscriber] = field(default_factory=set)
    _has_subscribers: asyncio.Event = field(default_factory=asyncio.Event)
    _unreadable: int = 0
    _ignored: int = 0
    _timezone: str | None = None

    @contextmanager
    def subscribed(self, subscriber: Subscriber) -> Iterator[None]:
        """Include a subscriber in the polls that begin from now on."""
        self._subscribers.add(subscriber)
        self._has_subscribers.set()
        try:
            yield
        finally:
            self._subscribers.discard(subscriber)
            if not self._subscribers:
                self._has_subscribers.clear()

    async def stream(self) -> AsyncGenerator[Mapping[Subscriber, ChangeSet], None]:
        """Poll without end, and yield the changes that each poll has found for each subscriber.

        A poll that fails is repeated after a delay that grows with each failure. The connection is read again every
        five minutes; the cursors belong to the subscribers, so that a change of it loses no place.
        """
        backoff = Backoff(f"Watching registrations of event {self.key.event_id}", log)
        await self._has_subscribers.wait()
        await clock.async_sleep(backoff.initial_delay(self._poll_interval()))
        while True:
            try:
                async with acquire_shared_client(self.key.conn_id) as client:
                    read_at = clock.monotonic()
                    while True:
                        await self._has_subscribers.wait()
                        if clock.monotonic() + self._poll_interval() > read_at + defaults.WATCH_CONNECTION_MAX_AGE:
                            if await read_connection(self.key.conn_id) != client.settings:
                                log.info(
                                    "Connection %s has changed: the watcher continues with its new settings",
                                    self.key.conn_id,
                                )
                                break
                            read_at = clock.monotonic()
                        found = await client.with_reauthentication(self._scan)
                        self._log_unnoticed(found)
                        delay = backoff.on_success(self._poll_interval())
                        yield found
                        await clock.async_sleep(delay)
            except Exception as error:
                # Of any kind: Airflow restarts a watcher that raises every two seconds.
                delay = backoff.on_failure(error, self._poll_interval())
            else:
                continue
            # The client was released, so that the next poll uses a connection that was corrected meanwhile.
            await clock.async_sleep(delay)

    async def _scan(self, client: AsyncClient) -> dict[Subscriber, ChangeSet]:
        scans = {
            subscriber: ChangeScan(subscriber.cursor, self.key.window_field, self._timezone or "")
            for subscriber in self._subscribers
        }
        if not scans:
            return {}
        since = min_cursor(subscriber.cursor for subscriber in scans)
        filter = {**json.loads(self.key.filter), self.key.window_field: since.filter_condition}
        # The next scan is the retry of the first page: an outage costs one request for each scan.
        call = list_registrations(self.key.event_id, filter)
        rows = 0
        async with limited_listing(call):
            async for page in client.pages(call, first_attempts=1):
                rows += len(page.items)
                if rows > defaults.WATCH_MAX_ROWS:
                    raise RingEventsTransportError(
                        f"{call.operation}: more than {defaults.WATCH_MAX_ROWS:,} rows have changed since"
                        f" {since.filter_condition}; the list is not read further",
                        sent=True,
                        retryable=False,
                    )
                if self._timezone is None and _has_local_time(page, self.key.window_field):
                    self._timezone = await self._read_timezone(client)
                    for scan in scans.values():
                        scan.timezone = self._timezone
                _add_rows(page, scans.values())
        return {subscriber: scan.changes() for subscriber, scan in scans.items()}

    async def _read_timezone(self, client: AsyncClient) -> str:
        """Return the name of the zone of the event, empty if it has none."""
        data = (await client.send_once(get_event(self.key.event_id))).get("data")
        event = flatten_resource(data) if isinstance(data, Mapping) else {}
        return str(event.get("timezone") or "")

    def _log_unnoticed(self, found: Mapping[Subscriber, ChangeSet]) -> None:
        """Log rows that cannot be noticed, whenever there are more of them."""
        ignored = max((changes.ignored for changes in found.values()), default=0)
        if ignored > self._ignored:
            log.warning(
                "Watching registrations of event %s: %d rows whose %s is in the future are not noticed, since %d others"
                " are kept",
                self.key.event_id,
                ignored,
                self.key.window_field,
                defaults.WATCH_MAX_BOUNDARY_IDS,
            )
        self._ignored = ignored
        unreadable = max((changes.unreadable for changes in found.values()), default=0)
        if unreadable > self._unreadable:
            log.warning(
                "Watching registrations of event %s: %d rows without a readable %s, which cannot be noticed",
                self.key.event_id,
                unreadable,
                self.key.window_field,
            )
        self._unreadable = unreadable

    def _poll_interval(self) -> float:
        return min((subscriber.poll_interval for subscriber in self._subscribers), default=0.0)


def _has_local_time(page: Page, field: str) -> bool:
    return any(is_local_time(row.get(field)) for row in page.items)


def _add_rows(page: Page, scans: Iterable[ChangeScan]) -> None:
    """Add the rows of a page to scans; no variable keeps one, which may hold credentials, beyond this call."""
    latest_credible = _latest_credible(page.date)
    for row in page.items:
        for scan in scans:
            scan.add(row, latest_credible)


def _latest_credible(date: datetime | None) -> datetime:
    """Return the latest time that a row can have by our clock or by that of the service, with some slack."""
    now = datetime.fromtimestamp(clock.now(), UTC)
    latest = now if date is None else max(now, min(date, now + _MAX_CLOCK_DIFFERENCE))
    return latest + timedelta(seconds=defaults.WATCH_MAX_AHEAD)


_POLLERS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[PollKey, RegistrationPoller]] = (
    weakref.WeakKeyDictionary()
)


@contextmanager
def acquire_shared_poller(key: PollKey) -> Iterator[RegistrationPoller]:
    """Share the poller for a key in the running event loop; it is dropped when its last user leaves.

    The trigger that runs the loop is a user, too, so that later subscribers join it.
    """
    pollers = _POLLERS.setdefault(asyncio.get_running_loop(), {})
    poller = pollers.setdefault(key, RegistrationPoller(key))
    poller.ref_count += 1
    try:
        yield poller
    finally:
        poller.ref_count -= 1
        if poller.ref_count == 0:
            del pollers[key]
