"""Export the reports of an event two hours after it has ended.

The DAG waits in the triggerer until two hours after the event's end, however often the end is moved meanwhile, and then
exports several reports: a mapped task for each, a file for each at ``<destination>/<event id>/<report type>.csv``.

It needs one Airflow connection of type ``ringevents``. Start it when the event has been created, by hand or from the
DAG that creates events; it may wait for months.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_ringevents.sensors.events import RingEventsEventSensor
from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

with DAG(
    "example_ringevents_post_event",
    description="Reports of an event, two hours after its end",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "ringevents", "report"],
    doc_md=__doc__,
    params={
        "event_id": Param(type="string", minLength=1, title="Event", description="Id of the event."),
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
    # [START howto_event_sensor_ended]
    wait_for_end = RingEventsEventSensor(
        task_id="wait_for_end",
        event_id="{{ params.event_id }}",
        condition="ended",
        offset=timedelta(hours=2),
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        deferrable=True,
        # Airflow's default is a week, and events are created long before.
        timeout=timedelta(days=365).total_seconds(),
    )
    # [END howto_event_sensor_ended]

    # [START howto_post_event_exports]
    export_reports = RingEventsReportToObjectStorageOperator.partial(
        task_id="export_report",
        event_id="{{ params.event_id }}",
        destination="{{ params.destination }}/{{ params.event_id }}/{{ task.report_type }}.csv",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        deferrable=True,
        retries=3,
        retry_delay=timedelta(minutes=2),
        map_index_template="{{ task.report_type }}",
    ).expand(report_type=["registrations", "attendees", "noShows"])
    # [END howto_post_event_exports]

    wait_for_end >> export_reports
