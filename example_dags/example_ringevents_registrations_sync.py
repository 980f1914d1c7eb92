"""Export registrations as soon as they arrive or change. Needs Airflow 3.

A watcher in the triggerer polls every minute for new and changed registrations of an event. When there are some, a run
starts and writes them into object storage, as gzipped JSON Lines. Without changes nothing runs. Load the files with an
upsert by ``id``: a registration that changes twice is in two of them, and windows overlap by up to a second.

It needs one Airflow connection of type ``ringevents``, and the id of your event in ``EVENT_ID`` below or in the
environment variable ``RINGEVENTS_EVENT_ID``. To start it by hand, give ``start`` and ``end``.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, Asset, AssetWatcher, Param, task

from airflow_provider_ringevents.transfers.collection_to_object_storage import (
    RingEventsCollectionToObjectStorageOperator,
)
from airflow_provider_ringevents.triggers.registrations import RingEventsRegistrationsTrigger

EVENT_ID = os.environ.get("RINGEVENTS_EVENT_ID", "the-id-of-your-event")

# [START howto_registrations_watcher]
registrations = Asset(
    f"ringevents_registrations_{EVENT_ID}",
    watchers=[
        AssetWatcher(name="registrations", trigger=RingEventsRegistrationsTrigger(EVENT_ID, poll_interval=60)),
    ],
)
# [END howto_registrations_watcher]

_TIME = {"type": ["null", "string"], "format": "date-time"}

with DAG(
    "example_ringevents_registrations_sync",
    description="Registrations that are new or have changed, into object storage",
    schedule=[registrations],
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # One run at a time: a later file never holds older rows than an earlier one.
    max_active_runs=1,
    tags=["example", "ringevents", "registrations"],
    doc_md=__doc__,
    params={
        "destination": Param(
            "file:///tmp/ringevents",
            type="string",
            pattern="[^/]$",
            title="Destination",
            description="A folder in object storage, such as s3://my_aws_connection@my-bucket/ringevents, without a"
            " slash at the end.",
        ),
        "start": Param(None, **_TIME, title="Start", description="Runs by hand only: changes from this time on ..."),
        "end": Param(None, **_TIME, title="End", description="... and before this one."),
    },
) as dag:
    # [START howto_changed_window]
    @task(multiple_outputs=True)
    def changed_window(triggering_asset_events: Any = None, params: Any = None) -> dict[str, str]:
        """Return the earliest start and the latest end of all events that started the run."""
        asset_events = [event for events in triggering_asset_events.values() for event in events]
        changes = [event.extra["payload"] for event in asset_events if "payload" in event.extra]
        if changes:
            return {"start": min(each["from"] for each in changes), "end": max(each["to"] for each in changes)}
        if params["start"] and params["end"]:
            return {"start": params["start"], "end": params["end"]}
        raise AirflowFailException("no watcher has started this run: give it start and end")

    window = changed_window()

    RingEventsCollectionToObjectStorageOperator(
        task_id="export_changes",
        collection="registrations",
        parent_id=EVENT_ID,
        window_field="updatedAt",
        window=(window["start"], window["end"]),
        destination="{{ params.destination }}/registrations-{parent_id}/{{ dag_run.run_after | ts_nodash }}.jsonl.gz",
        retries=3,
        retry_delay=timedelta(minutes=2),
    )
    # [END howto_changed_window]
