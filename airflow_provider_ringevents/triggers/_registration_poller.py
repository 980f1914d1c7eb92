"""One poll loop over the registrations of an event, for all watchers of them in one event loop."""

from __future__ import annotations

import asyncio
import json
import logging
import weakref
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.async_client import AsyncClient
from airflow_provider_ringevents.client.endpoints import list_registrations
from airflow_provider_ringevents.polling.backoff import Backoff
from airflow_provider_ringevents.triggers._change_detection import ChangeScan, ChangeSet, WatchCursor, min_cursor
from airflow_provider_ringevents.triggers._client_registry import acquire_shared_client

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PollKey:
    """What is polled: watchers with the same share their polls."""

    conn_id: str
    event_id: str
    window_field: str
    filter: str

    @classmethod
    def of(cls, conn_id: str, event_id: str, window_field: str, filter: Mapping[str, Any] | None) -> PollKey:
        """Build it from a trigger's arguments."""
        return cls(conn_id, event_id, window_field, json.dumps(filter or {}, sort_keys=True))


@dataclass(eq=False, slots=True)
class Subscriber:
    """One watcher: what it knows, and how often it wants to hear, in seconds."""

    since: WatchCursor
    poll_interval: float


@dataclass
class RegistrationPoller:
    """The loop, and who hears what it finds."""

    watched: PollKey
    users: int = 0
    _members: set[Subscriber] = field(default_factory=set)
    _somebody: asyncio.Event = field(default_factory=asyncio.Event)
    _unreadable: int = 0

    @contextmanager
    def joined(self, member: Subscriber) -> Iterator[None]:
        """Hear of the polls that begin from now on."""
        self._members.add(member)
        self._somebody.set()
        try:
            yield
        finally:
            self._members.discard(member)
            if not self._members:
                self._somebody.clear()

    async def results(self) -> AsyncGenerator[Mapping[Subscriber, ChangeSet], None]:
        """Poll for ever; what each poll has found for each member. A poll that fails is made again, later each time."""
        pace = Backoff(f"Watching registrations of event {self.watched.event_id}", log)
        await self._somebody.wait()
        await clock.async_sleep(pace.first(self._interval()))
        while True:
            try:
                async with acquire_shared_client(self.watched.conn_id) as client:
                    while True:
                        await self._somebody.wait()
                        found = await client.with_client(self._look)
                        self._report_unreadable(found)
                        pause = pace.worked(self._interval())
                        yield found
                        await clock.async_sleep(pause)
            except Exception as error:
                # Whatever it is: a watcher that raises is started anew every two seconds.
                pause = pace.failed(error, self._interval())
            # The client was left, so that the next poll sees a connection that was mended meanwhile.
            await clock.async_sleep(pause)

    async def _look(self, client: AsyncClient) -> dict[Subscriber, ChangeSet]:
        looks = {member: ChangeScan(member.since, self.watched.window_field) for member in self._members}
        if not looks:
            return {}
        since = min_cursor(member.since for member in looks)
        filter = {**json.loads(self.watched.filter), self.watched.window_field: since.condition}
        # The next look is the first page's retry: an outage costs one request for each.
        async for row in client.items(list_registrations(self.watched.event_id, filter), first_attempts=1):
            for look in looks.values():
                look.add(row)
        return {member: look.changes() for member, look in looks.items()}

    def _report_unreadable(self, found: Mapping[Subscriber, ChangeSet]) -> None:
        unreadable = max((changes.unreadable for changes in found.values()), default=0)
        if unreadable > self._unreadable:
            log.warning(
                "Watching registrations of event %s: %d rows without a readable %s, which cannot be noticed",
                self.watched.event_id,
                unreadable,
                self.watched.window_field,
            )
        self._unreadable = unreadable

    def _interval(self) -> float:
        return min((member.poll_interval for member in self._members), default=0.0)


_POLLS: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[PollKey, RegistrationPoller]] = (
    weakref.WeakKeyDictionary()
)


@contextmanager
def shared_polls(watched: PollKey) -> Iterator[RegistrationPoller]:
    """The one loop of this event loop for that; dropped when its last user leaves.

    The loop is a user itself: whoever joins while it runs is heard by it.
    """
    all_polls = _POLLS.setdefault(asyncio.get_running_loop(), {})
    polls = all_polls.setdefault(watched, RegistrationPoller(watched))
    polls.users += 1
    try:
        yield polls
    finally:
        polls.users -= 1
        if polls.users == 0:
            del all_polls[watched]
