"""How commands end: one line on stderr, an exit code that scripts can use, no traceback and no secret."""

from __future__ import annotations

import logging
import os
from typing import Any

import pytest
from airflow_harness.database import ensure_database

from airflow_provider_ringevents.cli import list

pytestmark = pytest.mark.usefixtures("connect")


@pytest.mark.parametrize(
    ("status", "code"), [(400, 1), (401, 3), (403, 3), (404, 4), (418, 1), (422, 1), (429, 5), (500, 5), (503, 5)]
)
def test_a_status_has_an_exit_code(status: int, code: int, emulator: Any, run: Any) -> None:
    emulator.fault("status", status=status)
    ran = run("events")
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert ran.err.startswith(f"ringevents: list_events (GET /v1/organizations/{emulator.organization_id}/events")
    assert emulator.api_key not in ran.err


def test_no_answer(emulator: Any, run: Any) -> None:
    emulator.stop()
    ran = run("events", "--verbose")
    assert (ran.code, "could not be reached" in ran.err) == (5, True)


def test_no_connection(run: Any) -> None:
    ensure_database()
    ran = run("events", "--conn-id", "nobody")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "there is no connection 'nobody'" in ran.err


def test_a_connection_that_cannot_be_used(connect: Any, run: Any) -> None:
    connect(password="")
    assert run("events").err.startswith("ringevents: connection 'ringevents_default': `password` ")
    connect(extra={"timeout": "soon"})
    assert run("events").code == 2


def test_an_extra_that_is_not_known_is_told_in_one_line(connect: Any, run: Any) -> None:
    connect(extra={"organisation_id_of_this_test": "x"})
    ran = run("organizations")
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert ran.err.startswith("ringevents: warning: connection 'ringevents_default': extra 'organisation_id_of")


def test_what_nobody_foresaw_is_one_line_without_what_urls_hold(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise LookupError("no\nsuch https://storage.example/file?signature=SECRET")

    monkeypatch.setattr(list, "print_rows", fail)
    ran = run("events")
    expected = "ringevents: LookupError: no such https://storage.example/***?*** (--verbose shows the traceback)\n"
    assert (ran.code, ran.err) == (1, expected)
    verbose = run("events", "--verbose")
    assert "Traceback" in verbose.err
    assert "SECRET" not in verbose.err


def test_ctrl_c(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(list, "print_rows", interrupt)
    ran = run("events")
    assert (ran.code, ran.err) == (130, "ringevents: interrupted\n")


@pytest.mark.parametrize(
    "command",
    [(), ("nothing",), ("events", "--output", "xml"), ("tickets",), ("events", "--limit", "-1"), ("events", "E")],
)
def test_wrong_arguments(command: tuple[str, ...], run: Any) -> None:
    ran = run(*command)
    assert (ran.code, ran.out) == (2, "")
    assert "usage: ringevents" in ran.err


def test_the_process_is_left_as_it_was(run: Any, emulator: Any) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level, os.environ.get("_AIRFLOW_PROCESS_CONTEXT"))
    run("events", "--verbose")
    emulator.fault("status", status=401)
    run("events")
    assert (root.handlers, root.level, os.environ.get("_AIRFLOW_PROCESS_CONTEXT")) == before


def test_a_connection_of_the_metadata_database_is_found(emulator: Any, run: Any) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    ensure_database()
    with create_session() as session:
        session.add(Connection(conn_id="of_the_database", **emulator.connection() | {"extra": "{}"}))
    assert len(run("organizations", "--conn-id", "of_the_database", "-o", "json").json) == 2
