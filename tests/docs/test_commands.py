"""Commands of Airflow and of ours that the documentation shows are taken by their own parsers."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest
from airflow.cli import cli_parser
from airflow_harness.versions import AIRFLOW_VERSION

from airflow_provider_ringevents.cli.main import parser as ringevents_parser
from docs import blocks

SINCE = {"backfill": (3, 0), "ringevents": (3, 2)}
UNTIL = {"dags backfill": (3, 0)}
PROGRAMS = ("airflow", "ringevents")


def commands(program: str) -> list[tuple[str, str]]:
    """Each command line that begins with a program, with its place; lines that end in a backslash are joined."""
    return [
        (f"{block} {match[1].strip()}", match[1].strip())
        for block in blocks("bash")
        for match in re.finditer(rf"^ *({program} [^|\n]*)", block.text.replace("\\\n", " "), re.MULTILINE)
    ]


def parsed(parser: argparse.ArgumentParser, line: str) -> None:
    try:
        parser.parse_args(shlex.split(line, comments=True)[1:])
    except SystemExit as e:
        pytest.fail(f"{line!r} is refused ({e.code})")


@pytest.mark.parametrize("line", [pytest.param(line, id=place) for place, line in commands("airflow")])
def test_airflow_takes_it(line: str) -> None:
    words = line.removeprefix("airflow ")
    if any(words.startswith(f"{name} ") and first > AIRFLOW_VERSION for name, first in SINCE.items()):
        return
    if any(words.startswith(f"{name} ") and end <= AIRFLOW_VERSION for name, end in UNTIL.items()):
        return
    parsed(cli_parser.get_parser(), line)


@pytest.mark.parametrize("line", [pytest.param(line, id=place) for place, line in commands("ringevents")])
def test_ringevents_takes_it(line: str) -> None:
    parsed(ringevents_parser(), line)


@pytest.mark.parametrize("program", PROGRAMS)
def test_there_are_some(program: str) -> None:
    assert len(commands(program)) >= 3
