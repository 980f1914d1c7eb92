"""What a task does after a request whose fate it does not know, and after a try that it does not remember."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from airflow_harness import HAS_STATE_STORE, WorkerKilled

from airflow_provider_ringevents.operators import _provisioning
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY
from airflow_provider_ringevents.provisioning.idempotent_create import LOOKUP_DELAYS
from airflow_provider_ringevents.provisioning.request_journal import RequestJournal
from provisioning.checks import failed, succeeded
from provisioning.matrix import dying
from provisioning.world import KINDS, World

LIST = {"method": "GET", "path": "/events$"}
every_kind = pytest.mark.parametrize("kind", KINDS)
needs_store = pytest.mark.skipif(not HAS_STATE_STORE, reason="nothing is remembered before Airflow 3.3")


@pytest.fixture
def _forgetful() -> Iterator[None]:
    """No task state store, as before Airflow 3.3."""
    with patch.object(_provisioning, "task_state_store", lambda context: None):
        yield


# --- pauses


@every_kind
@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "status", "status": 500}], ids=["cut", "500"])
def test_after_a_cut_or_500_four_looks_and_one_more_post(world: World, kind: str, fault: dict[str, object]) -> None:
    world.emulator.fault(method="POST", **fault)
    succeeded(world.run(kind).to_end())
    assert world.posts() == 2
    assert tuple(world.hours.pauses[:4]) == LOOKUP_DELAYS


@every_kind
def test_no_more_than_two_posts_in_one_try(world: World, kind: str) -> None:
    world.emulator.fault("reset", method="POST", times=None)
    run = world.run(kind, retries=1)
    assert run.attempt().state == "up_for_retry"
    assert world.posts() == 2
    assert run.attempt().state == "failed"
    assert world.posts() == 4
    assert world.made() == []


@every_kind
@pytest.mark.parametrize(
    "fault",
    [{"kind": "hang"}, {"kind": "status", "status": 504}, {"kind": "status", "status": 408}],
    ids=["read timeout", "504", "408"],
)
def test_where_the_service_may_be_at_work_still_looks_go_on_until_the_settle_timeout(
    world: World, kind: str, fault: dict[str, object]
) -> None:
    world.emulator.fault(method="POST", **fault)
    succeeded(world.run(kind, settle_timeout=300).to_end())
    assert world.posts() == 2
    looks = world.hours.pauses[: world.hours.pauses.index(30.0) + 9]
    assert looks == [2, 5, 10, 20, *[30.0] * 8, 23.0]
    assert sum(looks) == 300


@every_kind
def test_a_short_settle_timeout_makes_short_looks(world: World, kind: str) -> None:
    world.emulator.fault("reset", method="POST")
    succeeded(world.run(kind, settle_timeout=4).to_end())
    assert world.hours.pauses[:2] == [2.0, 2.0]


@every_kind
@needs_store
def test_the_next_try_goes_on_looking_after_a_timeout(world: World, kind: str) -> None:
    """The worker dies while it looks; the service, slow and not broken, shows the event eight minutes later."""
    world.emulator.settings.change(visible_seconds=480.0)
    world.emulator.fault("applied_then_hang", method="POST")
    run = world.run(kind)
    with dying("while looking"):
        run.attempt()
    world.later(60)
    assert succeeded(run.to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


@every_kind
@needs_store
def test_a_killed_try_is_looked_for_as_if_it_had_been_cut_just_now(world: World, kind: str) -> None:
    """Nothing says how long the request was on its way before the worker died."""
    world.emulator.settings.change(visible_seconds=90.0)
    run = world.run(kind)
    with dying("after the POST"):
        run.attempt()
    world.later(60)
    assert succeeded(run.to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


@every_kind
@needs_store
def test_a_try_that_was_killed_long_ago_costs_one_look(world: World, kind: str) -> None:
    run = world.run(kind)
    with dying("before the POST"):
        run.attempt()
    world.later(3600)
    looks = len(world.hours.pauses)
    succeeded(run.to_end())
    assert world.hours.pauses[looks] == 0.0
    assert not {2.0, 5.0, 10.0} & set(world.hours.pauses[looks:])


@every_kind
@pytest.mark.usefixtures("_forgetful")
def test_a_later_try_without_memory_looks_for_a_while_before_it_posts(world: World, kind: str) -> None:
    run = world.run(kind)
    with dying("before posting"):
        run.attempt()
    succeeded(run.to_end())
    assert tuple(world.hours.pauses[1:5]) == LOOKUP_DELAYS
    assert world.posts() == 1


@every_kind
@pytest.mark.usefixtures("_forgetful")
def test_a_later_try_without_memory_finds_what_the_first_has_made(world: World, kind: str) -> None:
    world.emulator.settings.change(visible_seconds=15.0)
    run = world.run(kind)
    with dying("before accepted"):
        run.attempt()
    assert succeeded(run.to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


# --- nothing is sent blindly


@every_kind
def test_nothing_is_sent_again_when_looking_has_failed(world: World, kind: str) -> None:
    run = world.run(kind)
    if kind == "duplicate":
        world.emulator.state.organizations[1].visible = False  # so that no list is read before the request is sent
    world.emulator.fault("applied_then_cut", method="POST")
    outage = world.emulator.fault("status", status=503, times=None, **LIST)
    assert run.attempt().state == "up_for_retry"
    assert "may have been created, and looking for it failed" in str(run.result.exception)
    assert world.posts() == 1
    world.emulator.faults.remove(outage)
    assert succeeded(run.to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


@every_kind
def test_nothing_is_sent_when_the_key_cannot_be_looked_for(world: World, kind: str) -> None:
    world.emulator.fault("status", status=503, times=None, **LIST)
    run = world.run(kind, retries=1, idempotency_key="row-1")
    assert run.to_end().state == "failed"
    assert world.posts() == 0


@every_kind
def test_a_look_that_is_refused_ends_the_task(world: World, kind: str) -> None:
    if kind == "duplicate":
        world.emulator.state.organizations[1].visible = False
    world.emulator.fault("applied_then_cut", method="POST")
    world.emulator.fault("status", status=403, times=None, **LIST)
    failed(world.run(kind).to_end(), "403")
    assert world.posts() == 1


def test_a_copy_is_not_asked_for_that_could_not_be_found_again(world: World) -> None:
    """The source is in an organization whose list the key may not read."""
    source = next(event for event in world.emulator.state.events.values() if event.organization.number == 1)
    source.organization.visible = False
    foreign = world.emulator.state.organizations[2]
    foreign.visible = True
    world.emulator.fault("delay", path="/v1/organizations$", seconds=0.0)
    failed(world.run("duplicate", event_id=source.id).to_end(), "organization_id: event", foreign.id)
    assert world.posts() == 0


@every_kind
@needs_store
def test_a_refusal_does_not_make_the_task_forget_an_earlier_request(world: World, kind: str) -> None:
    """The first request was applied, though nobody sees it yet; the second one is refused for good."""
    world.emulator.settings.change(visible_seconds=120.0)
    world.emulator.fault("applied_then_cut", method="POST")
    world.emulator.fault("status", method="POST", status=403)
    run = world.run(kind)
    failed(run.to_end(), "403")
    world.later(60)
    run.clear()
    assert succeeded(run.to_end())["id"] == world.made()[0].id
    assert world.posts() == 2
    assert len(world.made()) == 1


# --- after the service took it


@every_kind
@needs_store
def test_after_it_was_accepted_nothing_is_posted_again(world: World, kind: str) -> None:
    """Not even when the list shows nothing of it, and whatever else fails."""
    world.emulator.settings.change(visible_seconds=7200.0)
    run = world.run(kind)
    with dying("after accepted"):
        run.attempt()
    event = world.made()[0]
    if kind == "duplicate":
        event.appears = event.listed
    for _ in range(2):
        with patch.object(RequestJournal, "get", _killed_after(RequestJournal.get)):
            run.attempt()
        world.later(1800)
    world.later(7200)
    assert succeeded(run.to_end())["id"] == event.id
    assert world.posts() == 1


def _killed_after(get: object) -> object:
    def killed(memory: RequestJournal) -> object:
        assert get(memory)["state"] == "accepted"  # type: ignore[operator]
        raise WorkerKilled

    return killed


@every_kind
@needs_store
def test_a_remembered_event_that_is_gone_is_a_clear_error(world: World, kind: str) -> None:
    run = world.run(kind)
    event_id = succeeded(run.to_end())["id"]
    world.emulator.state.delete_event(event_id)
    world.later(3600)
    run.clear()
    failed(run.to_end(), f"stands for event {event_id}", "gone", "give another key")
    assert world.posts() == 1


@pytest.mark.parametrize("kind", ["create", "template"])
@needs_store
def test_a_remembered_event_that_cannot_be_seen_yet_is_waited_for(world: World, kind: str) -> None:
    run = world.run(kind)
    with dying("after accepted"):
        run.attempt()
    world.emulator.fault("status", method="GET", path="/v1/events/", status=404, times=3)
    assert succeeded(run.to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


@pytest.mark.parametrize("kind", ["create", "template"])
@pytest.mark.parametrize("body", ["", "{}", '{"data": null}'], ids=["empty", "no data", "null"])
def test_a_success_without_the_event_is_a_success_and_the_event_is_found(world: World, kind: str, body: str) -> None:
    world.emulator.fault("applied_then_status", method="POST", status=201, body=body)
    assert succeeded(world.run(kind).to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


def test_a_success_whose_event_never_shows_is_tried_again_without_a_post(world: World) -> None:
    if not HAS_STATE_STORE:
        pytest.skip("nothing is remembered before Airflow 3.3")
    world.emulator.settings.change(visible_seconds=100.0)
    world.emulator.fault("applied_then_status", method="POST", status=201, body="")
    run = world.run("template")
    assert run.attempt().state == "up_for_retry"
    assert "its list does not show the event" in str(run.result.exception)
    world.later(30)
    assert succeeded(run.to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


@pytest.mark.parametrize("what", ["job", "source"])
def test_what_a_duplication_answers_is_not_taken_for_the_copy(world: World, what: str) -> None:
    told = "job-1" if what == "job" else world.emulator.event_id
    body = f'{{"data": {{"id": "{told}", "type": "event", "attributes": {{"name": "Data Hour"}}}}}}'
    world.emulator.fault("applied_then_status", method="POST", status=202, body=body)
    assert succeeded(world.run("duplicate").to_end())["id"] == world.made()[0].id
    assert world.posts() == 1


# --- a service that does not keep the mark


def test_a_template_s_mark_that_is_not_kept_is_said_in_the_log(world: World) -> None:
    world.emulator.settings.change(echo_metadata=False)
    result = world.run("template").to_end()
    succeeded(result)
    assert "create-once is degraded" in result.log_text


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("name", ["Data Hour", None])
def test_a_copy_without_its_mark_is_found_by_name_and_times(world: World, deferrable: bool, name: str | None) -> None:
    world.emulator.settings.change(echo_metadata=False)
    result = world.run("duplicate", name=name, deferrable=deferrable).to_end()
    assert succeeded(result)["id"] == world.made()[0].id
    assert "create-once is degraded" in result.log_text
    assert world.posts() == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_two_copies_without_a_mark_fail_and_are_named(world: World, deferrable: bool) -> None:
    world.emulator.settings.change(echo_metadata=False)
    other = world.emulator.state.duplicate(
        world.emulator.state.events[world.emulator.event_id],
        {"name": "Data Hour", "timeStart": "2027-03-01T09:00:00Z", "timeEnd": "2027-03-01T10:30:00Z"},
    )
    result = world.run("duplicate", deferrable=deferrable).to_end()
    failed(result, "several events are what was asked", other.id, *(event.id for event in world.made()))


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_copy_that_somebody_else_made_meanwhile_is_not_taken_at_once(world: World, deferrable: bool) -> None:
    """It looks the same and has no mark; ours comes a little later, and has."""
    world.emulator.settings.change(duplicate_seconds=0.0)
    theirs = world.emulator.state.duplicate(
        world.emulator.state.events[world.emulator.event_id],
        {"name": "Data Hour", "timeStart": "2027-03-01T09:00:00Z", "timeEnd": "2027-03-01T10:30:00Z"},
    )
    world.emulator.settings.change(duplicate_seconds=20.0)
    event = succeeded(world.run("duplicate", deferrable=deferrable).to_end())
    assert event["id"] != theirs.id
    assert event["metadata"][MARKER_METADATA_KEY]


@every_kind
@pytest.mark.parametrize("kill", [None, "after the POST"])
def test_without_marks_a_lost_answer_does_not_make_a_second_event(world: World, kind: str, kill: str | None) -> None:
    world.emulator.settings.change(echo_metadata=False)
    run = world.run(kind)
    if kill is None:
        world.emulator.fault("applied_then_cut", method="POST")
    elif HAS_STATE_STORE:
        with dying(kill):
            run.attempt()
    else:
        pytest.skip("nothing is remembered before Airflow 3.3")
    result = run.to_end()
    assert succeeded(result)["id"] == world.made()[0].id
    assert world.posts() == 1
    if kind != "create":  # whose mark is its slug
        assert "Create-once is degraded" in result.log_text


@pytest.mark.parametrize("kind", ["template", "duplicate"])
def test_an_event_with_somebody_else_s_mark_is_not_taken(world: World, kind: str) -> None:
    """Mapped siblings: the same name and times, made in the same minute."""
    first, second = world.mapped(kind, [{"name": "Data Hour"}] * 2)
    succeeded(first.to_end())
    world.emulator.fault("reset", method="POST")
    succeeded(second.to_end())
    assert len(world.made()) == 2


@pytest.mark.parametrize("kind", ["template", "duplicate"])
@pytest.mark.parametrize(
    "changes",
    [{"name": "Data Day"}, {"start": 0}, {"created": 0}, {"metadata": {MARKER_METADATA_KEY: "row-9"}}],
    ids=["another name", "another time", "older", "another mark"],
)
def test_an_event_that_is_not_what_was_asked_is_not_taken_either(
    world: World, kind: str, changes: dict[str, object]
) -> None:
    other = world.emulator.state.create_event(
        world.emulator.state.organizations[0],
        {"name": "Data Hour", "timezone": "Europe/Berlin", "timeStart": "2027-03-01T09:00:00Z"}
        | {"timeEnd": "2027-03-01T10:30:00Z"},
    )
    for field, value in changes.items():
        setattr(other, field, value)
    world.emulator.fault("reset", method="POST")
    assert succeeded(world.run(kind).to_end())["id"] != other.id
    assert world.posts() == 2
