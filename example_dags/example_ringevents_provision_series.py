"""Provision a series of webinars from rows.

The rows of a spreadsheet become events made from one template: a mapped task for each row. Each row's id is the
idempotency key of its event, so that neither a retry nor a second run with the same rows creates a second event. A run
with more rows creates only the new ones.

It needs one Airflow connection of type ``ringevents``, with ``organization_id`` in its extra or as a param. The rows
are a param here; in your own DAG, ``read_rows`` reads your sheet, table or file. The DAG does not publish the events:
someone should review them first.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Param, get_current_context, task

from airflow_provider_ringevents.operators.events import RingEventsCreateEventFromTemplateOperator
from airflow_provider_ringevents.operators.literals import literal_arguments

_ROW = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1} for name in ("id", "name", "starts", "ends")},
    "required": ["id", "name", "starts", "ends"],
    "additionalProperties": False,
}


# [START howto_rows_to_events]
@task
def read_rows() -> list[dict[str, Any]]:
    """Return the arguments of one event for each row."""
    params = get_current_context()["params"]
    rows = params["rows"]
    repeated = [row_id for row_id, count in Counter(row["id"] for row in rows).items() if count > 1]
    if repeated:
        raise AirflowFailException(f"rows: {', '.join(repeated)} is the id of several rows")
    return [
        {
            "name": row["name"],
            # Times without an offset are local in the timezone.
            "time_start": row["starts"],
            "time_end": row["ends"],
            "organization_id": params["organization_id"],
            # The prefix distinguishes row 7 of this sheet from row 7 of another one.
            "idempotency_key": f"{params['series']}/{row['id']}",
        }
        for row in rows
    ]


# [END howto_rows_to_events]


@task(multiple_outputs=False)  # Airflow 3.0 accepts no slash in the keys of several XComs
def ids_by_row(arguments: list[dict[str, Any]], events: list[dict[str, Any]]) -> dict[str, str]:
    """Return the event id of each idempotency key, to be written back to the sheet."""
    return {row["idempotency_key"]: event["id"] for row, event in zip(arguments, events, strict=True)}


with DAG(
    "example_ringevents_provision_series",
    description="A series of events from rows, each created once",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # Two runs at once could create the same row's event at the same moment.
    max_active_runs=1,
    tags=["example", "ringevents", "provisioning"],
    doc_md=__doc__,
    params={
        "template_id": Param(type="string", minLength=1, title="Template", description="Id of the template."),
        "organization_id": Param(
            None, type=["null", "string"], title="Organization", description="Default: the connection's."
        ),
        "series": Param("webinars-2027", type="string", minLength=1, title="Series", description="Names the sheet."),
        "timezone": Param(
            "Europe/Berlin", type="string", minLength=1, title="Time zone", description="In which the rows' times are."
        ),
        "rows": Param(
            [
                {"id": "1", "name": "Getting started", "starts": "2027-03-02T17:00", "ends": "2027-03-02T18:00"},
                {"id": "2", "name": "Going further", "starts": "2027-03-30T17:00", "ends": "2027-03-30T18:00"},
                {"id": "3", "name": "Ask us anything", "starts": "2027-04-27T17:00", "ends": "2027-04-27T18:00"},
            ],
            type="array",
            items=_ROW,
            title="Rows",
        ),
        "ringevents_conn_id": Param("ringevents_default", type="string", minLength=1, title="Connection"),
    },
) as dag:
    rows = read_rows()
    # [START howto_create_event_from_template_mapped]
    create_event = RingEventsCreateEventFromTemplateOperator.partial(
        task_id="create_event",
        template_id="{{ params.template_id }}",
        timezone="{{ params.timezone }}",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        retries=3,
        retry_delay=timedelta(minutes=2),
        # Names the mapped tasks in the UI.
        map_index_template="{{ task.name }}",
        # The number of events that are created at the same time.
        max_active_tis_per_dag=4,
        # The rows are data: without literal_arguments Airflow would render Jinja in a name.
    ).expand_kwargs(rows.map(literal_arguments))
    # [END howto_create_event_from_template_mapped]
    ids_by_row(rows, create_event.output)
