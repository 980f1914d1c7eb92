"""Copy an event, give the copy a ticket, and make personal links for its guests.

Last year's event is copied with a new name and new times. The copy gets a ticket, and each guest a magic link of that
ticket, which lets the guest in. The links stay with the service: only their ids are in XCom.

A retry, or clearing a task, creates no second copy and no second link. Tickets have no identity in the API, so the task
that creates one has no retries. A second run with the same ``edition`` finds the existing copy, and creates another
ticket.

The copy is a draft. By the vendor's help pages an event must be published before people can be invited by magic link,
and needs a ticket for that. Where the service insists on it, ``create_links`` fails (422): publish the copy in the
web application and clear the task. With ``publish`` the copy is published at once, for which its source needs a
ticket. Magic links also depend on the organization's plan, and the key on the role of its user (403).

It needs one Airflow connection of type ``ringevents``. The guests are a param here, and everybody who sees the
DAG can read its params: if that is too many people, let a task read the guests from their source.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_ringevents.operators.events import RingEventsDuplicateEventOperator
from airflow_provider_ringevents.operators.magic_links import RingEventsCreateMagicLinkOperator
from airflow_provider_ringevents.operators.tickets import RingEventsCreateTicketOperator

_GUESTS = [{"email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"}]
_GUEST = {
    "type": "object",
    "properties": {name: {"type": "string", "minLength": 1} for name in ("email", "firstName", "lastName")},
    "required": ["email", "firstName", "lastName"],
    "additionalProperties": False,
}

with DAG(
    "example_ringevents_duplicate_then_sell",
    description="A copy of an event, its ticket, and links for its guests",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=2)},
    tags=["example", "ringevents", "provisioning"],
    doc_md=__doc__,
    params={
        "event_id": Param(type="string", minLength=1, title="Event", description="Id of the event to copy."),
        "edition": Param(
            type="string", minLength=1, title="Edition", description="Identifies the copy: one for each edition."
        ),
        "copy_name": Param(type="string", minLength=1, title="Name of the copy"),
        "starts": Param(type="string", format="date-time", title="Start of the copy"),
        "ends": Param(type="string", format="date-time", title="End of the copy"),
        "publish": Param(
            False, type="boolean", title="Publish the copy", description="The event that is copied needs a ticket then."
        ),
        "ticket": Param("Guest", type="string", minLength=1, title="Name of the ticket"),
        "price": Param(0, type="number", minimum=0, title="Price of the ticket"),
        "guests": Param(
            _GUESTS,
            type="array",
            items=_GUEST,
            minItems=1,
            title="Guests",
        ),
        "ringevents_conn_id": Param("ringevents_default", type="string", minLength=1, title="Connection"),
    },
) as dag:
    # [START howto_duplicate_event]
    copy_event = RingEventsDuplicateEventOperator(
        task_id="copy_event",
        event_id="{{ params.event_id }}",
        name="{{ params.copy_name }}",
        time_start="{{ params.starts }}",
        time_end="{{ params.ends }}",
        attributes={"auto_publish": "{{ params.publish }}"},
        idempotency_key="edition/{{ params.edition }}",
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        deferrable=True,
    )
    # [END howto_duplicate_event]

    # [START howto_create_ticket]
    create_ticket = RingEventsCreateTicketOperator(
        task_id="create_ticket",
        event_id="{{ ti.xcom_pull('copy_event')['id'] }}",
        name="{{ params.ticket }}",
        # Jinja would turn the number into text. Airflow 3.1 cannot serialize a param without its default.
        price=dag.param("price", 0),
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
        # An interrupted try may have created the ticket, and the next one could not know.
        retries=0,
    )
    # [END howto_create_ticket]

    # [START howto_create_magic_links]
    create_links = RingEventsCreateMagicLinkOperator(
        task_id="create_links",
        ticket_id="{{ ti.xcom_pull('create_ticket')['id'] }}",
        attendees=dag.param("guests", _GUESTS),
        ringevents_conn_id="{{ params.ringevents_conn_id }}",
    )
    # [END howto_create_magic_links]

    copy_event >> create_ticket >> create_links
