"""Run a whole DAG file through `dag.test()`: real scheduling, mapping and trigger rules, in a real metadata database.

For one task prefer `Run`, which is closer to a deployment: `dag.test()` drops `defer(kwargs=...)`, never retries after
an error in a trigger, and runs no trigger's `cleanup()`.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow.providers.common.compat.sdk import DAG, ParamValidationError, conf

from airflow_harness.database import ensure_database
from airflow_harness.logs import LogBook
from airflow_harness.versions import HAS_TASK_SDK

if HAS_TASK_SDK:
    from airflow.sdk.execution_time import supervisor

    # Airflow before 3.3 builds a whole API server anew for each task, which takes seconds.
    supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)

REFUSED = (ParamValidationError, ValueError)
"""What starting a run with params that cannot be raises; the second on Airflow 3.2."""


@dataclass(frozen=True)
class TaskOutcome:
    """How one task instance ended. `xcom` is its return value, `xcoms` everything that it pushed, by key."""

    state: str
    xcoms: Mapping[str, Any]

    @property
    def xcom(self) -> Any:
        return self.xcoms.get("return_value")


@dataclass(frozen=True)
class DagOutcome:
    """How a DAG run ended. `tasks` goes by task id and map index (-1 where a task is not mapped)."""

    state: str
    tasks: Mapping[tuple[str, int], TaskOutcome]
    log_text: str

    def task(self, task_id: str, map_index: int = -1) -> TaskOutcome:
        return self.tasks[task_id, map_index]


def run_dag(
    file: Path,
    *,
    dag_id: str | None = None,
    connections: Mapping[str, str] | None = None,
    run_conf: Mapping[str, Any] | None = None,
    logical_date: datetime | None = None,
    has_logical_date: bool = True,
) -> DagOutcome:
    """Parse a DAG file and run its DAG to the end.

    :param file: the DAG file. It is copied into the dags folder, where Airflow 3 looks for what it runs.
    :param dag_id: needed when the file holds several DAGs.
    :param connections: connection id to a URI or a JSON object as text.
    :param run_conf: the DAG run's conf, which also overrides params.
    :param logical_date: now, by default.
    :param has_logical_date: False: a run without one, as an asset or, on Airflow 3, a person starts it.
    Raises whatever importing the file raises, and LookupError when it does not hold the DAG.
    """
    ensure_database()
    book = LogBook()
    environment = {f"AIRFLOW_CONN_{conn_id.upper()}": text for conn_id, text in (connections or {}).items()}
    with book.open(), patch.dict(os.environ, environment):
        dag = _load(file, dag_id)
        when = (logical_date or datetime.now(UTC)) if has_logical_date else None
        date = {"logical_date": when} if HAS_TASK_SDK else {"execution_date": when}
        run = dag.test(run_conf=dict(run_conf or {}), **date)
        tasks = _outcomes(run)
    return DagOutcome(state=str(run.state), tasks=tasks, log_text=book.text)


def _load(file: Path, dag_id: str | None) -> Any:
    folder = Path(conf.get("core", "dags_folder"))
    for earlier in folder.glob("*.py"):  # Airflow parses all that lies there at every run
        earlier.unlink()
    target = folder / file.name
    shutil.copyfile(file, target)
    spec = importlib.util.spec_from_file_location(file.stem, target)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    with patch.dict(sys.modules, {file.stem: module}):
        spec.loader.exec_module(module)
    dags = {value.dag_id: value for value in vars(module).values() if isinstance(value, DAG)}
    if dag_id is None and len(dags) == 1:
        return next(iter(dags.values()))
    if dag_id not in dags:
        raise LookupError(f"{file.name} holds the DAGs {sorted(dags)}, not {dag_id!r}")
    return dags[dag_id]


def _outcomes(run: Any) -> dict[tuple[str, int], TaskOutcome]:
    from airflow.utils.session import create_session

    with create_session() as session:
        run = session.merge(run)
        instances = [(ti.task_id, ti.map_index, str(ti.state)) for ti in run.get_task_instances(session=session)]
        xcoms: dict[tuple[str, int], dict[str, Any]] = {}
        for row in session.query(_xcom_model()).filter_by(dag_id=run.dag_id, run_id=run.run_id):
            xcoms.setdefault((row.task_id, row.map_index), {})[row.key] = _xcom_value(row)
    return {
        (task_id, map_index): TaskOutcome(state, xcoms.get((task_id, map_index), {}))
        for task_id, map_index, state in instances
    }


def _xcom_model() -> Any:
    if HAS_TASK_SDK:
        from airflow.models.xcom import XComModel

        return XComModel
    from airflow.models.xcom import XCom

    return XCom


def _xcom_value(row: Any) -> Any:
    return _xcom_model().deserialize_value(row) if HAS_TASK_SDK else row.value
