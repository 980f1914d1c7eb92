"""Invite the people in a file: a magic link for each, and a file of results for the tool that mails them.

The file is a CSV in object storage, such as the export of a CRM. The DAG first makes a dry run, which sends nothing and
writes what would happen to each row; then it creates the links. People who have a link keep it, so a repeated run only
invites those who are new. Rows that fail are in a file of their own, in the form of the source.

It needs one Airflow connection of type ``ringevents``. Start it from the form, or from the command line::

    airflow dags trigger example_ringevents_invite_from_file --conf '{"ticket_id": "...", "source": "s3://crm/guests.csv"}'

Whoever has a magic link can enter: the links are in the file of results alone, so keep it where few can read it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_ringevents.transfers.object_storage_to_magic_links import (
    RingEventsObjectStorageToMagicLinksOperator,
)

# [START howto_columns]
COLUMNS = {
    "email": "E-Mail",
    "firstName": "First name",
    "lastName": "Last name",
    "metadata.crm_id": "Contact ID",
    "extraFields.Company": "Company",
}
# [END howto_columns]

with DAG(
    "example_ringevents_invite_from_file",
    description="A file of people into magic links, with a file of results",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["example", "ringevents", "magic links"],
    doc_md=__doc__,
    params={
        "ticket_id": Param(type="string", minLength=1, title="Ticket", description="Id of the ticket."),
        "source": Param(
            type="string",
            pattern=r"\.csv(\.gz)?$",
            title="Source",
            description="A CSV in object storage, such as s3://my_aws_connection@my-bucket/guests.csv.",
        ),
        "destination": Param(
            "file:///tmp/ringevents",
            type="string",
            pattern="[^/]$",
            title="Destination",
            description="A folder in object storage for the results, such as s3://my_aws_connection@my-bucket/links,"
            " without a slash at the end.",
        ),
        "ringevents_conn_id": Param("ringevents_default", type="string", minLength=1, title="Connection"),
    },
) as dag:
    # [START howto_dry_run]
    preview = RingEventsObjectStorageToMagicLinksOperator(
        task_id="preview",
        ticket_id="{{ params.ticket_id }}",
        source="{{ params.source }}",
        columns=COLUMNS,
        results="{{ params.destination }}/preview.csv",
        dry_run=True,
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
    )
    # [END howto_dry_run]
    # [START howto_object_storage_to_magic_links]
    invite = RingEventsObjectStorageToMagicLinksOperator(
        task_id="invite",
        ticket_id="{{ params.ticket_id }}",
        source="{{ params.source }}",
        columns=COLUMNS,
        results="{{ params.destination }}/links.csv",
        failed_rows="{{ params.destination }}/failed.csv",
        # Rows without an address, say, are listed in the results, and do not keep the others waiting.
        on_invalid="skip",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        # A retry finds the links that exist, and creates the others.
        retries=3,
        retry_delay=timedelta(minutes=2),
    )
    # [END howto_object_storage_to_magic_links]
    preview >> invite
