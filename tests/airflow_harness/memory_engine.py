"""Airflow 3: the real task runner, against an Execution API kept in memory."""

from __future__ import annotations

import functools
import json
import os
import pkgutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import httpx
import psutil
import structlog
from airflow.models.trigger import Trigger, handle_event_submit
from airflow.sdk.api.client import Client, TaskInstanceOperations
from airflow.sdk.api.datamodels._generated import TaskInstance
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.execution_time import supervisor
from airflow.serialization.serialized_objects import BaseSerialization
from airflow.triggers.base import BaseTaskEndEvent
from pydantic import TypeAdapter
from uuid6 import uuid7

from airflow_harness.child_process import Channel, ErrorInChild, run_in_child
from airflow_harness.engine import WorkerKilled
from airflow_harness.execution_api import ChannelTransport, ExecutionApi, answer_over_channel
from airflow_harness.execution_api_models import asset_events, connection_body, dag_run_body
from airflow_harness.logs import LogBook
from airflow_harness.result import TriggerRow
from airflow_harness.spec import Spec
from airflow_harness.start_from_trigger import StartInTriggerer
from airflow_harness.supervisor_comms import TriggererComms, reschedule_start
from airflow_harness.versions import HAS_START_FROM_TRIGGER, SERDE_NEXT_KWARGS, smart_decode_trigger_kwargs


class MemoryEngine:
    """One task instance whose worker is the real one and whose API server is a dictionary."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        task = spec.build()
        self._link_keys = {link.xcom_key: link.name for link in task.operator_extra_links}
        self._retries = int(task.retries or 0)
        self._state = "none"
        self._started = False
        self._session_start = self._reschedule_date = datetime.now(UTC)
        self._deferred: dict[str, Any] | None = None
        self._retry_delays: list[float | None] = []
        self._outlet_events: list[dict[str, Any]] = []
        self._start = _start_in_triggerer(spec, task)
        self._api = ExecutionApi(
            dag_run=dag_run_body(spec),
            task_id=task.task_id,
            map_index=spec.map_index,
            max_tries=self._retries,
            connections={conn_id: connection_body(conn_id, text) for conn_id, text in spec.connection_texts().items()},
            variables=dict(spec.variables),
            store=dict(spec.store),
            asset_store=spec.asset_store,
            assets=spec.assets,
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
        with self._session():
            state, error = self._run_task(httpx.MockTransport(self._api))
            return self._ended(state, error)

    def work_in_child(self, log: Callable[[str], None]) -> BaseException | None:
        ended: list[tuple[str, BaseException | None]] = []

        def child(channel: Channel) -> None:
            LogBook.divert(lambda line: channel.ask({"log": line}))
            state, error = self._run_task(ChannelTransport(channel))
            channel.ask({"state": state, "error": None if error is None else f"{type(error).__name__}: {error}"})

        def answer(message: Any) -> Any:
            if "log" in message:
                return log(message["log"])
            if "state" in message:
                return ended.append((message["state"], message["error"] and ErrorInChild(message["error"])))
            return answer_over_channel(self._api, message)

        with self._session():
            if not run_in_child(child, answer):
                return WorkerKilled("SIGKILL")
            return self._ended(*ended[0])

    @contextmanager
    def _session(self) -> Iterator[None]:
        self._started = True
        self._session_start = datetime.now(UTC)
        self._api.dead = False
        die = functools.partial(setattr, self._api, "dead", True)
        WorkerKilled.on_raise.append(die)
        try:
            yield
        finally:
            WorkerKilled.on_raise.remove(die)
            self._api.resume = None

    def _run_task(self, transport: httpx.BaseTransport) -> tuple[str, BaseException | None]:
        client = _client(transport)
        with (
            patch.object(supervisor.InProcessTestSupervisor, "_api_client", lambda *_args, **_kwargs: client),
            patch.object(TaskInstanceOperations, "get_reschedule_start_date", reschedule_start),
        ):
            done = supervisor.run_task_in_process(ti=self._task_instance(), task=self._spec.build())
        return str(done.state.value), done.error

    def _ended(self, state: str, error: BaseException | None) -> BaseException | None:
        if not isinstance(error, WorkerKilled):
            self._state = state
            self._take_report()
        return error

    def _take_report(self) -> None:
        report = self._api.reported.pop()
        if self._state == "deferred":
            self._deferred = report
        elif self._state == "up_for_retry":
            self._retry_delays.append(report.get("retry_delay_seconds"))
        elif self._state == "up_for_reschedule":
            self._api.reschedules += 1
            self._api.reschedule_start = self._api.reschedule_start or self._session_start.isoformat()
            self._reschedule_date = datetime.fromisoformat(report["reschedule_date"])
        elif self._state == "success":
            self._outlet_events += asset_events(report)
        if self._state != "up_for_reschedule":
            self._forget_reschedules()

    def _forget_reschedules(self) -> None:
        self._api.reschedules = 0
        self._api.reschedule_start = None

    def start_in_triggerer(self) -> bool:
        if self._start is None:
            return False
        self._started = True
        self._state = "deferred"
        self._deferred = self._start.deferral()
        return True

    def fail_over(self) -> None:
        self._forget_reschedules()
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
        decoded = {name: smart_decode_trigger_kwargs(value) for name, value in kwargs.items()}
        trigger = pkgutil.resolve_name(stored["classpath"])(**decoded)
        if self._start is not None:
            self._start.render(trigger, self._task_instance(), dict(self._api.dag_run))
        return trigger

    @contextmanager
    def triggerer(self) -> Iterator[None]:
        runner = supervisor.InProcessTestSupervisor(
            id=uuid7(),
            pid=os.getpid(),
            process=psutil.Process(),
            process_log=structlog.get_logger(logger_name="task").bind(),
            client=_client(httpx.MockTransport(self._api)),
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


def _start_in_triggerer(spec: Spec, task: Any) -> StartInTriggerer | None:
    if not (HAS_START_FROM_TRIGGER and task.start_from_trigger):
        return None
    start = StartInTriggerer(spec, task.task_id)
    return start if start.wanted else None


def _client(transport: httpx.BaseTransport) -> Client:
    return Client(base_url=None, dry_run=True, token="", transport=transport)


def _read_next_kwargs(stored: Any) -> Any:
    return stored if SERDE_NEXT_KWARGS else BaseSerialization.deserialize(stored or {})


def _store_next_kwargs(kwargs: Any) -> Any:
    """What a worker gets to read: the JSON column of the metadata database."""
    return json.loads(json.dumps(kwargs if SERDE_NEXT_KWARGS else BaseSerialization.serialize(kwargs)))
