"""Yesterday's new registrations of every event, as a file for each event and day.

Each morning the DAG lists the organization's events and exports, for each event, the registrations that were created
in the run's data interval, to ``<destination>/<day>/<event id>.csv.gz``. The days have no gap and no overlap, and a
repeated run writes the same rows, since the time of creation does not change.

It needs one Airflow connection of type ``ringevents``, with ``organization_id`` in its extra or as a param.

Only ids are in XCom: a whole list of events would fill the metadata database.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param, get_current_context, task
from airflow.timetables.interval import CronDataIntervalTimetable

from airflow_provider_ringevents.transfers.collection_to_object_storage import (
    RingEventsCollectionToObjectStorageOperator,
)


@task
def list_events() -> list[str]:
    """Return the ids of the organization's events."""
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    params = get_current_context()["params"]
    with RingEventsHook(params["ringevents_conn_id"]) as hook:
        return [event["id"] for event in hook.list_events(params["organization_id"])]


with DAG(
    "example_ringevents_registrations_daily",
    description="New registrations of every event into object storage, a file for each event and day",
    # A plain cron schedule has no data intervals on Airflow 3.
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "ringevents", "registrations"],
    doc_md=__doc__,
    params={
        "organization_id": Param(
            None, type=["null", "string"], title="Organization", description="Default: the connection's."
        ),
        "destination": Param(
            "file:///tmp/ringevents",
            type="string",
            pattern="[^/]$",
            title="Destination",
            description="A folder in object storage, such as s3://my_aws_connection@my-bucket/ringevents, without a"
            " slash at the end.",
        ),
        "ringevents_conn_id": Param("ringevents_default", type="string", minLength=1, title="Connection"),
    },
) as dag:
    # [START howto_collection_to_object_storage]
    RingEventsCollectionToObjectStorageOperator.partial(
        task_id="export_registrations",
        collection="registrations",
        window_field="createdAt",
        # Needs a data interval: on Airflow 3 a run by hand has one only if a logical date was given.
        destination="{{ params.destination }}/{{ data_interval_start | ds }}/{{ task.parent_id }}.csv.gz",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        retries=3,
        retry_delay=timedelta(minutes=2),
        # Names the mapped tasks in the UI.
        map_index_template="{{ task.parent_id }}",
        # Each task reads up to four pages at a time, so this limits the load of the API.
        max_active_tis_per_dag=4,
    ).expand(parent_id=list_events())
    # [END howto_collection_to_object_storage]
