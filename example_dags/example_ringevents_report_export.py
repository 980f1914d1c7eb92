"""Export one report of an event into object storage.

The DAG creates a report in RingCentral Events, waits in the triggerer until it is ready (no worker slot is held), and
publishes the file: whole and verified, or not at all. A run that is repeated replaces the file.

It needs one Airflow connection of type ``ringevents``. Start it from the form, or from the command line::

    airflow dags trigger example_ringevents_report_export --conf '{"event_id": "..."}'

To have the report every morning, give ``event_id`` a default and the DAG a ``schedule``. Where the event is another one
each day, see ``example_ringevents_report_export_mapped``, which finds the events itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_ringevents.client.types import REPORT_TYPES
from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

with DAG(
    "example_ringevents_report_export",
    description="One report of an event into object storage",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "ringevents", "report"],
    doc_md=__doc__,
    params={
        "event_id": Param(type="string", minLength=1, title="Event", description="Id of the event."),
        "report_type": Param("registrations", type="string", enum=list(REPORT_TYPES), title="Report"),
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
    # [START howto_report_to_object_storage]
    export_report = RingEventsReportToObjectStorageOperator(
        task_id="export_report",
        event_id="{{ params.event_id }}",
        report_type="{{ params.report_type }}",
        destination="{{ params.destination }}/{{ params.report_type }}-{{ params.event_id }}.csv",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        deferrable=True,
        # A retry resumes the report that an earlier try created.
        retries=3,
        retry_delay=timedelta(minutes=2),
    )
    # [END howto_report_to_object_storage]
