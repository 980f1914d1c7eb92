"""A real Airflow on this machine whose processes can be killed and started again."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from local_airflow import LocalAirflow, LocalAirflowError  # noqa: E402 - found by the line above

_TASK = re.compile(r"airflow worker -- [0-9a-f]{8}-")
SETTINGS = {
    "AIRFLOW__CORE__PARALLELISM": "8",
    "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "200",
    "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": "200",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "4",
    # No page of Airflow is looked at here, and a line for every step is kept in the task's log.
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
}
"""Short times, so that Airflow notices soon what has died."""
_IMPORTED = (
    "airflow.providers.amazon.aws.fs.s3",
    "airflow.providers.openlineage.plugins.listener",
    "airflow_provider_ringevents.hooks.ringevents",
    "s3fs",
)
"""What takes most of the time of a task that is as short as those here."""


class Deployment(LocalAirflow):
    """API server, scheduler, DAG processor, triggerer and their workers. Arguments as those of :class:`LocalAirflow`.

    :ivar triggerers: how many have been started in place of one that was killed.
    """

    triggerers = 0

    def __init__(self, home: Path, logs: Path, dags: Path, environment: Mapping[str, str]) -> None:
        super().__init__(home, logs, dags, environment, imported=_IMPORTED)

    def create(self, limit: float = 120) -> None:
        super().create(limit)
        # Readers no longer wait for writers: so many processes on SQLite would lock each other out.
        with closing(sqlite3.connect(self._home / "airflow.db")) as database:
            database.execute("PRAGMA journal_mode=WAL")

    def begin_run(self, dag_id: str, run_id: str) -> None:
        """Start a DAG run; returns when it is there."""
        self._order(f"begin-{run_id}", "dags", "trigger", "--run-id", run_id, dag_id)
        self.until(lambda: self.rows("SELECT 1 FROM dag_run WHERE run_id = ?", run_id), f"the begin of {run_id}", 120)

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        """Rows of the metadata database."""
        return self._read(query, *values)

    def until(self, happened: Callable[[], Any], what: str, limit: float) -> Any:
        """What `happened()` returns as soon as that is something.

        :raises AssertionError: it is not within `limit` seconds; with what the components have printed last.
        """
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if answer := happened():
                return answer
            if ended := set(self._exit_codes()) & {"api-server", "scheduler", "dag-processor"}:
                what = f"{what}, since the {min(ended)} has ended by itself:"
                break
            time.sleep(0.1)
        said = "\n".join(self._tail(file.stem, 30) for file in self._logs.glob("*.log"))
        raise AssertionError(f"{what} did not happen within {limit:.0f} s\n{said}")

    def task_processes(self) -> list[psutil.Process]:
        """The processes that run tasks now."""
        return [process for process in self._processes() if _TASK.match(_title(process))]

    def kill_triggerer(self) -> None:
        """SIGKILL the triggerer, both of its processes."""
        name = f"triggerer-{self.triggerers}" if self.triggerers else "triggerer"
        for process in self._processes():
            with suppress(OSError):
                if Path(os.readlink(f"/proc/{process.pid}/fd/1")).name == f"{name}.log":
                    kill(process)

    def start_triggerer(self) -> None:
        """Start another triggerer; does not wait until it works."""
        self.triggerers += 1
        self._order(f"triggerer-{self.triggerers}", "triggerer", "--skip-serve-logs")

    def _processes(self) -> list[psutil.Process]:
        if self._process is None:
            raise LocalAirflowError("Airflow does not run")
        return psutil.Process(self._process.pid).children(recursive=True)


def kill(process: psutil.Process) -> bool:
    """SIGKILL; returns whether it was alive."""
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)
        return True
    return False


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""
