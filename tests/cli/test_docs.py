"""Every command that the page shows is run, and writes what the page says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from airflow_harness.database import ensure_database

from airflow_provider_ringevents.cli.commands import get_ringevents_cli_commands
from airflow_provider_ringevents.cli.main import parser
from airflow_provider_ringevents.cli.runner import ExitCode
from docs import DOCS, blocks, code, rows

PAGE = "cli.md"
SHOWN = "http://127.0.0.1:8765"
HOME = "/home/ada"
_CHANGING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<time>"),
    (r"\b[0-9a-f]{64}\b", "<sha256>"),
    (r'(bytes"?:? +)\d+', r"\1<bytes>"),
    (r'(seconds"?:? +)[\d.]+', r"\1<seconds>"),
    (r"responds in \d+ ms", "responds in <n> ms"),
    (r"=+", "="),  # the rule below a head is as wide as what changes
)


def shown() -> list[tuple[str, str]]:
    """Each command of the page, with what follows it."""
    return [
        (command, output)
        for block in blocks("console")
        if block.page == DOCS / PAGE
        for command, output in re.findall(r"^\$ (ringevents .*)\n((?:(?!\$ ).*\n)*)", block.text, re.MULTILINE)
    ]


def without_what_changes(text: str) -> str:
    """Times, sizes and durations differ from run to run."""
    for pattern, stand_in in _CHANGING:
        text = re.sub(pattern, stand_in, text)
    return text


def test_every_command_writes_what_is_shown(
    emulator: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents import clock

    ensure_database()
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(emulator.connection()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clock, "sleep", lambda seconds: None)
    emulator.settings.change(report_seconds=0)
    for command, expected in shown():
        ran = run(*shlex.split(command)[1:])
        lines = without_what_changes(expected).splitlines()
        for written, of_stderr in ((ran.out, False), (ran.err, True)):
            here = without_what_changes(written.replace(emulator.url, SHOWN).replace(str(tmp_path), HOME))
            assert here.splitlines() == [line for line in lines if line.startswith("ringevents: ") == of_stderr], (
                command
            )


def test_every_command_is_shown() -> None:
    (group,) = get_ringevents_cli_commands()
    run = {command.split()[1] for command, _ in shown()}
    in_scripts = {"emulator", "openapi", "schema", "import-magic-links", "import-registrations"}
    assert run == {command.name for command in group.subcommands} - in_scripts
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    for name in in_scripts:
        assert f"ringevents {name}" in page


def test_every_command_in_a_script_is_one() -> None:
    commands = [
        line
        for block in blocks("bash")
        if block.page == DOCS / PAGE
        for line in re.findall(r"(?:^|\n|airflow ) *(ringevents [^|\n]*)", block.text.replace("\\\n", " "))
    ]
    assert len(commands) == 11
    for command in commands:
        parser().parse_args(shlex.split(command)[1:])


def test_every_exit_code_is_listed() -> None:
    assert [int(row[0]) for row in rows(PAGE, "## Exit codes")] == [int(each) for each in ExitCode]


def test_every_output_is_listed() -> None:
    (group,) = get_ringevents_cli_commands()
    (output,) = [each for each in group.subcommands[0].args if "--output" in each.flags]
    assert [code(row[0])[0] for row in rows(PAGE, "### For scripts")] == list(output.kwargs["choices"])
