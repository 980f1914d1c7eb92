"""Lists that change while they are read: rows are added, moved and deleted between two pages, drawn from a seed."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_ringevents.client import AsyncClient, Client
from airflow_provider_ringevents.client.endpoints import list_registrations
from airflow_provider_ringevents.client.errors import RingEventsIncompleteListError
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.emulator.api.filters import Selection
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.formats import FileFormat
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection

ORDERS = ("newest_first", "created", "updated")
COUNTS = ("exact", "capped", "approximate")
PER_PAGE = 25
CHANGES = ("registrations_added", "registrations_cancelled", "registrations_updated")


@dataclass(frozen=True)
class Outcome:
    """The end of one reading of a list.

    :ivar order: of the list; ``updated`` moves rows that change to its end, ``newest_first`` adds in front.
    :ivar count: the form of the service's count.
    :ivar readings: how often the list was read; 0 if it failed.
    :ivar missing: rows that were there from beginning to end and did not come.
    :ivar cancelled: rows were added and deleted between the same two pages.
    """

    order: str
    count: str
    readings: int
    missing: int
    cancelled: bool

    @property
    def is_green_and_short(self) -> bool:
        return bool(self.readings and self.missing)


def play(seed: int, directory: Path) -> Outcome:
    """Read one list that changes: an export with four pages in flight, or a loop of the asynchronous client."""
    dice = random.Random(seed)
    order, count = ORDERS[seed // 2 % 3], COUNTS[seed // 6 % 3]
    with Emulator(
        seed=seed + 1,
        registrations=dice.randint(80, 300),
        max_per_page=PER_PAGE,
        registrations_order=order,
        count=count,
        count_cap=100,
    ) as emulator:
        before = _ids(emulator)
        try:
            if seed % 2:
                found, readings, cancelled = asyncio.run(_iterate(emulator, dice))
            else:
                found, readings = _export(emulator, dice, directory)
                cancelled = False
        except RingEventsIncompleteListError:
            return Outcome(order, count, 0, 0, False)
        emulator.faults.clear()
        there_throughout = before & _ids(emulator)
    assert len(found) == len(set(found)), "a row came twice"
    return Outcome(order, count, readings, len(there_throughout - set(found)), cancelled)


def _ids(emulator: Emulator) -> set[str]:
    registrations = emulator.state.events[emulator.event_id].registrations
    return {registrations.id(index) for index in registrations.select(Selection()).slice(0, 10_000)}


def _export(emulator: Emulator, dice: random.Random, directory: Path) -> tuple[list[str], int]:
    """Export while the service makes one kind of change after some of its responses."""
    for request in range(60):
        if dice.random() < 0.3:
            emulator.fault(
                dice.choice(CHANGES), path="/registrations$", skip=request, times=1, value=dice.randint(1, 3)
            )
    export = CollectionExport(COLLECTIONS["registrations"], FileFormat("jsonl"))
    target = directory / "rows.jsonl"
    with Client(emulator.url, emulator.api_key, per_page=PER_PAGE) as client:
        manifest = upload_collection(client, export, emulator.event_id, Destination.resolve(str(target)))
    lines = target.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line)["id"] for line in lines], manifest["readings"]


async def _iterate(emulator: Emulator, dice: random.Random) -> tuple[list[str], int, bool]:
    """Iterate over the list, and make up to two changes between two pages, 40 in all."""
    budget, cancelled = dice.randint(0, 40), False
    found: list[str] = []
    async with AsyncClient(emulator.url, emulator.api_key, per_page=PER_PAGE) as client:
        reading = client.reading(list_registrations(emulator.event_id))
        async for page in client.pages(reading.call, reading=reading):
            found += [row["id"] for row in page.items]
            kinds = [dice.choice(("add", "add", "move", "delete")) for _ in range(min(dice.randint(0, 2), budget))]
            budget -= len(kinds)
            for kind in kinds:
                _change(emulator, kind, dice)
            cancelled = cancelled or {"add", "delete"} <= set(kinds)
    return found, reading.readings, cancelled


def _change(emulator: Emulator, kind: str, dice: random.Random) -> None:
    if kind == "add":
        emulator.state.add_registrations(emulator.event_id, 1)
        return
    row: Any = dice.choice(sorted(_ids(emulator)))
    if kind == "delete":
        emulator.state.delete_registration(row)
    else:
        emulator.state.update_registration(row, {"moved": "yes"})
