"""The trigger that waits for a report."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.waiter import async_wait_until_done
from airflow_provider_ringevents.triggers._arguments import check_id, check_time, check_wait
from airflow_provider_ringevents.triggers._client_registry import acquire_shared_client
from airflow_provider_ringevents.triggers._payload import serialize_trigger

log = logging.getLogger(__name__)


class RingEventsReportTrigger(BaseTrigger):
    """A trigger that fires once a report is ready, has failed or was not ready in time.

    It only reads. Its arguments are ids and numbers. The payload of its only event has ``status`` (``ready`` or
    ``error``), ``report_id`` and, after an error, the error in plain values under ``error``.

    :param report_id: the report.
    :param ringevents_conn_id: the Airflow connection.
    :param poll_interval: the longest delay between polls, in seconds.
    :param deadline: when to give up, in seconds since the epoch; None: never.
    :param not_found_until: seconds since the epoch until which a 404 means that the report is not visible yet; None: a
        404 is an error like any other.
    """

    def __init__(
        self,
        report_id: str,
        ringevents_conn_id: str = "ringevents_default",
        poll_interval: float = defaults.POLL_INTERVAL,
        deadline: float | None = None,
        not_found_until: float | None = None,
    ) -> None:
        super().__init__()
        self.report_id = report_id
        self.ringevents_conn_id = ringevents_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.not_found_until = not_found_until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the arguments that the metadata database stores."""
        return serialize_trigger(self)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Poll until the report is ready, has failed, or the deadline has passed."""
        try:
            check_id("report_id", self.report_id)
            check_wait(self.ringevents_conn_id, self.poll_interval, self.deadline)
            check_time("not_found_until", self.not_found_until)
            waiter = ReportWaiter(self.report_id, self.deadline, self.poll_interval, self.not_found_until, log.info)
            async with acquire_shared_client(self.ringevents_conn_id) as client:
                await async_wait_until_done(waiter, client)
            event: dict[str, Any] = {"status": "ready", "report_id": self.report_id}
        except RingEventsError as error:
            event = {"status": "error", "report_id": self.report_id, "error": error.to_payload()}
        yield TriggerEvent(event)
