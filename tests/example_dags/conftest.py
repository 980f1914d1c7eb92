"""Whole runs of the example DAGs on an emulator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import DagOutcome, run_dag

EXAMPLES = Path(__file__).parents[2] / "example_dags"


@pytest.fixture
def emulator() -> Iterator[Any]:
    """An emulator whose reports are ready as soon as they are asked for."""
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1, report_seconds=0) as running:
        yield running


@pytest.fixture
def run_example(ringevents_conn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DagOutcome]:
    """`run_example(name, logical_date=None, **params)`: a whole run that exports into `tmp_path`, without pauses.

    With `has_logical_date=False` the run has no logical date (Airflow 3).
    """
    from airflow_provider_ringevents.polling.schedule import PollSchedule

    # The reports are ready at once, so that waiting would only take time. All else is as users have it.
    monkeypatch.setattr(PollSchedule, "next_delay", lambda self, now, concurrent_waits=0: 0.01)

    def run(
        name: str, *, logical_date: datetime | None = None, has_logical_date: bool = True, **params: Any
    ) -> DagOutcome:
        return run_dag(
            EXAMPLES / f"{name}.py",
            connections={ringevents_conn: os.environ[f"AIRFLOW_CONN_{ringevents_conn.upper()}"]},
            run_conf={"destination": f"file://{tmp_path}", **params},
            logical_date=logical_date,
            has_logical_date=has_logical_date,
        )

    return run


@pytest.fixture
def exported(tmp_path: Path) -> Callable[[], dict[str, bytes]]:
    """`exported()`: what lies in `tmp_path`, by path."""
    return lambda: {
        str(file.relative_to(tmp_path)): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()
    }
