"""Registering a person: once for an event, a ticket and an address, with answers that fit the questions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow_harness import Run
from clocks import FakeClock
from outcomes import refused, run_of, succeeded
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsError
from airflow_provider_ringevents.client.validation.answers import QuestionIndex
from airflow_provider_ringevents.client.validation.requests import validate_request
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.operators._registration_creation import RegistrationCreation
from airflow_provider_ringevents.operators.registrations import RingEventsCreateRegistrationOperator

POST = {"method": "POST"}
PERSON = {"email": "ada@example.org", "first_name": "Ada", "last_name": "Lovelace"}


pytestmark = pytest.mark.usefixtures("fake_clock")


@pytest.fixture
def ticket(emulator: Any) -> str:
    return next(iter(emulator.state.events[emulator.event_id].tickets))


def task(emulator: Any, ticket: str, **more: Any) -> Run:
    arguments = {"event_id": emulator.event_id, "ticket_id": ticket, **PERSON, **more}
    return run_of(RingEventsCreateRegistrationOperator, emulator, **arguments)


def registrations(emulator: Any, email: str = PERSON["email"]) -> list[dict[str, Any]]:
    book = emulator.state.events[emulator.event_id].registrations
    rows = [book.attributes(index) for index in range(250, book.size) if book.exists(index)]
    return [row for row in rows if row["email"].casefold() == email]


def test_a_person_is_registered(emulator: Any, ticket: str) -> None:
    more = {"attributes": {"metadata": {"crm": "7"}, "externalBarcode": "0042"}}
    result = task(emulator, ticket, **more).to_end()
    made = succeeded(result)
    (there,) = registrations(emulator)
    assert made["id"] == there["id"]
    assert (made["email"], made["ticketId"], made["metadata"]) == (PERSON["email"], ticket, {"crm": "7"})
    assert not {"qrCodeData", "qrCodeImageUrl"} & made.keys()
    assert PERSON["email"] not in result.log_text


def test_one_that_exists_is_returned_as_it_is_and_differences_are_logged(emulator: Any, ticket: str) -> None:
    first = succeeded(task(emulator, ticket, email="Ada@Example.org").to_end())
    emulator.requests.clear()
    again = task(emulator, ticket, first_name="Augusta", attributes={"metadata": {"crm": "7"}}).to_end()
    assert succeeded(again)["id"] == first["id"]
    assert succeeded(again)["firstName"] == "Ada"
    assert f"Registration {first['id']} differs from the request in firstName, metadata['crm']" in again.log_text
    assert "Augusta" not in again.log_text
    assert emulator.count("POST") == 0


def test_one_that_is_refunded_is_returned_with_a_warning(emulator: Any) -> None:
    book = emulator.state.events[emulator.event_id].registrations
    refunded = next(row for index in range(250) if (row := book.attributes(index))["refunded"])
    person = {"email": refunded["email"].upper(), "first_name": refunded["firstName"]}
    result = task(emulator, refunded["ticketId"], **person, last_name=refunded["lastName"]).to_end()
    assert succeeded(result)["id"] == refunded["id"]
    assert f"Registration {refunded['id']} is refunded" in result.log_text
    assert emulator.count("POST") == 0


def test_one_that_is_refunded_does_not_stand_for_a_later_one(emulator: Any, ticket: str) -> None:
    rows = [
        {
            "type": "registration",
            "id": identifier,
            "attributes": {"email": PERSON["email"], "ticketId": ticket, "createdAt": created, "refunded": refunded},
        }
        for identifier, created, refunded in [("r1", "2026-01-01", True), ("r2", "2026-01-02", False)]
    ]
    body = json.dumps({"data": rows, "meta": {"count": 2}, "links": {"next": None}})
    emulator.fault("body", method="GET", path="/registrations", body=body, times=None)
    assert succeeded(task(emulator, ticket).to_end())["id"] == "r2"


@pytest.mark.parametrize("name", ["email", "ticketId"])
def test_registrations_that_do_not_show_whose_they_are_are_no_reason_to_make_another(
    emulator: Any, ticket: str, name: str
) -> None:
    attributes = {"email": PERSON["email"], "ticketId": ticket, name: None}
    row = {"type": "registration", "id": "r1", "attributes": attributes}
    body = json.dumps({"data": [row], "meta": {"count": 1}, "links": {"next": None}})
    emulator.fault("body", method="GET", path="/registrations", body=body, times=None)
    assert "cannot be looked up" in refused(task(emulator, ticket, retries=2).to_end())
    assert emulator.count("POST") == 0


def test_a_registration_of_the_person_without_a_ticket_is_no_reason_to_make_another(emulator: Any, ticket: str) -> None:
    others = {"email": "bob@example.org", "ticketId": ticket}
    rows = [{"id": "r1", "attributes": others}, {"id": "r2", "attributes": {"email": PERSON["email"].upper()}}]
    body = json.dumps({"data": rows, "meta": {"count": 2}, "links": {"next": None}})
    emulator.fault("body", method="GET", path="/registrations", body=body, times=None)
    assert "registration r2 has no `ticketId`" in refused(task(emulator, ticket, retries=2).to_end())
    assert emulator.count("POST") == 0


def test_the_same_again_logs_no_difference(emulator: Any, ticket: str) -> None:
    more = {"answers": {"Company": "ACME"}, "attributes": {"metadata": {"crm": "7"}, "externalBarcode": "1"}}
    succeeded(task(emulator, ticket, **more).to_end())
    result = task(emulator, ticket, **more).to_end()
    succeeded(result)
    assert "exists already" in result.log_text
    assert "differs" not in result.log_text
    assert "refunded" not in result.log_text


def test_another_ticket_is_another_registration(emulator: Any, ticket: str) -> None:
    other = list(emulator.state.events[emulator.event_id].tickets)[1]
    assert succeeded(task(emulator, ticket).to_end())["id"] != succeeded(task(emulator, other).to_end())["id"]
    assert len(registrations(emulator)) == 2


def test_of_several_the_oldest_counts(emulator: Any, ticket: str) -> None:
    event = emulator.state.events[emulator.event_id]
    wanted = {"email": PERSON["email"], "firstName": "Ada", "lastName": "Lovelace", "ticketId": ticket}
    indexes = [emulator.state.create_registration(event, wanted) for _ in range(2)]
    result = task(emulator, ticket).to_end()
    assert succeeded(result)["id"] in {event.registrations.id(index) for index in indexes}
    assert "2 registrations have this ticket and address" in result.log_text
    assert emulator.count("POST") == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "applied_then_cut"},
        {"kind": "truncated_json"},
        *({"kind": "applied_then_status", "status": status} for status in (408, 500, 502, 503, 504)),
    ],
    ids=lambda fault: "_".join(map(str, fault.values())),
)
def test_a_lost_response_makes_no_second_registration(emulator: Any, ticket: str, fault: dict[str, Any]) -> None:
    emulator.fault(**fault, **POST)
    result = task(emulator, ticket).to_end()
    assert succeeded(result)["id"] == registrations(emulator)[0]["id"]
    assert len(registrations(emulator)) == 1
    assert emulator.count("POST") == 1
    assert "was created by the failed request" in result.log_text


def test_a_request_that_was_not_applied_is_sent_once_more(emulator: Any, ticket: str, fake_clock: FakeClock) -> None:
    emulator.fault("status", status=502, **POST)
    succeeded(task(emulator, ticket).to_end())
    assert len(registrations(emulator)) == 1
    assert emulator.count("POST") == 2
    assert fake_clock.pauses[:4] == [2, 5, 10, 20]


def test_two_ambiguous_failures_fail_the_task_and_a_retry_looks_first(emulator: Any, ticket: str) -> None:
    emulator.fault("status", status=502, times=2, **POST)
    run = task(emulator, ticket, retries=1)
    result = run.to_end()
    succeeded(result)
    assert result.tries == 2
    assert len(registrations(emulator)) == 1
    assert emulator.count("POST") == 3


def test_nothing_is_sent_where_the_list_cannot_be_read(emulator: Any, ticket: str) -> None:
    emulator.fault("status", status=500, method="GET", path="/registrations", times=None)
    assert task(emulator, ticket).to_end().state == "failed"
    assert emulator.count("POST") == 0


def test_a_seeded_person_in_another_case_is_found(emulator: Any, ticket: str) -> None:
    book = emulator.state.events[emulator.event_id].registrations
    there = next(row for index in range(101, 250) if (row := book.attributes(index))["ticketId"] == ticket)
    result = task(emulator, ticket, email=there["email"].upper()).to_end()
    assert succeeded(result)["id"] == there["id"]
    assert emulator.count("POST") == 0


def test_a_child_question_and_names_with_other_spaces_are_answered(emulator: Any, ticket: str) -> None:
    answers = {"  COMPANY ": "ACME", "any  diet?": "Yes", "Which diet?": "vegan"}
    succeeded(task(emulator, ticket, answers=answers).to_end())
    company, diet = registrations(emulator)[0]["customRegistrationFields"]
    assert (company["value"], diet["value"]) == ("ACME", "Yes")
    assert [child["value"] for child in diet["childQuestions"]] == ["vegan"]


@pytest.mark.parametrize("paged", [True, False])
@pytest.mark.parametrize("links", ["string", "object", "missing", "null"])
@pytest.mark.parametrize("count", ["exact", "missing"])
def test_questions_come_in_every_form_of_a_list(
    emulator: Any, ticket: str, paged: bool, links: str, count: str
) -> None:
    emulator.settings.change(bank_questions_paged=paged, links=links, count=count)
    with Client(emulator.url, emulator.api_key, per_page=2) as client:
        names = [question["name"] for question in client.items(endpoints.list_bank_questions(ticket))]
    assert names == ["Company", "What brings you here?", "Date of birth", "Any diet?"]


@pytest.mark.parametrize("paged", [True, False])
def test_answers_are_given_by_name_or_id(emulator: Any, ticket: str, paged: bool) -> None:
    emulator.settings.change(bank_questions_paged=paged)
    field = emulator.state.ids.encode(16, emulator.state.events[emulator.event_id].number, 2)
    answers = {"company": "ACME", "What brings you here?": ["Talks", "Networking"], field: "1990-01-02"}
    succeeded(task(emulator, ticket, answers=answers).to_end())
    (there,) = registrations(emulator)
    shown = {each["name"]: each["value"] for each in there["customRegistrationFields"]}
    assert shown == {
        "Company": "ACME",
        "What brings you here?": ["Talks", "Networking"],
        "Date of birth": "1990-01-02",
    }


def test_answers_that_do_not_fit_are_refused_together_before_anything_is_sent(emulator: Any, ticket: str) -> None:
    answers = {"Compny": "canary", "What brings you here?": ["Talks", "canary"], "Any diet?": "Yes"}
    result = task(emulator, ticket, answers=answers, retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1)
    assert isinstance(result.exception, AirflowFailException)
    text = str(result.exception)
    assert "`answers['Compny']` must be the name or the id of a question of the ticket. Did you mean 'Company'?" in text
    assert "`answers['What brings you here?']` must be among the options of the question, 'Talks', 'Workshops'" in text
    assert "Any diet" not in text
    assert "canary" not in result.log_text
    assert emulator.count("POST") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"email": "ada"}, "`email` must be an e-mail address"),
        ({"first_name": None}, "`first_name` must be given"),
        ({"last_name": " "}, "`last_name` must be a non-empty string"),
        ({"event_id": "a/b"}, "`event_id` must be"),
        ({"ticket_id": ""}, "`ticket_id` must be"),
        ({"answers": ["x"]}, "`answers` must be a mapping"),
        ({"answers": {42: "x"}}, "`answers[42]` must be named by the name or the id of a question, not by int"),
        (
            {"answers": {("a",): "x"}},
            "`answers[('a',)]` must be named by the name or the id of a question, not by tuple",
        ),
        (
            {"answers": {" ": "x"}},
            "`answers[' ']` must be named by the name or the id of a question, not by blank text",
        ),
        ({"answers": {"Age": 42}}, "`answers['Age']` must be a string or a list of strings, not int"),
        ({"answers": {"Age": "4"}, "attributes": {"answers": []}}, "`attributes['answers']` must be left out"),
        ({"attributes": {"email": "b@example.org"}}, "attributes['email']"),
        ({"attributes": {"headline": "CTO"}}, "`headline` must be a documented attribute"),
    ],
)
def test_arguments_are_checked_while_the_dag_is_parsed(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        RingEventsCreateRegistrationOperator(
            **{"task_id": "register", "event_id": "e", "ticket_id": "t", **PERSON, **arguments}
        )
    assert words in str(caught.value)


def test_templates_are_rendered(emulator: Any, ticket: str) -> None:
    rendered = {"email": "{{ 'ada' ~ '@example.org' }}", "answers": {"Company": "{{ 'AC' ~ 'ME' }}"}}
    succeeded(task(emulator, f"{{{{ '{ticket}' }}}}", **rendered).to_end())
    (there,) = registrations(emulator)
    assert there["customRegistrationFields"][0]["value"] == "ACME"


def test_a_key_that_may_not_write(emulator: Any, ticket: str) -> None:
    emulator.settings.change(read_only_key=True)
    assert "403" in refused(task(emulator, ticket, retries=2).to_end())
    assert registrations(emulator) == []


QUESTIONS = [
    {"id": "q1", "name": "Diet", "options": None, "childQuestions": [{"id": 7, "name": "Which?", "options": []}]},
    {"id": "q2", "name": "Twice", "options": [{"name": "A"}, {"name": "B"}], "childQuestions": None},
    {"id": "q3", "name": "Twice", "childQuestions": "garbage", "options": "garbage"},
    {"name": "no id"},
    {"id": "a/b", "name": "Slash"},
    {"id": "a b", "name": "Blank"},
    {"id": "9", "name": "Alike", "childQuestions": [{"id": 9, "name": "Alike"}]},
]


def test_a_child_question_is_answered_under_its_own_id() -> None:
    assert QuestionIndex(QUESTIONS).resolve({"Which?": "vegan", "DIET": ("a", "b")}) == [
        {"questionId": "7", "answer": "vegan"},
        {"questionId": "q1", "answer": ["a", "b"]},
    ]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"Twice": "A"}, "`answers['Twice']` must be the id of a question, since several have this name: q2, q3."),
        ({"q2": "C"}, "`answers['q2']` must be among the options of the question, 'A', 'B'."),
        ({"q1": "x", "diet": "y"}, "`answers['diet']` must be the only answer to its question, which is given twice."),
        ({"Weather": "x"}, "The ticket asks: 'Diet', 'Which?', 'Twice', 'Twice', 'Alike', 'Alike'."),
        ({"a/b": "x"}, "`answers['a/b']` must be the name or the id of a question of the ticket."),
        ({"Blank": "x"}, "`answers['Blank']` must be the name or the id of a question of the ticket."),
        ({"9": "x"}, "`answers['9']` must be the id of one question"),
        ({"Alike": "x"}, "`answers['Alike']` must be the id of a question, since several have this name: 9, 9."),
    ],
)
def test_answers_that_fit_no_question(answers: dict[str, Any], words: str) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        QuestionIndex(QUESTIONS).resolve(answers)
    assert words in str(caught.value)


def test_a_ticket_without_questions_says_so() -> None:
    with pytest.raises(RingEventsConfigError, match="The ticket asks nothing"):
        QuestionIndex([]).resolve({"Diet": "x"})


def test_a_question_of_several_tickets_is_one() -> None:
    assert QuestionIndex([*QUESTIONS, *QUESTIONS]).resolve({"Diet": "x"}) == [{"questionId": "q1", "answer": "x"}]


@pytest.mark.parametrize("identifier", ["a/b", "a b", ""])
def test_ids_in_attributes_are_checked_before_anything_is_sent(identifier: str) -> None:
    answers = [{"questionId": identifier, "answer": "x"}]
    with pytest.raises(RingEventsConfigError, match=r"`answers\[0\].questionId` must be an id of 1 to 255"):
        validate_request("update_registration", {"answers": answers})
    with pytest.raises(RingEventsConfigError, match=r"`ticketId` must be an id of 1 to 255"):
        validate_request("update_registration", {"ticketId": identifier})


@pytest.mark.parametrize("status", [202, 204])
def test_a_response_without_the_registration_is_ambiguous(emulator: Any, ticket: str, status: int) -> None:
    emulator.fault("status", status=status, times=1, **POST)
    made = succeeded(task(emulator, ticket).to_end())
    assert [row["id"] for row in registrations(emulator)] == [made["id"]]
    assert emulator.count("POST") == 2


@pytest.mark.parametrize("attributes", [{"email": "bob@example.org"}, {"ticketId": "another"}])
def test_a_response_that_describes_another_registration_is_ambiguous(
    monkeypatch: pytest.MonkeyPatch, attributes: dict[str, str]
) -> None:
    sent = {"email": PERSON["email"], "firstName": "Ada", "lastName": "Lovelace", "ticketId": "t"}
    other = {"data": {"id": "r", "attributes": {**sent, **attributes}}}

    def respond(seen: Request) -> Response:
        return json_response(other, 201) if seen.method == "POST" else json_response({"data": [], "meta": {"count": 0}})

    with RawServer(respond) as server:
        connection = {"conn_type": "ringevents", "host": server.url, "password": "k"}
        monkeypatch.setenv("AIRFLOW_CONN_OTHERS", json.dumps(connection))
        with (
            RingEventsHook("others") as hook,
            pytest.raises(RingEventsError, match="describes another registration"),
        ):
            RegistrationCreation(hook, "e", sent, {}, allow_undocumented=False).run()
        assert [request.method for request in server.requests].count("POST") == 2
