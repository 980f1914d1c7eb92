"""Values that come from people hold braces: each example passes them on as they are, or refuses them unsent."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import HAS_TASK_SDK, DagOutcome

from airflow_provider_ringevents.client import Client, endpoints

RunExample = Callable[..., DagOutcome]

NAMES = (
    "{{ conn.ringevents_default.password }} {{ var.value.event_password }}",
    "50 {% off",
    "{# x #}",
    "Ask {us} anything }}",
)
FIRST_NAMES = ("{{ conn.ringevents_default.password }}", "{# Ada #}", "{% Ada")


def test_rows_of_a_series(emulator: Any, run_example: RunExample) -> None:
    before = set(emulator.state.events)
    rows = [
        {"id": str(number), "name": name, "starts": f"2027-03-{number:02}T17:00", "ends": f"2027-03-{number:02}T18:00"}
        for number, name in enumerate(NAMES, 1)
    ]
    outcome = run_example("example_ringevents_provision_series", template_id=emulator.template_id, rows=rows)
    assert outcome.state == "success"
    assert {event.name for id, event in emulator.state.events.items() if id not in before} == set(NAMES)


def test_an_organization_for_a_series(emulator: Any, run_example: RunExample) -> None:
    outcome = run_example(
        "example_ringevents_provision_series",
        template_id=emulator.template_id,
        organization_id="{{ conn.ringevents_default.password }}",
    )
    assert outcome.state == "failed"
    assert emulator.count() == 0


@pytest.mark.parametrize("id", ["{{ 1 }}", "{# x #}"])
def test_keys_with_braces_are_refused_unsent(emulator: Any, run_example: RunExample, id: str) -> None:
    row = {"id": id, "name": "x", "starts": "2027-03-01T17:00", "ends": "2027-03-01T18:00"}
    outcome = run_example("example_ringevents_provision_series", template_id=emulator.template_id, rows=[row])
    assert outcome.state == "failed"
    assert "`idempotency_key` must be a key" in outcome.log_text
    assert emulator.count() == 0


def test_names_of_a_copy_its_ticket_and_its_guests(emulator: Any, run_example: RunExample) -> None:
    before = set(emulator.state.events)
    guests = [
        {"email": f"guest{number}@example.org", "firstName": name, "lastName": NAMES[number]}
        for number, name in enumerate(FIRST_NAMES)
    ]
    outcome = run_example(
        "example_ringevents_duplicate_then_sell",
        event_id=emulator.event_id,
        edition="2027",
        copy_name=NAMES[0],
        starts="2027-05-01T09:00:00+02:00",
        ends="2027-05-01T18:00:00+02:00",
        ticket=NAMES[1],
        guests=guests,
    )
    assert outcome.state == "success"
    (copy,) = [event for id, event in emulator.state.events.items() if id not in before]
    assert copy.name == NAMES[0]
    with Client(emulator.url, emulator.api_key) as client:
        ticket = outcome.task("create_ticket").xcom
        assert ticket["name"] == NAMES[1]
        links = list(client.items(endpoints.list_magic_links(ticket["id"])))
    assert {(link["firstName"], link["lastName"]) for link in links} == {
        (guest["firstName"], guest["lastName"]) for guest in guests
    }


EXPORTS: dict[str, dict[str, Any]] = {
    "post_event": {},
    "report_export": {},
    "report_export_mapped": {"ended_from": "2000-01-01T00:00:00Z", "ended_before": "2100-01-01T00:00:00Z"},
    "registrations_daily": {},
    "registrations_to_duckdb": {},
    "registrations_sync": {"start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"},
}


# Every argument of every operator meets all braces in `operators/test_every_operator.py`.
@pytest.mark.parametrize(("example", "folder"), zip(EXPORTS, itertools.cycle(NAMES[:3])))
def test_destinations_with_braces_are_refused_unsent(
    emulator: Any,
    run_example: RunExample,
    exported: Callable[[], dict[str, bytes]],
    example: str,
    folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if example == "registrations_sync" and not HAS_TASK_SDK:
        pytest.skip("Airflow 2 has no asset watchers")
    monkeypatch.setenv("RINGEVENTS_EVENT_ID", emulator.event_id)
    arguments = {"event_id": emulator.event_id} if example in ("post_event", "report_export") else EXPORTS[example]
    emulator.state.events[emulator.event_id].end = 0
    outcome = run_example(f"example_ringevents_{example}", **arguments, destination=f"file://{tmp_path}/{folder}")
    assert outcome.state == "failed"
    assert "`destination` must be a path or URI" in outcome.log_text
    assert exported() == {}
    assert emulator.count("POST") == 0


def test_every_example_is_here() -> None:
    examples = (Path(__file__).parents[2] / "example_dags").glob("*.py")
    # Rows of files never pass through Airflow's templates: `test_invite_from_file.py` runs that example.
    tried = {*EXPORTS, "provision_series", "duplicate_then_sell", "invite_from_file"}
    assert {file.stem.removeprefix("example_ringevents_") for file in examples} == tried
