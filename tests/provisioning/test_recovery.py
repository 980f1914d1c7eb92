"""What a task does after a request whose fate it does not know, and after a try that it does not remember."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from airflow_harness import HAS_STATE_STORE, WorkerKilled
from outcomes import failed, succeeded

from airflow_provider_ringevents.operators import _event_creation
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY
from airflow_provider_ringevents.provisioning.idempotent_create import LOOKUP_DELAYS
from airflow_provider_ringevents.provisioning.request_journal import RequestJournal
from provisioning.fault_matrix import dying
from provisioning.harness import KINDS, Harness

LIST = {"method": "GET", "path": "/events$"}
every_kind = pytest.mark.parametrize("kind", KINDS)
needs_store = pytest.mark.skipif(not HAS_STATE_STORE, reason="nothing is remembered before Airflow 3.3")


@pytest.fixture
def _forgetful() -> Iterator[None]:
    """No task state store, as before Airflow 3.3."""
    with patch.object(_event_creation, "task_state_store", lambda context: None):
        yield


# --- pauses


@every_kind
@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "status", "status": 500}], ids=["cut", "500"])
def test_after_a_cut_or_500_four_looks_and_one_more_post(harness: Harness, kind: str, fault: dict[str, object]) -> None:
    harness.emulator.fault(method="POST", **fault)
    succeeded(harness.run(kind).to_end())
    assert harness.posts() == 2
    assert tuple(harness.clock.pauses[:4]) == LOOKUP_DELAYS


@every_kind
def test_no_more_than_two_posts_in_one_try(harness: Harness, kind: str) -> None:
    harness.emulator.fault("reset", method="POST", times=None)
    run = harness.run(kind, retries=1)
    assert run.attempt().state == "up_for_retry"
    assert harness.posts() == 2
    assert run.attempt().state == "failed"
    assert harness.posts() == 4
    assert harness.made() == []


@every_kind
@pytest.mark.parametrize(
    "fault",
    [{"kind": "hang"}, {"kind": "status", "status": 504}, {"kind": "status", "status": 408}],
    ids=["read timeout", "504", "408"],
)
def test_where_the_service_may_be_at_work_still_looks_go_on_until_the_settle_timeout(
    harness: Harness, kind: str, fault: dict[str, object]
) -> None:
    harness.emulator.fault(method="POST", **fault)
    succeeded(harness.run(kind, settle_timeout=300).to_end())
    assert harness.posts() == 2
    looks = harness.clock.pauses[: harness.clock.pauses.index(30.0) + 9]
    assert looks == [2, 5, 10, 20, *[30.0] * 8, 23.0]
    assert sum(looks) == 300


@every_kind
def test_a_short_settle_timeout_makes_short_looks(harness: Harness, kind: str) -> None:
    harness.emulator.fault("reset", method="POST")
    succeeded(harness.run(kind, settle_timeout=4).to_end())
    assert harness.clock.pauses[:2] == [2.0, 2.0]


@every_kind
@needs_store
def test_the_next_try_goes_on_looking_after_a_timeout(harness: Harness, kind: str) -> None:
    """The worker dies while it looks; the service, slow and not broken, shows the event eight minutes later."""
    harness.emulator.settings.change(visible_seconds=480.0)
    harness.emulator.fault("applied_then_hang", method="POST")
    run = harness.run(kind)
    with dying("while looking"):
        run.attempt()
    harness.later(60)
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


@every_kind
@needs_store
def test_a_killed_try_is_looked_for_as_if_it_had_been_cut_just_now(harness: Harness, kind: str) -> None:
    """Nothing says how long the request was on its way before the worker died."""
    harness.emulator.settings.change(visible_seconds=90.0)
    run = harness.run(kind)
    with dying("after the POST"):
        run.attempt()
    harness.later(60)
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


@every_kind
@needs_store
def test_a_try_that_was_killed_long_ago_costs_one_look(harness: Harness, kind: str) -> None:
    run = harness.run(kind)
    with dying("before the POST"):
        run.attempt()
    harness.later(3600)
    looks = len(harness.clock.pauses)
    succeeded(run.to_end())
    assert harness.clock.pauses[looks] == 0.0
    assert not {2.0, 5.0, 10.0} & set(harness.clock.pauses[looks:])


@every_kind
@pytest.mark.usefixtures("_forgetful")
def test_a_later_try_without_memory_looks_for_a_while_before_it_posts(harness: Harness, kind: str) -> None:
    run = harness.run(kind)
    with dying("before posting"):
        run.attempt()
    succeeded(run.to_end())
    assert tuple(harness.clock.pauses[1:5]) == LOOKUP_DELAYS
    assert harness.posts() == 1


@every_kind
@pytest.mark.usefixtures("_forgetful")
def test_a_later_try_without_memory_finds_what_the_first_has_made(harness: Harness, kind: str) -> None:
    harness.emulator.settings.change(visible_seconds=15.0)
    run = harness.run(kind)
    with dying("before accepted"):
        run.attempt()
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


# --- nothing is sent blindly


@every_kind
def test_nothing_is_sent_again_when_looking_has_failed(harness: Harness, kind: str) -> None:
    run = harness.run(kind)
    if kind == "duplicate":
        harness.emulator.state.organizations[1].visible = False  # so that no list is read before the request is sent
    harness.emulator.fault("applied_then_cut", method="POST")
    outage = harness.emulator.fault("status", status=503, times=None, **LIST)
    assert run.attempt().state == "up_for_retry"
    assert "may have been created, and looking it up failed" in str(run.result.exception)
    assert harness.posts() == 1
    harness.emulator.faults.remove(outage)
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


@every_kind
def test_nothing_is_sent_when_the_key_cannot_be_looked_for(harness: Harness, kind: str) -> None:
    harness.emulator.fault("status", status=503, times=None, **LIST)
    run = harness.run(kind, retries=1, idempotency_key="row-1")
    assert run.to_end().state == "failed"
    assert harness.posts() == 0


@every_kind
def test_a_look_that_is_refused_ends_the_task(harness: Harness, kind: str) -> None:
    if kind == "duplicate":
        harness.emulator.state.organizations[1].visible = False
    harness.emulator.fault("applied_then_cut", method="POST")
    harness.emulator.fault("status", status=403, times=None, **LIST)
    failed(harness.run(kind).to_end(), "403")
    assert harness.posts() == 1


def test_a_copy_is_not_asked_for_that_could_not_be_found_again(harness: Harness) -> None:
    """The source is in an organization whose list the key may not read."""
    source = next(event for event in harness.emulator.state.events.values() if event.organization.number == 1)
    source.organization.visible = False
    foreign = harness.emulator.state.organizations[2]
    foreign.visible = True
    harness.emulator.fault("delay", path="/v1/organizations$", seconds=0.0)
    failed(harness.run("duplicate", event_id=source.id).to_end(), "`organization_id` must be", foreign.id)
    assert harness.posts() == 0


@every_kind
@needs_store
def test_a_refusal_does_not_make_the_task_forget_an_earlier_request(harness: Harness, kind: str) -> None:
    """The first request was applied, though nobody sees it yet; the second one is refused for good."""
    harness.emulator.settings.change(visible_seconds=120.0)
    harness.emulator.fault("applied_then_cut", method="POST")
    harness.emulator.fault("status", method="POST", status=403)
    run = harness.run(kind)
    failed(run.to_end(), "403")
    harness.later(60)
    run.clear()
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 2
    assert len(harness.made()) == 1


# --- after the service took it


@every_kind
@needs_store
def test_after_it_was_accepted_nothing_is_posted_again(harness: Harness, kind: str) -> None:
    """Not even when the list shows nothing of it, and whatever else fails."""
    harness.emulator.settings.change(visible_seconds=7200.0)
    run = harness.run(kind)
    with dying("after accepted"):
        run.attempt()
    event = harness.made()[0]
    if kind == "duplicate":
        event.visible_at = event.listed_at
    for _ in range(2):
        with patch.object(RequestJournal, "load", _killed_after(RequestJournal.load)):
            run.attempt()
        harness.later(1800)
    harness.later(7200)
    assert succeeded(run.to_end())["id"] == event.id
    assert harness.posts() == 1


def _killed_after(load: object) -> object:
    def killed(journal: RequestJournal) -> object:
        assert load(journal)["state"] == "accepted"  # type: ignore[operator]
        raise WorkerKilled

    return killed


@every_kind
@needs_store
def test_a_remembered_event_that_is_gone_is_a_clear_error(harness: Harness, kind: str) -> None:
    run = harness.run(kind)
    event_id = succeeded(run.to_end())["id"]
    harness.emulator.state.delete_event(event_id)
    harness.later(3600)
    run.clear()
    failed(run.to_end(), f"belongs to event {event_id}", "no longer exists", "another key")
    assert harness.posts() == 1


@pytest.mark.parametrize("kind", ["create", "template"])
@needs_store
def test_a_remembered_event_that_cannot_be_seen_yet_is_waited_for(harness: Harness, kind: str) -> None:
    run = harness.run(kind)
    with dying("after accepted"):
        run.attempt()
    harness.emulator.fault("status", method="GET", path="/v1/events/", status=404, times=3)
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


@pytest.mark.parametrize("kind", ["create", "template"])
@pytest.mark.parametrize("body", ["", "{}", '{"data": null}'], ids=["empty", "no data", "null"])
def test_a_success_without_the_event_is_a_success_and_the_event_is_found(
    harness: Harness, kind: str, body: str
) -> None:
    harness.emulator.fault("applied_then_status", method="POST", status=201, body=body)
    assert succeeded(harness.run(kind).to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


def test_a_success_whose_event_never_shows_is_tried_again_without_a_post(harness: Harness) -> None:
    if not HAS_STATE_STORE:
        pytest.skip("nothing is remembered before Airflow 3.3")
    harness.emulator.settings.change(visible_seconds=100.0)
    harness.emulator.fault("applied_then_status", method="POST", status=201, body="")
    run = harness.run("template")
    assert run.attempt().state == "up_for_retry"
    assert "its list does not show the event" in str(run.result.exception)
    harness.later(30)
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


@pytest.mark.parametrize("what", ["job", "source"])
def test_what_a_duplication_answers_is_not_taken_for_the_copy(harness: Harness, what: str) -> None:
    told = "job-1" if what == "job" else harness.emulator.event_id
    body = f'{{"data": {{"id": "{told}", "type": "event", "attributes": {{"name": "Data Hour"}}}}}}'
    harness.emulator.fault("applied_then_status", method="POST", status=202, body=body)
    assert succeeded(harness.run("duplicate").to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


# --- a service that does not keep the mark


def test_a_template_s_mark_that_is_not_kept_is_said_in_the_log(harness: Harness) -> None:
    harness.emulator.settings.change(echo_metadata=False)
    result = harness.run("template").to_end()
    succeeded(result)
    assert "idempotency is degraded" in result.log_text


@pytest.mark.parametrize("deferrable", [True, False])
@pytest.mark.parametrize("name", ["Data Hour", None])
def test_a_copy_without_its_mark_is_found_by_name_and_times(
    harness: Harness, deferrable: bool, name: str | None
) -> None:
    harness.emulator.settings.change(echo_metadata=False)
    result = harness.run("duplicate", name=name, deferrable=deferrable).to_end()
    assert succeeded(result)["id"] == harness.made()[0].id
    assert "idempotency is degraded" in result.log_text
    assert harness.posts() == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_two_copies_without_a_mark_fail_and_are_named(harness: Harness, deferrable: bool) -> None:
    harness.emulator.settings.change(echo_metadata=False)
    other = harness.emulator.state.duplicate(
        harness.emulator.state.events[harness.emulator.event_id],
        {"name": "Data Hour", "timeStart": "2027-03-01T09:00:00Z", "timeEnd": "2027-03-01T10:30:00Z"},
    )
    result = harness.run("duplicate", deferrable=deferrable).to_end()
    failed(result, "several events have the requested attributes", other.id, *(event.id for event in harness.made()))


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_copy_that_somebody_else_made_meanwhile_is_not_taken_at_once(harness: Harness, deferrable: bool) -> None:
    """It looks the same and has no mark; ours comes a little later, and has."""
    harness.emulator.settings.change(duplicate_seconds=0.0)
    theirs = harness.emulator.state.duplicate(
        harness.emulator.state.events[harness.emulator.event_id],
        {"name": "Data Hour", "timeStart": "2027-03-01T09:00:00Z", "timeEnd": "2027-03-01T10:30:00Z"},
    )
    harness.emulator.settings.change(duplicate_seconds=20.0)
    event = succeeded(harness.run("duplicate", deferrable=deferrable).to_end())
    assert event["id"] != theirs.id
    assert event["metadata"][MARKER_METADATA_KEY]


@every_kind
@pytest.mark.parametrize("kill", [None, "after the POST"])
def test_without_marks_a_lost_answer_does_not_make_a_second_event(
    harness: Harness, kind: str, kill: str | None
) -> None:
    harness.emulator.settings.change(echo_metadata=False)
    run = harness.run(kind)
    if kill is None:
        harness.emulator.fault("applied_then_cut", method="POST")
    elif HAS_STATE_STORE:
        with dying(kill):
            run.attempt()
    else:
        pytest.skip("nothing is remembered before Airflow 3.3")
    result = run.to_end()
    assert succeeded(result)["id"] == harness.made()[0].id
    assert harness.posts() == 1
    if kind != "create":  # whose mark is its slug
        assert "Idempotency is degraded" in result.log_text


@pytest.mark.parametrize("kind", ["template", "duplicate"])
def test_an_event_with_somebody_else_s_mark_is_not_taken(harness: Harness, kind: str) -> None:
    """Mapped siblings: the same name and times, made in the same minute."""
    first, second = harness.mapped(kind, [{"name": "Data Hour"}] * 2)
    succeeded(first.to_end())
    harness.emulator.fault("reset", method="POST")
    succeeded(second.to_end())
    assert len(harness.made()) == 2


@pytest.mark.parametrize("kind", ["template", "duplicate"])
@pytest.mark.parametrize(
    "changes",
    [{"name": "Data Day"}, {"start": 0}, {"created": 0}, {"metadata": {MARKER_METADATA_KEY: "row-9"}}],
    ids=["another name", "another time", "older", "another mark"],
)
def test_an_event_that_is_not_what_was_asked_is_not_taken_either(
    harness: Harness, kind: str, changes: dict[str, object]
) -> None:
    other = harness.emulator.state.create_event(
        harness.emulator.state.organizations[0],
        {"name": "Data Hour", "timezone": "Europe/Berlin", "timeStart": "2027-03-01T09:00:00Z"}
        | {"timeEnd": "2027-03-01T10:30:00Z"},
    )
    for field, value in changes.items():
        setattr(other, field, value)
    harness.emulator.fault("reset", method="POST")
    assert succeeded(harness.run(kind).to_end())["id"] != other.id
    assert harness.posts() == 2
