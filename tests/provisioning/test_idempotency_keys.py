"""What makes two requests the same one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from airflow_harness import Run
from outcomes import failed, succeeded

from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY
from provisioning.harness import KINDS, OPERATORS, Harness

EVENTS = "/v1/organizations/*/events"
every_kind = pytest.mark.parametrize("kind", KINDS)
with_metadata = pytest.mark.parametrize("kind", ["template", "duplicate"])


@pytest.mark.parametrize("kind", ["create", "template"])
def test_a_clean_first_try_sends_one_post_and_nothing_else(harness: Harness, kind: str) -> None:
    succeeded(harness.run(kind).to_end())
    assert [request.split(" ")[0] for request in harness.requests()] == ["POST"]


def test_a_clean_first_copy_is_one_post_and_looks(harness: Harness) -> None:
    succeeded(harness.run("duplicate").to_end())
    assert harness.posts() == 1
    assert {request for request in harness.requests() if not request.startswith("POST")} == {
        "GET /v1/organizations",
        f"GET /v1/organizations/{harness.emulator.organization_id}/events",
        f"GET /v1/events/{harness.made()[0].id}",
    }


@every_kind
def test_mapped_tasks_with_the_same_name_and_times_are_events_of_their_own(harness: Harness, kind: str) -> None:
    runs = harness.mapped(kind, [{"name": "Data Hour"}] * 3)
    ids = {succeeded(run.to_end())["id"] for run in runs}
    assert ids == {event.id for event in harness.made()}
    assert len(ids) == 3


@every_kind
def test_a_given_key_is_looked_for_before_anything_is_sent(harness: Harness, kind: str) -> None:
    succeeded(harness.run(kind, idempotency_key="row-1").to_end())
    methods = [request.split(" ")[0] for request in harness.requests()]
    assert methods.index("POST") > 0
    assert harness.emulator.count("GET", EVENTS) >= 1


@every_kind
def test_a_given_key_holds_across_runs_and_dags(harness: Harness, kind: str) -> None:
    first = succeeded(harness.run(kind, idempotency_key="row-1").to_end())
    harness.later(60)
    again = harness.run(kind, day=2, idempotency_key="row-1").to_end()
    assert succeeded(again)["id"] == first["id"]
    assert "it is adopted" in again.log_text
    arguments = harness.arguments(kind, idempotency_key="row-1")
    connections = {"ringevents_default": harness.connection()}
    elsewhere = Run(lambda: OPERATORS[kind](**arguments), dag_id="another_dag", connections=connections)
    assert succeeded(elsewhere.to_end())["id"] == first["id"]
    assert harness.posts() == 1


@pytest.mark.parametrize("kind", ["template", "duplicate"])
@pytest.mark.parametrize("publish", [True, False])
def test_a_draft_that_is_adopted_is_not_published(harness: Harness, kind: str, publish: bool) -> None:
    succeeded(harness.run(kind, idempotency_key="row-1").to_end())
    harness.later(60)
    again = harness.run(kind, day=2, idempotency_key="row-1", attributes={"auto_publish": publish}).to_end()
    succeeded(again)
    assert ("is a draft. `auto_publish` takes effect only when" in again.log_text) is publish


@every_kind
def test_without_a_key_another_run_makes_another_event(harness: Harness, kind: str) -> None:
    ids = {succeeded(harness.run(kind, day=day).to_end())["id"] for day in (1, 2)}
    assert len(ids) == harness.posts() == 2


@every_kind
@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"name": "Data Day"}, "its name is 'Data Hour', not 'Data Day'"),
        ({"time_start": "2027-03-01T10:30:00"}, "its timeStart is 2027-03-01T09:00:00Z, not 2027-03-01T09:30:00Z"),
        ({"time_end": "2027-03-01T12:30:00"}, "its timeEnd is 2027-03-01T10:30:00Z, not 2027-03-01T11:30:00Z"),
    ],
    ids=["name", "start", "end"],
)
def test_a_key_of_an_event_with_another_name_or_time_fails_and_names_the_event(
    harness: Harness, kind: str, other: dict[str, str], named: str
) -> None:
    first = succeeded(harness.run(kind, idempotency_key="row-1").to_end())
    harness.later(60)
    failed(
        harness.run(kind, day=2, idempotency_key="row-1", **other).to_end(),
        "`idempotency_key` must be unused",
        f"Event {first['id']} uses it already",
        named,
    )
    assert harness.posts() == 1


@every_kind
def test_times_are_compared_as_instants(harness: Harness, kind: str) -> None:
    harness.emulator.settings.change(naive_event_times=True)
    first = succeeded(harness.run(kind, idempotency_key="row-1").to_end())
    assert first["timeStart"] == "2027-03-01T10:00:00"  # in the event's own zone, without an offset
    harness.later(60)
    same = {"time_start": "2027-03-01T04:00:00-05:00", "time_end": "2027-03-01T10:30:00Z"}
    assert succeeded(harness.run(kind, day=2, idempotency_key="row-1", **same).to_end())["id"] == first["id"]


def test_what_was_not_asked_of_a_copy_does_not_matter(harness: Harness) -> None:
    asked = {"name": None, "time_start": None, "time_end": None, "timezone": None, "idempotency_key": "row-1"}
    first = succeeded(harness.run("duplicate", **asked).to_end())
    harness.made()[0].name = "Renamed by somebody"
    harness.later(60)
    assert succeeded(harness.run("duplicate", day=2, **asked).to_end())["id"] == first["id"]


def test_white_space_that_the_service_tidies_is_no_other_name(harness: Harness) -> None:
    first = succeeded(harness.run("template", name="  Cafe\u0301  evening ", idempotency_key="row-1").to_end())
    harness.made()[0].name = "Caf\u00e9 evening"
    harness.later(60)
    again = harness.run("template", day=2, name="  Cafe\u0301  evening ", idempotency_key="row-1")
    assert succeeded(again.to_end())["id"] == first["id"]


def test_a_key_is_found_again_although_the_slug_would_read_otherwise(harness: Harness) -> None:
    """The name is part of the slug; the key is not lost when the row's name is corrected."""
    first = succeeded(harness.run("create", name="Dataa Hour", idempotency_key="row-1").to_end())
    harness.made()[0].name = "Data Hour"  # corrected in the web application, as in the spreadsheet
    harness.later(60)
    assert succeeded(harness.run("create", day=2, idempotency_key="row-1").to_end())["id"] == first["id"]
    assert harness.posts() == 1


def test_a_key_is_found_again_although_the_service_has_made_the_slug_longer(harness: Harness) -> None:
    first = succeeded(harness.run("create", idempotency_key="row-1").to_end())
    harness.made()[0].slug += "-2"
    harness.later(60)
    assert succeeded(harness.run("create", day=2, idempotency_key="row-1").to_end())["id"] == first["id"]


def test_one_key_in_two_organizations_is_two_events(harness: Harness) -> None:
    first, second = (owner.id for owner in harness.emulator.state.visible_organizations())
    for organization_id in (first, second):
        succeeded(harness.run("create", organization_id=organization_id, idempotency_key="row-1").to_end())
    assert [event.organization.id for event in harness.made()] == [first, second]


@with_metadata
def test_several_events_with_one_key_fail_and_are_named(harness: Harness, kind: str) -> None:
    first = succeeded(harness.run(kind, idempotency_key="row-1").to_end())
    second = succeeded(harness.run(kind, idempotency_key="row-2", day=2).to_end())
    harness.emulator.state.events[second["id"]].metadata[MARKER_METADATA_KEY] = "row-1"
    harness.later(60)
    result = harness.run(kind, day=3, idempotency_key="row-1").to_end()
    failed(result, "`idempotency_key` must be the key of one event, got 'row-1'", first["id"], second["id"])
    assert harness.posts() == 2


@with_metadata
def test_of_several_events_with_one_key_the_remembered_one_wins(harness: Harness, kind: str) -> None:
    run = harness.run(kind, idempotency_key="row-1")
    first = succeeded(run.to_end())
    if not run.result.store:
        pytest.skip("nothing is remembered before Airflow 3.3")
    other = succeeded(harness.run(kind, idempotency_key="row-2", day=2).to_end())
    harness.emulator.state.events[other["id"]].metadata[MARKER_METADATA_KEY] = "row-1"
    run.clear()
    assert succeeded(run.to_end())["id"] == first["id"]


@pytest.mark.parametrize("keeps", [True, False], ids=["metadata kept", "metadata not kept"])
@pytest.mark.parametrize("deferrable", [True, False])
def test_the_source_of_a_copy_is_never_its_copy(harness: Harness, keeps: bool, deferrable: bool) -> None:
    """Also where the source was itself provisioned, with the same name, times and key."""
    harness.emulator.settings.change(copy_keeps_metadata=keeps)
    source = succeeded(harness.run("template", idempotency_key="row-1").to_end())
    copies = [
        succeeded(harness.run("duplicate", event_id=source["id"], deferrable=deferrable, **more).to_end())["id"]
        for more in ({"idempotency_key": "row-1"}, {"day": 2}, {"day": 3, "name": None})
    ]
    assert [event.id for event in harness.made()] == [source["id"], *copies]


def test_the_user_s_metadata_is_merged_with_the_mark(harness: Harness) -> None:
    metadata = {"campaign": "spring", "nested": {"a": 1}}
    for kind in ("template", "duplicate"):
        event = succeeded(harness.run(kind, idempotency_key=f"row-{kind}", attributes={"metadata": metadata}).to_end())
        assert event["metadata"].items() >= {**metadata, MARKER_METADATA_KEY: f"row-{kind}"}.items()


# --- slugs


def test_the_slug_of_a_plain_event_can_be_read_and_is_the_key_s_own(harness: Harness) -> None:
    names = ["Größe & Zukunft: die Zahlen für 2027, und was wir daraus für die nächsten Jahre lernen", "夜会"]
    slugs = [succeeded(harness.run("create", name=name, day=day).to_end())["slug"] for day, name in enumerate(names, 1)]
    assert re.fullmatch(r"groe-zukunft-die-zahlen-fur-2027-und-was-wir-da[a-z-]*-[0-9a-f]{12}", slugs[0]), slugs
    assert re.fullmatch(r"event-[0-9a-f]{12}", slugs[1]), slugs


def test_the_user_s_own_slug_is_sent_as_it_is(harness: Harness) -> None:
    event = succeeded(harness.run("create", attributes={"slug": "data-hour-2027"}).to_end())
    assert event["slug"] == "data-hour-2027"


def test_an_empty_slug_counts_as_none(harness: Harness) -> None:
    assert re.fullmatch(
        r"data-hour-[0-9a-f]{12}", succeeded(harness.run("create", attributes={"slug": ""}).to_end())["slug"]
    )


def test_a_slug_that_is_taken_by_the_same_event_is_looked_up(harness: Harness) -> None:
    """No key, the first try, nothing remembered: only the service's 422 tells that the event is there."""
    slug = {"slug": "data-hour-2027"}
    first = succeeded(harness.run("create", attributes=slug).to_end())
    again = harness.run("create", day=2, attributes=slug).to_end()
    assert succeeded(again)["id"] == first["id"]
    assert len(harness.made()) == 1


def test_a_slug_that_is_taken_by_another_event_fails_and_names_it(harness: Harness) -> None:
    first = succeeded(harness.run("create", attributes={"slug": "data-hour"}).to_end())
    result = harness.run("create", day=2, name="Another Hour", attributes={"slug": "Data-Hour"})
    harness.emulator.fault(
        "status",
        method="POST",
        status=422,
        body='{"errors": [{"code": "invalid", "detail": "is taken", "source": {"pointer": "/data/attributes/slug"}}]}',
    )
    failed(
        result.to_end(),
        "`slug` must be unused",
        "'Data-Hour'",
        f"Event {first['id']} uses it already",
        "'Another Hour'",
    )


def test_a_slug_that_nobody_seems_to_have_is_the_service_s_refusal(harness: Harness) -> None:
    taken = '{"errors": [{"code": "invalid", "detail": "bad slug", "source": {"parameter": "slug"}}]}'
    harness.emulator.fault("status", method="POST", status=422, body=taken)
    failed(harness.run("create", attributes={"slug": "data-hour"}).to_end(), "422", "bad slug")
    assert harness.posts() == 1
    assert harness.looks() > 1


# --- keys that cannot be


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "x" * 129, 7])
def test_what_cannot_be_a_key_is_refused_at_parse_time(harness: Harness, key: Any) -> None:
    with pytest.raises(ValueError, match="`idempotency_key` must be a printable string of 1 to 128 characters"):
        OPERATORS["template"](**harness.arguments("template", idempotency_key=key))


def test_a_rendered_key_is_checked_when_the_task_runs(harness: Harness) -> None:
    failed(harness.run("template", idempotency_key="{{ '' }}").to_end(), "`idempotency_key` must be a printable string")
    assert harness.requests() == []


def test_a_rendered_key_is_a_given_key(harness: Harness) -> None:
    event = succeeded(harness.run("template", idempotency_key="row-{{ 1 + 1 }}").to_end())
    assert event["metadata"] == {MARKER_METADATA_KEY: "row-2"}
    assert harness.looks() == 1
