"""The real programs, sparingly: Airflow takes seconds to start."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from airflow_harness.database import ensure_database

from airflow_provider_ringevents._compat import AIRFLOW_VERSION
from airflow_provider_ringevents.cli.main import main

BIN = Path(sys.executable).parent
# Before 3.2 Airflow takes no commands of providers. Under Python 3.14 it warns of its own parser, on stdout.
PROGRAM = "airflow ringevents" if AIRFLOW_VERSION >= (3, 2) and sys.version_info < (3, 14) else "ringevents"


def installed(program: str) -> list[str]:
    """The program in this environment."""
    name, *more = program.split()
    if not (BIN / name).exists():
        pytest.skip(f"{name} is not installed in this environment")
    return [str(BIN / name), *more]


def test_a_connection_of_the_database_and_a_reader_that_leaves(emulator: Any) -> None:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    ensure_database()
    with create_session() as session:
        session.add(Connection(conn_id="mine", **emulator.connection() | {"extra": "{}"}))
    rows = ["registrations", emulator.event_id, "--conn-id", "mine", "--limit", "0", "-o", "json"]
    command = shlex.join([*installed(PROGRAM), *rows])
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"},
    )
    assert (done.returncode, done.stdout) == (141, "[\n"), done.stderr
    assert "BrokenPipe" not in done.stderr
    assert emulator.count("GET", "/v1/events/*/registrations", status=200)


def test_stdout_holds_the_output_alone(emulator: Any) -> None:
    connection = {"AIRFLOW_CONN_RINGEVENTS_DEFAULT": emulator.connection_json()}
    done = subprocess.run(
        [*installed("ringevents"), "organizations", "-o", "json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=os.environ | connection | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO"},
    )
    assert emulator.organization_id in [row["id"] for row in json.loads(done.stdout)]


def test_the_console_script_is_declared() -> None:
    found = [entry for entry in entry_points(group="console_scripts") if entry.name == "ringevents"]
    if not found:
        pytest.skip("ringevents is not installed in this environment")
    assert found[0].load() is main
