"""`example_ringevents_report_export` on the emulator."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import DagOutcome, Run
from airflow_harness.dags import REFUSED

NAME = "example_ringevents_report_export"
FILE = Path(__file__).parents[2] / "example_dags" / f"{NAME}.py"


def test_the_report_lies_in_the_destination_byte_for_byte(
    emulator: Any, run_example: Callable[..., DagOutcome], exported: Callable[[], dict[str, bytes]], tmp_path: Path
) -> None:
    outcome = run_example(NAME, event_id=emulator.event_id)
    assert outcome.state == "success"
    manifest = outcome.task("export_report").xcom
    content = emulator.report_content(manifest["report_id"])
    assert exported() == {f"registrations-{emulator.event_id}.csv": content}
    assert manifest["uri"] == f"file://{tmp_path}/registrations-{emulator.event_id}.csv"
    assert (manifest["bytes"], manifest["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_wait_is_deferred(
    emulator: Any, run_example: Callable[..., DagOutcome], ringevents_conn: str, tmp_path: Path
) -> None:
    run = Run(
        lambda: runpy.run_path(str(FILE))["dag"],
        task_id="export_report",
        dag_id=NAME,
        connections={ringevents_conn: emulator.connection_json()},
        conf={"event_id": emulator.event_id, "report_type": "noShows", "destination": f"file://{tmp_path}"},
    )
    result = run.to_end()
    assert list(result.sessions) == ["deferred", "success"]
    written = (tmp_path / f"noShows-{emulator.event_id}.csv").read_bytes()
    assert written == emulator.report_content(result.xcom["report_id"])


def test_a_second_run_replaces_the_file(
    emulator: Any, run_example: Callable[..., DagOutcome], exported: Callable[[], dict[str, bytes]]
) -> None:
    run_example(NAME, event_id=emulator.event_id)
    before = exported()
    emulator.settings.change(report_bytes=4096)
    second = run_example(NAME, event_id=emulator.event_id)
    content = emulator.report_content(second.task("export_report").xcom["report_id"])
    assert exported() == {f"registrations-{emulator.event_id}.csv": content}
    assert exported() != before


@pytest.mark.parametrize(
    ("param", "value"),
    [("event_id", ""), ("report_type", "registration"), ("destination", "s3://bucket/"), ("ringevents_conn_id", "")],
)
def test_a_param_that_cannot_be_is_refused_before_anything_runs(
    emulator: Any, run_example: Callable[..., DagOutcome], param: str, value: str
) -> None:
    with pytest.raises(REFUSED, match=param):
        run_example(NAME, **{"event_id": emulator.event_id, param: value})
    assert emulator.count() == 0


def test_the_event_must_be_named(emulator: Any, run_example: Callable[..., DagOutcome]) -> None:
    with pytest.raises(REFUSED, match="event_id"):
        run_example(NAME)
    assert emulator.count() == 0
