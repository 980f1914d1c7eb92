"""Waits for reports in the triggerer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.polling.waiter import ReportWaiter
from airflow_provider_ringevents.triggers._client_registry import acquire_shared_client, poll_until_done

# One for all waits: a trigger's own is nine objects more for each of thousands.
log = logging.getLogger(__name__)


class RingEventsReportTrigger(BaseTrigger):
    """Waits until a report is ready; only reads, and carries nothing but ids and numbers.

    Its one event holds ``status`` (``ready`` or ``error``) and ``report_id``; an error says itself under ``error`` in
    plain values.

    :param report_id: which report.
    :param ringevents_conn_id: the Airflow connection.
    :param poll_interval: the longest pause between polls, in seconds.
    :param deadline: when to give up, in seconds since the epoch; None: never.
    :param visible_from: seconds since the epoch until which a 404 means that the report is not visible yet; None: a
        404 is an error like any other.
    """

    def __init__(
        self,
        report_id: str,
        ringevents_conn_id: str = "ringevents_default",
        poll_interval: float = defaults.POLL_INTERVAL,
        deadline: float | None = None,
        visible_from: float | None = None,
    ) -> None:
        super().__init__()
        self.report_id = report_id
        self.ringevents_conn_id = ringevents_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.visible_from = visible_from

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as stored in the metadata database."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "report_id": self.report_id,
                "ringevents_conn_id": self.ringevents_conn_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "visible_from": self.visible_from,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the report is ready, has failed, or the deadline has passed."""
        try:
            wait = ReportWaiter(self.report_id, self.deadline, self.poll_interval, self.visible_from, log.info)
            async with acquire_shared_client(self.ringevents_conn_id) as client:
                await poll_until_done(wait, client)
            event: dict[str, Any] = {"status": "ready", "report_id": self.report_id}
        except RingEventsError as error:
            event = {"status": "error", "report_id": self.report_id, "error": error.to_payload()}
        yield TriggerEvent(event)
