"""How a wait ends that fails: alike on the worker, rescheduled and deferred, with `soft_fail` and `never_fail`."""

from __future__ import annotations

from typing import Any

import pytest
from airflow_harness import Run
from airflow_harness.versions import HAS_STATE_STORE

from airflow_provider_ringevents.client import Client, defaults, endpoints
from airflow_provider_ringevents.client.transport.retry import RetryPolicy
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.sensors.events import RingEventsEventSensor
from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor

MODES: dict[str, dict[str, Any]] = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferred": {"deferrable": True},
}
ENDS = {
    # For good: both words skip the task.
    "timeout": {"": "failed", "soft_fail": "skipped", "never_fail": "skipped"},
    "failed report": {"": "failed", "soft_fail": "skipped", "never_fail": "skipped"},
    "refused key": {"": "failed", "soft_fail": "skipped", "never_fail": "skipped"},
    # It may pass: Airflow's `soft_fail` leaves such errors to the retries of the task.
    "outage": {"": "failed", "soft_fail": "failed", "never_fail": "skipped"},
}
CASES = [
    (sensor, cause) for sensor in ("report", "event") for cause in ENDS if (sensor, cause) != ("event", "failed report")
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "POLL_FIRST", 0.02)
    monkeypatch.setattr(RetryPolicy, "backoff", lambda self, attempt: 0.0)


def sensor_of(kind: str, emulator: Emulator, report_id: str, cause: str, **more: Any) -> Any:
    usual = {"task_id": "wait", "poke_interval": 0.02, "timeout": 0.3 if cause == "timeout" else 30, **more}
    if kind == "report":
        return RingEventsReportSensor(report_id=report_id, **usual)
    return RingEventsEventSensor(event_id=emulator.event_id, condition="status", status="never", **usual)


@pytest.mark.parametrize("word", ["", "soft_fail", "never_fail"])
@pytest.mark.parametrize(("sensor", "cause"), CASES)
def test_a_wait_that_fails_ends_alike_in_every_mode(sensor: str, cause: str, word: str) -> None:
    status = "failed" if cause == "failed report" else "completed"
    seconds = 3600 if cause == "timeout" else 0
    with Emulator(seed=1, registrations=1, report_seconds=seconds, report_status=status) as emulator:
        with Client(emulator.url, emulator.api_key) as client:
            report_id = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
        if cause in ("refused key", "outage"):
            emulator.fault("status", method="GET", status=401 if cause == "refused key" else 503, times=None)
        ends = {}
        for name, mode in MODES.items():
            if name == "reschedule" and cause == "outage" and not HAS_STATE_STORE:
                continue  # before Airflow 3.3 nothing counts failed pokes over processes
            given = {**mode, **({word: True} if word else {})}
            run = Run(
                lambda given=given: sensor_of(sensor, emulator, report_id, cause, **given),
                connections={"ringevents_default": emulator.connection()},
            )
            ends[name] = run.to_end(max_attempts=100).state
    assert ends == dict.fromkeys(ends, ENDS[cause][word])
