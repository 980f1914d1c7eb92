"""What the tests of report exports share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from outcomes import run_of

from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator


@pytest.fixture
def emulator() -> Iterator[Any]:
    """An emulator whose reports are ready at once, unless a test says otherwise."""
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1, report_seconds=0.05, registrations=40) as running:
        yield running


@pytest.fixture(params=[False, True], ids=["worker", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that cost a test nothing: what is waited for does not depend on them."""
    from airflow_provider_ringevents.client import defaults
    from airflow_provider_ringevents.client.transport.retry import RetryPolicy

    monkeypatch.setattr(defaults, "POLL_FIRST", 0.02)
    monkeypatch.setattr(RetryPolicy, "backoff", lambda self, attempt: 0.0)


@pytest.fixture
def export(emulator: Any, tmp_path: Path, deferrable: bool, quick: None) -> Callable[..., Run]:
    """Make a run of the export operator; arguments win over the test's defaults."""

    def make(**arguments: Any) -> Run:
        defaults: dict[str, Any] = {
            "task_id": "export",
            "event_id": emulator.event_id,
            "report_type": "registrations",
            "destination": f"file://{tmp_path}/out/report.csv",
            "poll_interval": 0.05,
            "deferrable": deferrable,
        }
        return run_of(RingEventsReportToObjectStorageOperator, emulator, **{**defaults, **arguments})

    return make
