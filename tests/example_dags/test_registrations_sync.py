"""`example_ringevents_registrations_sync` on the emulator; its watcher in a real Airflow is in `tests/chaos`."""

from __future__ import annotations

import gzip
import json
import runpy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow_harness import HAS_TASK_SDK, DagOutcome

from airflow_provider_ringevents.client.validation.datetimes import format_timestamp

NAME = "example_ringevents_registrations_sync"
FILE = Path(__file__).parents[2] / "example_dags" / f"{NAME}.py"

needs_watchers = pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 has no asset watchers")


@pytest.fixture(autouse=True)
def _event(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGEVENTS_EVENT_ID", emulator.event_id)


def asset_event(start: str, end: str) -> Any:
    return SimpleNamespace(extra={"from_trigger": True, "payload": {"from": start, "to": end, "count": 1}})


def changed_window(events: dict[str, Any], **params: Any) -> Any:
    dag = runpy.run_path(str(FILE))["dag"]
    function = dag.get_task("changed_window").python_callable
    return function(triggering_asset_events=events, params={"start": None, "end": None, **params})


@needs_watchers
def test_a_run_by_hand_exports_the_window_that_it_is_given(
    emulator: Any, run_example: Callable[..., DagOutcome], exported: Callable[[], dict[str, bytes]]
) -> None:
    ids = emulator.state.add_registrations(emulator.event_id, 3)
    now = datetime.now(UTC)
    outcome = run_example(
        NAME, start=format_timestamp(now - timedelta(minutes=1)), end=format_timestamp(now + timedelta(minutes=1))
    )
    assert outcome.state == "success", outcome.log_text
    ((path, content),) = exported().items()
    assert path.startswith(f"registrations-{emulator.event_id}/")
    assert path.endswith(".jsonl.gz")
    assert {json.loads(line)["id"] for line in gzip.decompress(content).splitlines()} == set(ids)


@needs_watchers
def test_a_run_by_hand_without_a_window_fails_and_says_what_to_give(
    run_example: Callable[..., DagOutcome], exported: Callable[[], dict[str, bytes]]
) -> None:
    outcome = run_example(NAME)
    assert outcome.state == "failed"
    assert "give it start and end" in outcome.log_text
    assert exported() == {}


@needs_watchers
def test_several_events_are_one_window() -> None:
    events = {
        "one": [
            asset_event("2026-05-01T12:01:00Z", "2026-05-01T12:02:00Z"),
            asset_event("2026-05-01T12:00:00Z", "2026-05-01T12:01:00Z"),
        ],
        "two": [
            asset_event("2026-05-01T12:02:00Z", "2026-05-01T12:03:00Z"),
            SimpleNamespace(extra={"from_rest_api": True}),
        ],
    }
    assert changed_window(events) == {"start": "2026-05-01T12:00:00Z", "end": "2026-05-01T12:03:00Z"}


@needs_watchers
def test_an_event_that_somebody_has_made_by_hand_needs_a_window_too() -> None:
    by_hand = {"one": [SimpleNamespace(extra={"from_rest_api": True})]}
    with pytest.raises(AirflowFailException, match="start and end"):
        changed_window(by_hand)
    given = {"start": "2026-05-01T12:00:00Z", "end": "2026-05-01T12:03:00Z"}
    assert changed_window(by_hand, **given) == given


@needs_watchers
def test_the_watcher_watches_the_event_that_is_exported(emulator: Any) -> None:
    example = runpy.run_path(str(FILE))
    (watcher,) = example["registrations"].watchers
    arguments = watcher.trigger.serialize()[1]
    export = example["dag"].get_task("export_changes")
    assert arguments["event_id"] == export.parent_id == emulator.event_id
    assert arguments["window_field"] == export.window_field


if not HAS_TASK_SDK:

    def test_airflow_2_says_what_is_missing() -> None:
        with pytest.raises(ModuleNotFoundError, match=r"airflow\.sdk"):
            runpy.run_path(str(FILE))
