"""A ticket without links, and tasks that load files: what the tests of bulk loads share."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from outcomes import run_of

from airflow_provider_ringevents.transfers.object_storage_to_magic_links import (
    RingEventsObjectStorageToMagicLinksOperator,
)

GUEST_COLUMNS = ("email", "firstName", "lastName")


def guests(count: int, first: int = 1) -> list[tuple[str, str, str]]:
    """People of whom no two are alike."""
    return [
        (f"guest{number}@people.example", f"Given{number}", f"Family{number}") for number in range(first, first + count)
    ]


def write_csv(path: Path, rows: Any, columns: Any = GUEST_COLUMNS, **options: Any) -> Path:
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        writer = csv.writer(file, **options)
        writer.writerow(columns)
        writer.writerows(rows)
    return path


def read_results(path: Path) -> list[dict[str, Any]]:
    """The results, whatever their format."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(text.splitlines()))


def statuses(path: Path) -> list[str]:
    return [row["status"] for row in read_results(path)]


@pytest.fixture(autouse=True)
def _no_pauses(fake_clock: Any) -> None:
    """Hours pass in no time."""


@pytest.fixture
def ticket(emulator: Any) -> Any:
    """A ticket without links."""
    event = next(event for event in emulator.state.events.values() if event.name == "Unfinished Draft")
    return emulator.state.create_ticket(event, {"name": "VIP"})


@pytest.fixture
def load(emulator: Any, ticket: Any, tmp_path: Path) -> Callable[..., Run]:
    """Make a run of the operator; arguments win over the test's defaults."""

    def make(**arguments: Any) -> Run:
        given = {
            "task_id": "invite",
            "ticket_id": ticket.id,
            "source": f"file://{tmp_path}/guests.csv",
            "results": f"file://{tmp_path}/results.csv",
            **arguments,
        }
        return run_of(RingEventsObjectStorageToMagicLinksOperator, emulator, **given)

    return make


@pytest.fixture
def links(emulator: Any, ticket: Any) -> Callable[[], dict[str, Any]]:
    """The ticket's links by address; no address has two."""

    def there() -> dict[str, Any]:
        found = list(emulator.state.ticket_links(ticket))
        assert len({link.email.lower() for link in found}) == len(found)
        return {link.email: link for link in found}

    return there
