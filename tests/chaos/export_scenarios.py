"""Exports under faults: one seeded scenario at a time, with worker processes that may really be killed."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import random
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from airflow.providers.common.compat.sdk import ObjectStoragePath
from airflow_harness import Run, WorkerKilled
from s3_server import S3Server

from airflow_provider_ringevents.emulator import Emulator

EXPORTS = ("report, worker", "report, deferrable", "list, worker")
STORES = ("local file", "S3")
EARLIER = b"what was there before\n"
RETRIES = 9
DEADLINE = 60.0
"""Seconds for one worker session: the slowest takes ten."""
MEGABYTE = 1_000_000
LARGE = 13 * MEGABYTE
"""Bytes of a report that S3 takes in three blocks."""
LARGE_LIST = 7_000
"""Registrations whose list S3 takes in two blocks, some 7 MB."""

COMPACT: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":")}
REPORT_BODY = {"path": "/download$|/files?/"}
LIST_PAGE = {"path": "/registrations$"}


@dataclass(frozen=True)
class Scenario:
    """One export, one kind of trouble, and the seed of all that is left to chance."""

    export: str
    store: str
    trouble: str
    seed: int

    def __str__(self) -> str:
        return f"{self.export}, {self.store}, {self.trouble}, seed {self.seed}"

    def dice(self) -> random.Random:
        """All chance of this scenario."""
        return random.Random(str(self))


@dataclass
class Outcome:
    """What came of it, in numbers.

    :ivar tries: tries of the task.
    :ivar failed_tries: those that did not succeed.
    :ivar kills: worker processes that SIGKILL ended.
    :ivar faults: requests that met a fault.
    :ivar leftovers: temporary files and open uploads that were there after a try that failed or was killed.
    :ivar looks: how often the destination was looked at: after every session of a worker.
    """

    tries: int = 0
    failed_tries: int = 0
    kills: int = 0
    faults: int = 0
    leftovers: int = 0
    looks: int = 0


# --- the stores


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self.connections: dict[str, Any] = {}
        self.folder = folder
        folder.mkdir(parents=True)

    def uri(self, name: str) -> str:
        return f"file://{self.folder}/{name}"

    def objects(self) -> list[str]:
        return [path.name for path in self.folder.iterdir()]

    def left_behind(self) -> list[str]:
        return [path.name for path in self.folder.iterdir() if path.name.startswith(".")]


class Bucket:
    """A bucket of the scenario's own on a real S3 server."""

    def __init__(self, server: S3Server, name: str) -> None:
        self.server = server
        self.folder = server.make_bucket(name)
        self.connections = {server.conn_id: server.airflow_connection()}

    def uri(self, name: str) -> str:
        return f"s3://{self.server.conn_id}@{self.folder.name}/{name}"

    def objects(self) -> list[str]:
        # What this server keeps of unfinished uploads stays there when it is killed itself: not ours.
        return [path.name for path in self.folder.iterdir() if not path.name.startswith(".rclone_temp_multipart_")]

    def left_behind(self) -> list[str]:
        return [key for key, _ in self.server.open_uploads(self.folder.name)]


# --- the troubles


@dataclass
class Weather:
    """What goes wrong in one scenario; everything is drawn from its dice.

    :ivar threats: what the process of each worker session does to itself, session by session; none when they run out.
    :ivar meanwhile: runs beside the first session, in a thread of its own.
    :ivar timeout: the connection's, in seconds.
    :ivar sessions: worker sessions so far; a process that is forked knows its own number by it.
    """

    harness: Harness
    scenario: Scenario
    dice: random.Random
    threats: list[Callable[[], None]] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None
    sessions: int = 0
    timeout: float = 1.0

    @property
    def is_list(self) -> bool:
        return self.scenario.export.startswith("list")

    def fault(self, kind: str, **more: Any) -> None:
        """Set a fault of the file's download, or of the list's pages."""
        where = LIST_PAGE if self.is_list else REPORT_BODY
        self.harness.emulator.fault(kind, **{**where, **more})

    def large(self) -> None:
        """An export that S3 takes in several blocks."""
        if self.is_list:
            self.harness.emulator.reset(registrations=LARGE_LIST, max_per_page=1000, report_seconds=0.05)
        else:
            self.harness.emulator.settings.change(report_bytes=LARGE)

    def somewhere(self) -> int:
        """A place in the body."""
        return self.dice.randrange(0, 20_000 if self.is_list else LARGE // 2)


def _cut(weather: Weather) -> None:
    if not weather.is_list:
        weather.large()
    for _ in range(weather.dice.randint(1, 8)):
        weather.fault("cut_body", after=weather.somewhere(), rst=weather.dice.random() < 0.5)


def _slow(weather: Weather) -> None:
    weather.fault("hang", times=weather.dice.randint(0, 2))
    weather.fault("stall", after=weather.dice.randrange(2000), seconds=30.0)  # longer than the client listens
    weather.fault("stall", after=weather.dice.randrange(2000), seconds=weather.dice.uniform(0.1, 0.8))
    weather.fault("slow_body", rate=weather.dice.uniform(50_000, 500_000))
    weather.fault("delay", seconds=weather.dice.uniform(0.1, 0.5))


def _truncate(weather: Weather) -> None:
    kinds = ["truncated_json", "truncate_chunked"] if weather.is_list else ["truncate_chunked", "cut_body"]
    if not weather.is_list:
        weather.harness.emulator.settings.change(ranges=weather.dice.random() < 0.5, report_bytes=3 * MEGABYTE)
    for _ in range(weather.dice.randint(1, 7)):
        weather.fault(weather.dice.choice(kinds), after=weather.dice.randrange(0, 15_000))


def _expire(weather: Weather) -> None:
    weather.harness.emulator.settings.change(download="redirect", report_bytes=3 * MEGABYTE)
    emulator = weather.harness.emulator
    for _ in range(weather.dice.randint(1, 5)):
        emulator.fault("expired_link", origin=weather.dice.choice(["api", "links"]), path=None)
    emulator.fault("cut_body", origin="links", after=weather.somewhere() // 5)
    emulator.fault("expired_link", origin="links")


def _storm(weather: Weather) -> None:
    for status in weather.dice.choices([500, 502, 503, 504, 429, 408], k=weather.dice.randint(3, 25)):
        weather.harness.emulator.fault("status", status=status, method="GET", chance=0.7)
    weather.harness.emulator.fault("status", status=503, method="POST", times=weather.dice.randint(0, 2))


def _reset(weather: Weather) -> None:
    for kind in weather.dice.choices(["reset", "close"], k=weather.dice.randint(1, 20)):
        weather.harness.emulator.fault(kind, method="GET", chance=0.7)
    weather.harness.emulator.fault(weather.dice.choice(["reset", "applied_then_cut"]), method="POST")


def _kill(weather: Weather) -> None:
    if weather.dice.random() < 0.7:
        weather.large()
    store = weather.harness.store
    if isinstance(store, LocalFolder):
        # A deferrable export writes nothing in its first session.
        sessions = 2 if weather.scenario.export.endswith("deferrable") else 1
        weather.threats += [lambda: _die_when(store.left_behind)] * sessions
        weather.fault("stall", after=weather.somewhere(), seconds=2.5)
    for _ in range(weather.dice.randint(1, 3)):
        seconds = weather.dice.choice([0.05, 0.2, 0.5, 1.0]) * weather.dice.random() * 2
        weather.threats.append(lambda seconds=seconds: _die_after(seconds))
        # So that the kill finds something half done, whatever the machine's pace.
        weather.fault("stall", after=weather.somewhere(), seconds=2.5)


def _full(weather: Weather) -> None:
    size = 60_000 if weather.is_list else 3 * MEGABYTE
    if not weather.is_list:
        weather.harness.emulator.settings.change(report_bytes=size)
    for _ in range(weather.dice.randint(1, 3)):
        most = weather.dice.randrange(0, size)
        # A deferrable export writes nothing in its first session.
        sessions = 2 if weather.scenario.export.endswith("deferrable") else 1
        weather.threats += [lambda most=most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))] * sessions


def _store_breaks(weather: Weather) -> None:
    weather.large()
    away, into = weather.dice.uniform(0.0, 1.5), weather.dice.uniform(0.0, 0.5)
    bucket = weather.harness.store
    assert isinstance(bucket, Bucket)
    # The last part of the body comes late, so that the upload is under way for certain when its server dies.
    if weather.is_list:
        weather.fault("delay", seconds=4.0, query=r"\bpage=65\b")
    else:
        weather.fault("stall", after=LARGE - MEGABYTE, seconds=4.0)
    weather.timeout = 10.0

    def break_it() -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not bucket.left_behind():
            time.sleep(0.02)
        time.sleep(into)
        bucket.server.kill()
        time.sleep(away)
        bucket.server.start()

    weather.meanwhile = break_it


def _everything(weather: Weather) -> None:
    for trouble in weather.dice.sample([_storm, _reset, _kill, *([] if weather.is_list else [_expire])], k=2):
        trouble(weather)


TROUBLES: dict[str, Callable[[Weather], None]] = {
    "cut": _cut,
    "slow, silent": _slow,
    "truncated": _truncate,
    "links expire": _expire,
    "5xx and 429": _storm,
    "reset, closed": _reset,
    "worker killed": _kill,
    "disk full": _full,
    "S3 server killed": _store_breaks,
    "two at once": _everything,
}
"""By name."""


def possible(export: str, store: str, trouble: str) -> bool:
    """Lists have no links; this machine's files have no server; the disk that is full is this machine's."""
    if trouble == "links expire":
        return not export.startswith("list")
    return {"disk full": "local file", "S3 server killed": "S3"}.get(trouble, store) == store


def scenarios(seeds: range) -> Iterator[Scenario]:
    """Every possible combination, once for each seed."""
    for seed in seeds:
        for trouble in TROUBLES:
            for export in EXPORTS:
                for store in STORES:
                    if possible(export, store, trouble):
                        yield Scenario(export, store, trouble, seed)


def _die_after(seconds: float) -> None:
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL))
    timer.daemon = True
    timer.start()


def _die_when(there: Callable[[], Any]) -> None:
    def watch() -> None:
        while not there():
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


# --- playing one


class Harness:
    """A service, a store, and one task between them.

    :param store: where it exports to.
    """

    def __init__(self, emulator: Emulator, store: LocalFolder | Bucket) -> None:
        self.emulator = emulator
        self.store = store
        self._here = os.getpid()

    def play(self, scenario: Scenario) -> Outcome:
        """Let it happen, and look at the destination after every session.

        :raises AssertionError: a promise was broken.
        """
        dice = scenario.dice()
        self.emulator.reset()
        weather = Weather(self, scenario, dice)
        TROUBLES[scenario.trouble](weather)
        target = self.store.folder / "export.out"
        before = EARLIER if dice.random() < 0.5 else None
        if before is not None:
            target.write_bytes(before)
        run = self._run(scenario, weather)
        outcome = Outcome()
        beside = _started(weather.meanwhile)
        for _ in range(3 * RETRIES):
            weather.sessions += 1
            result = run.attempt(in_child=True)
            outcome.kills += isinstance(result.exception, WorkerKilled)
            outcome.looks += 1
            if beside is not None and result.state != "deferred":
                beside.join(DEADLINE)
            there = target.read_bytes() if target.exists() else None
            if result.state == "success":
                break
            told = f"{scenario}: {result.state}\n{result.log_text}"
            assert result.state in ("deferred", "up_for_retry"), told
            # A worker may die between publishing and saying so: then all of it is there.
            assert there == before or there == self._expected(scenario, result), told
            if result.state == "deferred":
                run.trigger(limit=DEADLINE)
            else:
                outcome.leftovers += len(self.store.left_behind())
        outcome.tries, outcome.failed_tries = result.tries, result.tries - 1
        told = f"{scenario}: {result.state}, {len(there or b'')} bytes\n{result.log_text}"
        assert result.state == "success", told
        assert there == self._expected(scenario, result), told
        assert result.xcom["sha256"] == hashlib.sha256(there).hexdigest(), told
        assert result.xcom["bytes"] == len(there), told
        assert self.store.left_behind() == [], told
        assert self.store.objects() == [target.name], told
        assert self.emulator.leaked_authorizations == 0, told
        outcome.faults = sum(fault.hit_count for fault in self.emulator.faults)
        return outcome

    def _expected(self, scenario: Scenario, result: Any) -> bytes | None:
        """What the service holds."""
        if not scenario.export.startswith("list"):
            reports = list(self.emulator.reports)
            wanted = result.xcom["report_id"] if result.xcom else reports[-1].id if reports else None
            return self.emulator.report_content(wanted) if wanted else None
        return listed(self.emulator)

    def _run(self, scenario: Scenario, weather: Weather) -> Run:
        destination = self.store.uri("export.out")
        connection = self.emulator.connection()
        connection["extra"] = {**connection["extra"], "timeout": weather.timeout}
        event_id = self.emulator.event_id

        def make() -> Any:
            from airflow_provider_ringevents.transfers.collection_to_object_storage import (
                RingEventsCollectionToObjectStorageOperator,
            )
            from airflow_provider_ringevents.transfers.report_to_object_storage import (
                RingEventsReportToObjectStorageOperator,
            )

            if os.getpid() != self._here:
                faulthandler.dump_traceback_later(DEADLINE, exit=True)
                if weather.sessions <= len(weather.threats):
                    weather.threats[weather.sessions - 1]()
            if scenario.export.startswith("list"):
                return RingEventsCollectionToObjectStorageOperator(
                    task_id="export",
                    collection="registrations",
                    parent_id=event_id,
                    destination=destination,
                    format="jsonl",
                    include_credentials=True,
                )
            return RingEventsReportToObjectStorageOperator(
                task_id="export",
                event_id=event_id,
                report_type="registrations",
                destination=destination,
                poll_interval=0.1,
                deferrable=scenario.export.endswith("deferrable"),
            )

        connections = {"ringevents_default": connection, **self.store.connections}
        return Run(make, retries=RETRIES, connections=connections)


def listed(emulator: Emulator) -> bytes:
    """All registrations as the list's file has them, past the code under test and past the faults."""
    faults = list(emulator.faults)
    emulator.faults.clear()
    lines = []
    address = f"{emulator.url}/v1/events/{emulator.event_id}/registrations"
    with httpx.Client(headers={"Authorization": f"Bearer {emulator.api_key}"}, trust_env=False) as client:
        for page in range(1, 1000):
            rows = client.get(address, params={"page": page, "perPage": 1000}).raise_for_status().json()["data"]
            lines += [json.dumps({"id": row["id"], **row["attributes"]}, **COMPACT).encode() + b"\n" for row in rows]
            if len(rows) < emulator.settings.max_per_page:
                break
    for fault in faults:
        emulator.faults.add(fault)
    return b"".join(lines)


def _started(meanwhile: Callable[[], None] | None) -> threading.Thread | None:
    if meanwhile is None:
        return None
    thread = threading.Thread(target=meanwhile, daemon=True)
    thread.start()
    return thread


def imported() -> None:
    """Import here what would be imported anew in every process that is forked from this one."""
    for name in ("airflow.providers.amazon.aws.fs.s3", "s3fs"):
        import_module(name)
    _ = ObjectStoragePath("file:///tmp").fs


@contextmanager
def quick() -> Iterator[None]:
    """Pauses between attempts that cost a scenario nothing, here and in the processes that are forked from here."""
    from unittest.mock import patch

    from airflow_provider_ringevents.client import defaults
    from airflow_provider_ringevents.client.transport.retry import RetryPolicy

    with (
        patch.object(defaults, "POLL_FIRST", 0.02),
        patch.object(RetryPolicy, "backoff", lambda self, attempt: 0.02),
    ):
        yield
