"""Whole DAG runs of Airflow's own: lazy sequences of mapped tasks, and native rendering, in all operators."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from airflow_harness import run_dag
from airflow_harness.versions import HAS_STATE_STORE
from operator_arguments import OPERATORS
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.emulator import Emulator

FILES = Path(__file__).with_name("dag_files")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


# --- lazy sequences


def test_lists_of_mapped_tasks_are_lists_in_every_argument(tmp_path: Path) -> None:
    with Emulator(seed=1, registrations=20, report_seconds=0, template_seconds=0, duplicate_seconds=0) as emulator:
        event = emulator.state.events[emulator.event_id]
        with Client(emulator.url, emulator.api_key) as client:
            rows = list(client.items(endpoints.list_registrations(event.id)))
            ids = [row["id"] for row in client.items(endpoints.list_events(emulator.organization_id))]
        given = {
            "folder": f"file://{tmp_path}",
            "event_id": event.id,
            "ticket_id": next(iter(event.tickets)),
            "template_id": emulator.template_id,
            "emails": [row["email"] for row in rows[:2]],
            "seats": ["A1", "A2"],
            "interests": ["Talks", "Networking"],
            "events": ids[:2],
            "window": ["2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"],
            "one_of_a_group": ids[:1],
            "two_of_a_group": ids[:2],
            "short_of_a_map": ["guest, one", "nobody"],
            "columns": ["Email", "First name"],
            "signals": ["attendance", "attendeeCheckedInToEvent"],
            "attendees": [
                {"email": f"guest{number}@example.org", "firstName": "Guest", "lastName": "X"} for number in (1, 2)
            ],
        }
        connections = {"ringevents_default": emulator.connection_json()}
        outcome = run_dag(FILES / "lazy.py", connections=connections, run_conf=given)
        queries = [parse_qs(request.query) for request in emulator.requests.entries]
    failed = [task for task, ended in outcome.tasks.items() if ended.state != "success"]
    assert (failed, outcome.state) == ([], "success"), outcome.log_text
    assert "XCom not found" not in outcome.log_text
    assert sorted(row["email"] for row in lines(tmp_path / "filter.jsonl")) == sorted(given["emails"])
    # Another task registers one more, before or after.
    assert outcome.task("window").xcom["rows"] in (20, 21)
    assert [manifest["parent_id"] for manifest in outcome.task("parent_ids").xcom] == given["events"]
    # The functions of `map()` are called with each item, never with the list of them.
    assert [manifest["parent_id"] for manifest in outcome.task("parents_of_a_map").xcom] == given["events"]
    assert ["guest@x.org,nobod@x.org"] in [query.get("filter[email][in]") for query in queries]
    assert set(given["columns"]) <= set(outcome.task("required_columns").xcom["columns"])
    assert outcome.task("signals").xcom["signals"] == given["signals"]
    for task in ("metadata", "metadata_of_a_copy"):
        made = emulator.state.events[outcome.task(task).xcom["id"]]
        assert made.metadata["seats"] == given["seats"]
    assert len(outcome.task("attendees").xcom) == 2
    answers = outcome.task("answers").xcom["customRegistrationFields"]
    assert given["interests"] in [answer["value"] for answer in answers]
    # Airflow hands over the one value of a single expansion of a group instead of a list.
    for many in ("one", "two"):
        manifests = outcome.task(f"parents_of_{many}_expansion").xcom
        assert [manifest["parent_id"] for manifest in manifests] == given[f"{many}_of_a_group"]
    if HAS_STATE_STORE:
        assert outcome.task("filter_and_watermark").xcom["rows"] == 2
        assert sorted(row["email"] for row in lines(tmp_path / "watermark.jsonl")) == sorted(given["emails"])


# --- native rendering

DIGITS = "2027"
PEOPLE = "email,firstName,lastName\nbob@example.org,Bob,Builder\n"
REPORT = "Email\nada@example.org\n"


class AllDigits:
    """An API whose ids consist of digits: it keeps what is sent, and answers with it."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._ids = itertools.count(70)

    def __call__(self, seen: Request) -> Response:
        body = seen.json if seen.body else None
        if seen.method != "GET":
            self.sent.append((seen.method, seen.path, body))
        attributes = (body or {}).get("data", {}).get("attributes", {})
        attributes = {name: value for name, value in attributes.items() if name != "answers"}
        leaf = seen.path.rpartition("/")[2]
        if seen.method == "DELETE":
            return Response(204)
        if leaf == "duplications":
            times = {"timeStart": "2027-05-01T07:00:00Z", "timeEnd": "2027-05-01T08:00:00Z"}
            copy = {"id": str(next(self._ids)), "type": "event"}
            self.events.append({**copy, "attributes": {"name": DIGITS, **times, **attributes}})
            return Response(202)
        if leaf == "download":
            return Response(200, REPORT.encode(), {"Content-Type": "text/csv"})
        if seen.method == "POST":
            attributes = {"magicLink": "https://x.example/1", **attributes}
            made = {"id": str(next(self._ids)), "type": "x", "attributes": attributes}
            self.events += [made] if leaf in ("events", "event") else []
            return json_response({"data": made}, 201)
        if leaf in ("events", "registrations", "magicLinks"):
            rows = self.events if leaf == "events" else []
            page = rows if seen.query.get("page", "1") == "1" else []
            return json_response({"data": page, "meta": {"count": len(rows)}, "links": {}})
        if made := next((each for each in self.events if each["id"] == leaf), None):
            return json_response({"data": made})
        shown = {"status": "completed", "name": "x", "metadata": {}, **attributes}
        return json_response({"data": {"id": leaf, "type": "x", "attributes": shown}})


def test_digits_are_text_in_every_operator_of_a_native_dag(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(PEOPLE, encoding="utf-8")
    api = AllDigits()
    with RawServer(api) as server:
        connection = json.dumps({"conn_type": "ringevents", "host": server.url, "password": "an-api-key"})
        given = {"digits": DIGITS, "version": "2", "folder": f"file://{tmp_path}"}
        outcome = run_dag(FILES / "native.py", connections={DIGITS: connection}, run_conf=given)
    failed = [task for (task, _), ended in outcome.tasks.items() if ended.state != "success"]
    assert failed == [], outcome.log_text
    assert {task for task, _ in outcome.tasks} == {operator.__name__ for operator in OPERATORS}
    paths = {path for _, path, _ in api.sent}
    assert f"/v1/events/{DIGITS}/reports/registrations/2" in paths
    assert f"/v1/magicLinks/{DIGITS}" in paths
    names = [
        value
        for _, _, body in api.sent
        for key, value in ((body or {}).get("data", {}).get("attributes", {})).items()
        if key in ("name", "firstName", "lastName", "ticketId", "organizationId")
    ]
    assert names.count(DIGITS) >= 8
    assert all(isinstance(name, str) for name in names)
