"""Each argument that takes a list, from the output of a mapped task: Airflow hands over a lazy sequence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, get_current_context, task, task_group
from airflow_harness.versions import HAS_STATE_STORE

from airflow_provider_ringevents.operators.data_subscriptions import RingEventsCreateDataSubscriptionOperator
from airflow_provider_ringevents.operators.events import (
    RingEventsCreateEventFromTemplateOperator,
    RingEventsDuplicateEventOperator,
)
from airflow_provider_ringevents.operators.magic_links import RingEventsCreateMagicLinkOperator
from airflow_provider_ringevents.operators.registrations import RingEventsCreateRegistrationOperator
from airflow_provider_ringevents.transfers.collection_to_object_storage import (
    RingEventsCollectionToObjectStorageOperator,
)
from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

with DAG("lazy", schedule=None, start_date=datetime(2026, 1, 1)) as dag:

    @task
    def param(name: str) -> Any:
        return get_current_context()["params"][name]

    @task
    def same(value: Any) -> Any:
        return value

    @task_group
    def group(value: Any) -> Any:
        return same.override(task_id="inner")(value)

    def mapped(name: str) -> Any:
        return same.override(task_id=f"each_of_{name}").expand(value=param.override(task_id=f"param_{name}")(name))

    emails, seats, interests = mapped("emails"), mapped("seats"), mapped("interests")
    events = mapped("events")

    RingEventsCollectionToObjectStorageOperator(
        task_id="filter",
        collection="registrations",
        parent_id="{{ params.event_id }}",
        filter={"email": {"in": emails}},
        destination="{{ params.folder }}/filter.jsonl",
    )
    if HAS_STATE_STORE:
        RingEventsCollectionToObjectStorageOperator(
            task_id="filter_and_watermark",
            collection="registrations",
            parent_id="{{ params.event_id }}",
            filter={"email": {"in": emails}},
            window_field="createdAt",
            watermark=True,
            outlets=[Asset("file:///tmp/lazy")],
            destination="{{ params.folder }}/watermark.jsonl",
        )
    RingEventsCollectionToObjectStorageOperator(
        task_id="window",
        collection="registrations",
        parent_id="{{ params.event_id }}",
        window_field="createdAt",
        window=mapped("window"),
        destination="{{ params.folder }}/window.jsonl",
    )
    RingEventsCollectionToObjectStorageOperator(
        task_id="parent_ids",
        collection="tickets",
        parent_ids=events,
        destination="{{ params.folder }}/{parent_id}.jsonl",
    )
    RingEventsCollectionToObjectStorageOperator(
        task_id="parents_of_a_map",
        collection="tickets",
        parent_ids=param.override(task_id="param_of_a_map")("events").map(lambda event: f"{event}"),
        destination="{{ params.folder }}/map/{parent_id}.jsonl",
    )
    RingEventsCollectionToObjectStorageOperator(
        task_id="filter_of_a_map",
        collection="registrations",
        parent_id="{{ params.event_id }}",
        # Of a whole list this would be its first five items.
        filter={"email": {"in": mapped("short_of_a_map").map(lambda text: text[:5]).map(lambda text: f"{text}@x.org")}},
        destination="{{ params.folder }}/filter_of_a_map.jsonl",
    )
    for many in ("one", "two"):
        RingEventsCollectionToObjectStorageOperator(
            task_id=f"parents_of_{many}_expansion",
            collection="tickets",
            parent_ids=group.override(group_id=many).expand(
                value=param.override(task_id=f"{many}_of_a_group")(f"{many}_of_a_group")
            ),
            destination=f"{{{{ params.folder }}}}/{many}/{{parent_id}}.jsonl",
        )
    RingEventsReportToObjectStorageOperator(
        task_id="required_columns",
        event_id="{{ params.event_id }}",
        report_type="registrations",
        required_columns=mapped("columns"),
        destination="{{ params.folder }}/report.csv",
        deferrable=False,
    )
    RingEventsCreateDataSubscriptionOperator(
        task_id="signals",
        event_id="{{ params.event_id }}",
        configuration={"url": "https://example.org", "expiresAt": "2027-06-01T00:00:00Z"},
        signals=mapped("signals"),
    )
    RingEventsCreateEventFromTemplateOperator(
        task_id="metadata",
        template_id="{{ params.template_id }}",
        name="Lazy",
        time_start="2027-05-01T09:00",
        time_end="2027-05-01T10:00",
        timezone="Europe/Berlin",
        attributes={"metadata": {"seats": seats}},
    )
    RingEventsDuplicateEventOperator(
        task_id="metadata_of_a_copy",
        event_id="{{ params.event_id }}",
        attributes={"metadata": {"seats": seats}},
        deferrable=False,
    )
    RingEventsCreateMagicLinkOperator(
        task_id="attendees", ticket_id="{{ params.ticket_id }}", attendees=mapped("attendees")
    )
    RingEventsCreateRegistrationOperator(
        task_id="answers",
        event_id="{{ params.event_id }}",
        ticket_id="{{ params.ticket_id }}",
        email="ada@example.org",
        first_name="Ada",
        last_name="Lovelace",
        answers={"What brings you here?": interests},
    )
