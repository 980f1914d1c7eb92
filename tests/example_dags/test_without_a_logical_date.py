"""The examples in runs without a logical date, which assets and, on Airflow 3, people start."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import HAS_TASK_SDK, DagOutcome, Run

EXAMPLES = Path(__file__).parents[2] / "example_dags"
ROWS = [{"id": "1", "name": "Getting started", "starts": "2027-03-02T17:00", "ends": "2027-03-02T18:00"}]
ALWAYS = {"ended_from": "2000-01-01T00:00:00Z", "ended_before": "2100-01-01T00:00:00Z"}

pytestmark = pytest.mark.skipif(not HAS_TASK_SDK, reason="every run of Airflow 2 has a logical date")


@pytest.mark.parametrize("example", ["report_export", "report_export_mapped", "post_event", "provision_series"])
def test_an_example_runs(emulator: Any, run_example: Callable[..., DagOutcome], example: str) -> None:
    emulator.state.events[emulator.event_id].end = 0
    params = {
        "report_export": {"event_id": emulator.event_id},
        "report_export_mapped": {**ALWAYS, "report_types": ["registrations"]},
        "post_event": {"event_id": emulator.event_id},
        "provision_series": {"template_id": emulator.template_id, "rows": ROWS},
    }[example]
    outcome = run_example(f"example_ringevents_{example}", has_logical_date=False, **params)
    assert outcome.state == "success", outcome.log_text[-5000:]


def test_an_example_that_needs_a_data_interval_exports_nothing_without(emulator: Any, tmp_path: Path) -> None:
    name = "example_ringevents_registrations_daily"
    run = Run(
        lambda: runpy.run_path(str(EXAMPLES / f"{name}.py"))["dag"],
        task_id="export_registrations",
        dag_id=name,
        map_index=0,
        connections={"ringevents_default": emulator.connection_json()},
        conf={"destination": f"file://{tmp_path}"},
        xcoms={"list_events": [emulator.event_id]},
        data_interval=None,
    )
    result = run.attempt()
    assert (result.state, emulator.count()) == ("up_for_retry", 0)
    assert "data_interval_start" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_what_needs_a_date_says_so(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if "{{" in line and "data_interval" in line:
            assert "Needs a data interval" in before
        assert not any(f"{{{{ {name}" in line for name in ("ds ", "ds_nodash", "ts ", "ts_nodash", "logical_date"))
