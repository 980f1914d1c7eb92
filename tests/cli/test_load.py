"""Imports from the command line: the operators' work, a summary, and an exit status."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ringevents.cli.runner import ExitCode

pytestmark = pytest.mark.usefixtures("connect")
HEADER = "email,firstName,lastName\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_ringevents import clock

    monkeypatch.setattr(clock, "sleep", lambda seconds: None)
    monkeypatch.chdir(tmp_path)
    people = "".join(f"guest{number}@people.example,Given,Family\n" for number in range(5))
    (tmp_path / "guests.csv").write_text(HEADER + people)


@pytest.fixture
def ticket(emulator: Any) -> Any:
    event = next(event for event in emulator.state.events.values() if event.name == "Unfinished Draft")
    return emulator.state.create_ticket(event, {"name": "VIP"})


def statuses(name: str = "links.csv") -> list[str]:
    return [row["status"] for row in csv.DictReader(Path(name).read_text().splitlines())]


def test_links_are_created_once(emulator: Any, ticket: Any, run: Any) -> None:
    arguments = ("import-magic-links", ticket.id, "--from", "guests.csv", "--results", "links.csv")
    dry = run(*arguments, "--dry-run", "-o", "json")
    assert (dry.code, dry.json["counts"], emulator.count("POST")) == (0, {"create": 5}, 0)
    done = run(*arguments)
    assert done.code == 0
    assert ["rows", "created", "5"] in [line.split() for line in done.out.splitlines()]
    assert statuses() == ["created"] * 5
    assert len(list(emulator.state.ticket_links(ticket))) == 5
    assert run(*arguments, "-o", "json").json["counts"] == {"exists": 5}


def test_columns_are_mapped(emulator: Any, ticket: Any, run: Any, tmp_path: Path) -> None:
    (tmp_path / "crm.csv").write_text("Id;Mail;Name;Surname\n7;ada@people.example;Ada;L\n")
    columns = ("email=Mail", "firstName=Name", "lastName=Surname", "metadata.crm_id=Id")
    files = ("--from", "crm.csv", "--results", "links.jsonl", "--delimiter", ";")
    assert run("import-magic-links", ticket.id, *files, "--columns", *columns).code == 0
    (link,) = emulator.state.ticket_links(ticket)
    assert link.metadata == {"crm_id": "7"}


def test_failed_rows_end_in_the_exit_status(emulator: Any, ticket: Any, run: Any) -> None:
    emulator.fault("status", status=422, times=2, method="POST")
    arguments = ("import-magic-links", ticket.id, "--from", "guests.csv", "--results", "links.csv")
    failed = run(*arguments, "--failed-rows", "failed.csv")
    assert failed.code == ExitCode.FAILED
    assert "2 rows of 5 failed" in failed.err
    assert sorted(statuses()) == [*["created"] * 3, *["failed"] * 2]
    again = run("import-magic-links", ticket.id, "--from", "failed.csv", "--results", "again.csv")
    assert (again.code, statuses("again.csv")) == (0, ["created"] * 2)


@pytest.mark.parametrize(("fault", "code"), [(503, ExitCode.TEMPFAIL), (401, ExitCode.AUTH)])
def test_an_early_end_has_the_exit_status_of_its_reason(
    emulator: Any, ticket: Any, run: Any, fault: int, code: int
) -> None:
    emulator.fault("status", status=fault, times=None, method="POST")
    assert run("import-magic-links", ticket.id, "--from", "guests.csv", "--results", "links.csv").code == code


def test_invalid_rows_are_refused(emulator: Any, ticket: Any, run: Any, tmp_path: Path) -> None:
    (tmp_path / "guests.csv").write_text(f"{HEADER}ada@people.example,A,B\nnobody,A,B\n")
    refused = run("import-magic-links", ticket.id, "--from", "guests.csv", "--results", "links.csv")
    assert refused.code == ExitCode.USAGE
    assert "nothing was sent" in refused.err
    assert statuses() == ["not_tried", "invalid"]
    assert emulator.count("POST") == 0
    files = ("--from", "guests.csv", "--results", "links.csv")
    assert run("import-magic-links", ticket.id, *files, "--on-invalid", "skip").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "guests.txt", "--results", "links.csv"), "--from must be a place that ends in .csv"),
        (("--from", "guests.csv", "--results", "guests.csv"), "--results must be another object than the source"),
        (("--from", "guests.csv", "--results", "l.csv", "--delimiter", ";;"), "--delimiter must be one character"),
        (("--from", "guests.csv", "--results", "l.csv", "--columns", "email"), "--columns must be ATTRIBUTE=COLUMN"),
        (
            ("--from", "guests.csv", "--results", "l.csv", "--concurrency", "17"),
            "--concurrency: must be an integer from 1 to 16",
        ),
        (("--from", "nothing.csv", "--results", "l.csv"), "--from must be the place of an object that exists"),
    ],
)
def test_bad_arguments_are_named_as_they_are_typed(
    ticket: Any, run: Any, arguments: tuple[str, ...], message: str
) -> None:
    ran = run("import-magic-links", ticket.id, *arguments)
    assert ran.code == ExitCode.USAGE
    assert message in ran.err


def test_registrations_are_created_and_updated(emulator: Any, run: Any, tmp_path: Path) -> None:
    ticket = next(iter(emulator.state.events[emulator.event_id].tickets))
    files = ("--from", "guests.csv", "--results", "results.csv")
    made = run("import-registrations", emulator.event_id, *files, "--ticket-id", ticket, "-o", "json")
    assert (made.code, made.json["counts"]) == (0, {"created": 5})
    (tmp_path / "guests.csv").write_text("email,metadata.x\nguest1@people.example,1\n")
    for expected in ({"updated": 1}, {"unchanged": 1}):
        updated = run("import-registrations", emulator.event_id, *files, "--mode", "update", "-o", "json")
        assert (updated.code, updated.json["counts"]) == (0, expected)
    wrong = run("import-registrations", emulator.event_id, *files, "--identity", "registrationId")
    assert (wrong.code, "--identity must be email" in wrong.err) == (ExitCode.USAGE, True)


def test_progress_is_shown_on_a_terminal(emulator: Any, ticket: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from cli.test_output import Terminal

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert run("import-magic-links", ticket.id, "--from", "guests.csv", "--results", "links.csv").code == 0
    assert "of 5 sent" in terminal.getvalue()
