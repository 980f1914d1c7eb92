"""Yesterday's registrations of every event, from Parquet files in object storage into one table of DuckDB.

Each morning the DAG lists the organization's events, exports the registrations that were created in the run's data
interval as ``<destination>/<day>/<event id>.parquet``, and merges these files into the table ``registrations`` by
``id``, in one transaction. A repeated run replaces its rows and adds none.

It needs one Airflow connection of type ``ringevents``, with ``organization_id`` in its extra or as a param, and on the
worker the package ``duckdb`` and this provider's extra ``parquet``. For another database, replace the last task.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

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


# [START howto_merge_into_duckdb]
@task
def merge_into_duckdb(exports: Iterable[dict[str, Any]]) -> int:
    """Merge the exported files into the table, and return the number of its rows."""
    import duckdb
    import pyarrow.parquet as pq
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    from airflow_provider_ringevents.exports.ddl import create_table

    params = get_current_context()["params"]
    # The URI of an export names no connection, so the file is opened below the destination, which may name one.
    folder = ObjectStoragePath(params["destination"])
    with duckdb.connect(params["database"]) as database:
        database.execute(create_table("registrations", "duckdb"))
        database.begin()
        for export in exports:
            day, name = export["uri"].split("/")[-2:]
            with (folder / day / name).open("rb") as file:
                database.register("exported", pq.read_table(file))
            database.execute("INSERT OR REPLACE INTO registrations BY NAME SELECT * FROM exported")
        database.commit()
        (rows,) = database.execute("SELECT count(*) FROM registrations").fetchone()
    return rows


# [END howto_merge_into_duckdb]

with DAG(
    "example_ringevents_registrations_to_duckdb",
    description="New registrations of every event, merged into a table of DuckDB",
    # A plain cron schedule has no data intervals on Airflow 3.
    schedule=CronDataIntervalTimetable("0 6 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # A file of DuckDB has one writer.
    max_active_runs=1,
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
        "database": Param(
            "/tmp/ringevents.duckdb",  # noqa: S108
            type="string",
            minLength=1,
            title="Database",
            description="A file on the worker.",
        ),
        "ringevents_conn_id": Param("ringevents_default", type="string", minLength=1, title="Connection"),
    },
) as dag:
    export = RingEventsCollectionToObjectStorageOperator.partial(
        task_id="export_registrations",
        collection="registrations",
        window_field="createdAt",
        # Needs a data interval: on Airflow 3 a run by hand has one only if a logical date was given.
        destination="{{ params.destination }}/{{ data_interval_start | ds }}/{{ task.parent_id }}.parquet",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        retries=3,
        retry_delay=timedelta(minutes=2),
        map_index_template="{{ task.parent_id }}",
        max_active_tis_per_dag=4,
    ).expand(parent_id=list_events())
    merge_into_duckdb(export.output)
