"""Creating tickets."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from airflow_harness import Run
from outcomes import refused, run_of, succeeded

from airflow_provider_ringevents.operators.gathered_arguments import InvalidArgumentError
from airflow_provider_ringevents.operators.tickets import RingEventsCreateTicketOperator

POST = {"method": "POST"}


@pytest.fixture
def event(emulator: Any) -> Any:
    return next(event for event in emulator.state.events.values() if event.name == "Unfinished Draft")


def task(emulator: Any, event: Any, **arguments: Any) -> Run:
    return run_of(RingEventsCreateTicketOperator, emulator, **{"event_id": event.id, **arguments})


def made(event: Any) -> list[Any]:
    """The tickets that were made through the API."""
    return [ticket for ticket in event.tickets.values() if ticket.name == "VIP"]


def test_a_ticket_is_made_as_asked(emulator: Any, event: Any) -> None:
    more = {"description": "Front row", "private": True}
    ticket = succeeded(task(emulator, event, name="VIP", price=99.5, count=20, attributes=more).to_end())
    (there,) = made(event)
    assert ticket["id"] == there.id
    assert (there.price, there.count, there.private, there.description) == (99.5, 20, True, "Front row")


def test_numbers_that_a_template_has_made_text_of_are_numbers_again(emulator: Any, event: Any) -> None:
    arguments = {
        "name": "{{ 'VIP' }}",
        "price": "{{ 99.5 }}",
        "count": "{{ 10 * 2 }}",
        "event_id": f"{{{{ '{event.id}' }}}}",
    }
    succeeded(task(emulator, event, **arguments).to_end())
    (there,) = made(event)
    assert (there.price, there.count) == (99.5, 20)


@pytest.mark.parametrize("rendered", [False, True], ids=["literal", "rendered"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"price": "cheap"}, "`price` must be a finite number, got 'cheap'"),
        ({"price": "nan"}, "`price` must be a finite number"),
        ({"price": "1_000"}, "`price` must be a finite number, got '1_000'"),
        ({"price": "\u0661"}, "`price` must be a finite number"),
        ({"count": "1_0"}, "`count` must be an integer"),
        ({"count": "2.5"}, "`count` must be an integer, got 2.5"),
        ({"event_id": " "}, "`event_id` must be an id"),
    ],
)
def test_bad_input(emulator: Any, event: Any, arguments: dict[str, str], words: str, rendered: bool) -> None:
    if rendered:
        arguments = {name: f"{{{{ '{value}' }}}}" for name, value in arguments.items()}
        assert words in refused(task(emulator, event, retries=2, **arguments).to_end())
        assert emulator.count() == 0
    else:
        with pytest.raises(ValueError, match=words.replace(".", r"\.")):
            task(emulator, event, **arguments)


def test_all_problems_at_once(emulator: Any, event: Any) -> None:
    with pytest.raises(ValueError, match="nothing was sent") as caught:
        task(emulator, event, price="cheap", count="many", attributes={"privat": True, "description": 5})
    for words in (
        "`price` must be",
        "`count` must be",
        "`privat` must be a documented attribute. Did you mean private",
        "`description` must be",
    ):
        assert words in str(caught.value)


def test_an_attribute_given_twice(emulator: Any, event: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        task(emulator, event, name="VIP", count=1, attributes={"name": "VIP", "count": 1})
    assert [problem.parameter for problem in caught.value.problems] == ["attributes['count']", "attributes['name']"]


def test_what_other_tasks_give_is_checked_when_the_task_runs(emulator: Any, event: Any) -> None:
    def make() -> Any:
        given = BaseOperator(task_id="row")
        return RingEventsCreateTicketOperator(
            task_id="ticket", event_id=event.id, name="VIP", price=given.output, attributes=given.output
        )

    run = Run(
        make,
        task_id="ticket",
        connections={"ringevents_default": emulator.connection()},
        xcoms={"row": {"descripton": "x"}},
    )
    said = refused(run.to_end())
    assert "`price` must be a finite number" in said
    assert "`descripton` must be a documented attribute. Did you mean description" in said
    with DAG("dag", schedule=None):
        make()


def test_a_request_that_may_have_been_applied_is_not_sent_again_in_the_same_try(emulator: Any, event: Any) -> None:
    """At least once: only the task's own retries may make a second one, as the documentation says."""
    emulator.fault("applied_then_cut", **POST)
    run = task(emulator, event, name="VIP", retries=1)
    assert run.attempt().state == "up_for_retry"
    assert emulator.count("POST") == 1
    assert "may have been applied" in str(run.result.exception)
    succeeded(run.to_end())
    assert len(made(event)) == 2


def test_an_event_that_is_not_there(emulator: Any, event: Any) -> None:
    assert "404" in refused(task(emulator, event, event_id="elsewhere", retries=2).to_end())
