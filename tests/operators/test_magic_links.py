"""Magic links: made for whoever has none, all failures told together, and a retry finds the rest."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator
from airflow_harness import HAS_RETRY_POLICY, Result, Run
from clocks import FakeClock
from outcomes import run_of, succeeded

from airflow_provider_ringevents.operators.magic_links import (
    RingEventsCreateMagicLinkOperator,
    RingEventsDeleteMagicLinkOperator,
)

POST = {"method": "POST"}


pytestmark = pytest.mark.usefixtures("fake_clock")


@pytest.fixture
def ticket(emulator: Any) -> Any:
    """A ticket without links."""
    event = next(event for event in emulator.state.events.values() if event.name == "Unfinished Draft")
    return emulator.state.create_ticket(event, {"name": "VIP"})


def attendee(number: int, **more: Any) -> dict[str, Any]:
    return {"email": f"guest{number}@example.com", "firstName": "Guest", "lastName": str(number), **more}


def task(emulator: Any, ticket: Any, attendees: Any, **more: Any) -> Run:
    return run_of(RingEventsCreateMagicLinkOperator, emulator, ticket_id=ticket.id, attendees=attendees, **more)


def links(emulator: Any, ticket: Any) -> dict[str, str]:
    """The ids of the ticket's links, by e-mail address."""
    found = list(emulator.state.ticket_links(ticket))
    assert len({link.email.lower() for link in found}) == len(found)
    return {link.email: link.id for link in found}


def told(result: Result, state: str) -> str:
    """What the task said when it ended so."""
    assert result.state == state, result.log_text
    return str(result.exception)


def test_one_attendee(emulator: Any, ticket: Any) -> None:
    more = {"headline": "CTO", "extraFields": {"seat": "A1"}, "metadata": {"source": "crm"}}
    made = succeeded(task(emulator, ticket, attendee(1, **more)).to_end())
    assert made == [{"id": links(emulator, ticket)["guest1@example.com"]}]
    (link,) = emulator.state.ticket_links(ticket)
    assert (link.headline, link.extra_fields, link.metadata) == ("CTO", {"seat": "A1"}, {"source": "crm"})


def test_many_attendees_in_order(emulator: Any, ticket: Any) -> None:
    made = succeeded(task(emulator, ticket, [attendee(number) for number in range(30)]).to_end())
    there = links(emulator, ticket)
    assert made == [{"id": there[f"guest{number}@example.com"]} for number in range(30)]
    assert emulator.count("POST") == 30


def test_nobody_is_fine(emulator: Any, ticket: Any) -> None:
    assert succeeded(task(emulator, ticket, []).to_end()) == []
    assert emulator.count("POST") == 0


def test_who_has_a_link_is_left_alone_whichever_run_made_it_and_however_it_is_written(
    emulator: Any, ticket: Any
) -> None:
    first = succeeded(task(emulator, ticket, attendee(1, email="Guest1@Example.com")).to_end())
    again = succeeded(task(emulator, ticket, [attendee(1, email="guest1@example.COM"), attendee(2)]).to_end())
    assert again[0] == first[0]
    assert emulator.count("POST") == 2
    assert len(links(emulator, ticket)) == 2


def test_a_link_that_slips_between_two_pages_is_found(emulator: Any, ticket: Any) -> None:
    """Somebody deletes a link while the list is read: the first row of the second page is now on the first."""
    succeeded(task(emulator, ticket, [attendee(number) for number in range(150)]).to_end())
    listed = type(emulator.state).ticket_links
    calls = 0

    def slipping(state: Any, of: Any) -> list[Any]:
        nonlocal calls
        calls += 1
        found = list(listed(state, of))
        return [found[0], *found] if calls == 1 else found

    emulator.requests.clear()
    with patch.object(type(emulator.state), "ticket_links", slipping):
        result = task(emulator, ticket, attendee(99)).to_end()
    succeeded(result)
    assert "changed while it was read" in result.log_text
    assert emulator.count("POST") == 0


def test_a_link_of_another_ticket_does_not_count(emulator: Any, ticket: Any) -> None:
    other = emulator.state.create_ticket(ticket.event, {"name": "Standard"})
    succeeded(task(emulator, other, attendee(1)).to_end())
    succeeded(task(emulator, ticket, attendee(1)).to_end())
    assert len(links(emulator, ticket)) == len(links(emulator, other)) == 1


def test_links_are_in_the_result_only_when_asked_for(emulator: Any, ticket: Any) -> None:
    result = task(emulator, ticket, [attendee(1), attendee(2)]).to_end()
    succeeded(result)
    assert "secret-" not in str(result.xcoms)
    asked = task(emulator, ticket, [attendee(2), attendee(1)], include_links=True).to_end()
    assert [set(row) for row in succeeded(asked)] == [{"id", "magicLink"}] * 2
    assert all(row["magicLink"].endswith(f"secret-{row['id']}") for row in asked.xcom)


@pytest.mark.parametrize("no", [False, "False", "false", "{{ params.no }}", "{{ params.word }}", "a param of the DAG"])
def test_no_spelling_of_false_puts_links_into_xcom(emulator: Any, ticket: Any, no: Any) -> None:
    def make() -> DAG:
        with DAG("links", schedule=None, params={"no": False, "word": "False"}) as dag:
            RingEventsCreateMagicLinkOperator(
                task_id="links",
                ticket_id=ticket.id,
                attendees=attendee(1),
                include_links=dag.param("no") if no == "a param of the DAG" else no,
            )
        return dag

    run = Run(make, task_id="links", dag_id="links", connections={"ringevents_default": emulator.connection()})
    assert succeeded(run.to_end()) == [{"id": links(emulator, ticket)["guest1@example.com"]}]


@pytest.mark.parametrize("include_links", [True, False])
def test_links_are_in_no_log_and_nothing_else_that_is_kept(emulator: Any, ticket: Any, include_links: bool) -> None:
    """Made, found again, and found after a lost answer."""
    emulator.fault("applied_then_cut", skip=1, **POST)
    emulator.fault("status", status=422, skip=3, **POST)
    run = task(emulator, ticket, [attendee(number) for number in range(5)], include_links=include_links, retries=1)
    assert run.to_end().state == "failed"
    run.clear()
    result = run.to_end()
    succeeded(result)
    assert "secret-" not in result.log_text
    assert "secret-" not in str([result.rendered_fields, result.store, result.exception])
    assert emulator.api_key not in result.log_text


def test_when_one_fails_the_others_are_still_made_and_all_failures_are_told(emulator: Any, ticket: Any) -> None:
    refusal = {"status": 422, "body": '{"errors": [{"code": "invalid", "detail": "name is too long"}]}'}
    emulator.fault("status", skip=1, **refusal, **POST)
    emulator.fault("status", skip=2, **refusal, **POST)
    said = told(task(emulator, ticket, [attendee(number) for number in range(5)], retries=3).to_end(), "failed")
    assert "2 of 5 magic links" in said
    # Several requests are in flight: which of the attendees meets the fault is open.
    there = links(emulator, ticket)
    failed = [number for number in range(5) if f"guest{number}@example.com" not in there]
    assert [line for line in said.splitlines() if line.startswith("attendees[")] == [
        f"attendees[{number}]: 422: name is too long" for number in failed
    ]
    assert len(failed) == 2
    assert len(links(emulator, ticket)) == 3


def test_what_may_be_better_later_is_tried_again_and_the_retry_finds_the_rest(emulator: Any, ticket: Any) -> None:
    emulator.fault("status", status=500, skip=1, times=2, **POST)
    run = task(emulator, ticket, [attendee(number) for number in range(4)], retries=1)
    said = told(run.attempt(), "up_for_retry")
    assert "2 of 4 magic links" in said
    there = links(emulator, ticket)
    assert len(there) == 2
    made = succeeded(run.to_end())
    assert there.items() <= links(emulator, ticket).items()
    assert [row["id"] for row in made] == [links(emulator, ticket)[f"guest{number}@example.com"] for number in range(4)]


@pytest.mark.parametrize("kind", ["applied_then_cut", "applied_then_status", "truncated_json"])
def test_a_link_whose_answer_was_lost_is_found(emulator: Any, ticket: Any, kind: str) -> None:
    emulator.fault(kind, skip=1, **POST)
    run = task(emulator, ticket, [attendee(number) for number in range(3)])
    assert len(succeeded(run.to_end())) == 3
    assert emulator.count("POST") == 3
    assert len(links(emulator, ticket)) == 3


def test_many_links_whose_answers_were_lost_are_found_and_the_others_made(emulator: Any, ticket: Any) -> None:
    emulator.fault("applied_then_cut", times=23, **POST)
    run = task(emulator, ticket, [attendee(number) for number in range(30)])
    assert len(succeeded(run.to_end())) == 30
    assert emulator.count("POST") == 30
    assert len(links(emulator, ticket)) == 30


def test_a_request_that_was_lost_is_told_and_made_by_the_retry(emulator: Any, ticket: Any) -> None:
    emulator.fault("reset", skip=1, **POST)
    run = task(emulator, ticket, [attendee(number) for number in range(3)], retries=1)
    assert "1 of 3" in told(run.attempt(), "up_for_retry")
    assert len(succeeded(run.to_end())) == 3
    assert len(links(emulator, ticket)) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_at_once(emulator: Any, ticket: Any, status: int) -> None:
    emulator.fault("status", status=status, skip=1, times=None, **POST)
    result = task(emulator, ticket, [attendee(number) for number in range(30)], retries=3).to_end()
    assert str(status) in told(result, "failed")
    assert emulator.count("POST") <= 5


def test_a_rate_limit_that_does_not_end_stops_at_once_and_its_pause_is_carried_into_the_retry(
    emulator: Any, ticket: Any
) -> None:
    """Nobody is helped by a thousand attendees who are refused one after the other."""
    emulator.fault("status", status=429, headers={"Retry-After": "600"}, skip=2, times=None, **POST)
    result = task(emulator, ticket, [attendee(number) for number in range(20)], retries=1).attempt()
    said = told(result, "up_for_retry")
    assert "]: 429" in said
    assert "were not tried" in said
    # The first that is limited, and those that were in flight with it.
    assert 3 <= emulator.count("POST") <= 6
    if HAS_RETRY_POLICY:
        assert result.retry_delays == (600.0,)


def test_an_outage_stops_after_ten_failures_in_a_row(emulator: Any, ticket: Any) -> None:
    emulator.fault("status", status=503, skip=1, times=None, **POST)
    run = task(emulator, ticket, [attendee(number) for number in range(30)], retries=1)
    said = told(run.attempt(), "up_for_retry")
    assert "were not tried" in said
    # Four are in flight: three may fail before the one that succeeds, and three are under way at the tenth failure.
    assert 11 <= emulator.count("POST") <= 3 + 1 + 10 + 3
    emulator.faults.clear()
    assert len(succeeded(run.to_end())) == 30


def test_failures_that_a_retry_cannot_mend_do_not_stop_the_others(emulator: Any, ticket: Any) -> None:
    emulator.fault("status", status=422, times=15, **POST)
    said = told(task(emulator, ticket, [attendee(number) for number in range(20)]).to_end(), "failed")
    assert "15 of 20" in said
    assert len(links(emulator, ticket)) == 5


def test_a_ticket_that_is_not_there_is_said_once(emulator: Any, ticket: Any) -> None:
    ticket.id = "elsewhere"
    assert told(task(emulator, ticket, [attendee(1), attendee(2)]).to_end(), "failed").count("404") == 1
    assert emulator.count("POST") == 0


def test_progress_is_logged(emulator: Any, ticket: Any, fake_clock: FakeClock) -> None:
    for skip in range(0, 12, 3):
        emulator.fault("status", status=429, skip=skip, headers={"Retry-After": "12"}, **POST)
    result = task(emulator, ticket, [attendee(number) for number in range(12)]).to_end()
    succeeded(result)
    said = [line for line in result.log_text.splitlines() if "of 12 rows sent" in line]
    assert len(said) > 1
    assert "12 of 12 rows sent in" in said[-1]


# --- input


def test_every_problem_of_every_row_is_told_at_once() -> None:
    rows = [
        attendee(1),
        {"email": "nobody", "firstname": "Guest"},
        attendee(2, metadata={"a": 1}),
        attendee(1, email="GUEST1@example.com"),
        "guest",
    ]
    with pytest.raises(ValueError, match=r"attendees\[1\]") as caught:
        RingEventsCreateMagicLinkOperator(task_id="links", ticket_id="t", attendees=rows)
    said = str(caught.value)
    for words in (
        "attendees[1]: ",
        "`email` must be an e-mail address, got 'nobody'",
        "`firstName` must be given",
        "`lastName` must be given",
        "`firstname` must be a documented attribute. Did you mean firstName",
        "attendees[2]: ",
        "`metadata['a']` must be a string, not int",
        "`attendees[3].email` must be another address than that of attendees[0]",
        "attendees[4]: `attributes` must be an object with attributes of create_magic_link, not str",
    ):
        assert words in said, said
    assert "attendees[0]:" not in said
    assert isinstance(caught.value, AirflowFailException)


@pytest.mark.parametrize("attendees", [None, 7, {"a"}])
def test_attendees_are_a_mapping_or_a_list(attendees: Any, emulator: Any, ticket: Any) -> None:
    result = task(emulator, ticket, "{{ 'somebody' }}", retries=2).to_end()
    assert "`attendees` must be a mapping or a list of mappings, not str" in told(result, "failed")
    with pytest.raises(ValueError, match="`attendees` must be a mapping or a list of mappings"):
        RingEventsCreateMagicLinkOperator(task_id="links", ticket_id="t", attendees=attendees)


def test_what_is_known_only_at_run_time_is_left_alone_while_a_dag_is_parsed() -> None:
    with DAG("dag", schedule=None):
        other = BaseOperator(task_id="other")
        for attendees in (
            other.output,
            [other.output, attendee(1)],
            [{"email": other.output, "firstName": "{{ params.a }}", "lastName": "B"}, attendee(1)],
            [attendee(1, email="{{ params.one }}"), attendee(1, email="{{ params.one }}")],
            {"email": "{{ params.one }}", "firstName": other.output, "lastName": "B", "metadata": other.output},
        ):
            RingEventsCreateMagicLinkOperator(task_id=f"links{id(attendees)}", ticket_id="t", attendees=attendees)


@pytest.mark.parametrize("many", [True, False])
def test_attendees_of_another_task(emulator: Any, ticket: Any, many: bool) -> None:
    def make() -> Any:
        other = BaseOperator(task_id="people")
        return RingEventsCreateMagicLinkOperator(
            task_id="links", ticket_id=ticket.id, attendees=other.output if many else [other.output, attendee(2)]
        )

    people = [attendee(0), attendee(1)] if many else attendee(0)
    run = Run(
        make,
        task_id="links",
        connections={"ringevents_default": emulator.connection()},
        xcoms={"people": people},
    )
    assert len(succeeded(run.to_end())) == 2


def test_a_rendered_row_is_checked_when_the_task_runs(emulator: Any, ticket: Any) -> None:
    result = task(emulator, ticket, attendee(1, email="{{ 'nobody' }}"), retries=2).to_end()
    assert "`email` must be an e-mail address, got 'nobody'" in told(result, "failed")
    assert emulator.count() == 0


# --- deleting


def delete(emulator: Any, magic_link_id: str) -> Run:
    return Run(
        lambda: RingEventsDeleteMagicLinkOperator(task_id="delete", magic_link_id=magic_link_id),
        connections={"ringevents_default": emulator.connection()},
    )


def test_a_link_is_deleted_and_one_that_is_gone_is_fine(emulator: Any, ticket: Any) -> None:
    (made,) = succeeded(task(emulator, ticket, attendee(1)).to_end())
    for words in ("Deleted magic link", "does not exist any more"):
        result = delete(emulator, made["id"]).to_end()
        succeeded(result)
        assert words in result.log_text
        assert links(emulator, ticket) == {}


@pytest.mark.parametrize("status", [401, 403])
def test_a_link_that_may_not_be_deleted_is_an_error(emulator: Any, status: int) -> None:
    emulator.fault("status", status=status)
    assert str(status) in told(delete(emulator, "m1").to_end(), "failed")


@pytest.mark.parametrize("link", ["", " ", None, 7])
def test_a_link_needs_an_id(link: Any) -> None:
    with pytest.raises(ValueError, match="`magic_link_id` must be an id"):
        RingEventsDeleteMagicLinkOperator(task_id="delete", magic_link_id=link)


def test_a_plan_without_magic_links_is_named(emulator: Any, ticket: Any) -> None:
    emulator.settings.change(plan_has_magic_links=False)
    said = told(task(emulator, ticket, attendee(1), retries=2).to_end(), "failed")
    assert "the plan of the organization does not include magic links" in said
    assert "check the role of that user" in said
    assert "the organization's plan" in said


def test_a_key_of_a_member_is_told_of_its_role(emulator: Any, ticket: Any) -> None:
    emulator.settings.change(read_only_key=True)
    assert "members see only events assigned to them" in told(task(emulator, ticket, attendee(1)).to_end(), "failed")


def test_a_draft_is_named_by_the_service(emulator: Any, ticket: Any) -> None:
    emulator.settings.change(draft_magic_links=False)
    assert "the event is not published" in told(task(emulator, ticket, attendee(1), retries=2).to_end(), "failed")
