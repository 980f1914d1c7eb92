"""The trigger of an ``AssetWatcher`` that starts DAG runs when registrations arrive or change, on Airflow 3."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow.providers.common.compat.triggers import BaseEventTrigger
from airflow.triggers.base import TriggerEvent

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import asset_state_stores
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import list_registrations
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.filters import Filter, FilterLike
from airflow_provider_ringevents.client.types import validate_choice
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, to_utc
from airflow_provider_ringevents.client.validation.numbers import check_number
from airflow_provider_ringevents.state.cursor_store import CursorStore
from airflow_provider_ringevents.state.watch_cursor import WatchCursor
from airflow_provider_ringevents.triggers._arguments import check_id, check_wait
from airflow_provider_ringevents.triggers._change_detection import ChangeSet
from airflow_provider_ringevents.triggers._payload import serialize_trigger
from airflow_provider_ringevents.triggers._registration_poller import (
    PollKey,
    RegistrationPoller,
    Subscriber,
    acquire_shared_poller,
)

log = logging.getLogger(__name__)

WINDOW_FIELDS: Final = ("updatedAt", "createdAt")


class RingEventsRegistrationsTrigger(BaseEventTrigger):
    """A trigger that fires when registrations of an event are new or have changed; it never ends, and never fails.

    Each poll that finds something fires once, with ``event_id``, ``window_field``, ``from`` and ``to`` (the half-open
    window that holds all changes, ISO 8601 in UTC) and ``count``; no personal data.

    On Airflow 3.3 and later the cursor is kept in the state of the watched asset, so that nothing is missed while the
    triggerer is down, and watchers of the same event, connection, field and filter share their polls. Before that it is
    kept in memory alone.

    :param event_id: the event.
    :param ringevents_conn_id: the Airflow connection.
    :param poll_interval: seconds between two polls, 10 % more or less; after polls that fail up to 10 minutes.
    :param window_field: which time of a registration counts: ``updatedAt`` (new and changed ones) or ``createdAt`` (new
        ones).
    :param filter: more conditions on the list, such as ``{"refunded": True}``.
    :param start: the start of the watch when no cursor is kept, ISO 8601 with an offset or an aware datetime. Default:
        the first start of the trigger; earlier changes are not reported.
    :param lookback: the same, as seconds before the start of the trigger.
    :raises RingEventsConfigError: an argument is invalid.
    """

    def __init__(
        self,
        event_id: str,
        ringevents_conn_id: str = "ringevents_default",
        poll_interval: float = defaults.POLL_INTERVAL,
        window_field: str = "updatedAt",
        filter: FilterLike | None = None,
        start: str | datetime | None = None,
        lookback: float = 0.0,
    ) -> None:
        super().__init__()
        check_id("event_id", event_id)
        list_registrations(event_id, filter)
        # A watcher never fails, so that one without a connection would wait for ever.
        check_wait(ringevents_conn_id, poll_interval)
        check_number("lookback", lookback, unit="seconds", minimum=0, maximum=defaults.MAX_DURATION)
        if window_field == "userUpdatedAt":
            raise invalid_argument(
                "window_field",
                "'updatedAt' or 'createdAt'",
                window_field,
                hint="The API filters by 'userUpdatedAt' but does not show it: watch 'updatedAt', and export the window"
                " of 'userUpdatedAt'.",
            )
        validate_choice("window_field", window_field, WINDOW_FIELDS, closed=True)
        if filter and window_field in filter:
            raise invalid_argument(
                "filter", f"without a condition on {window_field!r}, which is watched", filter[window_field]
            )
        if start is not None and lookback:
            raise invalid_argument("lookback", f"0 when `start` is given ({start!r})", lookback)
        self.event_id = event_id
        self.ringevents_conn_id = ringevents_conn_id
        self.poll_interval = poll_interval
        self.window_field = window_field
        self.filter = _plain(filter)
        self.start = None if start is None else format_timestamp(to_utc("start", start, None))
        self.lookback = lookback

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that the metadata database stores."""
        return serialize_trigger(self)

    def shared_stream_key(self) -> Hashable | None:
        """Return the key by which watchers share their polls, on Airflow 3.3 and later."""
        return ("ringevents.registrations", self.ringevents_conn_id, self._state_key())

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Mapping[Subscriber, ChangeSet]]:
        """Poll without end for all watchers with one key."""
        with acquire_shared_poller(_poll_key(kwargs)) as poller:
            async with aclosing(poller.stream()) as stream:
                async for found in stream:
                    yield found

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Fire for the changes that the shared polls have found for this watcher."""
        with acquire_shared_poller(_poll_key(self.serialize()[1])) as poller:
            async for event in self._events(poller, shared_stream):
                yield event

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll for this watcher alone, before Airflow 3.3."""
        poller = RegistrationPoller(_poll_key(self.serialize()[1]))
        async with aclosing(poller.stream()) as stream:
            async for event in self._events(poller, stream):
                yield event

    async def _events(
        self, poller: RegistrationPoller, stream: AsyncIterator[Mapping[Subscriber, ChangeSet]]
    ) -> AsyncIterator[TriggerEvent]:
        name = f"Watching registrations of event {self.event_id}"
        stores = asset_state_stores(self)
        cursor_store = CursorStore(name, stores, self._state_key(), self.poll_interval)
        subscriber = Subscriber(await cursor_store.load(self._initial_cursor()), self.poll_interval)
        log.info("%s by %s from %s on", name, self.window_field, format_timestamp(subscriber.cursor.lower_bound))
        if not stores:
            log.warning(
                "%s: this Airflow has no asset state store (3.3 and later have one), so the cursor is kept in memory:"
                " changes while the triggerer is down are missed, except those of the last %g s (lookback)",
                name,
                self.lookback,
            )
        await cursor_store.save(subscriber.cursor)
        with poller.subscribed(subscriber):
            async for found in stream:
                changes = found.get(subscriber)
                # A poll that began before this watcher had processed the one before finds nothing new.
                if changes is None or changes.since is not subscriber.cursor:
                    continue
                if changes.count:
                    yield TriggerEvent(changes.payload(self.event_id, self.window_field))
                subscriber.cursor = changes.cursor
                if changes.count and stores:
                    await clock.async_sleep(defaults.WATCH_CHECKPOINT_DELAY)
                await cursor_store.save(subscriber.cursor)

    def _initial_cursor(self) -> WatchCursor:
        now = datetime.fromtimestamp(clock.now(), UTC)
        if self.start is not None:
            return WatchCursor(to_utc("start", self.start, None))
        return WatchCursor(now - timedelta(seconds=self.lookback)) if self.lookback else WatchCursor.baseline_at(now)

    def _state_key(self) -> str:
        """Return the key of the cursor, one for each watcher of an asset; hashed, since a filter may name people."""
        key = _poll_key(self.serialize()[1])
        text = "\n".join((key.event_id, key.window_field, key.filter))
        return f"ringevents_registrations_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _poll_key(arguments: Mapping[str, Any]) -> PollKey:
    names = ("ringevents_conn_id", "event_id", "window_field", "filter")
    return PollKey.from_arguments(*(arguments[name] for name in names))


def _plain(filter: FilterLike | None) -> dict[str, dict[str, Any]] | None:
    """Return a filter as plain JSON values, for the metadata database."""
    if not filter:
        return None
    return {
        name: {operator: _plain_value(value) for operator, value in conditions.items()}
        for name, conditions in Filter(filter).items()
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain_value(item) for item in value]
    return value
