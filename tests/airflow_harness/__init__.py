"""Run operators, sensors and triggers in tests through Airflow's own machinery."""

from __future__ import annotations

from airflow_harness.child_process import ErrorInChild
from airflow_harness.dags import DagOutcome, TaskOutcome, run_dag
from airflow_harness.engine import WorkerKilled
from airflow_harness.result import Result, TriggerRow
from airflow_harness.run import Run, make_killer
from airflow_harness.versions import (
    AIRFLOW_VERSION,
    HAS_RETRY_POLICY,
    HAS_START_FROM_TRIGGER,
    HAS_STATE_STORE,
    HAS_TASK_SDK,
)

__all__ = [
    "AIRFLOW_VERSION",
    "HAS_RETRY_POLICY",
    "HAS_START_FROM_TRIGGER",
    "HAS_STATE_STORE",
    "HAS_TASK_SDK",
    "DagOutcome",
    "ErrorInChild",
    "Result",
    "Run",
    "TaskOutcome",
    "TriggerRow",
    "WorkerKilled",
    "make_killer",
    "run_dag",
]
