"""Exports from the command line: the operators' transfers, and what a person and a script get to see of them."""

from __future__ import annotations

import csv
import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.test_output import Terminal

pytestmark = pytest.mark.usefixtures("connect")
FAST = ("--poll-interval", "0.02")


@pytest.fixture(autouse=True)
def _quick(emulator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.settings.change(report_seconds=0)
    monkeypatch.chdir(tmp_path)


# --- reports


def test_a_report_is_written_whole_and_told(emulator: Any, run: Any, tmp_path: Path) -> None:
    emulator.settings.change(report_seconds=0.2)
    ran = run("export-report", emulator.event_id, "registrations", "out/r.csv", "-o", "json", *FAST)
    assert ran.code == 0
    told = ran.json
    written = (tmp_path / "out" / "r.csv").read_bytes()
    assert told["uri"] == f"file://{tmp_path}/out/r.csv"
    assert told["sha256"] == emulator.report_sha256(told["report_id"]) == hashlib.sha256(written).hexdigest()
    assert (told["event_id"], told["report_type"], told["verified"]) == (emulator.event_id, "registrations", True)
    assert f"--report-id {told['report_id']}" in ran.err


def test_a_folder_takes_the_servers_file_name(emulator: Any, run: Any, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for folder in ("new/", "there"):
        ran = run("export-report", emulator.event_id, "registrations", folder, "-o", "json", *FAST)
        assert Path(ran.json["uri"].removeprefix("file://")).parent == tmp_path / folder


def test_a_report_that_was_asked_for_is_taken_up(emulator: Any, run: Any) -> None:
    emulator.settings.change(report_seconds=3600)
    late = run("export-report", emulator.event_id, "registrations", "r.csv", "--wait-timeout", "0.1", *FAST)
    assert late.code == 5
    assert "did not happen in time" in late.err
    report_id = late.err.splitlines()[0].rpartition(" ")[2]
    emulator.reports.find(report_id).ready_at = 0
    emulator.settings.change(report_seconds=0)
    taken_up = run(
        "export-report", emulator.event_id, "registrations", "r.csv", "--report-id", report_id, "-o", "json", *FAST
    )
    assert taken_up.json["report_id"] == report_id
    assert "requested report" not in taken_up.err
    assert emulator.count("POST", "/v1/events/*/reports/*") == 1


def test_attributes_version_and_new_types_reach_the_service(emulator: Any, run: Any) -> None:
    attribute = ("--attribute", "segmentType=session")
    command = ("export-report", emulator.event_id, "segmentRegistrations", "r.csv", *attribute, *FAST)
    assert run(*command).code == 0
    (request,) = [entry for entry in emulator.requests.entries if entry.method == "POST"]
    assert request.path.endswith("/reports/segmentRegistrations")
    assert run("export-report", emulator.event_id, "brandNew", "r.csv", *FAST).code == 2
    emulator.requests.entries.clear()
    run("export-report", emulator.event_id, "brandNew", "r.csv", "--allow-undocumented", *FAST)
    assert emulator.count("POST", "/v1/events/*/reports/brandNew") == 1


def test_a_failed_report(emulator: Any, run: Any, tmp_path: Path) -> None:
    emulator.settings.change(report_status="failed")
    ran = run("export-report", emulator.event_id, "registrations", "r.csv", *FAST)
    assert (ran.code, ran.out) == (1, "")
    assert "could not make it" in ran.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("registrations", "r.csv", "--attribute", "segmentType"), "--attribute"),
        (("registrations", "r.csv", "--attribute", "segmentTypo=all"), "segmentTypo"),
        (("registrations", "r.csv", "--poll-interval", "0"), "--poll-interval"),
        (("registrations", "r.csv", "--wait-timeout", "inf"), "--wait-timeout"),
    ],
)
def test_invalid_arguments_are_named_before_anything_is_sent(
    command: tuple[str, ...], named: str, emulator: Any, run: Any
) -> None:
    ran = run("export-report", emulator.event_id, *command)
    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err
    assert not emulator.requests.entries


@pytest.mark.parametrize("place", ["/dev/null", "file/r.csv", "/proc/ringevents/r.csv", "x" * 300])
def test_nothing_is_requested_for_a_place_where_no_file_can_be(
    place: str, emulator: Any, run: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for command in (("export-report", emulator.event_id, "registrations"), ("export-list", "events")):
        ran = run(*command, place)
        assert (ran.code, ran.out) == (2, "")
        assert "must be" in ran.err
    assert not emulator.requests.entries


@pytest.mark.parametrize(("if_exists", "code"), [("skip", 0), ("fail", 2), ("overwrite", 0)])
def test_what_is_there(if_exists: str, code: int, emulator: Any, run: Any, tmp_path: Path) -> None:
    there = tmp_path / "r.csv"
    for command in (("export-report", emulator.event_id, "registrations", "r.csv", *FAST), ("export-list", "events")):
        there.write_text("before")
        target = () if command[0] == "export-report" else ("r.csv",)
        ran = run(*command, *target, "--if-exists", if_exists, "-o", "plain")
        assert ran.code == code
        assert (there.read_text() == "before") == (if_exists != "overwrite")
        assert ("skipped\ttrue" in ran.out) == (if_exists == "skip")


def test_a_report_without_a_required_column_is_not_written(emulator: Any, run: Any, tmp_path: Path) -> None:
    command = ("export-report", emulator.event_id, "registrations", "r.csv", "--required-column", "Email", *FAST)
    lacking = run(*command, "--required-column", "Shoe size")
    assert lacking.code == 1  # The same report would lack it again.
    assert "ringevents: --required-column must be in the header of the report, which lacks 'Shoe size'" in lacking.err
    assert not list(tmp_path.iterdir())
    assert run(*command, "-o", "json").json["rows"] == 250


def test_an_empty_report_is_written_on_request(emulator: Any, run: Any, tmp_path: Path) -> None:
    emulator.settings.change(report_bytes=0)
    command = ("export-report", emulator.event_id, "registrations", "r.csv", *FAST)
    empty = run(*command)
    assert empty.code == 5
    assert "With --allow-empty an empty report is published" in empty.err
    assert not list(tmp_path.iterdir())
    assert run(*command, "--allow-empty").code == 0
    assert (tmp_path / "r.csv").read_bytes() == b""


@pytest.mark.parametrize("name", ["r.parquet", "r.xlsx", "r.jsonl.gz"])
def test_a_suffix_that_no_report_has_is_refused_before_anything_is_sent(name: str, emulator: Any, run: Any) -> None:
    ran = run("export-report", emulator.event_id, "registrations", name)
    assert ran.code == 2
    assert "DESTINATION must be a name that fits a report" in ran.err
    assert not emulator.requests.entries


@pytest.mark.parametrize("command", ["export-report", "export-list"])
@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("StorageClass", "--object-option must be NAME=VALUE"),
        ("StorageClass=STANDARD_IA", "--object-option StorageClass must be left out, since this store has no options"),
        ("Metadata={", "a JSON object"),
    ],
)
def test_options_of_an_object_are_held_against_the_store(
    command: str, option: str, said: str, emulator: Any, run: Any
) -> None:
    target = (emulator.event_id, "registrations", "r.csv") if command == "export-report" else ("events", "r.csv")
    ran = run(command, *target, "--object-option", option)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert not emulator.requests.entries


def test_options_of_an_object_are_parsed() -> None:
    from airflow_provider_ringevents.cli.parsing import parse_object_options

    given = ["ServerSideEncryption=aws:kms", "BucketKeyEnabled=true", 'Metadata={"team": "a=b"}']
    assert parse_object_options(given) == {
        "ServerSideEncryption": "aws:kms",
        "BucketKeyEnabled": True,
        "Metadata": {"team": "a=b"},
    }
    assert parse_object_options(None) is None


# --- lists


@pytest.mark.parametrize("folder", [True, False])
def test_a_list_is_written_whole_and_told(folder: bool, emulator: Any, run: Any, tmp_path: Path) -> None:
    command = ("--parent-id", emulator.event_id, "--format", "csv", "-o", "json")
    ran = run("export-list", "registrations", "out/" if folder else "rows.csv", *command)
    written = tmp_path / (f"out/registrations-{emulator.event_id}.csv" if folder else "rows.csv")
    with written.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 250 == ran.json["rows"]
    assert (ran.json["collection"], ran.json["parent_id"]) == ("registrations", emulator.event_id)
    assert (ran.code, ran.err) == (0, "")


def test_lists_of_organizations_find_their_parent(connect: Any, emulator: Any, run: Any) -> None:
    assert run("export-list", "events", "e.jsonl", "-o", "json").json["parent_id"] == emulator.organization_id
    assert run("export-list", "organizations", "o.jsonl", "-o", "json").json["rows"] == 2
    connect(extra={"organization_id": None})
    assert run("export-list", "events", "e.jsonl").code == 2


def test_an_exported_list_can_be_narrowed(emulator: Any, run: Any) -> None:
    command = ("--parent-id", emulator.event_id, "--filter", "refunded=true", "-o", "json")
    assert 0 < run("export-list", "registrations", "r.jsonl", *command).json["rows"] < 250


def test_formulas_are_escaped_on_request(emulator: Any, run: Any, tmp_path: Path) -> None:
    command = ("export-list", "registrations", "r.csv", "--parent-id", emulator.event_id)
    assert run(*command).code == 0
    assert b'"+81 3-1234-5678"' in (tmp_path / "r.csv").read_bytes()
    assert run(*command, "--escape-formulas").code == 0
    assert b'"\'+81 3-1234-5678"' in (tmp_path / "r.csv").read_bytes()


def test_strict_writes_nothing_when_the_list_changes(emulator: Any, run: Any, tmp_path: Path) -> None:
    emulator.fault("registrations_added", query=r"\bpage=1\b", times=None)
    command = ("export-list", "registrations", "r.jsonl", "--parent-id", emulator.event_id)
    ran = run(*command, "--strict")
    assert ran.code == 5
    assert "changed while it was read" in ran.err
    assert not list(tmp_path.iterdir())
    assert run(*command).code == 0


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (("registrations", "r.csv"), "--parent-id"),
        (("organizations", "r.csv", "--parent-id", "E"), "--parent-id"),
        (("tickets", "r.jsonl", "--parent-id", "E", "--escape-formulas"), "--escape-formulas"),
    ],
)
def test_invalid_arguments_of_a_list_are_named(command: tuple[str, ...], named: str, emulator: Any, run: Any) -> None:
    ran = run("export-list", *command)
    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err
    assert not emulator.requests.entries


# --- progress


def test_progress_is_drawn_on_a_terminal(emulator: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    assert run("export-list", "registrations", "r.jsonl", "--parent-id", emulator.event_id).code == 0
    assert "250 of 250 rows" in terminal.getvalue()
    ran = run("export-report", emulator.event_id, "registrations", "r.csv", "-o", "json", *FAST)
    size = ran.json["bytes"] / 1024
    assert f"{size:.1f} KiB of {size:.1f} KiB" in terminal.getvalue()
    assert f"Downloading report {ran.json['report_id']}" in terminal.getvalue()


def test_a_cut_download_is_resumed_and_whole(emulator: Any, run: Any, tmp_path: Path) -> None:
    emulator.settings.change(report_bytes=3_000_000)
    cut = emulator.fault("cut_body", after=1_000_000, path="/download$|/files/", origin="api")
    ran = run("export-report", emulator.event_id, "registrations", "r.csv", "-o", "json", *FAST)
    assert cut.hit_count == 1
    assert hashlib.sha256((tmp_path / "r.csv").read_bytes()).hexdigest() == ran.json["sha256"]
    assert ran.json["sha256"] == emulator.report_sha256(ran.json["report_id"])
    assert "(RemoteProtocolError); resuming from byte " in ran.err


def test_verbose_tells_what_is_done(emulator: Any, run: Any) -> None:
    command = ("export-list", "events", "e.jsonl", "-o", "json")
    assert run(*command).err == ""
    ran = run(*command, "--verbose")
    assert "Wrote file://" in ran.err
    assert ran.json["rows"] == 12
