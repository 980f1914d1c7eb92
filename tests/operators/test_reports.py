"""Asking for a report."""

from __future__ import annotations

from typing import Any

import pytest
from airflow_harness import Run
from outcomes import run_of

from airflow_provider_ringevents.operators.reports import RingEventsCreateReportOperator


def run(emulator: Any, **arguments: Any) -> Run:
    return run_of(RingEventsCreateReportOperator, emulator, **{"event_id": emulator.event_id, **arguments})


def test_returns_the_report_without_its_link(emulator: Any) -> None:
    emulator.state.settings.report_seconds = 0
    result = run(emulator, report_type="attendees").to_end()

    assert result.state == "success"
    assert emulator.report(result.xcom["id"]).type == "attendees"
    assert "url" not in result.xcom


def test_a_request_that_may_have_been_applied_is_not_sent_again_by_itself(emulator: Any) -> None:
    emulator.fault("applied_then_cut", method="POST")
    result = run(emulator, report_type="attendees").to_end()

    assert result.state == "failed"
    assert "may have been applied" in str(result.exception)
    assert emulator.count("POST") == 1


def test_a_refusal_is_not_retried(emulator: Any) -> None:
    result = run(emulator, retries=3, report_type="attendees", event_id="nobody").to_end()

    assert (result.state, result.tries) == ("failed", 1)


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [("900", 900.0), ("86399999999999", 86_400.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0)],
)
def test_a_long_retry_after_becomes_the_delay_of_the_retry(emulator: Any, retry_after: str, delay: float) -> None:
    """Found stopping the scheduler: a delay of millions of years overflows its calendar."""
    from airflow_harness.versions import HAS_RETRY_POLICY

    if not HAS_RETRY_POLICY:
        pytest.skip("Airflow before 3.3 has no retry policies")
    emulator.fault("status", status=429, headers={"Retry-After": retry_after})
    run_ = run(emulator, retries=1, report_type="attendees")
    result = run_.to_end()

    assert (result.state, result.tries) == ("success", 2)
    assert list(result.retry_delays) == [delay]
    assert ("counts as one day" in result.log_text) == (delay > 900)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"report_type": "attendee"}, "attendees"),
        ({"report_type": "all", "report_version": "9"}, "report_version"),
        ({"report_type": "all", "attributes": {"segmentType": "hall"}}, "segmentType"),
        ({"report_type": "all", "event_id": " "}, "event_id"),
    ],
)
def test_bad_input_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], said: str) -> None:
    from airflow_provider_ringevents.operators.reports import RingEventsCreateReportOperator

    with pytest.raises(ValueError, match=said):
        RingEventsCreateReportOperator(task_id="t", **{"event_id": "e", **arguments})
