"""Values of the service are shown as they are, and cannot control the terminal."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
from typing import Any, get_args

import pytest

from airflow_provider_ringevents.cli import list as list_commands
from airflow_provider_ringevents.cli.output import Output, print_record, print_rows


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


ROWS = [{"id": "A" * 25, "name": "[red]Gala[/red] \x1b[31m\n:tada:", "metadata": {"a": 1}, "free": True, "none": None}]
COLUMNS = ("id", "name", "metadata", "free", "none", "missing")


@pytest.mark.parametrize("output", ["table", "plain"])
def test_a_cell_is_text(output: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, output)
    last = capsys.readouterr().out.splitlines()[-1]
    divided = [cell.strip() for cell in last.split("|" if output == "table" else "\t")]
    assert divided == ["A" * 25, "[red]Gala[/red]  [31m :tada:", '{"a": 1}', "true", "", ""]


def test_json_is_what_came(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([*ROWS, {"id": "夜会"}], COLUMNS, "json")
    out = capsys.readouterr().out
    assert json.loads(out) == [*ROWS, {"id": "夜会"}]
    assert "夜会" in out
    print_rows([], COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("output", get_args(Output))
@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x7f", "\x85", "\x9b", "\u200f", "\u202e", "\u2066", "\U000e0041"]
)
def test_no_control_character_is_written(output: Output, character: str, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"id": f"a{character}b", "metadata": {f"k{character}": [character]}}
    print_rows([row], ("id", "metadata"), output)
    print_record(row, output)
    out = capsys.readouterr().out
    assert character not in out
    assert all(text.isprintable() for text in re.split(r"[\n\t]", out))
    if output == "json":
        rows, end = json.JSONDecoder().raw_decode(out)
        assert rows == [row]
        assert json.loads(out[end:]) == row


def test_a_lone_surrogate_is_written_in_every_format(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    for output in get_args(Output):
        print_rows([{"id": "cut \ud83d"}], ("id",), output)
    assert b"\\ud83d" in capsysbinary.readouterr().out


def test_logs_hold_no_control_character(run: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def warn(*_: Any, **__: Any) -> None:
        logging.getLogger("airflow_provider_ringevents.test").warning("title \x1b[31m\x9b \u202e\nsecond line")

    monkeypatch.setattr(list_commands, "print_rows", warn)
    ran = run("organizations")
    assert ran.code == 0
    assert ran.err.splitlines()[:2] == ["ringevents: title  [31m   ", "second line"]


def test_an_id_is_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    print_rows([{"id": "A" * 25, "name": "a long name " * 20}], ("id", "name"), "table")
    assert "A" * 25 in terminal.getvalue()
    assert max(len(line) for line in terminal.getvalue().splitlines() if "A" in line) <= 40


@pytest.mark.parametrize("shown", [True, False], ids=["in colour", "NO_COLOR"])
def test_results_are_in_colour_on_a_terminal(
    run: Any, connect: Any, emulator: Any, monkeypatch: pytest.MonkeyPatch, shown: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if not shown:
        monkeypatch.setenv("NO_COLOR", "1")
    emulator.fault(kind="status", status=404, path="/organizations/[^/]+$")
    run("check")
    assert ("\x1b[32mok" in terminal.getvalue(), "\x1b[31mfailed" in terminal.getvalue()) == (shown, shown)


def test_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"uri": "file:///" + "x" * 300, "skipped": True}
    print_record(values, "table")
    assert capsys.readouterr().out == f"uri      {values['uri']}\nskipped  true\n"
    print_record(values, "plain")
    assert capsys.readouterr().out == f"uri\t{values['uri']}\nskipped\ttrue\n"
    print_record(values, "json")
    assert json.loads(capsys.readouterr().out) == values
