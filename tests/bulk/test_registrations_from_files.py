"""Files of people into registrations: created once, or updated where something changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow_harness import Run
from bulk.conftest import guests, read_results, statuses, write_csv
from outcomes import failed, run_of, succeeded
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.transfers.object_storage_to_registrations import (
    RingEventsObjectStorageToRegistrationsOperator,
)

Load = Callable[..., Run]


@pytest.fixture
def emulator() -> Iterator[Any]:
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1, registrations=150) as running:
        yield running


@pytest.fixture
def load(emulator: Any, tmp_path: Path) -> Load:
    def make(**arguments: Any) -> Run:
        given = {
            "task_id": "register",
            "event_id": emulator.event_id,
            "source": f"file://{tmp_path}/people.csv",
            "results": f"file://{tmp_path}/results.csv",
            **arguments,
        }
        return run_of(RingEventsObjectStorageToRegistrationsOperator, emulator, **given)

    return make


def registrations(emulator: Any) -> list[dict[str, Any]]:
    with Client(emulator.url, emulator.api_key) as client:
        return list(client.items(endpoints.list_registrations(emulator.event_id)))


def ticket_of(emulator: Any) -> str:
    return next(iter(emulator.state.events[emulator.event_id].tickets))


# --- updates


def test_metadata_are_merged_and_what_is_unchanged_is_not_sent(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    for person in people[:2]:
        emulator.state.update_registration(person["id"], {"old": "1", "crm_id": "a"})
    rows = [(person["email"].upper(), "a") for person in people[:2]] + [(people[2]["email"], "b")]
    write_csv(tmp_path / "people.csv", rows, ("email", "metadata.crm_id"))
    emulator.requests.clear()
    manifest = succeeded(load(mode="update").to_end())
    assert manifest["counts"] == {"unchanged": 2, "updated": 1}
    assert (manifest["event_id"], manifest["mode"]) == (emulator.event_id, "update")
    assert emulator.count("PATCH") == 1
    assert [row["id"] for row in read_results(tmp_path / "results.csv")] == [person["id"] for person in people[:3]]
    there = {row["id"]: row["metadata"] for row in registrations(emulator)}
    assert there[people[0]["id"]] == {"old": "1", "crm_id": "a"}
    assert there[people[2]["id"]] == {"crm_id": "b"}

    write_csv(tmp_path / "people.csv", [(people[0]["email"], "z")], ("email", "metadata.crm_id"))
    succeeded(load(mode="update").to_end())
    assert registrations(emulator)[0]["metadata"] == {"old": "1", "crm_id": "z"}
    succeeded(load(mode="update", merge="false").to_end())
    assert registrations(emulator)[0]["metadata"] == {"crm_id": "z"}


@pytest.mark.parametrize("shown", ["by itself", "not at all", "as a text"])
def test_metadata_that_the_list_does_not_show_are_kept(emulator: Any, tmp_path: Path, shown: str) -> None:
    people = registrations(emulator)
    emulator.state.update_registration(people[0]["id"], {"old": "1"})
    if shown == "not at all":
        emulator.fault("status", status=404, method="GET", path=rf"/registrations/{people[0]['id']}$", times=None)
    key = {"Authorization": f"Bearer {emulator.api_key}", "Content-Type": "application/json"}

    def without_metadata(request: Request) -> Response:
        answer = httpx.request(request.method, emulator.url + request.target, headers=key, content=request.body)
        body = answer.json()
        if isinstance(body.get("data"), list):
            for row in body["data"]:
                row["attributes"].pop("metadata", None)
        if shown == "as a text" and request.method == "GET":
            for row in body["data"] if isinstance(body["data"], list) else [body["data"]]:
                if row["id"] == people[0]["id"]:
                    row["attributes"]["metadata"] = "old"
        return json_response(body, status=answer.status_code)

    write_csv(tmp_path / "people.csv", [(people[0]["email"], "z"), (people[1]["email"], "y")], ("email", "metadata.a"))
    with RawServer(without_metadata) as server:
        run = Run(
            lambda: RingEventsObjectStorageToRegistrationsOperator(
                task_id="register",
                event_id=emulator.event_id,
                source=f"file://{tmp_path}/people.csv",
                results=f"file://{tmp_path}/results.csv",
                mode="update",
            ),
            connections={"ringevents_default": {**emulator.connection(), "host": server.url}},
        )
        result = run.to_end()
    there = [row["metadata"] for row in registrations(emulator)[:2]]
    if shown != "by itself":
        assert result.state == "failed"
        assert statuses(tmp_path / "results.csv") == ["failed", "updated"]
        assert there == [{"old": "1"}, {"a": "y"}]
    else:
        assert succeeded(result)["counts"] == {"updated": 2}
        assert there == [{"old": "1", "a": "z"}, {"a": "y"}]


def test_attributes_are_updated_by_id(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    rows = [(people[0]["id"], "Augusta"), (people[1]["id"], people[1]["firstName"]), ("elsewhere", "Nobody")]
    write_csv(tmp_path / "people.csv", rows, ("registrationId", "firstName"))
    failed(load(mode="update", identity="registrationId").to_end(), "no single match: 1", "nothing was sent")
    assert statuses(tmp_path / "results.csv") == ["not_tried", "unchanged", "invalid"]
    manifest = succeeded(load(mode="update", identity="registrationId", on_invalid="skip").to_end())
    assert manifest["counts"] == {"updated": 1, "unchanged": 1, "invalid": 1}
    assert registrations(emulator)[0]["firstName"] == "Augusta"


def test_an_address_with_several_registrations_is_invalid(load: Load, emulator: Any, tmp_path: Path) -> None:
    event = emulator.state.events[emulator.event_id]
    person = {"email": "twin@people.example", "firstName": "A", "lastName": "B", "ticketId": ticket_of(emulator)}
    for _ in range(2):
        emulator.state.create_registration(event, dict(person))
    write_csv(tmp_path / "people.csv", [("Twin@people.example", "1")], ("email", "metadata.x"))
    succeeded(load(mode="update", on_invalid="skip").to_end())
    (row,) = read_results(tmp_path / "results.csv")
    assert (row["status"], row["reason"]) == ("invalid", "2 registrations have this email")


def test_answers_are_always_sent_by_the_names_of_their_questions(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    write_csv(tmp_path / "people.csv", [(people[0]["email"], "Engines Inc.")], ("email", "answers.Company"))
    for _ in range(2):
        emulator.requests.clear()
        assert succeeded(load(mode="update").to_end())["counts"] == {"updated": 1}
        assert emulator.count("PATCH") == 1
    fields = {field["name"]: field["value"] for field in registrations(emulator)[0]["customRegistrationFields"]}
    assert fields["Company"] == "Engines Inc."

    write_csv(tmp_path / "people.csv", [(people[0]["email"], "x")], ("email", "answers.Compnay"))
    failed(load(mode="update").to_end(), "1 row of")
    assert "Did you mean 'Company'?" in read_results(tmp_path / "results.csv")[0]["reason"]


def test_a_child_question_is_answered_in_bulk_as_by_itself(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    with Client(emulator.url, emulator.api_key) as client:
        questions = list(client.items(endpoints.list_bank_questions(ticket_of(emulator))))
    (parent,) = [question for question in questions if question["childQuestions"]]
    (child,) = parent["childQuestions"]
    answers = {parent["name"].upper(): parent["options"][0]["name"], str(child["id"]): child["options"][0]["name"]}
    (tmp_path / "people.jsonl").write_text(json.dumps({"email": people[0]["email"], "answers": answers}) + "\n")
    source = f"file://{tmp_path}/people.jsonl"
    assert succeeded(load(mode="update", source=source).to_end())["counts"] == {"updated": 1}
    shown = {field["id"]: field for field in registrations(emulator)[0]["customRegistrationFields"]}
    assert shown[parent["id"]]["childQuestions"][0]["value"] == child["options"][0]["name"]

    answers[str(child["id"])] = "something else"
    (tmp_path / "people.jsonl").write_text(json.dumps({"email": people[0]["email"], "answers": answers}) + "\n")
    failed(load(mode="update", source=source).to_end(), "1 row of")
    assert "must be among the options of the question" in read_results(tmp_path / "results.csv")[0]["reason"]


def test_updates_that_are_cut_are_sent_again(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    rows = [(person["email"], f"n{index}") for index, person in enumerate(people)]
    write_csv(tmp_path / "people.csv", rows, ("email", "metadata.n"))
    emulator.fault("applied_then_cut", method="PATCH", skip=10, times=5)
    emulator.fault("status", status=503, method="PATCH", skip=40, times=5)
    assert succeeded(load(mode="update", merge=False, concurrency=8).to_end())["counts"] == {"updated": 150}
    assert [row["metadata"] for row in registrations(emulator)] == [{"n": f"n{index}"} for index in range(150)]


def test_an_update_that_is_answered_with_another_registration(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    write_csv(tmp_path / "people.csv", [(person["email"], "1") for person in people[:3]], ("email", "metadata.x"))
    body = json.dumps({"data": {"type": "registration", "id": people[9]["id"], "attributes": {"metadata": {}}}})
    emulator.fault("body", body=body, method="PATCH", skip=1)
    failed(load(mode="update", concurrency=1).to_end(), "1 row of 3 failed")
    rows = read_results(tmp_path / "results.csv")
    assert [row["status"] for row in rows] == ["updated", "failed", "updated"]
    assert [row["id"] for row in rows] == [person["id"] for person in people[:3]]
    assert "describes another registration" in rows[1]["reason"]


def test_an_update_that_is_answered_without_the_registration(load: Load, emulator: Any, tmp_path: Path) -> None:
    person = registrations(emulator)[0]
    write_csv(tmp_path / "people.csv", [(person["email"], "1")], ("email", "metadata.x"))
    emulator.fault("status", status=204, method="PATCH")
    assert succeeded(load(mode="update").to_end())["counts"] == {"updated": 1}
    assert read_results(tmp_path / "results.csv")[0]["id"] == person["id"]


def test_a_dry_run_of_an_update(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    rows = [(people[0]["email"], "1"), ("nobody@people.example", "1")]
    write_csv(tmp_path / "people.csv", rows, ("email", "metadata.x"))
    assert succeeded(load(mode="update", dry_run=True).to_end())["counts"] == {"update": 1, "invalid": 1}
    assert emulator.count("PATCH") == 0


# --- creation


def test_people_are_registered_once(load: Load, emulator: Any, tmp_path: Path) -> None:
    there = registrations(emulator)
    rows = [*guests(40), (there[0]["email"].title(), "A", "B")]
    write_csv(tmp_path / "people.csv", rows)
    emulator.fault("applied_then_cut", method="POST", skip=5, times=4)
    manifest = succeeded(load(ticket_id=ticket_of(emulator), concurrency=8).to_end())
    assert manifest["counts"] == {"created": 40, "exists": 1}
    made = registrations(emulator)
    assert len(made) == 190
    assert {row["email"] for row in made} >= {email for email, _, _ in guests(40)}
    ids = {row["email"]: row["id"] for row in made}
    assert [row["id"] for row in read_results(tmp_path / "results.csv")[:40]] == [
        ids[email] for email, _, _ in guests(40)
    ]
    assert "magicLink" not in read_results(tmp_path / "results.csv")[0]


def test_who_is_refunded_exists_and_the_results_say_so(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    rows = [next(row for row in people if row["refunded"] is refunded) for refunded in (True, False)]
    write_csv(tmp_path / "people.csv", [(row["email"], "A", "B") for row in rows])
    assert succeeded(load(ticket_id=ticket_of(emulator)).to_end())["counts"] == {"exists": 2}
    results = read_results(tmp_path / "results.csv")
    assert [row["reason"] for row in results] == ["the registration is refunded", ""]


@pytest.mark.parametrize("other", [{"email": "eve@people.example"}, {"ticketId": "another"}])
def test_a_creation_that_is_answered_with_another_registration(
    load: Load, emulator: Any, tmp_path: Path, other: dict[str, str]
) -> None:
    write_csv(tmp_path / "people.csv", guests(2))
    body = json.dumps({"data": {"type": "registration", "id": "R1", "attributes": other}})
    emulator.fault("body", status=201, body=body, method="POST")
    ticket_id = ticket_of(emulator)
    assert load(ticket_id=ticket_id, concurrency=1).to_end().state == "failed"
    assert statuses(tmp_path / "results.csv") == ["unknown", "created"]
    assert succeeded(load(ticket_id=ticket_id).to_end())["counts"] == {"created": 1, "exists": 1}


def test_tickets_and_answers_of_rows(load: Load, emulator: Any, tmp_path: Path) -> None:
    tickets = list(emulator.state.events[emulator.event_id].tickets)[:2]
    lines = [
        {"email": f"p{index}@people.example", "firstName": "A", "lastName": "B", "ticketId": ticket, "answers": answers}
        for index, (ticket, answers) in enumerate(
            zip(tickets, [{"What brings you here?": ["Talks", "Workshops"]}, None], strict=True)
        )
    ]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    succeeded(load(source=f"file://{tmp_path}/people.jsonl").to_end())
    made = {row["email"]: row for row in registrations(emulator)}
    assert [made[f"p{index}@people.example"]["ticketId"] for index in range(2)] == tickets
    assert "Talks" in str(made["p0@people.example"]["customRegistrationFields"])


def test_a_ticket_is_needed(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "people.csv", guests(1))
    failed(load().to_end(), "`source` must be a file with the columns ticketId")
    with pytest.raises(AirflowFailException, match="`columns` must be a mapping that has ticketId"):
        load(columns={"email": "a", "firstName": "b", "lastName": "c"}).to_end()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "delete"}, "mode"),
        ({"identity": "registrationId"}, "`identity` must be 'email'"),
        ({"event_id": "a/b"}, "`event_id`"),
        ({"ticket_id": " "}, "`ticket_id`"),
        ({"merge": "perhaps"}, "`merge` must be True or False"),
        ({"mode": "update", "columns": {"metadata.x": "x"}}, "`columns` must be a mapping that has email"),
    ],
)
def test_bad_arguments(load: Load, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException) as raised:
        load(**arguments).to_end()
    assert message in str(raised.value)


def test_a_row_that_changes_nothing_is_invalid(load: Load, emulator: Any, tmp_path: Path) -> None:
    people = registrations(emulator)
    write_csv(tmp_path / "people.csv", [(people[0]["email"], "")], ("email", "metadata.x"))
    failed(load(mode="update").to_end(), "1 row of")
    assert "at least one attribute that changes" in read_results(tmp_path / "results.csv")[0]["reason"]
