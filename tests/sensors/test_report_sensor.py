"""The report sensor, in Airflow's own words, in both modes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow_harness import Run
from airflow_harness.versions import HAS_START_FROM_TRIGGER, HAS_STATE_STORE
from outcomes import run_of

from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor

NEVER = 1 << 60
IN_PROGRESS = '{"data": {"attributes": {"status": "in_progress"}}}'


@pytest.fixture(params=[False, True], ids=["worker", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def report_id(emulator: Any) -> str:
    from airflow_provider_ringevents.client import Client, endpoints

    emulator.state.settings.report_seconds = 0.4
    with Client(emulator.url, emulator.api_key) as client:
        created: str = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
    return created


def run(emulator: Any, **arguments: Any) -> Run:
    return run_of(RingEventsReportSensor, emulator, **{"poke_interval": 0.1, "timeout": 20, **arguments})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_ringevents.client import defaults
    from airflow_provider_ringevents.client.transport.retry import RetryPolicy

    monkeypatch.setattr(defaults, "POLL_FIRST", 0.05)
    monkeypatch.setattr(RetryPolicy, "backoff", lambda self, attempt: 0.0)


def test_succeeds_with_the_reports_id_when_it_is_ready(emulator: Any, report_id: str, deferrable: bool) -> None:
    emulator.report(report_id).ready_at = 0
    emulator.fault("body", method="GET", path="/v1/reports/", status=202, body=IN_PROGRESS, times=2)
    result = run(emulator, report_id=report_id, deferrable=deferrable).to_end()

    assert (result.state, result.xcom) == ("success", report_id)
    assert emulator.count("GET", f"/v1/reports/{report_id}") == 3


@pytest.mark.parametrize("soft_fail", [False, True])
def test_a_timeout_is_airflows_own(emulator: Any, report_id: str, deferrable: bool, soft_fail: bool) -> None:
    emulator.report(report_id).ready_at = NEVER
    result = run(
        emulator, retries=2, report_id=report_id, deferrable=deferrable, timeout=0.3, soft_fail=soft_fail
    ).to_end()

    assert result.state == ("skipped" if soft_fail else "failed")
    if not soft_fail:
        assert type(result.exception).__name__ == "AirflowSensorTimeout"
        assert result.tries == 1


@pytest.mark.parametrize(
    ("mode", "ends"), [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")]
)
def test_a_failed_report_ends_it_without_retries(
    emulator: Any, deferrable: bool, mode: dict[str, bool], ends: str
) -> None:
    from airflow_provider_ringevents.client import Client, endpoints

    emulator.state.settings.report_seconds = 0
    emulator.state.settings.report_status = "failed"
    with Client(emulator.url, emulator.api_key) as client:
        created = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
    result = run(emulator, retries=2, report_id=created, deferrable=deferrable, **mode).to_end()

    assert (result.state, result.tries) == (ends, 1)


def test_one_failed_poke_does_not_end_it_and_a_rejected_key_does(
    emulator: Any, report_id: str, deferrable: bool
) -> None:
    emulator.fault("status", method="GET", status=404, times=1)
    assert run(emulator, report_id=report_id, deferrable=deferrable).to_end().state == "success"

    emulator.fault("status", method="GET", status=401, times=None)
    result = run(emulator, retries=2, report_id=report_id, deferrable=deferrable).to_end()
    assert (result.state, result.tries) == ("failed", 1)


def test_reschedules_between_pokes(emulator: Any, report_id: str) -> None:
    result = run(emulator, report_id=report_id, deferrable=False, mode="reschedule").to_end()

    assert result.state == "success"
    assert "up_for_reschedule" in result.sessions


@pytest.mark.skipif(not HAS_STATE_STORE, reason="before Airflow 3.3 nothing is kept between rescheduled pokes")
def test_rescheduled_pokes_that_fail_are_counted_over_their_processes(emulator: Any) -> None:
    result = run(emulator, report_id="nobody", deferrable=False, mode="reschedule", poke_interval=0.01).to_end()

    assert result.state == "failed"
    assert "404" in str(result.exception)
    assert emulator.count("GET", "/v1/reports/nobody") == 10
    assert result.store == {}


def test_ten_failed_pokes_in_a_row_end_it_and_a_429_is_none(emulator: Any, report_id: str) -> None:
    from airflow_provider_ringevents.client.errors import RingEventsRateLimitError, RingEventsServerError

    pokes = RingEventsReportSensor(task_id="wait", report_id=report_id, poke_interval=0.01).pokes({})
    broken = RingEventsServerError("oops", status=500)
    for _ in range(20):
        pokes.on_error(RingEventsRateLimitError("slowly", status=429))
    for _ in range(9):
        pokes.on_error(broken)
    pokes.on_success()
    for _ in range(9):
        pokes.on_error(broken)
    with pytest.raises(RingEventsServerError):
        pokes.on_error(broken)


MODES = ["poke", pytest.param("reschedule", marks=pytest.mark.skipif(not HAS_STATE_STORE, reason="kept from 3.3 on"))]


@pytest.mark.parametrize("mode", MODES)
def test_no_poke_sends_a_request_while_retry_after_lasts(
    emulator: Any, report_id: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents.client import defaults

    # The service asks for more than the client itself waits; the policy of waits cuts it to half a second here.
    monkeypatch.setattr(defaults, "RETRY_AFTER_MAX", 0.5)
    emulator.report(report_id).ready_at = 0
    emulator.fault("status", method="GET", path="/v1/reports/", status=429, headers={"Retry-After": "200"})
    started = time.monotonic()
    result = run(emulator, report_id=report_id, deferrable=False, mode=mode, poke_interval=0.05).to_end()

    assert result.state == "success"
    assert emulator.count("GET", f"/v1/reports/{report_id}") == 2
    assert time.monotonic() - started >= 0.5
    assert result.store == {}


# --- starting in the triggerer


@pytest.mark.skipif(not HAS_START_FROM_TRIGGER, reason="Airflow before 3.3 renders nothing in the triggerer")
@pytest.mark.parametrize("written", ["literal", "jinja", "xcom"])
def test_starts_in_the_triggerer_without_a_worker(emulator: Any, report_id: str, written: str) -> None:
    given = {
        "literal": report_id,
        "jinja": "{{ params.report }}",
        "xcom": "{{ ti.xcom_pull('create', map_indexes=-1)['id'] }}",
    }[written]

    def task() -> Any:
        return RingEventsReportSensor(
            task_id="wait", report_id=given, poke_interval=0.1, timeout=20, deferrable=True, start_from_trigger=True
        )

    result = Run(
        task,
        params={"report": report_id},
        xcoms={"create": {"id": report_id}},
        connections={"ringevents_default": emulator.connection_json()},
    ).to_end()

    assert (result.state, result.xcom) == ("success", report_id)
    assert result.sessions == ("success",)


def test_starting_in_the_triggerer_is_refused_before_airflow_3_3(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_ringevents import _compat

    monkeypatch.setattr(_compat, "AIRFLOW_V_3_3_PLUS", False)
    with pytest.raises(ValueError, match=r"start_from_trigger.*3\.3"):
        RingEventsReportSensor(task_id="t", report_id="r", deferrable=True, start_from_trigger=True)


def test_starting_in_the_triggerer_needs_deferrable() -> None:
    assert RingEventsReportSensor.start_from_trigger is False
    with pytest.raises(ValueError, match="deferrable=True"):
        RingEventsReportSensor(task_id="t", report_id="r", deferrable=False, start_from_trigger=True)


@pytest.mark.skipif(not HAS_START_FROM_TRIGGER, reason="refused as a whole before 3.3")
def test_starting_in_the_triggerer_refuses_another_tasks_result_with_a_hint() -> None:
    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_ringevents.operators.reports import RingEventsCreateReportOperator

    with DAG("d", schedule=None):
        asked = RingEventsCreateReportOperator(task_id="ask", event_id="e", report_type="all")
        with pytest.raises(ValueError, match="xcom_pull"):
            RingEventsReportSensor(task_id="t", report_id=asked.output["id"], deferrable=True, start_from_trigger=True)
