"""The DAGs of the campaign on real processes, as users would write them.

`chaos_0` to `chaos_2`: three exports and two ways of creating an event each. `chaos_waits`: a hundred waits.
`chaos_links`: a magic link is made and exported.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_ringevents.operators.events import (
    RingEventsCreateEventFromTemplateOperator,
    RingEventsCreateEventOperator,
    RingEventsDuplicateEventOperator,
)
from airflow_provider_ringevents.operators.magic_links import RingEventsCreateMagicLinkOperator
from airflow_provider_ringevents.transfers.collection_to_object_storage import (
    RingEventsCollectionToObjectStorageOperator,
)
from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

# All that the HTTP libraries say in a worker is in the task's log, which is searched for secrets. Airflow has no
# setting for it: its levels of single loggers are not those of Python's own.
for handler in logging.root.handlers:
    handler.setLevel(logging.DEBUG)
for name in ("httpx", "httpcore"):
    logging.getLogger(name).setLevel(logging.DEBUG)

EVENT_ID = os.environ.get("CHAOS_EVENT_ID", "event")
TEMPLATE_ID = os.environ.get("CHAOS_TEMPLATE_ID", "template")
TICKET_ID = os.environ.get("CHAOS_TICKET_ID", "ticket")
LOCAL = os.environ.get("CHAOS_LOCAL", "file:///tmp/chaos")
BUCKET = "s3://store@exports"
WAITS = int(os.environ.get("CHAOS_WAITS", "100"))
WHEN = {"time_start": "2027-03-01T10:00:00", "time_end": "2027-03-01T11:30:00", "timezone": "Europe/Berlin"}
DEFAULTS: dict[str, Any] = {
    "retries": 20,
    "retry_delay": timedelta(seconds=1),
    "execution_timeout": timedelta(seconds=90),
}


def provision(kind: int) -> None:
    """One of the three ways to create an event."""
    common: dict[str, Any] = {"name": "Data Hour {{ run_id }}", **WHEN, "settle_timeout": 8.0}
    if kind == 0:
        secret = {"password": "{{ var.value.event_password }}"}
        RingEventsCreateEventOperator(task_id="create", currency="EUR", attributes=secret, **common)
    elif kind == 1:
        RingEventsCreateEventFromTemplateOperator(task_id="template", template_id=TEMPLATE_ID, **common)
    else:
        RingEventsDuplicateEventOperator(
            task_id="duplicate", event_id=EVENT_ID, deferrable=True, poll_interval=2, **common
        )


for number in range(3):
    with DAG(f"chaos_{number}", schedule=None, default_args=DEFAULTS):
        here, there = (LOCAL, BUCKET) if number % 2 else (BUCKET, LOCAL)
        for task_id, base in (("report_worker", here), ("report_deferrable", there)):
            RingEventsReportToObjectStorageOperator(
                task_id=task_id,
                event_id=EVENT_ID,
                report_type="registrations",
                destination=f"{base}/{{{{ run_id }}}}/{task_id}.csv",
                deferrable=task_id == "report_deferrable",
                poll_interval=2,
                wait_timeout=120,
            )
        RingEventsCollectionToObjectStorageOperator(
            task_id="list_worker",
            collection="registrations",
            parent_id=EVENT_ID,
            destination=f"{there}/{{{{ run_id }}}}/list_worker.jsonl",
            include_credentials=True,
        )
        provision(number)
        provision((number + 1) % 3)

with DAG("chaos_links", schedule=None, default_args=DEFAULTS):
    guest = {"email": "ada@example.org", "firstName": "Ada", "lastName": "L"}
    RingEventsCreateMagicLinkOperator(
        task_id="create", ticket_id=TICKET_ID, attendees=[guest]
    ) >> RingEventsCollectionToObjectStorageOperator(
        task_id="export",
        collection="magic_links",
        parent_id=TICKET_ID,
        destination=f"{LOCAL}/links.jsonl",
        include_credentials=True,
    )

with DAG("chaos_waits", schedule=None, default_args=DEFAULTS):
    RingEventsReportToObjectStorageOperator.partial(
        task_id="wait",
        event_id=EVENT_ID,
        report_type="registrations",
        deferrable=True,
        poll_interval=2,
        wait_timeout=600,
    ).expand(destination=[f"{LOCAL}/waits/{row}.csv" for row in range(WAITS)])
