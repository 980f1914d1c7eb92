"""The watcher in a real Airflow: scheduler, triggerer, DAG processor, API server and a database.

    python -m pytest tests/chaos/campaign_registrations_sync.py

Takes about a minute: part of `make chaos`, not of `make test`. Airflow 3.3 and later.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import HAS_STATE_STORE

ROOT = Path(__file__).parents[2]
NAME = "example_ringevents_registrations_sync"

sys.path.insert(0, str(ROOT / "scripts"))

pytestmark = pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow before 3.3 keeps no state of assets")


class Deployment:
    """A real Airflow with the example in it, which polls every second and exports into `exports`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        from local_airflow import LocalAirflow

        self.home = folder / "home"
        self.logs = folder / "logs"
        self.exports = folder / "exports"
        dags = folder / "dags"
        dags.mkdir()
        text = (ROOT / "example_dags" / f"{NAME}.py").read_text()
        assert "poll_interval=60" in text
        assert "file:///tmp/ringevents" in text
        text = text.replace("poll_interval=60", "poll_interval=1").replace(
            "file:///tmp/ringevents", f"file://{self.exports}"
        )
        (dags / f"{NAME}.py").write_text(text)
        # Unlike the demo's, these runs are started by the scheduler.
        scheduled = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True", **environment}
        self.airflow = LocalAirflow(self.home, self.logs, dags, scheduled)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the metadata database."""
        with closing(sqlite3.connect(f"file:{self.home}/airflow.db?mode=ro", uri=True)) as database:
            try:
                return database.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []

    def until(self, happened: Callable[[], Any], what: str, limit: float = 90) -> Any:
        """What `happened()` returns as soon as that is something."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if answer := happened():
                return answer
            time.sleep(0.2)
        logs = "\n".join(f"--- {file}\n{file.read_text()[-3000:]}" for file in self.logs.glob("*.log"))
        raise AssertionError(f"{what} did not happen\n{logs}")

    def exported(self) -> dict[str, int]:
        """In how many files each registration is."""
        counts: dict[str, int] = {}
        for file in self.exports.rglob("*.gz"):
            for line in gzip.decompress(file.read_bytes()).splitlines():
                row = json.loads(line)
                counts[row["id"]] = counts.get(row["id"], 0) + 1
        return counts

    def finished_runs(self) -> list[tuple[Any, ...]]:
        """All runs, once every one has succeeded."""
        runs = self.rows("SELECT run_id, run_type, state FROM dag_run")
        return runs if runs and all(state == "success" for *_ids, state in runs) else []


@pytest.fixture
def deployment(emulator: Any, tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(
        tmp_path,
        {
            "AIRFLOW_CONN_RINGEVENTS_DEFAULT": emulator.connection_json(),
            "RINGEVENTS_EVENT_ID": emulator.event_id,
        },
    )
    with deployment.airflow as airflow:
        airflow.create()
        airflow.start([NAME])
        yield deployment
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_registrations_that_arrive_are_exported_by_runs_that_start_by_themselves(
    emulator: Any, deployment: Deployment
) -> None:
    polls = "/v1/events/*/registrations"
    deployment.until(lambda: emulator.count("GET", polls, status=200) >= 3, "the first polls")
    deployment.until(lambda: deployment.rows("SELECT value FROM asset_state_store"), "the watermark in the database")
    assert deployment.rows("SELECT run_id FROM dag_run") == []

    first = emulator.state.add_registrations(emulator.event_id, 30)
    deployment.until(lambda: set(first) <= deployment.exported().keys(), "the first export")
    runs = deployment.until(deployment.finished_runs, "the end of the first run")
    assert [kind for _run_id, kind, _state in runs] == ["asset_triggered"]
    assert set(deployment.exported()) == set(first)

    # An outage of the service, with changes behind it.
    emulator.stop()
    second = emulator.state.add_registrations(emulator.event_id, 5)
    emulator.state.update_registration(first[0], {"seen": "yes"})
    time.sleep(5)
    emulator.start()
    deployment.until(lambda: set(second) <= deployment.exported().keys(), "the export after the outage")
    deployment.until(deployment.finished_runs, "the end of the second run")
    exported = deployment.exported()
    assert exported.keys() == {*first, *second}
    assert exported[first[0]] == 2

    # No run without a change.
    count = emulator.count("GET", polls, status=200)
    deployment.until(lambda: emulator.count("GET", polls, status=200) >= count + 5, "five more polls")
    assert len(deployment.finished_runs()) == 2

    payloads = [json.loads(extra)["payload"] for (extra,) in deployment.rows("SELECT extra FROM asset_event")]
    assert [payload["count"] for payload in payloads] == [30, 6]
    said = "".join(file.read_text() for file in [*deployment.logs.glob("*.log"), *deployment.home.rglob("*.log")])
    assert emulator.api_key not in said
