"""Export reports of every event that has just ended.

Each morning the DAG lists the organization's events, keeps those that ended in the 24 hours before, and exports several
reports of each: one mapped task for each event and report type, a file for each at
``<destination>/<event id>/<report type>.csv``. A morning without such an event skips the export.

It needs one Airflow connection of type ``ringevents``, with ``organization_id`` in its extra or as a param. For another
window, start it by hand with ``ended_from`` and ``ended_before``.

Only ids are in XCom, no names and no e-mail addresses.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Param, conf, get_current_context, task

from airflow_provider_ringevents.client.types import REPORT_TYPES
from airflow_provider_ringevents.operators.literals import literal_arguments
from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator


def _window(params: dict[str, Any], run_at: datetime) -> tuple[datetime, datetime]:
    """Return the half-open window of the params, or the 24 hours before the run's time."""
    from airflow_provider_ringevents.client.validation.datetimes import to_utc

    until = to_utc("ended_before", params["ended_before"] or run_at, None)
    since = to_utc("ended_from", params["ended_from"] or until - timedelta(days=1), None)
    if since >= until:
        raise AirflowFailException(f"ended_from: {since} is not before ended_before, {until}")
    return since, until


# [START howto_list_ended_events]
@task
def list_exports() -> list[dict[str, str]]:
    """Return one pair of event id and report type for each export."""
    from airflow_provider_ringevents.client.validation.datetimes import parse_timestamp
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    context = get_current_context()
    params = context["params"]
    # A manual run of Airflow 3 may have no data interval.
    since, until = _window(params, context.get("data_interval_end") or context["dag_run"].run_after)
    with RingEventsHook(params["ringevents_conn_id"]) as hook:
        ended = []
        for event in hook.list_events(params["organization_id"]):
            # An end without an offset is local in the event's time zone.
            end = parse_timestamp(event.get("timeEnd"), event.get("timezone"))
            if end is not None and since <= end < until:
                ended.append(event["id"])
    report_types = list(dict.fromkeys(params["report_types"]))

    wanted = len(ended) * len(report_types)
    limit = conf.getint("core", "max_map_length")
    if wanted > limit:
        raise AirflowFailException(
            f"{len(ended)} events ended between {since} and {until}; with {len(report_types)} report types each that"
            f" makes {wanted} exports, and [core] max_map_length lets Airflow map {limit} at most. Choose a shorter"
            " window (ended_from, ended_before) or fewer report_types, or raise the limit."
        )
    return [{"event_id": event_id, "report_type": report_type} for event_id in ended for report_type in report_types]


# [END howto_list_ended_events]

with DAG(
    "example_ringevents_report_export_mapped",
    description="Reports of all events that ended in a window into object storage",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    # Limits the tasks that create or download reports. Deferred tasks do not count here; for max_active_tis_per_dag
    # they do from Airflow 3.2 on.
    max_active_tasks=4,
    tags=["example", "ringevents", "report"],
    doc_md=__doc__,
    params={
        "organization_id": Param(
            None, type=["null", "string"], title="Organization", description="Default: the connection's."
        ),
        "ended_from": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Ended from",
            description="Start of the window. Default: 24 hours before its end.",
        ),
        "ended_before": Param(
            None,
            type=["null", "string"],
            format="date-time",
            title="Ended before",
            description="End of the window, itself outside. Default: the time that the run is for.",
        ),
        "report_types": Param(
            ["registrations", "attendees"],
            type="array",
            items={"type": "string", "enum": list(REPORT_TYPES)},
            minItems=1,
            examples=list(REPORT_TYPES),
            title="Reports",
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
    # [START howto_report_to_object_storage_mapped]
    RingEventsReportToObjectStorageOperator.partial(
        task_id="export_report",
        destination="{{ params.destination }}/{{ task.event_id }}/{{ task.report_type }}.csv",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        deferrable=True,
        retries=3,
        retry_delay=timedelta(minutes=2),
        # Names the mapped tasks in the UI.
        map_index_template="{{ task.event_id }} {{ task.report_type }}",
    ).expand_kwargs(list_exports().map(literal_arguments))
    # [END howto_report_to_object_storage_mapped]
