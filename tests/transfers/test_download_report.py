"""Downloading a report that is there already."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from outcomes import run_of

from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsDownloadReportOperator


@pytest.fixture
def report_id(emulator: Any) -> str:
    from airflow_provider_ringevents.client import Client, endpoints

    with Client(emulator.url, emulator.api_key) as client:
        created: str = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
        while client.send(endpoints.get_report(created)).status != 200:
            time.sleep(0.02)
    return created


def run(emulator: Any, **arguments: Any) -> Run:
    return run_of(RingEventsDownloadReportOperator, emulator, retries=2, **arguments)


def test_downloads_and_returns_the_manifest(emulator: Any, report_id: str, tmp_path: Path) -> None:
    result = run(emulator, report_id=report_id, destination=str(tmp_path / "r.csv")).to_end()

    assert result.state == "success"
    assert (tmp_path / "r.csv").read_bytes() == emulator.report_content(report_id)
    assert result.xcom["report_id"] == report_id
    assert result.xcom["sha256"] == emulator.report_sha256(report_id)
    assert result.xcom["title"] == emulator.report(report_id).title


def test_skips_what_is_there_without_a_request(emulator: Any, report_id: str, tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"there")
    emulator.requests.clear()
    result = run(emulator, report_id=report_id, destination=str(tmp_path / "r.csv"), if_exists="skip").to_end()

    assert (result.state, result.xcom["skipped"]) == ("success", True)
    assert (tmp_path / "r.csv").read_bytes() == b"there"
    assert emulator.count() == 0


def test_a_report_that_is_not_there_fails_at_once(emulator: Any, tmp_path: Path) -> None:
    result = run(emulator, report_id="nobody-knows", destination=str(tmp_path / "r.csv")).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    assert "404" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_refuses_bad_input_when_the_dag_is_parsed() -> None:
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsDownloadReportOperator

    with pytest.raises(ValueError, match="report_id"):
        RingEventsDownloadReportOperator(task_id="t", report_id="", destination="/tmp/x")
    with pytest.raises(ValueError, match="destination"):
        RingEventsDownloadReportOperator(task_id="t", report_id="r", destination="")
