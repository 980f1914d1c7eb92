"""What comes from the service is shown as it is, and cannot steer the terminal."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from airflow_provider_ringevents.cli.output import print_record, print_rows


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


def test_an_id_is_whole_in_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    print_rows([{"id": "A" * 25, "name": "a long name " * 20}], ("id", "name"), "table")
    assert "A" * 25 in terminal.getvalue()
    assert max(len(line) for line in terminal.getvalue().splitlines() if "A" in line) <= 40


def test_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    values = {"uri": "file:///" + "x" * 300, "skipped": True}
    print_record(values, "table")
    assert capsys.readouterr().out == f"uri      {values['uri']}\nskipped  true\n"
    print_record(values, "plain")
    assert capsys.readouterr().out == f"uri\t{values['uri']}\nskipped\ttrue\n"
    print_record(values, "json")
    assert json.loads(capsys.readouterr().out) == values
