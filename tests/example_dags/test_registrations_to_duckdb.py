"""`example_ringevents_registrations_to_duckdb` on the emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import DagOutcome
from s3_server import S3Server

from airflow_provider_ringevents.client import Client, endpoints

NAME = "example_ringevents_registrations_to_duckdb"


@pytest.fixture
def emulator() -> Iterator[Any]:
    """As few events as there can be."""
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1, events=8, registrations=60) as running:
        yield running


def test_the_registrations_of_two_days_are_in_one_table_once_each(
    emulator: Any, run_example: Callable[..., DagOutcome], tmp_path: Path
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (make readers)")
    database = tmp_path / "warehouse.duckdb"
    with Client(emulator.url, emulator.api_key) as client:
        created = sorted(
            (datetime.fromisoformat(row["createdAt"]), row["id"])
            for event in client.items(endpoints.list_events(emulator.organization_id))
            for row in client.items(endpoints.list_registrations(event["id"]))
        )
    middle = created[len(created) // 2][0].replace(hour=6, minute=0, second=0, microsecond=0)
    days = (middle, middle + timedelta(days=1))
    # The second day twice.
    for end in (*days, days[1]):
        outcome = run_example(NAME, logical_date=end + timedelta(hours=1), database=str(database))
        assert outcome.state == "success"
    expected = [id for moment, id in created if days[0] - timedelta(days=1) <= moment < days[1]]
    assert expected
    assert outcome.task("merge_into_duckdb").xcom == len(expected)
    with duckdb.connect(database, read_only=True) as connection:
        ids = connection.execute("SELECT id FROM registrations").fetchall()
    assert sorted(ids) == sorted((id,) for id in expected)


def test_the_files_are_read_with_the_connection_of_the_destination(
    emulator: Any, run_example: Callable[..., DagOutcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("duckdb", reason="duckdb is not installed (make readers)")
    with S3Server(tmp_path) as server:
        server.make_bucket("exports")
        server.connect(monkeypatch)
        destination = f"s3://{server.conn_id}@exports/lake"
        outcome = run_example(NAME, destination=destination, database=str(tmp_path / "warehouse.duckdb"))
    assert outcome.state == "success"
    exported = [task.xcom for (name, _), task in outcome.tasks.items() if name == "export_registrations"]
    assert exported
    assert outcome.task("merge_into_duckdb").xcom == sum(manifest["rows"] for manifest in exported)
