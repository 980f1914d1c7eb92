"""The harness proves itself on toy operators: what a test sees is what Airflow does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from airflow.providers.common.compat.sdk import (
    DAG,
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    Asset,
    BaseHook,
    BaseOperator,
    BaseOperatorLink,
    BaseSensorOperator,
    Variable,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent
from airflow_harness import (
    HAS_RETRY_POLICY,
    HAS_START_FROM_TRIGGER,
    HAS_STATE_STORE,
    HAS_TASK_SDK,
    ErrorInChild,
    Run,
    WorkerKilled,
    make_killer,
    run_dag,
)
from asgiref.sync import sync_to_async

CONNECTION = {"conn_type": "http", "host": "example.test", "password": "hunter22", "extra": {"region": "eu"}}


class Calls(BaseOperator):
    """Does what the test says, with the context."""

    template_fields = ("word",)

    def __init__(self, *, action: Any, word: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.action = action
        self.word = word

    def execute(self, context: Any) -> Any:
        return self.action(self, context)


class PageLink(BaseOperatorLink):
    name = "Page"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f"https://pages.test/{ti_key.task_id}"


class Linked(Calls):
    operator_extra_links = (PageLink(),)


class CountTrigger(BaseTrigger):
    """Fires after `ticks` turns of the loop; `mood` makes it misbehave."""

    cleaned: ClassVar[list[str]] = []

    def __init__(self, ticks: int, mood: str = "") -> None:
        super().__init__()
        self.ticks = ticks
        self.mood = mood

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.CountTrigger", {"ticks": self.ticks, "mood": self.mood}

    async def run(self) -> Any:
        self.log.info("counting to %s", self.ticks)
        for _ in range(self.ticks):
            await asyncio.sleep(0)
        if self.mood == "raise":
            raise ValueError("the trigger broke")
        if self.mood == "hang":
            await asyncio.sleep(3600)
        if self.mood == "connection":
            yield TriggerEvent({"password": await _password()})
        if self.mood != "silent":
            yield TriggerEvent({"ticks": self.ticks, "pair": ("a", 1)})

    async def cleanup(self) -> None:
        self.cleaned.append(self.mood)


async def _password() -> str:
    ask = getattr(BaseHook, "aget_connection", None) or sync_to_async(BaseHook.get_connection)
    return str((await ask("api")).password)


class Waits(BaseOperator):
    """Defers once, `execute_complete` returns the event."""

    def __init__(self, *, mood: str = "", timeout: timedelta | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mood = mood
        self.wait_timeout = timeout

    def execute(self, context: Any) -> None:
        self.memory = "only on this worker"
        self.defer(
            trigger=CountTrigger(3, self.mood),
            method_name="execute_complete",
            kwargs={"started": "yes"},
            timeout=self.wait_timeout,
        )

    def execute_complete(self, context: Any, event: Any = None, started: str | None = None) -> Any:
        assert not hasattr(self, "memory")
        if event.get("password"):
            return event["password"]
        return {"event": event, "started": started, "try": context["ti"].try_number}


def test_success_gives_the_return_value_and_rendered_fields() -> None:
    result = Run(
        lambda: Calls(task_id="t", word="{{ params.a }}-{{ dag_run.conf['b'] }}", action=lambda op, _: op.word),
        params={"a": 4},
        conf={"b": "c"},
    ).to_end()
    assert (result.state, result.xcom, result.tries) == ("success", "4-c", 1)
    assert result.sessions == ("success",)
    assert result.rendered_fields["word"] == "4-c"
    assert result.exception is None


def test_context_names_the_run_that_was_asked_for() -> None:
    def look(_op: Any, context: Any) -> list[str]:
        ti = context["ti"]
        return [ti.dag_id, ti.run_id, ti.task_id, context["data_interval_end"].isoformat()]

    start = datetime(2026, 3, 1, tzinfo=UTC)
    result = Run(
        lambda: Calls(task_id="t", action=look),
        dag_id="sales",
        run_id="scheduled__x",
        logical_date=start,
        data_interval=(start, start + timedelta(days=1)),
    ).to_end()
    assert result.xcom == ["sales", "scheduled__x", "t", "2026-03-02T00:00:00+00:00"]


def test_connections_and_variables_are_found() -> None:
    def look(_op: Any, _context: Any) -> list[Any]:
        conn = BaseHook.get_connection("api")
        return [
            conn.host,
            conn.password,
            conn.extra_dejson["region"],
            BaseHook.get_connection("uri").port,
            Variable.get("v"),
        ]

    result = Run(
        lambda: Calls(task_id="t", action=look),
        connections={"api": CONNECTION, "uri": "http://u:p@h.test:81/?x=1"},
        variables={"v": "w"},
    ).to_end()
    assert result.xcom == ["example.test", "hunter22", "eu", 81, "w"]


def test_unknown_connection_fails_the_task() -> None:
    result = Run(lambda: Calls(task_id="t", action=lambda *_: BaseHook.get_connection("nope"))).to_end()
    assert result.state == "failed"
    assert "nope" in str(result.exception)


def test_retries_are_used_up_then_the_task_fails() -> None:
    def fail(_op: Any, context: Any) -> None:
        raise AirflowException(f"try {context['ti'].try_number}")

    result = Run(lambda: Calls(task_id="t", action=fail), retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 3)
    assert result.sessions == ("up_for_retry", "up_for_retry", "failed")
    assert str(result.exception) == "try 3"


def test_retry_succeeds_and_drops_the_xcoms_of_the_failed_try() -> None:
    def act(_op: Any, context: Any) -> str:
        ti = context["ti"]
        if ti.try_number == 1:
            ti.xcom_push(key="early", value=1)
            raise ValueError("once")
        return "done"

    run = Run(lambda: Calls(task_id="t", action=act), retries=1)
    first = run.attempt()
    assert (first.state, first.xcoms) == ("up_for_retry", {"early": 1})
    last = run.to_end()
    assert (last.state, last.tries, last.xcoms) == ("success", 2, {"return_value": "done"})


def test_fail_exception_is_not_retried() -> None:
    def fail(*_: Any) -> None:
        raise AirflowFailException("no use")

    result = Run(lambda: Calls(task_id="t", action=fail), retries=3).to_end()
    assert (result.state, result.tries) == ("failed", 1)
    assert isinstance(result.exception, AirflowFailException)


def test_skip() -> None:
    def skip(*_: Any) -> None:
        raise AirflowSkipException("nothing to do")

    result = Run(lambda: Calls(task_id="t", action=skip), retries=3).to_end()
    assert (result.state, result.tries) == ("skipped", 1)


def test_deferral_goes_through_storage_and_back() -> None:
    CountTrigger.cleaned.clear()
    run = Run(lambda: Waits(task_id="t"))
    deferred = run.attempt()
    assert deferred.state == "deferred"
    row = deferred.trigger_rows[0]
    assert row.classpath.endswith(".CountTrigger")
    assert row.next_method == "execute_complete"
    assert "ticks" in str(row.kwargs)
    assert "started" in str(row.next_kwargs)
    payload = run.trigger()
    assert payload["ticks"] == 3
    assert isinstance(payload["pair"], list | tuple)
    result = run.to_end()
    assert result.sessions == ("deferred", "success")
    assert result.xcom["event"]["ticks"] == 3
    assert (result.xcom["started"], result.xcom["try"]) == ("yes", 1)
    assert CountTrigger.cleaned == [""]
    assert "counting to 3" in result.log_text


def test_trigger_finds_connections_without_blocking_the_loop() -> None:
    result = Run(lambda: Waits(task_id="t", mood="connection"), connections={"api": CONNECTION}).to_end()
    assert (result.state, result.xcom) == ("success", "hunter22")


@pytest.mark.parametrize(
    ("mood", "seen"),
    [("raise", "the trigger broke"), ("silent", "Trigger failure")],
)
def test_broken_trigger_fails_the_try(mood: str, seen: str) -> None:
    result = Run(lambda: Waits(task_id="t", mood=mood), retries=1).to_end()
    assert result.state == "failed"
    assert result.sessions == ("deferred", "up_for_retry", "deferred", "failed")
    assert seen in result.log_text


def test_deferral_timeout_fails_the_task() -> None:
    result = Run(lambda: Waits(task_id="t", mood="hang", timeout=timedelta(seconds=0.2))).to_end()
    assert result.state == "failed"
    assert "timeout" in repr(result.exception).lower()
    left = result.trigger_rows[0].timeout
    assert left is not None
    assert left <= 0.2  # Airflow 2 stores when it ends: what is left by now, which may be nothing


def test_restarted_triggerer_starts_the_trigger_again() -> None:
    run = Run(lambda: Waits(task_id="t"))
    run.attempt()
    CountTrigger.cleaned.clear()
    run.restart_triggerer()
    assert CountTrigger.cleaned == [""]
    assert run.to_end().state == "success"


@pytest.mark.skipif(not HAS_START_FROM_TRIGGER, reason="templates in a trigger's arguments came with Airflow 3.3")
def test_start_from_trigger_needs_no_worker_before_the_event() -> None:
    from airflow.triggers.base import StartTriggerArgs

    class Starts(Waits):
        template_fields = ("mood",)
        start_from_trigger = True

        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.start_trigger_args = StartTriggerArgs(
                trigger_cls=f"{__name__}.CountTrigger",
                trigger_kwargs={"ticks": 2, "mood": self.mood},
                next_method="execute_complete",
                next_kwargs=None,
                timeout=None,
            )

        def execute(self, context: Any) -> None:
            raise AssertionError("no worker should have come here")

    run = Run(lambda: Starts(task_id="t", mood="{{ params.mood }}"), params={"mood": "quick"})
    CountTrigger.cleaned.clear()
    result = run.to_end()
    assert (result.state, result.sessions) == ("success", ("success",))
    assert result.xcom["event"]["ticks"] == 2
    assert CountTrigger.cleaned == ["quick"]


def test_killed_worker_leaves_nothing_and_is_retried() -> None:
    kill = make_killer(after=1)

    def act(_op: Any, context: Any) -> str:
        context["ti"].xcom_push(key="before", value=1)
        if context["ti"].try_number == 1:
            kill()
        return "alive"

    run = Run(lambda: Calls(task_id="t", action=act), retries=1)
    first = run.attempt()
    assert first.state == "up_for_retry"
    assert isinstance(first.exception, WorkerKilled)
    last = run.to_end()
    assert (last.state, last.tries, last.xcom) == ("success", 2, "alive")


def test_killed_worker_without_retries_is_a_failure() -> None:
    assert Run(lambda: Calls(task_id="t", action=make_killer())).to_end().state == "failed"


@pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 gives the task a database, not an API that can be cut off")
def test_killed_worker_cannot_write_in_finally() -> None:
    def act(_op: Any, context: Any) -> None:
        try:
            make_killer()()
        finally:
            context["ti"].xcom_push(key="late", value=1)

    assert Run(lambda: Linked(task_id="t", action=act)).to_end().xcoms == {}


def test_worker_is_killed_for_real() -> None:
    def act(_op: Any, context: Any) -> str:
        context["ti"].xcom_push(key="before", value=1)
        if (store := context.get("task_state_store")) is not None:
            store.set("id", "r1")
        logging.getLogger("httpx").info("last words")
        if context["ti"].try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return "alive"

    run = Run(lambda: Calls(task_id="t", action=act), retries=1)
    first = run.attempt(in_child=True)
    assert first.state == "up_for_retry"
    assert isinstance(first.exception, WorkerKilled)
    assert first.xcoms == {"before": 1}
    assert first.store == ({"id": "r1"} if HAS_STATE_STORE else {})
    assert "last words" in first.log_text
    last = run.attempt(in_child=True)
    assert (last.state, last.tries, last.xcom) == ("success", 2, "alive")


def test_child_defers_and_fails_like_any_worker() -> None:
    run = Run(lambda: Waits(task_id="t"))
    assert run.attempt(in_child=True).state == "deferred"
    run.trigger()
    assert run.attempt(in_child=True).xcom["event"]["ticks"] == 3

    def fail(*_: Any) -> None:
        raise ValueError("in the child")

    failed = Run(lambda: Calls(task_id="t", action=fail), dag_id="other").attempt(in_child=True)
    assert failed.state == "failed"
    assert isinstance(failed.exception, ErrorInChild)
    assert str(failed.exception) == "ValueError: in the child"


def test_clear_runs_the_task_again_with_all_its_retries() -> None:
    def act(_op: Any, context: Any) -> int:
        if context["ti"].try_number == 2:
            raise ValueError("again")
        return int(context["ti"].try_number)

    run = Run(lambda: Calls(task_id="t", action=act), retries=1)
    assert run.to_end().xcom == 1
    with pytest.raises(RuntimeError, match="clear"):
        run.attempt()
    run.clear()
    assert run.result.state == "none"
    result = run.to_end()
    assert (result.state, result.tries, result.xcom) == ("success", 3, 3)


def test_store_outlives_tries_deferrals_and_clearing() -> None:
    def act(_op: Any, context: Any) -> Any:
        store = context.get("task_state_store")
        if store is None:
            return None
        count = (store.get("count") or 0) + 1
        store.set("count", count)
        if count == 1:
            raise ValueError("first")
        return count

    run = Run(lambda: Calls(task_id="t", action=act), retries=1)
    result = run.to_end()
    assert result.store == ({"count": 2} if HAS_STATE_STORE else {})
    run.clear()
    assert run.to_end().xcom == (3 if HAS_STATE_STORE else None)


def test_store_can_be_filled_before() -> None:
    def act(_op: Any, context: Any) -> Any:
        store = context.get("task_state_store")
        return store.get("id") if store is not None else "no store"

    result = Run(lambda: Calls(task_id="t", action=act), store={"id": "r1"}).to_end()
    assert result.xcom == ("r1" if HAS_STATE_STORE else "no store")


def test_links_are_seen_and_kept_out_of_the_xcoms() -> None:
    result = Run(lambda: Linked(task_id="t", action=lambda *_: 1)).to_end()
    assert result.links == {"Page": "https://pages.test/t"}
    assert result.xcoms == {"return_value": 1}


def test_outlet_events_carry_their_extra() -> None:
    asset = Asset(name="s3://bucket/key", uri="s3://bucket/key") if HAS_TASK_SDK else Asset("s3://bucket/key")

    def act(_op: Any, context: Any) -> None:
        context["outlet_events"][asset].extra = {"rows": 3}

    result = Run(lambda: Calls(task_id="t", outlets=[asset], action=act)).to_end()
    assert [(event["uri"], event["extra"]) for event in result.outlet_events] == [("s3://bucket/key", {"rows": 3})]


def test_upstream_xcoms_reach_the_task() -> None:
    def make() -> Any:
        first = Calls(task_id="first", action=lambda *_: None)
        return Calls(task_id="t", word=first.output, action=lambda op, _: op.word)

    assert Run(make, xcoms={"first": "from upstream"}).to_end().xcom == "from upstream"


def test_each_mapped_instance_runs_on_its_own() -> None:
    def make() -> Any:
        return Calls.partial(task_id="t", action=lambda op, c: [op.word, c["ti"].map_index]).expand(word=["a", "b"])

    assert [Run(make, map_index=index).to_end().xcom for index in (0, 1)] == [["a", 0], ["b", 1]]


def test_a_whole_dag_can_be_given() -> None:
    def make() -> DAG:
        with DAG("whole", schedule=None) as dag:
            Calls(task_id="one", action=lambda *_: 1)
            Calls(task_id="two", action=lambda *_: 2)
        return dag

    assert Run(make, task_id="two", dag_id="whole").to_end().xcom == 2
    with pytest.raises(TypeError, match="task_id"):
        Run(make, dag_id="whole")


def test_what_is_no_task_is_refused() -> None:
    with pytest.raises(TypeError, match="returns a task"):
        Run(lambda: None)


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_sensors_poke_and_reschedule(mode: str) -> None:
    pokes = []

    class Third(BaseSensorOperator):
        def poke(self, context: Any) -> bool:
            pokes.append(1)
            return len(pokes) == 3

    result = Run(lambda: Third(task_id="t", mode=mode, poke_interval=0.01)).to_end()
    assert result.state == "success"
    assert result.tries == 1
    assert result.sessions == (
        ("success",) if mode == "poke" else ("up_for_reschedule", "up_for_reschedule", "success")
    )


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
@pytest.mark.parametrize(("soft_fail", "state"), [(True, "skipped"), (False, "failed")])
def test_sensor_timeout(mode: str, soft_fail: bool, state: str) -> None:
    class Never(BaseSensorOperator):
        def poke(self, context: Any) -> bool:
            return False

    result = Run(
        lambda: Never(task_id="t", mode=mode, poke_interval=0.01, timeout=0.05, soft_fail=soft_fail), retries=2
    ).to_end(max_attempts=200)
    assert (result.state, result.tries) == (state, 1)


def test_log_has_every_library_at_debug_and_no_supervisor_talk() -> None:
    def act(op: Any, _context: Any) -> str:
        logging.getLogger("httpx").info("asked for %s", "this")
        logging.getLogger("httpcore.http11").debug("sent bytes")
        op.log.debug("quiet words")
        return "returned value"

    text = Run(lambda: Calls(task_id="t", action=act)).to_end().log_text
    assert "asked for this" in text
    assert "sent bytes" in text
    assert "quiet words" in text
    assert "SetXCom" not in text
    assert "dry-run://" not in text


def test_log_has_the_traceback_of_a_failure() -> None:
    def fail(*_: Any) -> None:
        raise ValueError("seen in the log")

    text = Run(lambda: Calls(task_id="t", action=fail)).to_end().log_text
    assert "ValueError: seen in the log" in text
    assert "Traceback" in text


def test_endless_task_ends_the_test() -> None:
    with pytest.raises(AssertionError, match="not finished after 2"):
        Run(lambda: Waits(task_id="t", mood="raise"), retries=9).to_end(max_attempts=2)


def test_silent_trigger_ends_the_test() -> None:
    run = Run(lambda: Waits(task_id="t", mood="hang"))
    run.attempt()
    with pytest.raises(AssertionError, match="no event within"):
        run.trigger(limit=0.1)


@pytest.mark.skipif(not HAS_RETRY_POLICY, reason="retry policies came with Airflow 3.3")
def test_retry_policy_is_obeyed() -> None:
    from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy

    class Policy(RetryPolicy):
        def evaluate(self, exception: Any, try_number: int, max_tries: int, context: Any = None) -> Any:
            return RetryDecision.fail("no") if try_number == 2 else RetryDecision.retry(timedelta(seconds=90), "later")

    def fail(*_: Any) -> None:
        raise ValueError("no")

    result = Run(lambda: Calls(task_id="t", action=fail, retry_policy=Policy()), retries=5).to_end()
    assert (result.state, result.tries, result.retry_delays) == ("failed", 2, (90.0,))


MAPPED_DAG = """
from __future__ import annotations

import datetime

from airflow.providers.common.compat.sdk import DAG, BaseHook, Param, task

with DAG(
    "mapped",
    schedule=None,
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    params={"count": Param(1, type="integer")},
) as dag:

    @task
    def numbers(params=None):
        return list(range(params["count"]))

    @task
    def with_host(number):
        return [number, BaseHook.get_connection("api").host]

    with_host.expand(number=numbers())
"""


def test_dag_file_runs_to_the_end(tmp_path: Path) -> None:
    file = tmp_path / "mapped_dag.py"
    file.write_text(MAPPED_DAG)
    outcome = run_dag(file, connections={"api": "http://h.test"}, run_conf={"count": 2})
    assert outcome.state == "success"
    assert outcome.task("numbers").xcom == [0, 1]
    assert [outcome.task("with_host", index).xcom for index in (0, 1)] == [[0, "h.test"], [1, "h.test"]]
    with pytest.raises(LookupError, match="mapped"):
        run_dag(file, dag_id="another")


def test_dag_file_that_does_not_import_raises(tmp_path: Path) -> None:
    file = tmp_path / "broken_dag.py"
    file.write_text("import no_such_module")
    with pytest.raises(ModuleNotFoundError):
        run_dag(file)
