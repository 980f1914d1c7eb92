"""`start_from_trigger` on a real Airflow: scheduler, DAG processor and triggerer in processes of their own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from airflow_harness.versions import HAS_START_FROM_TRIGGER

from airflow_provider_ringevents.emulator import Emulator

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from local_airflow import LocalAirflow

DAG_FILE = """
from airflow.sdk import DAG

from airflow_provider_ringevents.operators.reports import RingEventsCreateReportOperator
from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor

with DAG("{dag_id}", schedule=None):
    RingEventsCreateReportOperator(
        task_id="create", event_id="{event_id}", report_type="registrations"
    ) >> RingEventsReportSensor(
        task_id="wait",
        report_id="{{{{ ti.xcom_pull('create'{more})['id'] }}}}",
        poke_interval=0.5,
        timeout=300,
        deferrable=True,
        start_from_trigger=True,
    )
"""


@pytest.mark.skipif(not HAS_START_FROM_TRIGGER, reason="Airflow before 3.3 renders nothing in the triggerer")
def test_a_real_triggerer_renders_the_result_of_a_task_and_the_bare_form_is_refused(tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    with Emulator(seed=1, registrations=3, report_seconds=3) as emulator:
        for dag_id, more in (("with_map_indexes", ", map_indexes=-1"), ("bare", "")):
            text = DAG_FILE.format(dag_id=dag_id, event_id=emulator.event_id, more=more)
            (dags / f"{dag_id}.py").write_text(text)
        connection = {"AIRFLOW_CONN_RINGEVENTS_DEFAULT": emulator.connection_json()}
        with LocalAirflow(tmp_path / "home", tmp_path / "logs", dags, connection) as airflow:
            airflow.create(limit=300)
            airflow.start(["with_map_indexes"], limit=300)
            refused = airflow.import_errors(limit=300)
            airflow.start_run("with_map_indexes", "one", {})
            states = [tasks.get("wait") for tasks in airflow.follow_run("with_map_indexes", "one", limit=300)]
            (created,) = airflow.results("with_map_indexes", "one", "create")
            waited = airflow.results("with_map_indexes", "one", "wait")
    assert waited == [created["id"]]
    # No worker had the task before its event had come.
    assert "deferred" in states
    assert not {"queued", "running"} & set(states[: states.index("deferred")])
    assert refused.keys() == {"bare.py"}
    assert "`report_id` must be free of xcom_pull without map_indexes" in refused["bare.py"]
