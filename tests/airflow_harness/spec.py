"""What a `Run` was asked for, in one value that both engines read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG

MakeTask = Callable[[], Any]
"""Builds a task (inside a `with DAG(...)` that the harness opens) or a whole DAG."""


@dataclass(frozen=True)
class Spec:
    """See `Run` for the meaning of each field."""

    make: MakeTask
    task_id: str | None
    connections: Mapping[str, str | Mapping[str, Any]]
    variables: Mapping[str, str]
    retries: int
    params: Mapping[str, Any]
    conf: Mapping[str, Any]
    xcoms: Mapping[str | tuple[str, str], Any]
    store: Mapping[str, Any]
    asset_store: dict[tuple[str, str], Any]
    assets: Mapping[str, str]
    dag_id: str
    run_id: str
    map_index: int
    logical_date: datetime
    data_interval: tuple[datetime, datetime] | None

    def build(self) -> Any:
        """Build the task anew, as every worker does when it parses the DAG file.

        Raises TypeError when the function gives neither a task nor a DAG.
        """
        defaults = {"retries": self.retries, "retry_delay": timedelta(0)}
        with DAG(self.dag_id, schedule=None, default_args=defaults, params=dict(self.params)) as dag:
            made = self.make()
        if isinstance(made, DAG):
            if self.task_id is None:
                raise TypeError("Run(...) was given a DAG: name the task to run, as task_id=...")
            return made.get_task(self.task_id)
        if not hasattr(made, "task_id"):
            raise TypeError(f"Run(...) needs a function that returns a task or a DAG; it returned {made!r}")
        return dag.get_task(self.task_id or made.task_id)

    def connection_texts(self) -> dict[str, str]:
        """The connections as Airflow reads them from the environment: a JSON object or a URI each."""
        return {
            conn_id: value if isinstance(value, str) else json.dumps(value)
            for conn_id, value in self.connections.items()
        }

    def upstream_xcoms(self) -> list[tuple[str, str, Any]]:
        """Task id, key, value of every XCom that is there before the run."""
        return [
            (*where, value) if isinstance(where, tuple) else (where, "return_value", value)
            for where, value in self.xcoms.items()
        ]
