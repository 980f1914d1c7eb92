"""`example_ringevents_registrations_daily` on the emulator."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow_harness import DagOutcome

NAME = "example_ringevents_registrations_daily"


@pytest.fixture
def emulator() -> Iterator[Any]:
    """As few events as there can be."""
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1, events=8, registrations=60) as running:
        yield running


def registrations(emulator: Any) -> dict[str, dict[str, datetime]]:
    """Of each event: id and time of creation of each registration."""
    from airflow_provider_ringevents.client import Client, endpoints

    with Client(emulator.url, emulator.api_key) as client:
        return {
            event["id"]: {
                row["id"]: datetime.fromisoformat(row["createdAt"])
                for row in client.items(endpoints.list_registrations(event["id"]))
            }
            for event in client.items(endpoints.list_events(emulator.organization_id))
        }


def test_every_event_has_a_file_with_the_days_new_registrations(
    emulator: Any, run_example: Callable[..., DagOutcome], exported: Callable[[], dict[str, bytes]]
) -> None:
    there = registrations(emulator)
    times = sorted(moment for event in there.values() for moment in event.values())
    # Of a run by hand the interval is the last whole one before its date; nothing runs before the DAG's first day.
    end = (times[len(times) // 2] + timedelta(days=1)).replace(hour=6, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=1)
    outcome = run_example(NAME, logical_date=end + timedelta(hours=1))

    assert outcome.state == "success"
    written = {
        path: {row["id"] for row in csv.DictReader(io.StringIO(gzip.decompress(content).decode()))}
        for path, content in exported().items()
    }
    wanted = {
        f"{start:%Y-%m-%d}/{event}.csv.gz": {id for id, moment in rows.items() if start <= moment < end}
        for event, rows in there.items()
    }
    assert written == wanted
    assert any(wanted.values())
    assert outcome.task("list_events").xcom == list(there)
