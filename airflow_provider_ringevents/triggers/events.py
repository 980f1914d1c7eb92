"""Waits for events in the triggerer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.observability.links import event_url
from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
from airflow_provider_ringevents.polling.events import EventCondition, EventWaiter
from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent
from airflow_provider_ringevents.triggers._client_registry import acquire_shared_client, poll_until_done

# One for all waits: a trigger's own is nine objects more for each of thousands.
log = logging.getLogger(__name__)


class RingEventsEventTrigger(BaseTrigger):
    """Waits until something is true of an event; only reads, and carries nothing but ids, words and numbers.

    Its one event holds ``status`` (``ready`` or ``error``) and ``event_id``, and ``page``, the address of the event's
    page, if the event was seen; an error says itself under ``error`` in plain values.

    :param event_id: which event.
    :param ringevents_conn_id: the Airflow connection.
    :param condition: ``exists``, ``published``, ``status``, ``started`` or ``ended``.
    :param status: the status word for ``status``.
    :param offset: seconds after (or, negative, before) the start or the end.
    :param poll_interval: the longest pause between polls, in seconds, while no moment to sleep towards is known.
    :param deadline: when to give up, in seconds since the epoch; None: never.
    """

    def __init__(
        self,
        event_id: str,
        ringevents_conn_id: str = "ringevents_default",
        condition: str = "exists",
        status: str | None = None,
        offset: float = 0.0,
        poll_interval: float = defaults.POLL_INTERVAL,
        deadline: float | None = None,
    ) -> None:
        super().__init__()
        self.event_id = event_id
        self.ringevents_conn_id = ringevents_conn_id
        self.condition = condition
        self.status = status
        self.offset = offset
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as stored in the metadata database."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "event_id": self.event_id,
                "ringevents_conn_id": self.ringevents_conn_id,
                "condition": self.condition,
                "status": self.status,
                "offset": self.offset,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the condition is met or the deadline has passed."""
        page: str | None = None
        try:
            condition = EventCondition(self.condition, self.status, self.offset)
            wait = EventWaiter(self.event_id, condition, self.deadline, self.poll_interval, log.info)
            async with acquire_shared_client(self.ringevents_conn_id) as client:
                try:
                    await poll_until_done(wait, client)
                finally:
                    page = event_url(wait.event, client.base_url or "")
            event: dict[str, Any] = {"status": "ready", "event_id": self.event_id}
        except RingEventsError as error:
            event = {"status": "error", "event_id": self.event_id, "error": error.to_payload()}
        yield TriggerEvent({**event, "page": page} if page else event)


class RingEventsDuplicationTrigger(BaseTrigger):
    """Waits until the copy of an event appears. Waits of one organization in one triggerer share their looks.

    :param organization_id: whose list is searched.
    :param source_id: the event that is copied.
    :param key: what the copy carries in its metadata.
    :param asked_at: when the duplication was asked for, in seconds since the epoch.
    :param name: the name that was asked for, if any.
    :param time_start: the start that was asked for, ISO 8601 with an offset, if any.
    :param time_end: the end that was asked for, likewise.
    :param ringevents_conn_id: the Airflow connection.
    :param poll_interval: the longest pause between looks, in seconds.
    :param deadline: when to give up, in seconds since the epoch; None: never.
    """

    def __init__(
        self,
        organization_id: str,
        source_id: str,
        key: str,
        asked_at: float,
        name: str | None = None,
        time_start: str | None = None,
        time_end: str | None = None,
        ringevents_conn_id: str = "ringevents_default",
        poll_interval: float = defaults.POLL_INTERVAL,
        deadline: float | None = None,
    ) -> None:
        super().__init__()
        self.organization_id = organization_id
        self.source_id = source_id
        self.key = key
        self.asked_at = asked_at
        self.name = name
        self.time_start = time_start
        self.time_end = time_end
        self.ringevents_conn_id = ringevents_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as stored in the metadata database."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "organization_id": self.organization_id,
                "source_id": self.source_id,
                "key": self.key,
                "asked_at": self.asked_at,
                "name": self.name,
                "time_start": self.time_start,
                "time_end": self.time_end,
                "ringevents_conn_id": self.ringevents_conn_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the copy is there or the deadline has passed."""
        try:
            event: dict[str, Any] = {"status": "ready", "event_id": await self._copy()}
        except RingEventsError as error:
            event = {"status": "error", "event_id": self.source_id, "error": error.to_payload()}
        yield TriggerEvent(event)

    async def _copy(self) -> str:
        wanted = ExpectedEvent(
            self.key,
            name=self.name,
            time_start=self.time_start,
            time_end=self.time_end,
            source_id=self.source_id,
        )
        wait = DuplicationWaiter(wanted, self.asked_at, self.deadline, self.poll_interval, log.info)
        async with acquire_shared_client(self.ringevents_conn_id) as client:
            while True:
                pause = wait.pause()
                await clock.async_sleep(pause)
                try:
                    # Half a pause old is fresh enough: what matters is that waits of one organization meet.
                    listing = partial(client.events, self.organization_id, clock.monotonic() - pause / 2)
                    events = await client.in_time(listing, self.deadline)
                except RingEventsError as error:
                    wait.failed(error)
                else:
                    if found := wait.looked(events):
                        return found
