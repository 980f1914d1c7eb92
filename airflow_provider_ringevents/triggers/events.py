"""The triggers that wait for an event and for the copy of an event."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.validation.datetimes import to_utc
from airflow_provider_ringevents.client.validation.numbers import check_number
from airflow_provider_ringevents.observability.links import event_url
from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
from airflow_provider_ringevents.polling.events import EventCondition, EventWaiter
from airflow_provider_ringevents.polling.waiter import async_wait_until_done
from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent, validate_idempotency_key
from airflow_provider_ringevents.triggers._arguments import check_id, check_time, check_wait
from airflow_provider_ringevents.triggers._client_registry import acquire_shared_client
from airflow_provider_ringevents.triggers._payload import serialize_trigger

log = logging.getLogger(__name__)


class RingEventsEventTrigger(BaseTrigger):
    """A trigger that fires once an event meets a condition, or does not in time.

    It only reads. Its arguments are ids, words and numbers. The payload of its only event has ``status``
    (``ready`` or ``error``), ``event_id``, the URL of the event's page under ``page`` if the event was read, and, after
    an error, the error in plain values under ``error``.

    :param event_id: the event.
    :param ringevents_conn_id: the Airflow connection.
    :param condition: ``exists``, ``published``, ``status``, ``started`` or ``ended``.
    :param status: the status word for ``status``.
    :param offset: seconds after (or, negative, before) the start or the end.
    :param poll_interval: the longest delay between polls while no start or end is known, in seconds.
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
        """Return the class path and the arguments that the metadata database stores."""
        return serialize_trigger(self)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the condition is met or the deadline has passed."""
        page: str | None = None
        try:
            check_id("event_id", self.event_id)
            check_wait(self.ringevents_conn_id, self.poll_interval, self.deadline)
            longest = defaults.MAX_DURATION
            check_number("offset", self.offset, unit="seconds", minimum=-longest, maximum=longest)
            condition = EventCondition(self.condition, self.status, self.offset)
            waiter = EventWaiter(self.event_id, condition, self.deadline, self.poll_interval, log.info)
            async with acquire_shared_client(self.ringevents_conn_id) as client:
                try:
                    await async_wait_until_done(waiter, client)
                finally:
                    page = event_url(waiter.event, client.base_url)
            event: dict[str, Any] = {"status": "ready", "event_id": self.event_id}
        except RingEventsError as error:
            event = {"status": "error", "event_id": self.event_id, "error": error.to_payload()}
        yield TriggerEvent({**event, "page": page} if page else event)


class RingEventsDuplicationTrigger(BaseTrigger):
    """A trigger that fires once the copy of an event is listed. Waits of one organization share their listings.

    :param organization_id: the organization whose events are listed.
    :param source_id: the event that is copied.
    :param key: the idempotency key that the copy carries in its metadata.
    :param requested_at: when the duplication was requested, in seconds since the epoch.
    :param name: the requested name, if any.
    :param time_start: the requested start, ISO 8601 with an offset, if any.
    :param time_end: the requested end, likewise.
    :param ringevents_conn_id: the Airflow connection.
    :param poll_interval: the longest delay between listings, in seconds.
    :param deadline: when to give up, in seconds since the epoch; None: never.
    """

    def __init__(
        self,
        organization_id: str,
        source_id: str,
        key: str,
        requested_at: float,
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
        self.requested_at = requested_at
        self.name = name
        self.time_start = time_start
        self.time_end = time_end
        self.ringevents_conn_id = ringevents_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that the metadata database stores."""
        return serialize_trigger(self)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the copy is listed or the deadline has passed."""
        try:
            event: dict[str, Any] = {"status": "ready", "event_id": await self._wait_for_copy()}
        except RingEventsError as error:
            event = {"status": "error", "event_id": self.source_id, "error": error.to_payload()}
        yield TriggerEvent(event)

    def _check_arguments(self) -> None:
        check_id("organization_id", self.organization_id)
        check_id("source_id", self.source_id)
        validate_idempotency_key(self.key)
        check_time("requested_at", self.requested_at, required=True)
        for parameter, time in (("time_start", self.time_start), ("time_end", self.time_end)):
            if time is not None:
                to_utc(parameter, time, None)
        check_wait(self.ringevents_conn_id, self.poll_interval, self.deadline)

    async def _wait_for_copy(self) -> str:
        self._check_arguments()
        expected = ExpectedEvent(
            self.key,
            name=self.name,
            time_start=self.time_start,
            time_end=self.time_end,
            source_id=self.source_id,
        )
        waiter = DuplicationWaiter(
            self.organization_id, expected, self.requested_at, self.deadline, self.poll_interval, log.info
        )
        async with acquire_shared_client(self.ringevents_conn_id) as client:
            await async_wait_until_done(waiter, client)
        return waiter.copy_id
