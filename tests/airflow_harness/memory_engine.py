"""Airflow 3: the real task runner, against an Execution API kept in memory."""

from __future__ import annotations

import asyncio
import json
import os
import pkgutil
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx
import psutil
import structlog
from airflow.models.connection import Connection
from airflow.models.trigger import Trigger, handle_event_submit
from airflow.sdk.api.client import Client, TaskInstanceOperations
from airflow.sdk.api.datamodels._generated import DagRun, TaskInstance
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.execution_time import supervisor
from airflow.sdk.execution_time.comms import MaskSecret
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import BaseTaskEndEvent
from airflow.utils.types import DagRunType
from pydantic import TypeAdapter
from uuid6 import uuid7

from airflow_harness.engine import WorkerKilled
from airflow_harness.execution_api import ExecutionApi
from airflow_harness.result import TriggerRow
from airflow_harness.spec import Spec
from airflow_harness.versions import SERDE_NEXT_KWARGS, smart_decode_trigger_kwargs


class MemoryEngine:
    """One task instance whose worker is the real one and whose API server is a dictionary."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        task = spec.build()
        self._link_keys = {link.xcom_key: link.name for link in task.operator_extra_links}
        self._retries = int(task.retries or 0)
        self._state = "none"
        self._started = False
        self._reschedule_date = datetime.now(UTC)
        self._deferred: dict[str, Any] | None = None
        self._retry_delays: list[float | None] = []
        self._outlet_events: list[dict[str, Any]] = []
        self._api = ExecutionApi(
            dag_run=_dag_run(spec),
            task_id=task.task_id,
            map_index=spec.map_index,
            max_tries=self._retries,
            connections={conn_id: _connection(conn_id, text) for conn_id, text in spec.connection_texts().items()},
            variables=dict(spec.variables),
            store=dict(spec.store),
            xcoms={
                (task_id, -1, key): BaseXCom.serialize_value(value) for task_id, key, value in spec.upstream_xcoms()
            },
        )

    @property
    def state(self) -> str:
        return self._state

    @property
    def tries(self) -> int:
        return self._api.try_number if self._started else 0

    def work(self) -> BaseException | None:
        self._started = True
        api = self._api
        api.dead = False
        task = self._spec.build()
        started = datetime.now(UTC)
        with (
            patch.object(supervisor.InProcessTestSupervisor, "_api_client", lambda *_args, **_kwargs: self._client()),
            patch.object(TaskInstanceOperations, "get_reschedule_start_date", _reschedule_start),
        ):
            done = supervisor.run_task_in_process(ti=self._task_instance(), task=task)
        api.resume = None
        api.reschedules = 0
        if isinstance(done.error, WorkerKilled):
            return done.error
        self._state = str(done.state.value)
        self._take_report(started)
        return done.error

    def _take_report(self, started: datetime) -> None:
        report = self._api.reported.pop()
        if self._state == "deferred":
            self._deferred = report
        elif self._state == "up_for_retry":
            self._retry_delays.append(report.get("retry_delay_seconds"))
        elif self._state == "up_for_reschedule":
            self._api.reschedules += 1
            self._api.reschedule_start = self._api.reschedule_start or started.isoformat()
            self._reschedule_date = datetime.fromisoformat(report["reschedule_date"])
        elif self._state == "success":
            self._outlet_events += _asset_events(report)
        if self._state != "up_for_reschedule":
            self._api.reschedule_start = None

    def fail_over(self) -> None:
        may_retry = self._api.max_tries > 0 and self._api.try_number <= self._api.max_tries
        self._state = "up_for_retry" if may_retry else "failed"
        if may_retry:
            self._retry_delays.append(None)

    def next_try(self) -> None:
        self._api.try_number += 1
        self._api.resume = None

    def clear(self) -> None:
        self._state = "none"
        self._api.resume = None
        if self._started:
            self._api.max_tries = self._api.try_number + self._retries
            self._api.try_number += 1

    def deferral(self) -> TriggerRow:
        stored = self._stored_deferral()
        timeout = stored.get("trigger_timeout")
        return TriggerRow(
            classpath=stored["classpath"],
            kwargs=stored["trigger_kwargs"],
            next_method=stored["next_method"],
            next_kwargs=stored.get("next_kwargs") or {},
            timeout=None if timeout is None else TypeAdapter(timedelta).validate_python(timeout).total_seconds(),
        )

    def _stored_deferral(self) -> dict[str, Any]:
        if self._deferred is None:
            raise RuntimeError("the task was never deferred")
        return self._deferred

    def trigger(self) -> Any:
        stored = self._stored_deferral()
        kwargs = Trigger._decrypt_kwargs(json.dumps(stored["trigger_kwargs"]))
        return pkgutil.resolve_name(stored["classpath"])(
            **{name: smart_decode_trigger_kwargs(value) for name, value in kwargs.items()}
        )

    @contextmanager
    def triggerer(self) -> Iterator[None]:
        runner = supervisor.InProcessTestSupervisor(
            id=uuid7(),
            pid=os.getpid(),
            process=psutil.Process(),
            process_log=structlog.get_logger(logger_name="task").bind(),
            client=self._client(),
        )
        runner.comms = TriggererComms(supervisor=runner)
        with supervisor.set_supervisor_comms(runner.comms):
            yield

    def submit_event(self, event: Any) -> Any:
        if isinstance(event, BaseTaskEndEvent):
            self._state = str(event.task_instance_state.value)
            for key, value in (event.xcoms or {}).items():
                self._api.xcoms[(self._api.task_id, self._api.map_index, key)] = BaseXCom.serialize_value(value)
            return None
        stored = self._stored_deferral()
        row = SimpleNamespace(next_kwargs=_read_next_kwargs(stored.get("next_kwargs")))
        handle_event_submit(event, task_instance=row, session=SimpleNamespace(flush=lambda: None))
        self._api.resume = {"next_method": stored["next_method"], "next_kwargs": _store_next_kwargs(row.next_kwargs)}
        return json.loads(json.dumps(event.payload))

    def submit_failure(self, error: BaseException | None, timed_out: bool) -> None:
        reason = "Trigger timeout" if timed_out else "Trigger failure"
        lines = traceback.format_exception(error) if error is not None and not timed_out else None
        kwargs = {"error": reason, "traceback": lines}
        self._api.resume = {"next_method": "__fail__", "next_kwargs": _store_next_kwargs(kwargs)}

    def reschedule_seconds(self) -> float:
        return max(0.0, (self._reschedule_date - datetime.now(UTC)).total_seconds())

    def xcoms(self) -> dict[str, Any]:
        return {key: value for key, value in self._own_xcoms().items() if key not in self._link_keys}

    def links(self) -> dict[str, str]:
        return {
            self._link_keys[key]: value for key, value in self._own_xcoms().items() if key in self._link_keys and value
        }

    def _own_xcoms(self) -> dict[str, Any]:
        own = (self._api.task_id, self._api.map_index)
        return {
            key: BaseXCom.deserialize_value(SimpleNamespace(value=value))
            for (task_id, map_index, key), value in self._api.xcoms.items()
            if (task_id, map_index) == own
        }

    def rendered_fields(self) -> dict[str, Any]:
        return dict(self._api.rendered_fields)

    def store(self) -> dict[str, Any]:
        return dict(self._api.store)

    def outlet_events(self) -> list[dict[str, Any]]:
        return list(self._outlet_events)

    def retry_delays(self) -> list[float | None]:
        return list(self._retry_delays)

    def _task_instance(self) -> TaskInstance:
        return TaskInstance(
            id=uuid7(),
            task_id=self._api.task_id,
            dag_id=self._spec.dag_id,
            run_id=self._spec.run_id,
            try_number=self._api.try_number,
            map_index=self._spec.map_index,
            dag_version_id=uuid7(),
        )

    def _client(self) -> Client:
        return Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(self._api))


_untyped_reschedule_start = TaskInstanceOperations.get_reschedule_start_date


def _reschedule_start(self: TaskInstanceOperations, id: Any, try_number: int = 1) -> Any:
    """Make the time a time: between processes it is parsed, and Airflow 3.0 does not do so inside one."""
    answer = _untyped_reschedule_start(self, id, try_number)
    return type(answer).model_validate(answer.model_dump(warnings=False))


class TriggererComms(supervisor.InProcessSupervisorComms):
    """The way from a trigger to the API: awaited from the event loop, or called from another thread.

    A plain call from the event loop's own thread raises, as it does in the triggerers of Airflow 3.0 to 3.2.
    """

    _lock = threading.Lock()

    def send(self, msg: Any) -> Any:
        if not isinstance(msg, MaskSecret) and _in_event_loop():
            raise RuntimeError(f"{type(msg).__name__} was asked for with a blocking call inside the event loop")
        return self._ask(msg)

    async def asend(self, msg: Any) -> Any:
        return self._ask(msg)

    def _ask(self, msg: Any) -> Any:
        with self._lock:
            return super().send(msg)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _dag_run(spec: Spec) -> dict[str, Any]:
    start, end = spec.data_interval or (None, None)
    logical_date = spec.logical_date if spec.data_interval is not None else None
    wanted = {
        "dag_id": spec.dag_id,
        "run_id": spec.run_id,
        "logical_date": logical_date,
        "data_interval_start": start,
        "data_interval_end": end,
        "run_after": spec.logical_date,
        "start_date": spec.logical_date,
        "end_date": None,
        "run_type": DagRunType.from_run_id(spec.run_id).value,
        "state": "running",
        "conf": dict(spec.conf),
        "consumed_asset_events": [],
        "partition_key": None,
    }
    known = {name: value for name, value in wanted.items() if name in DagRun.model_fields}
    body: dict[str, Any] = TypeAdapter(dict[str, Any]).dump_python(known, mode="json")
    return body


def _connection(conn_id: str, text: str) -> dict[str, Any]:
    conn = Connection.from_json(text, conn_id) if text.lstrip().startswith("{") else Connection(conn_id, uri=text)
    fields = ("conn_type", "host", "schema", "login", "password", "port")
    return {"conn_id": conn_id, **{name: getattr(conn, name) for name in fields}, "extra": conn.get_extra() or None}


def _read_next_kwargs(stored: Any) -> Any:
    return stored if SERDE_NEXT_KWARGS else BaseSerialization.deserialize(stored or {})


def _store_next_kwargs(kwargs: Any) -> Any:
    """What a worker gets to read: the JSON column of the metadata database."""
    return json.loads(json.dumps(kwargs if SERDE_NEXT_KWARGS else BaseSerialization.serialize(kwargs)))


def _asset_events(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry for each event that the API server would write: every outlet, and what aliases resolved to."""
    told = [event for event in report.get("outlet_events") or [] if event.get("dest_asset_key")]
    events: list[dict[str, Any]] = []
    for outlet in report.get("task_outlets") or []:
        if outlet.get("uri"):
            direct = [event for event in told if event["dest_asset_key"]["uri"] == outlet["uri"]]
            events += [_asset_event(outlet, event) for event in direct or [{}]]
    return events + [_asset_event(event["dest_asset_key"], event) for event in told if event.get("source_alias_name")]


def _asset_event(asset: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": asset["name"], "uri": asset["uri"], "extra": event.get("extra") or {}}
