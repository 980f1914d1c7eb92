"""`example_ringevents_report_export_mapped` on the emulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow_harness import DagOutcome

NAME = "example_ringevents_report_export_mapped"
RunExample = Callable[..., DagOutcome]
Exported = Callable[[], dict[str, bytes]]


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@pytest.fixture
def ended(emulator: Any) -> list[Any]:
    """The two events of the organization that ended last, the later first."""
    now = datetime.now(UTC).timestamp() * 1000
    own = [event for event in emulator.state.events.values() if event.organization.id == emulator.organization_id]
    return sorted((event for event in own if event.end and event.end < now), key=lambda event: -event.end)[:2]


@pytest.fixture
def window(ended: list[Any]) -> dict[str, str]:
    """The narrowest window that both ended in: its start is inside, its end is outside."""
    return {
        "ended_from": at(ended[1].end).isoformat(),
        "ended_before": (at(ended[0].end) + timedelta(seconds=1)).isoformat(),
    }


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The reports that were waited for in a trigger."""
    from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

    reports = []
    run = RingEventsReportTrigger.run

    def noted(trigger: RingEventsReportTrigger) -> Any:
        reports.append(trigger.report_id)
        return run(trigger)

    monkeypatch.setattr(RingEventsReportTrigger, "run", noted)
    return reports


def test_every_event_of_the_window_and_every_report_type_has_its_file(
    emulator: Any,
    run_example: RunExample,
    exported: Exported,
    deferred: list[str],
    ended: list[Any],
    window: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "4")
    outcome = run_example(NAME, **window)
    assert outcome.state == "success"
    pairs = {(event.id, report_type) for event in ended for report_type in ("registrations", "attendees")}

    manifests = [outcome.task("export_report", index).xcom for index in range(4)]
    assert {(manifest["event_id"], manifest["report_type"]) for manifest in manifests} == pairs
    assert exported() == {
        f"{manifest['event_id']}/{manifest['report_type']}.csv": emulator.report_content(manifest["report_id"])
        for manifest in manifests
    }
    assert sorted(deferred) == sorted(manifest["report_id"] for manifest in manifests)
    assert names_of_mapped_tasks() == {f"{event_id} {report_type}" for event_id, report_type in pairs}

    between = outcome.task("list_exports").xcom
    assert all(pair.keys() == {"event_id", "report_type"} for pair in between), "nothing but ids goes through XCom"
    assert {(pair["event_id"], pair["report_type"]) for pair in between} == pairs


def names_of_mapped_tasks() -> set[str]:
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        rows = session.query(TaskInstance).filter_by(task_id="export_report")
        return {row.rendered_map_index for row in rows}


def test_a_report_type_given_twice_is_exported_once(
    run_example: RunExample, ended: list[Any], window: dict[str, str]
) -> None:
    outcome = run_example(NAME, **window, report_types=["noShows", "noShows"])
    assert len(outcome.task("list_exports").xcom) == len(ended)


def test_times_without_an_offset_are_read_in_the_zone_of_the_event(
    emulator: Any, run_example: RunExample, ended: list[Any], window: dict[str, str]
) -> None:
    emulator.settings.change(naive_event_times=True)
    outcome = run_example(NAME, **window, report_types=["noShows"])
    assert {pair["event_id"] for pair in outcome.task("list_exports").xcom} == {event.id for event in ended}


def test_the_window_is_the_day_before_the_run_by_default(run_example: RunExample, ended: list[Any]) -> None:
    end = at(ended[1].end)
    # Airflow 2 gives a run by hand the last interval of the schedule, which ends at 06:00; Airflow 3 its own date.
    morning = end.replace(hour=6, minute=0, second=0, microsecond=0)
    morning += timedelta(days=1) if morning <= end else timedelta(0)
    outcome = run_example(NAME, logical_date=morning + timedelta(seconds=1), report_types=["noShows"])
    assert outcome.task("list_exports").xcom == [{"event_id": ended[1].id, "report_type": "noShows"}]


def test_a_window_in_which_nothing_ended_skips_the_export(
    emulator: Any, run_example: RunExample, exported: Exported, ended: list[Any], window: dict[str, str]
) -> None:
    # One second later at the start and one earlier at the end: both events are outside now.
    start = datetime.fromisoformat(window["ended_from"]) + timedelta(seconds=1)
    outcome = run_example(NAME, ended_from=start.isoformat(), ended_before=at(ended[0].end).isoformat())
    assert outcome.state == "success"
    assert outcome.task("list_exports").state == "success"
    assert outcome.task("list_exports").xcom == []
    assert outcome.task("export_report").state == "skipped"
    assert emulator.count("POST") == 0
    assert exported() == {}


def test_more_exports_than_airflow_maps_fail_before_any_is_asked_for(
    emulator: Any,
    run_example: RunExample,
    window: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "3")
    outcome = run_example(NAME, **window)
    assert outcome.state == "failed"
    assert outcome.task("list_exports").state == "failed"
    assert outcome.task("export_report").state == "upstream_failed"
    assert "that makes 4 exports, and [core] max_map_length lets Airflow map 3 at most" in outcome.log_text
    assert emulator.count("POST") == 0


def test_a_window_that_ends_before_it_starts_is_refused(
    emulator: Any, run_example: RunExample, window: dict[str, str]
) -> None:
    outcome = run_example(NAME, ended_from=window["ended_before"], ended_before=window["ended_from"])
    assert outcome.task("list_exports").state == "failed"
    assert "ended_from:" in outcome.log_text
    assert "is not before ended_before" in outcome.log_text
    assert emulator.count() == 0
