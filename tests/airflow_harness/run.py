"""Run one task instance as Airflow does, step by step or to its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from airflow_harness.engine import Engine, WorkerKilled
from airflow_harness.logs import LogBook
from airflow_harness.result import Result, TriggerRow
from airflow_harness.spec import MakeTask, Spec
from airflow_harness.trigger_runner import TriggerTimedOut, first_event
from airflow_harness.versions import HAS_TASK_SDK

LOGICAL_DATE = datetime(2026, 1, 1, tzinfo=UTC)
MANUAL = (LOGICAL_DATE, LOGICAL_DATE)
FINISHED = ("success", "failed", "skipped")


class Run:
    """One task instance under test.

    >>> run = Run(lambda: MyOperator(task_id="t", event_id="e1"), retries=1)    # doctest: +SKIP
    >>> run.to_end().state                                                      # doctest: +SKIP
    'success'

    :param make: function that builds and returns a task, or a DAG. It is called once for each worker session, as a
        worker parses the DAG file, so that nothing kept on an operator survives into the next session by mistake.
    :param task_id: the task to run, needed when `make` returns a DAG.
    :param connections: connection id to what `AIRFLOW_CONN_...` would hold: a URI, a JSON object as text or mapping.
    :param variables: Airflow Variables.
    :param retries: default of `retries` for the tasks.
    :param params: the DAG's params.
    :param conf: the DAG run's conf.
    :param xcoms: XComs of other tasks: `{"task_id": value}` or `{("task_id", "key"): value}`.
    :param store: what the task state store holds at the start (Airflow 3.3 and later; ignored before).
    :param asset_store: what the asset state stores hold, by the asset's name and key; changed by the run, so that one
        given to several runs lasts over them (Airflow 3.3 and later; ignored before).
    :param assets: names and URIs of assets that other DAGs declare (Airflow 3 and later; ignored before).
    :param map_index: which of a mapped task's instances to run, from 0.
    :param data_interval: start and end; by default as for a manual run, both the logical date. None: no interval and no
        logical date, as for a run started by an asset (Airflow 3 and later).
    """

    def __init__(
        self,
        make: MakeTask,
        *,
        task_id: str | None = None,
        connections: Mapping[str, str | Mapping[str, Any]] | None = None,
        variables: Mapping[str, str] | None = None,
        retries: int = 0,
        params: Mapping[str, Any] | None = None,
        conf: Mapping[str, Any] | None = None,
        xcoms: Mapping[str | tuple[str, str], Any] | None = None,
        store: Mapping[str, Any] | None = None,
        asset_store: dict[tuple[str, str], Any] | None = None,
        assets: Mapping[str, str] | None = None,
        dag_id: str = "dag",
        run_id: str = "manual__2026-01-01T00:00:00+00:00",
        map_index: int = -1,
        logical_date: datetime = LOGICAL_DATE,
        data_interval: tuple[datetime, datetime] | None = MANUAL,
    ) -> None:
        spec = Spec(
            make=make,
            task_id=task_id,
            connections=connections or {},
            variables=variables or {},
            retries=retries,
            params=params or {},
            conf=conf or {},
            xcoms=xcoms or {},
            store=store or {},
            asset_store=asset_store if asset_store is not None else {},
            assets=assets or {},
            dag_id=dag_id,
            run_id=run_id,
            map_index=map_index,
            logical_date=logical_date,
            data_interval=(logical_date, logical_date) if data_interval is MANUAL else data_interval,
        )
        self._log = LogBook()
        self._sessions: list[str] = []
        self._rows: list[TriggerRow] = []
        self._events: list[Any] = []
        self._exception: BaseException | None = None
        self._waiting = False
        with self._log.open():
            self._engine = _engine(spec)

    @property
    def result(self) -> Result:
        """Everything that can be seen now."""
        engine = self._engine
        return Result(
            state=engine.state,
            tries=engine.tries,
            sessions=tuple(self._sessions),
            xcom=engine.xcoms().get("return_value"),
            xcoms=engine.xcoms(),
            exception=self._exception,
            log_text=self._log.text,
            trigger_rows=tuple(self._rows),
            events=tuple(self._events),
            links=engine.links(),
            rendered_fields=engine.rendered_fields(),
            store=engine.store(),
            outlet_events=tuple(engine.outlet_events()),
            retry_delays=tuple(engine.retry_delays()),
        )

    def attempt(self, *, in_child: bool = False) -> Result:
        """One worker session: `execute`, or the method named at deferral when an event has come.

        A task with `start_from_trigger` (Airflow 3.3) is deferred without a session, as its scheduler does.
        After a failed try that may be repeated this is the next try. Raises RuntimeError when the task is finished
        (`clear()` it first) or waits for its trigger (`trigger()` first).

        :param in_child: run it in a process of its own, which may be killed for real: after `os.kill(os.getpid(), 9)`
            in the task the outcome is that of a worker that was lost. `exception` is then `WorkerKilled`, and for
            other errors an `ErrorInChild` with the error in words. What the task changes in memory stays in the child.
        """
        state = self._engine.state
        if state in FINISHED:
            raise RuntimeError(f"the task is finished ({state}); clear() it to run it again")
        if self._waiting:
            raise RuntimeError("the task is deferred and no event has come; call trigger() first")
        with self._log.open(), _untouched_process():
            if state == "up_for_retry":
                self._engine.next_try()
            if state in ("none", "up_for_retry") and self._engine.start_in_triggerer():
                self._wait()
                return self.result
            self._exception = self._engine.work_in_child(self._log.add) if in_child else self._engine.work()
            if isinstance(self._exception, WorkerKilled):
                self._engine.fail_over()
        self._sessions.append(self._engine.state)
        if self._engine.state == "deferred":
            self._wait()
        return self.result

    def _wait(self) -> None:
        self._rows.append(self._engine.deferral())
        self._waiting = True

    def trigger(self, *, limit: float = 60) -> Any:
        """Run the trigger of a deferred task until its first event; returns the payload as the task will get it.

        Errors of the trigger, an end without an event and a passed `defer(timeout=...)` go to the task, which fails at
        its next session; None is returned then.

        :param limit: seconds until the test itself gives up, with AssertionError.
        """
        if not self._waiting:
            raise RuntimeError(f"the task is {self._engine.state}, not deferred")
        timeout = self._rows[-1].timeout
        shortest = min(limit, timeout) if timeout is not None else limit
        with self._log.open(), _untouched_process(), self._engine.triggerer():
            try:
                event = first_event(self._engine.trigger(), shortest)
            except TriggerTimedOut as error:
                if timeout is None or timeout > limit:
                    raise AssertionError(f"the trigger fired no event within {limit} s") from error
                return self._failed_trigger(error, timed_out=True)
            except Exception as error:
                return self._failed_trigger(error)
        if event is None:
            return self._failed_trigger(None)
        with self._log.open():
            payload = self._engine.submit_event(event)
        self._waiting = False
        self._events.append(payload)
        return payload

    def restart_triggerer(self, run_for: float = 0.0) -> None:
        """Play a triggerer that dies: the trigger starts, runs `run_for` seconds at most, and is cancelled.

        The task stays deferred. Raises AssertionError if the trigger fires before that.
        """
        if not self._waiting:
            raise RuntimeError(f"the task is {self._engine.state}, not deferred")
        with self._log.open(), _untouched_process(), self._engine.triggerer():
            try:
                event = first_event(self._engine.trigger(), run_for)
            except TriggerTimedOut:
                return
        raise AssertionError(f"the trigger fired {event!r} before the triggerer was restarted")

    def to_end(self, *, max_attempts: int = 20, limit: float = 60) -> Result:
        """Worker sessions, triggers and retries until the task is finished.

        Pauses between retries are skipped; those of a sensor in reschedule mode are slept. Raises AssertionError after
        `max_attempts` worker sessions, or when a trigger fires nothing within `limit` seconds.
        """
        for _ in range(max_attempts):
            if self._waiting:
                self.trigger(limit=limit)
            if self._engine.state in FINISHED:
                return self.result
            if self._engine.state == "up_for_reschedule":
                time.sleep(self._engine.reschedule_seconds())
            self.attempt()
            if self._engine.state in FINISHED:
                return self.result
        raise AssertionError(f"not finished after {max_attempts} worker sessions: {self._sessions}\n{self._log.text}")

    def clear(self) -> None:
        """The Clear button: what the task returned is dropped at its next start, what its state store holds is kept."""
        with self._log.open():
            self._engine.clear()
        self._waiting = False

    def _failed_trigger(self, error: BaseException | None, *, timed_out: bool = False) -> None:
        self._engine.submit_failure(error, timed_out)
        self._waiting = False


def make_killer(after: int = 1) -> Callable[..., Any]:
    """A function that plays a worker's death (raises `WorkerKilled`) at its `after`-th call, whatever its arguments."""
    calls = 0

    def kill(*_args: Any, **_kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls >= after:
            raise WorkerKilled

    return kill


def _engine(spec: Spec) -> Engine:
    if HAS_TASK_SDK:
        from airflow_harness.memory_engine import MemoryEngine

        return MemoryEngine(spec)
    from airflow_harness.database_engine import DatabaseEngine

    return DatabaseEngine(spec)


@contextmanager
def _untouched_process() -> Iterator[None]:
    """Airflow's runner sets a SIGTERM handler and environment variables: give both back."""
    handler = signal.getsignal(signal.SIGTERM)
    with patch.dict("os.environ"):
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, handler)
