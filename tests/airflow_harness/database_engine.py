"""Airflow 2: the real task instance, with its rows in the test session's database."""

from __future__ import annotations

import json
import os
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from airflow.models import DagRun, RenderedTaskInstanceFields, TaskInstance, TaskReschedule, XCom
from airflow.models.dag import DAG
from airflow.models.dataset import DatasetEvent
from airflow.models.taskinstance import clear_task_instances
from airflow.models.trigger import Trigger
from airflow.triggers.base import TriggerEvent
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType

from airflow_harness.child_process import Channel, ErrorInChild, run_in_child
from airflow_harness.database import ensure_database
from airflow_harness.engine import WorkerKilled
from airflow_harness.logs import LogBook
from airflow_harness.result import TriggerRow
from airflow_harness.spec import Spec


class DatabaseEngine:
    """One task instance in the metadata database, run by the code that a worker of Airflow 2 runs."""

    def __init__(self, spec: Spec) -> None:
        ensure_database()
        self._spec = spec
        self._retry_delays: list[float | None] = []
        task = spec.build()
        self._task_id = task.task_id
        self._environment = {f"AIRFLOW_CONN_{key.upper()}": text for key, text in spec.connection_texts().items()} | {
            f"AIRFLOW_VAR_{key.upper()}": text for key, text in spec.variables.items()
        }
        with create_session() as session:
            _dag_run(spec, task.dag, session)
            for task_id, key, value in spec.upstream_xcoms():
                XCom.set(key=key, value=value, task_id=task_id, dag_id=spec.dag_id, run_id=spec.run_id, session=session)
            ti = self._row(session)
            if ti is None:
                raise LookupError(f"{self._task_id} has no instance with map index {spec.map_index}")
            XCom.clear(
                dag_id=spec.dag_id, task_id=self._task_id, run_id=spec.run_id, map_index=spec.map_index, session=session
            )
            ti.state, ti.try_number, ti.max_tries = None, 0, task.retries
            ti.next_method = ti.next_kwargs = ti.trigger_id = None

    @property
    def state(self) -> str:
        with create_session() as session:
            state = self._row(session).state
            return "none" if state in (None, TaskInstanceState.SCHEDULED) else str(state)

    @property
    def tries(self) -> int:
        with create_session() as session:
            return int(self._row(session).try_number)

    def work(self) -> BaseException | None:
        task = self._spec.build()
        with create_session() as session, patch.dict(os.environ, self._environment):
            ti = self._row(session)
            ti.refresh_from_task(task)
            ti.task = task
            if not ti.next_method and ti.state != TaskInstanceState.UP_FOR_RESCHEDULE:
                ti.try_number += 1
            ti.state, ti.start_date = TaskInstanceState.RUNNING, datetime.now(UTC)
            session.merge(ti)
            session.commit()
            error = self._run(ti, session)
            if isinstance(error, WorkerKilled):
                return error
        if self.state == "up_for_retry":
            self._retry_delays.append(None)
        return error

    def work_in_child(self, log: Callable[[str], None]) -> BaseException | None:
        errors: list[BaseException | None] = []

        def child(channel: Channel) -> None:
            from airflow import settings

            settings.engine.dispose(close=False)  # the parent's connections are not ours
            LogBook.divert(lambda line: channel.ask({"log": line}))
            error = self.work()
            channel.ask({"error": None if error is None else f"{type(error).__name__}: {error}"})

        def answer(message: Any) -> Any:
            if "log" in message:
                return log(message["log"])
            return errors.append(message["error"] and ErrorInChild(message["error"]))

        ended = run_in_child(child, answer)
        if ended and self.state == "up_for_retry":
            self._retry_delays.append(None)
        return errors[0] if ended else WorkerKilled("SIGKILL")

    def _run(self, ti: TaskInstance, session: Any) -> BaseException | None:
        with patch.object(TaskInstance, "handle_failure", _unless_killed(TaskInstance.handle_failure)):
            try:
                ti._run_raw_task(session=session)
            except (Exception, WorkerKilled) as error:
                return error
        return None

    def start_in_triggerer(self) -> bool:
        return False

    def fail_over(self) -> None:
        with create_session() as session:
            ti = self._row(session)
            ti.next_method = ti.next_kwargs = None
            may_retry = ti.max_tries > 0 and ti.try_number <= ti.max_tries
            ti.state = TaskInstanceState.UP_FOR_RETRY if may_retry else TaskInstanceState.FAILED
        if may_retry:
            self._retry_delays.append(None)

    def next_try(self) -> None:
        with create_session() as session:
            ti = self._row(session)
            ti.next_method = ti.next_kwargs = None

    def clear(self) -> None:
        with create_session() as session:
            clear_task_instances([self._row(session)], session, dag=self._spec.build().dag)

    def deferral(self) -> TriggerRow:
        with create_session() as session:
            ti = self._row(session)
            row = session.get(Trigger, ti.trigger_id)
            # The column has no zone; Airflow writes UTC into it.
            left = ti.trigger_timeout.replace(tzinfo=UTC) - datetime.now(UTC) if ti.trigger_timeout else None
            return TriggerRow(
                classpath=row.classpath,
                kwargs=_through_json(row.kwargs),
                next_method=ti.next_method,
                next_kwargs=_through_json(ti.next_kwargs or {}),
                timeout=left.total_seconds() if left is not None else None,
            )

    def trigger(self) -> Any:
        with create_session() as session:
            row = session.get(Trigger, self._row(session).trigger_id)
            return pkgutil.resolve_name(row.classpath)(**row.kwargs)

    @contextmanager
    def triggerer(self) -> Iterator[None]:
        with patch.dict(os.environ, self._environment):
            yield

    def submit_event(self, event: Any) -> Any:
        payload = _through_json(event.payload)
        with create_session() as session:
            sent = event if type(event) is not TriggerEvent else TriggerEvent(payload)
            Trigger.submit_event(self._row(session).trigger_id, sent, session=session)
        return payload

    def submit_failure(self, error: BaseException | None, timed_out: bool) -> None:
        with create_session() as session:
            ti = self._row(session)
            if timed_out:
                ti.state, ti.trigger_id, ti.next_method = TaskInstanceState.SCHEDULED, None, "__fail__"
                ti.next_kwargs = {"error": "Trigger/execution timeout"}
            else:
                Trigger.submit_failure(ti.trigger_id, exc=error, session=session)

    def reschedule_seconds(self) -> float:
        with create_session() as session:
            ti = self._row(session)
            last = session.scalars(TaskReschedule.stmt_for_task_instance(ti, descending=True)).first()
            return max(0.0, (last.reschedule_date - datetime.now(UTC)).total_seconds()) if last else 0.0

    def xcoms(self) -> dict[str, Any]:
        with create_session() as session:
            rows = session.query(XCom).filter_by(
                dag_id=self._spec.dag_id,
                run_id=self._spec.run_id,
                task_id=self._task_id,
                map_index=self._spec.map_index,
            )
            return {row.key: row.value for row in rows}

    def links(self) -> dict[str, str]:
        task = self._spec.build()
        with create_session() as session:
            key = self._row(session).key
        found = {link.name: link.get_link(task, ti_key=key) for link in task.operator_extra_links}
        return {name: url for name, url in found.items() if url}

    def rendered_fields(self) -> dict[str, Any]:
        with create_session() as session:
            return RenderedTaskInstanceFields.get_templated_fields(self._row(session), session=session) or {}

    def store(self) -> dict[str, Any]:
        return {}

    def outlet_events(self) -> list[dict[str, Any]]:
        with create_session() as session:
            rows = session.query(DatasetEvent).filter_by(
                source_dag_id=self._spec.dag_id,
                source_run_id=self._spec.run_id,
                source_task_id=self._task_id,
                source_map_index=self._spec.map_index,
            )
            return [{"name": row.dataset.uri, "uri": row.dataset.uri, "extra": row.extra} for row in rows]

    def retry_delays(self) -> list[float | None]:
        return list(self._retry_delays)

    def _row(self, session: Any) -> Any:
        return (
            session.query(TaskInstance)
            .filter_by(
                dag_id=self._spec.dag_id,
                run_id=self._spec.run_id,
                task_id=self._task_id,
                map_index=self._spec.map_index,
            )
            .one_or_none()
        )


def _unless_killed(handle_failure: Any) -> Any:
    def handle(self: Any, error: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(error, WorkerKilled):
            handle_failure(self, error, *args, **kwargs)

    return handle


def _dag_run(spec: Spec, dag: DAG, session: Any) -> DagRun:
    found = session.query(DagRun).filter_by(dag_id=spec.dag_id, run_id=spec.run_id).one_or_none()
    if found is not None:
        found.dag = dag
        found.verify_integrity(session=session)
        return found
    DAG.bulk_write_to_db([dag], session=session)
    return dag.create_dagrun(
        state=DagRunState.RUNNING,
        run_id=spec.run_id,
        run_type=DagRunType.from_run_id(spec.run_id),
        execution_date=spec.logical_date,
        data_interval=spec.data_interval or (spec.logical_date, spec.logical_date),
        conf=dict(spec.conf),
        session=session,
    )


def _through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))
