"""The example DAGs on an Airflow of several machines: `make cluster-test`, not part of `make test`.

    python -m pytest tests/cluster/examples_on_cluster.py

The service is an emulator in this process, the bucket is on a real S3 server. Airflow 3.3 and later.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import HAS_STATE_STORE
from cluster.deployment import CONCURRENCY, TRIGGERERS, WORKERS, Cluster
from cluster.servers import Postgres, Redis
from s3_server import S3Server

from airflow_provider_ringevents.client.types import REPORT_TYPES
from airflow_provider_ringevents.emulator import Emulator

pytestmark = pytest.mark.skipif(not HAS_STATE_STORE, reason="written for Airflow 3.3 and later")

EXAMPLES = Path(__file__).parents[2] / "example_dags"
PAGE = Path(__file__).parents[2] / "docs" / "generated" / "cluster.md"
EXPORTS = 200
EVENTS = 8
REPORT_SECONDS = 20.0
"""So long that many wait at the same time."""
PATIENCE = 900.0
"""Seconds. Nothing is hurt by waiting, and a hang is noticed."""
FINISHED = ("success", "failed")
MAPPED = "example_ringevents_report_export_mapped"
SYNC = "example_ringevents_registrations_sync"
DAILY = "example_ringevents_registrations_daily"
TO_DUCKDB = "example_ringevents_registrations_to_duckdb"
INVITE = "example_ringevents_invite_from_file"
GUESTS = 30


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    settings = {"report_seconds": 2.0, "template_seconds": 2.0, "duplicate_seconds": 2.0}
    with Emulator(seed=7, events=16, registrations=200, **settings) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket("exports")
        yield server


@pytest.fixture(scope="module")
def cluster(emulator: Emulator, s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    dags = folder / "dags"
    dags.mkdir()
    for file in EXAMPLES.glob("*.py"):
        text = file.read_text().replace("file:///tmp/ringevents", "s3://store@exports/examples")
        text = text.replace("/tmp/ringevents.duckdb", str(folder / "warehouse.duckdb"))
        # The watcher looks more often than once a minute here.
        (dags / file.name).write_text(text.replace("poll_interval=60", "poll_interval=2"))
    environment = {
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        "AIRFLOW_CONN_RINGEVENTS_DEFAULT": emulator.connection_json(),
        "AIRFLOW_CONN_STORE": json.dumps(s3_server.airflow_connection()),
        "RINGEVENTS_EVENT_ID": emulator.event_id,
    }
    with Postgres() as postgres, Redis() as redis, Cluster(folder, dags, postgres, redis, environment) as airflow:
        airflow.create(limit=300)
        airflow.start([file.stem for file in EXAMPLES.glob("*.py")], limit=300)
        yield airflow
    shutil.rmtree(folder, ignore_errors=True)


def ended(emulator: Emulator) -> list[Any]:
    """The organization's events that have ended two hours ago and longer, the latest first."""
    latest = (time.time() - 7200) * 1000
    own = [event for event in emulator.state.events.values() if event.organization.id == emulator.organization_id]
    return sorted((event for event in own if event.end and event.end < latest), key=lambda event: -event.end)


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def states(cluster: Cluster, dag_id: str, run_id: str) -> Counter[str]:
    """How many tasks of a run are in which state."""
    rows = cluster.rows("SELECT state FROM task_instance WHERE dag_id = ? AND run_id = ?", dag_id, run_id)
    return Counter(state or "none" for (state,) in rows)


def end_of(cluster: Cluster, dag_id: str, run_id: str) -> str:
    """The state in which a run has ended; empty while it has not."""
    rows = cluster.rows("SELECT state FROM dag_run WHERE dag_id = ? AND run_id = ?", dag_id, run_id)
    return next((state for (state,) in rows if state in FINISHED), "")


def test_every_example_runs(cluster: Cluster, emulator: Emulator, s3_server: S3Server) -> None:
    event = ended(emulator)[0]
    window = {
        "ended_from": moment(event.end).isoformat(),
        "ended_before": (moment(event.end) + timedelta(seconds=1)).isoformat(),
    }
    ticket = emulator.state.create_ticket(event, {"name": "VIP"})
    guests = "".join(f"guest{number}@people.example,Given,Family,,{number}\n" for number in range(GUESTS))
    header = "E-Mail,First name,Last name,Company,Contact ID\n"
    (s3_server.data_dir / "exports" / "guests.csv").write_text(header + guests)
    before = set(emulator.state.events)
    copy = {"copy_name": "The same again", "starts": "2027-05-01T10:00:00Z", "ends": "2027-05-01T11:00:00Z"}
    confs: dict[str, dict[str, Any]] = {
        "example_ringevents_report_export": {"event_id": event.id},
        MAPPED: window,
        "example_ringevents_post_event": {"event_id": event.id},
        "example_ringevents_provision_series": {"template_id": emulator.template_id},
        "example_ringevents_duplicate_then_sell": {"event_id": event.id, "edition": "2027", **copy},
        INVITE: {"ticket_id": ticket.id, "source": "s3://store@exports/guests.csv"},
    }
    assert {SYNC, DAILY, TO_DUCKDB, *confs} == {file.stem for file in EXAMPLES.glob("*.py")}
    for dag_id, conf in confs.items():
        cluster.start_run(dag_id, f"run-of-{dag_id}", conf)
    runs = {dag_id: f"run-of-{dag_id}" for dag_id in confs}
    query = "SELECT run_id FROM dag_run WHERE dag_id = ?"
    for daily in (DAILY, TO_DUCKDB):
        runs[daily] = cluster.until(partial(cluster.rows, query, daily), f"yesterday's run of {daily}", 60)[0][0]
    arrived = emulator.state.add_registrations(emulator.event_id, 30)
    for dag_id, run_id in runs.items():
        cluster.until(partial(end_of, cluster, dag_id, run_id), f"the end of {dag_id}", PATIENCE)
    ended_so = {dag_id: set(states(cluster, dag_id, run_id)) for dag_id, run_id in runs.items()}
    failed = [dag_id for dag_id, found in ended_so.items() if found != {"success"}]
    assert failed == [], "\n".join(cluster._task_logs(dag_id)[-8000:] for dag_id in failed)

    made = [each for each in emulator.state.events.values() if each.id not in before]
    series = ["Getting started", "Going further", "Ask us anything"]
    assert sorted(each.name for each in made) == sorted(["The same again", *series])
    bucket = s3_server.data_dir / "exports" / "examples"
    for report_type in ("registrations", "attendees", "noShows"):
        assert (bucket / event.id / f"{report_type}.csv").stat().st_size
    assert (bucket / f"registrations-{event.id}.csv").stat().st_size
    own = [each for each in before if emulator.state.events[each].organization.id == emulator.organization_id]
    for suffix in ("csv.gz", "parquet"):
        files = sorted(file.name for file in bucket.glob(f"*-*-*/*.{suffix}"))
        assert files == sorted(f"{each}.{suffix}" for each in own)
    with (bucket / "links.csv").open(newline="") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["created"] * GUESTS
    assert len(list(emulator.state.ticket_links(ticket))) == GUESTS

    def synced() -> set[str]:
        files = (bucket / f"registrations-{emulator.event_id}").glob("*.gz")
        return {json.loads(line)["id"] for file in files for line in gzip.decompress(file.read_bytes()).splitlines()}

    cluster.until(lambda: set(arrived) <= synced(), "the watcher's export", PATIENCE)


def test_a_worker_and_a_triggerer_die_under_two_hundred_exports(
    cluster: Cluster, emulator: Emulator, s3_server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    events = ended(emulator)[:EVENTS]
    types = REPORT_TYPES[: EXPORTS // EVENTS]
    emulator.settings.change(report_seconds=REPORT_SECONDS)
    emulator.requests.clear()
    conf = {
        "ended_from": moment(events[-1].end).isoformat(),
        "ended_before": (moment(events[0].end) + timedelta(seconds=1)).isoformat(),
        "report_types": list(types),
        "destination": "s3://store@exports/many",
    }
    earlier = {name: cluster.finished_by(name) for name in WORKERS}  # by the examples
    began = time.monotonic()
    cluster.start_run(MAPPED, "many", conf)
    kind = "airflow_provider_ringevents.triggers.reports.RingEventsReportTrigger"

    def waits() -> dict[int, int]:
        """Of reports, for each triggerer."""
        query = "SELECT triggerer_id, count(*) FROM trigger WHERE triggerer_id IS NOT NULL AND classpath = ?"
        return dict(cluster.rows(f"{query} GROUP BY triggerer_id", kind))

    def middle() -> bool:
        """A quarter of the exports is done, both triggerers have waits, and the worker is in the middle of a task."""
        if states(cluster, MAPPED, "many")["success"] < EXPORTS // 4 or len(waits()) < len(TRIGGERERS):
            return False
        return cluster.tasks_of(WORKERS[0]) > 0

    cluster.until(middle, "the middle", PATIENCE)
    cut_off = cluster.tasks_of(WORKERS[0])
    killed = {name: cluster.kill(name) for name in (WORKERS[0], TRIGGERERS[0])}
    assert all(killed.values()), killed
    had = {name: cluster.finished_by(name) - earlier[name] for name in WORKERS}
    assert all(had.values()), had
    memory = {name: cluster.memory(name) for name in (TRIGGERERS[1], WORKERS[1])}
    under_way = states(cluster, MAPPED, "many")
    held = waits()

    cluster.until(lambda: end_of(cluster, MAPPED, "many"), "the end of the run", PATIENCE)
    seconds = time.monotonic() - began
    assert states(cluster, MAPPED, "many") == {"success": EXPORTS + 1}, cluster._task_logs(MAPPED)[-20_000:]

    rows = cluster.rows(
        "SELECT value FROM xcom WHERE dag_id = ? AND run_id = 'many' AND task_id = 'export_report'"
        " AND key = 'return_value'",
        MAPPED,
    )
    manifests = [value if isinstance(value, dict) else json.loads(value) for (value,) in rows]
    wanted = {(event.id, report_type) for event in events for report_type in types}
    assert sorted((each["event_id"], each["report_type"]) for each in manifests) == sorted(wanted)
    folder = s3_server.data_dir / "exports" / "many"
    written = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert written == {
        f"{each['event_id']}/{each['report_type']}.csv": emulator.report_content(each["report_id"])
        for each in manifests
    }
    assert s3_server.open_uploads("exports") == []
    # A worker that dies between its request and writing down the answer leaves a report that nobody waits for.
    asked = emulator.count("POST", "/v1/events/*/reports/*")
    assert EXPORTS <= asked <= EXPORTS + under_way["running"]
    tries = cluster.rows("SELECT sum(try_number) FROM task_instance WHERE dag_id = ? AND run_id = 'many'", MAPPED)
    page = written_down(
        {
            "exports, each byte for byte what the service holds": len(written),
            "seconds from the start of the run to its end": round(seconds),
            "exports done when the worker and the triggerer died": under_way["success"],
            "waits of each triggerer then": " and ".join(map(str, sorted(held.values()))),
            "processes killed with them, and tasks that they had under way": f"{sum(killed.values())}, {cut_off}",
            "tries of all 201 tasks": tries[0][0],
            "reports asked for": asked,
            "parts of tasks (before, after a wait) ended by the worker that died, and by the other": " and ".join(
                str(cluster.finished_by(name) - earlier[name]) for name in WORKERS
            ),
            "memory of the other triggerer then, MiB": memory[TRIGGERERS[1]] >> 20,
            f"memory of the other worker then, with {CONCURRENCY} slots, MiB": memory[WORKERS[1]] >> 20,
        }
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{page}Written to {PAGE}\n")


def written_down(numbers: dict[str, Any]) -> str:
    """What was counted, as a part of the documentation."""
    head = (
        f"By `make cluster-test` with Airflow {version('apache-airflow')}, the provider of Celery"
        f" {version('apache-airflow-providers-celery')}, PostgreSQL and Redis on {os.cpu_count()} processors,"
        f" {datetime.now(UTC):%Y-%m-%d}.\n\n| | |\n|---|---|\n"
    )
    page = head + "".join(f"| {name} | {value} |\n" for name, value in numbers.items())
    PAGE.write_text(page)
    return page
