"""A file of people into links while workers are killed and the service applies requests late: each address once."""

from __future__ import annotations

import csv
import os
import random
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_harness import Run, WorkerKilled

from airflow_provider_ringevents.emulator import Emulator


@dataclass(frozen=True)
class Kills:
    """What came of one seed."""

    seed: int
    rows: int
    kills: int
    requests: int


def play(seed: int, rows: int, folder: Path, *, latest: float, longest: float, settle: float) -> Kills:
    """Load a file, kill the worker once or twice at any moment, and let a last try finish it.

    :param latest: the most seconds after which a request that was cut is applied.
    :param longest: the most seconds until a worker is killed.
    :param settle: the operator's ``settle_timeout``, more than ``latest``.
    """
    dice = random.Random(seed)
    people = [(f"guest{number}@people.example", f"Given{number}", f"Family{number}") for number in range(rows)]
    with (folder / "guests.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("email", "firstName", "lastName"), *people])
    here = os.getpid()
    delays = [dice.uniform(0.2, longest) for _ in range(dice.randint(1, 2))]
    armed: list[float] = []
    with Emulator(seed=seed, registrations=3, latency=0.002) as emulator:
        event = next(event for event in emulator.state.events.values() if event.name == "Unfinished Draft")
        ticket = emulator.state.create_ticket(event, {"name": "VIP"})
        for _ in range(5):
            emulator.fault(
                "applied_late",
                method="POST",
                seconds=dice.uniform(0.1, latest),
                times=4,
                chance=dice.uniform(0.005, 0.05),
            )
        emulator.fault("applied_then_cut", method="POST", times=4, chance=0.02)
        emulator.fault("status", status=429, headers={"Retry-After": "0"}, method="POST", times=3, chance=0.02)

        def make() -> Any:
            from airflow_provider_ringevents.transfers.object_storage_to_magic_links import (
                RingEventsObjectStorageToMagicLinksOperator,
            )

            if os.getpid() != here and armed:
                threading.Timer(armed[0], os.kill, (os.getpid(), signal.SIGKILL)).start()
            return RingEventsObjectStorageToMagicLinksOperator(
                task_id="invite",
                ticket_id=ticket.id,
                source=f"file://{folder}/guests.csv",
                results=f"file://{folder}/results.csv",
                concurrency=8,
                settle_timeout=settle,
            )

        run = Run(make, retries=10, connections={"ringevents_default": emulator.connection_json()})
        kills = 0
        for delay in delays:
            if run.result.state in ("success", "failed"):
                break
            armed[:] = [delay]
            kills += isinstance(run.attempt(in_child=True).exception, WorkerKilled)
        armed.clear()
        while run.result.state not in ("success", "failed"):
            run.attempt(in_child=True)
        assert run.result.state == "success", run.result.log_text
        links = list(emulator.state.ticket_links(ticket))
        _check(folder, people, links)
        return Kills(seed, rows, kills, emulator.count("POST"))


def _check(folder: Path, people: list[tuple[str, str, str]], links: list[Any]) -> None:
    addresses = sorted(link.email for link in links)
    assert addresses == sorted(email for email, _, _ in people), "each address once"
    with (folder / "results.csv").open(newline="") as file:
        results = list(csv.DictReader(file))
    assert [row["identity"] for row in results] == [email for email, _, _ in people]
    assert {row["status"] for row in results} <= {"created", "exists"}
    ids = {link.email: link.id for link in links}
    assert [row["id"] for row in results] == [ids[email] for email, _, _ in people]
    assert all(row["magicLink"] for row in results)
