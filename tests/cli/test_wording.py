"""Errors name what is typed in a shell, not what an operator is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from airflow_harness.database import ensure_database

from airflow_provider_ringevents.cli.wording import _typed, in_the_shell
from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsTransportError,
    RingEventsValidationError,
)

REPORT = ("export-report", "EVENT", "registrations")
LIST = ("export-list", "registrations")
OF = ("--parent-id", "EVENT")
WRONG: dict[tuple[str, ...], str] = {
    ("export-report", "EVENT", "attendance", "x.csv"): "REPORT_TYPE: 'attendance' is not a documented value.",
    (*REPORT, "x.csv", "--report-version", "9"): "--report-version: '9' is not a documented value.",
    (*REPORT, "x.csv", "--attribute", "a=1"): "--attribute: 1 problem, nothing was sent: - a: is not a documented",
    (*REPORT, "there.csv", "--if-exists", "fail"): "DESTINATION: file://there.csv is there already, and --if-exists is",
    (*REPORT, "s3://b"): "DESTINATION 's3://b' names a bucket but no key",
    (*REPORT, ""): "DESTINATION is empty: give",
    ("export-list", "guests", "x.csv"): "COLLECTION: 'guests' is not allowed.",
    (*LIST, "x.csv", *OF, "--format", "parquet"): "--format: 'parquet' contradicts the destination",
    (*LIST, "x.csv", *OF, "--filter", "a=1"): "--filter: the API documents no field 'a'",
    (*LIST, "x.csv", *OF, "--filter", "email.gt=1"): "--filter email: the API documents no operator 'gt'",
    (*LIST, "x.csv", *OF, "--filter", "updatedAt.gte=soon"): "--filter updatedAt.gte: cannot read 'soon' as a time",
    ("registrations", "EVENT", "--filter", "email="): "--filter email: a non-empty string is wanted, got ''",
    ("events", "--conn-id", "nobody"): "--conn-id: there is no connection 'nobody'",
}
PYTHON = re.compile(r"=True|=None|\b(report_type|report_version|allow_undocumented|if_exists|conn_id|parent_id)\b")


@pytest.fixture(autouse=True)
def _here(connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_database()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").touch()


@pytest.mark.parametrize(("command", "said"), WRONG.items(), ids=lambda each: each if isinstance(each, str) else None)
def test_what_is_wrong_is_called_as_it_was_typed(
    emulator: Any, run: Any, tmp_path: Path, command: tuple[str, ...], said: str
) -> None:
    ran = run(*(emulator.event_id if each == "EVENT" else each for each in command))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.replace(f"{tmp_path}/", "").startswith(f"ringevents: {said}")
    assert not PYTHON.search(ran.err)


def test_a_check_says_it_the_same_way(run: Any) -> None:
    assert "| failed | --conn-id: there is no connection 'nobody'" in run("check", "--conn-id", "nobody").out


def test_the_way_out_can_be_typed() -> None:
    unknown = "report_type: 'x' is not a documented value. Pass allow_undocumented=True for a value newer than this."
    assert in_the_shell(RingEventsConfigError(unknown)).endswith(
        "Pass --allow-undocumented for a value newer than this."
    )
    twice = "format: 'csv' contradicts the destination 'format'; leave format out, or end the destination in .csv"
    assert in_the_shell(RingEventsConfigError(twice)).endswith("leave --format out, or end the destination in .csv")


def test_what_was_typed_is_not_translated() -> None:
    for quoted in ("collection: 'parent_id' is not allowed.", "destination 's3://b/if_exists' names no bucket"):
        said = in_the_shell(RingEventsConfigError(quoted))
        assert said.partition(" ")[2] == quoted.partition(" ")[2]


def test_what_the_service_and_the_network_say_is_not_translated() -> None:
    refused = "create_report (POST /v1/events/e): the service answered 400 Bad Request: event_id is wrong."
    assert in_the_shell(RingEventsValidationError(refused, status=400)) == refused
    unanswered = "create_report (POST /v1/events/e): the service could not be reached (ConnectError)."
    assert in_the_shell(RingEventsTransportError(unanswered, sent=False)) == unanswered


def test_every_argument_has_its_word() -> None:
    typed = _typed()
    assert typed["event_id"] == "EVENT_ID"
    assert typed["parent_id"] == "--parent-id"
    assert typed["output"] == "--output"
    assert all(re.fullmatch(r"--[a-z-]+|[A-Z_]+", word) for word in typed.values())
