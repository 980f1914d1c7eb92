"""Registrations that requests create and change, and the questions of a ticket."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ringevents.emulator import Emulator
from emulator.conftest import Api

PERSON = {"email": "new.3@example.org", "firstName": "Ada", "lastName": "Lovelace"}


@pytest.fixture
def ticket(emulator: Emulator) -> str:
    return next(iter(emulator.state.events[emulator.event_id].tickets))


def questions(api: Api, ticket: str) -> dict[str, dict[str, Any]]:
    rows = api.get(f"/v1/tickets/{ticket}/bankQuestions")["data"]
    return {row["attributes"]["name"]: row["attributes"] for row in rows}


def test_a_created_registration_is_in_the_list_and_in_the_counts(
    emulator: Emulator, api: Api, event_path: str, ticket: str, clock: Any
) -> None:
    before = api.get(f"/v1/tickets/{ticket}")["data"]["attributes"]["claimed"]
    clock.advance(60)
    path = f"{event_path}/registrations"
    made = [api.post(path, {**PERSON, "ticketId": ticket}, kind="registration")["data"] for _ in range(2)]
    assert made[0]["id"] != made[1]["id"]
    shown = api.get(f"/v1/registrations/{made[0]['id']}")["data"]["attributes"]
    assert shown == made[0]["attributes"]
    assert {name: shown[name] for name in PERSON} == PERSON
    assert (shown["ticketId"], shown["metadata"], shown["attended"]) == (ticket, {}, False)
    found = api.rows(path, **{"filter[email][eq]": PERSON["email"]})
    assert [row["id"] for row in found] == [each["id"] for each in made]
    assert len(api.rows(path, perPage=100)) == 252
    assert api.get(f"/v1/tickets/{ticket}")["data"]["attributes"]["claimed"] == before + 2
    changed = api.rows(path, **{"filter[updatedAt][gte]": shown["createdAt"]})
    assert {row["id"] for row in changed} == {each["id"] for each in made}


def test_answers_are_shown_as_the_fields_of_the_registration(api: Api, event_path: str, ticket: str) -> None:
    asked = questions(api, ticket)
    assert [each["fieldType"] for each in asked.values()] == ["singleLineText", "multiSelect", "date", "conditional"]
    child = asked["Any diet?"]["childQuestions"][0]
    given = [
        {"questionId": asked["Company"]["id"], "answer": "ACME"},
        {"questionId": asked["What brings you here?"]["id"], "answer": ["Talks", "Networking"]},
        {"questionId": asked["Any diet?"]["id"], "answer": "Yes"},
        {"questionId": str(child["id"]), "answer": "vegan"},
    ]
    body = {**PERSON, "ticketId": ticket, "answers": given}
    fields = api.post(f"{event_path}/registrations", body, kind="registration")["data"]["attributes"]
    shown = {field["name"]: field for field in fields["customRegistrationFields"]}
    assert [field["value"] for field in shown.values()] == ["ACME", ["Talks", "Networking"], "Yes"]
    assert [field["value"] for field in shown["Any diet?"]["childQuestions"]] == ["vegan"]


@pytest.mark.parametrize("answer", ["Sleep", ["Talks", "Sleep"]])
def test_an_answer_that_is_not_among_the_options_is_refused(
    api: Api, event_path: str, ticket: str, answer: Any
) -> None:
    identifier = questions(api, ticket)["What brings you here?"]["id"]
    body = {**PERSON, "ticketId": ticket, "answers": [{"questionId": identifier, "answer": answer}]}
    response = api.call(
        "POST",
        f"{event_path}/registrations",
        422,
        json={"data": {"type": "registration", "attributes": body}},
    )
    assert [error["source"]["pointer"] for error in api.errors(response)] == ["/data/attributes/answers/0/answer"]
    assert "Networking" in api.errors(response)[0]["detail"]


def test_a_ticket_of_another_event_is_refused(emulator: Emulator, api: Api, event_path: str) -> None:
    other = next(each for each in emulator.state.events.values() if each.id != emulator.event_id and each.tickets)
    body = {**PERSON, "ticketId": next(iter(other.tickets))}
    response = api.call(
        "POST", f"{event_path}/registrations", 422, json={"data": {"type": "registration", "attributes": body}}
    )
    assert [error["source"]["pointer"] for error in api.errors(response)] == ["/data/attributes/ticketId"]


def test_an_update_changes_what_it_names_alone(emulator: Emulator, api: Api, event_path: str, clock: Any) -> None:
    before = api.get(f"{event_path}/registrations")["data"][4]["attributes"]
    assert before["metadata"]
    clock.advance(60)
    attributes = {"firstName": "Grace", "headline": "Admiral"}
    api.call(
        "PATCH",
        f"/v1/registrations/{before['id']}",
        json={"data": {"type": "Registration", "attributes": attributes}},
    )
    after = api.get(f"/v1/registrations/{before['id']}")["data"]["attributes"]
    assert after.pop("updatedAt") > before.pop("updatedAt")
    assert after == {**before, **attributes}


def test_questions_come_with_or_without_pages(emulator: Emulator, api: Api, ticket: str) -> None:
    path = f"/v1/tickets/{ticket}/bankQuestions"
    page = api.get(path, page=2, perPage=3)
    assert (len(page["data"]), page["meta"]) == (1, {"count": 4})
    emulator.settings.change(bank_questions_paged=False)
    whole = api.get(path, page=2, perPage=3)
    assert whole.keys() == {"data"}
    assert len(whole["data"]) == 4
