"""The campaign on a real Airflow: its processes, the service and the S3 server are killed while tasks export and create
events. Part of `make chaos`, not of `make test`.

    python -m pytest tests/chaos/campaign_processes.py --events 3 --waits 5

The service is an emulator in this process. When it goes away, every connection is reset, nothing listens, and requests
under way are lost; what it had stored survives, as it does when a real service is started anew. When it freezes, it
accepts connections and answers nothing.

One rough edge of Airflow shows here, and its retries get over it: a trigger that fires within seconds of the deferral
may meet an executor that has not yet taken in the worker's end; the scheduler then fails that try with "the task
instance's state attribute is queued". It is counted.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow_harness import HAS_STATE_STORE
from chaos.deployment import SETTINGS, Deployment, kill
from chaos.export_scenarios import listed
from s3_server import S3Server
from secret_scanner import leaks_on_disk

from airflow_provider_ringevents.emulator import Emulator

pytestmark = pytest.mark.skipif(not HAS_STATE_STORE, reason="written for Airflow 3.3 and later")

SEED = 5
KEY = "canary-key-Zq7x3Lm9TfW2"
PASSWORD = "canary-password-Kd84hsPw"
MEGABYTE = 1_000_000
JSON_PATHS = r"/registrations$|/reports/[^/]+$"
IN_FLIGHT = 6
"""DAG runs, of five tasks each."""
DEADLINE = 240.0
"""Seconds for a DAG run, all retries included."""
PATIENCE = 600.0
"""Seconds for what takes as long as the machine is busy: nothing is hurt by waiting, and a hang is noticed."""
FINISHED = ("success", "failed")


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    settings = {"report_seconds": 1.0, "template_seconds": 1.0, "duplicate_seconds": 1.0}
    with Emulator(seed=SEED, api_key=KEY, registrations=600, **settings) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket("exports")
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture(scope="module")
def deployment(
    emulator: Emulator, s3_server: S3Server, folder: Path, request: pytest.FixtureRequest
) -> Iterator[Deployment]:
    connection = emulator.connection()
    connection["extra"] = {**connection["extra"], "timeout": 4, "max_attempts": 3}
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).with_name("chaos_dags.py"), dags)
    environment = {
        **SETTINGS,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/home/airflow.db?timeout=60",
        "AIRFLOW_CONN_RINGEVENTS_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_STORE": json.dumps(s3_server.airflow_connection()),
        "AIRFLOW_VAR_EVENT_PASSWORD": PASSWORD,
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": f"{folder}/logs/openlineage.jsonl", "append": True}
        ),
        "CHAOS_EVENT_ID": emulator.event_id,
        "CHAOS_TICKET_ID": next(iter(emulator.state.events[emulator.event_id].tickets.values())).id,
        "CHAOS_TEMPLATE_ID": emulator.template_id,
        "CHAOS_LOCAL": f"file://{folder}/exports",
        "CHAOS_WAITS": str(request.config.getoption("waits")),
    }
    with Deployment(folder / "home", folder / "logs", dags, environment) as airflow:
        airflow.create()
        airflow.start([*(f"chaos_{number}" for number in range(3)), "chaos_links", "chaos_waits"])
        yield airflow
    shutil.rmtree(folder, ignore_errors=True)


def leaks(folder: Path, canaries: dict[str, list[str]]) -> list[str]:
    """Where which canary is in what this Airflow has written."""
    return leaks_on_disk([folder / "home", folder / "logs"], folder / "home" / "airflow.db", canaries)


# --- the triggerer dies while many wait


def test_waits_survive_the_triggerer(
    deployment: Deployment, emulator: Emulator, folder: Path, counted: Callable[..., None], request: Any
) -> None:
    waits: int = request.config.getoption("waits")
    emulator.settings.change(report_seconds=1e6, report_bytes=50_000)
    emulator.requests.clear()
    deployment.begin_run("chaos_waits", "waits")

    def states() -> Counter[str]:
        return Counter(state for (state,) in deployment.rows("SELECT state FROM task_instance WHERE run_id = 'waits'"))

    def polled() -> set[str]:
        """The reports that were asked about since the requests were cleared last."""
        return {seen.path for seen in emulator.requests.entries if seen.method == "GET" and seen.status == 202}

    deployment.until(lambda: states()["deferred"] == waits, f"{waits} deferred tasks", PATIENCE)
    deployment.until(lambda: len(polled()) == waits, "a poll for each wait", PATIENCE)
    posts = emulator.count("POST")
    assert leaks(folder, {"key": [KEY]}) == []
    found = " ".join(leaks(folder, {"report": [report.id for report in emulator.reports]}))
    assert "report in table trigger " in found
    deployment.kill_triggerer()
    time.sleep(1)  # what it had sent is answered by then
    emulator.requests.clear()
    time.sleep(2)
    assert polled() == set()
    deployment.start_triggerer()
    deployment.until(lambda: len(polled()) == waits, "a poll for each wait by the second triggerer", PATIENCE)
    for report in emulator.reports:
        report.ready_at = 0
    deployment.until(lambda: states()["success"] == waits, f"{waits} tasks that succeed", PATIENCE)

    assert posts + sum(seen.method != "GET" for seen in emulator.requests.entries) == waits
    for row in range(waits):
        (manifest,) = deployment.rows(
            "SELECT value FROM xcom WHERE run_id = 'waits' AND key = 'return_value' AND map_index = ?", str(row)
        )
        report_id = json.loads(manifest[0])["report_id"]
        assert (folder / "exports" / "waits" / f"{row}.csv").read_bytes() == emulator.report_content(report_id)
    tries = deployment.rows("SELECT sum(try_number) FROM task_instance WHERE run_id = 'waits'")[0][0]
    counted("waits", "triggerer killed", waits=waits, tries=tries, writes=posts)


# --- everything dies, one after the other, again and again


class Campaign:
    """What happens to one deployment, in the order that the seed says."""

    def __init__(self, deployment: Deployment, emulator: Emulator, s3_server: S3Server) -> None:
        self.deployment = deployment
        self.emulator = emulator
        self.s3_server = s3_server
        self.dice = random.Random(SEED)
        self.happened: Counter[str] = Counter()
        self.hit: Counter[str] = Counter()
        self.faults = 0

    def schedule(self, number: int) -> list[str]:
        """Names of what happens: each as often as the others, in random order."""
        names = list(HAPPENINGS)
        order = [names[each % len(names)] for each in range(number)]
        self.dice.shuffle(order)
        return order

    def happen(self, name: str) -> None:
        self.hit[name] += len(self.running())
        HAPPENINGS[name](self)
        self.happened[name] += 1

    def running(self) -> list[Any]:
        """Task instances that are under way."""
        return self.deployment.rows("SELECT task_id FROM task_instance WHERE state IN ('running', 'deferred')")

    def unfinished(self) -> int:
        """DAG runs of the campaign that are not at their end."""
        rows = self.deployment.rows("SELECT state FROM dag_run WHERE run_id LIKE 'run-%'")
        return sum(state not in FINISHED for (state,) in rows)

    def pause(self, least: float, most: float) -> None:
        time.sleep(self.dice.uniform(least, most))


def _worker_dies(campaign: Campaign) -> None:
    processes = campaign.deployment.until(campaign.deployment.task_processes, "a task that runs", 60)
    campaign.pause(0.0, 0.5)
    for process in campaign.dice.sample(processes, min(len(processes), campaign.dice.randint(1, 3))):
        kill(process)


def _triggerer_dies(campaign: Campaign) -> None:
    campaign.deployment.until(lambda: campaign.deployment.rows("SELECT id FROM trigger"), "a wait", 60)
    campaign.deployment.kill_triggerer()
    campaign.pause(0.0, 3.0)
    campaign.deployment.start_triggerer()


def _worker_and_triggerer_die(campaign: Campaign) -> None:
    _worker_dies(campaign)
    _triggerer_dies(campaign)


def _service_goes(campaign: Campaign) -> None:
    campaign.emulator.stop()
    campaign.pause(1.0, 6.0)
    campaign.emulator.start()


def _service_freezes(campaign: Campaign) -> None:
    loop = campaign.emulator._loop
    assert loop is not None
    seconds = campaign.dice.uniform(2.0, 7.0)
    loop.call_soon_threadsafe(time.sleep, seconds)
    time.sleep(seconds)


def _network_breaks(campaign: Campaign) -> None:
    reads = ["reset", "close", "cut_body", "truncate_chunked", "truncated_json", "stall"]
    campaign.emulator.fault("slow_body", rate=campaign.dice.uniform(1_000_000, 5_000_000), times=3)
    for kind in campaign.dice.choices(reads, k=8):
        # Half an answer whose head says that it is whole: of JSON that shows, of a file nobody could see it.
        where = JSON_PATHS if kind == "truncated_json" else None
        after = campaign.dice.randrange(5_000_000)
        campaign.emulator.fault(kind, method="GET", path=where, after=after, seconds=10.0)
    for kind in campaign.dice.sample(["applied_then_cut", "reset", "applied_then_status", "truncated_json"], k=2):
        campaign.emulator.fault(kind, method="POST", path="/events$|/event$|/duplications$")
    campaign.pause(1.0, 4.0)


def _errors_storm(campaign: Campaign) -> None:
    for status in campaign.dice.choices([500, 502, 503, 504, 429], k=15):
        campaign.emulator.fault("status", status=status, chance=0.8)
    for _ in range(3):
        campaign.emulator.fault("expired_link")
    campaign.emulator.settings.change(download=campaign.dice.choice(["file", "redirect"]))
    campaign.pause(1.0, 4.0)


def _disk_fills(campaign: Campaign) -> None:
    processes = campaign.deployment.until(campaign.deployment.task_processes, "a task that runs", 60)
    for process in processes:
        with suppress(psutil.Error):
            process.rlimit(psutil.RLIMIT_FSIZE, (2 * MEGABYTE, psutil.RLIM_INFINITY))
    campaign.pause(1.0, 4.0)


def _store_dies(campaign: Campaign) -> None:
    # Downloads that pause near their end, so that an upload is open for certain.
    campaign.emulator.fault("stall", after=6 * MEGABYTE, seconds=3.0, times=4, path="/download$|/reports/.*csv")
    campaign.deployment.until(lambda: campaign.s3_server.open_uploads("exports"), "an upload", 90)
    campaign.s3_server.kill()
    campaign.pause(0.5, 3.0)
    campaign.s3_server.start()


HAPPENINGS: dict[str, Callable[[Campaign], None]] = {
    "worker killed": _worker_dies,
    "triggerer killed": _triggerer_dies,
    "worker and triggerer killed": _worker_and_triggerer_die,
    "service gone for 1 to 6 s": _service_goes,
    "service frozen for 2 to 7 s": _service_freezes,
    "network: slow, cut, reset, stall": _network_breaks,
    "5xx, 429, expired links": _errors_storm,
    "S3 server killed in an upload": _store_dies,
    "no room for files over 2 MB": _disk_fills,
}
"""By name."""


def test_the_campaign(
    deployment: Deployment,
    emulator: Emulator,
    s3_server: S3Server,
    folder: Path,
    counted: Callable[..., None],
    request: pytest.FixtureRequest,
) -> None:
    number: int = request.config.getoption("events")
    emulator.settings.change(report_seconds=1.0, report_bytes=7 * MEGABYTE, download="redirect")
    emulator.requests.clear()
    campaign = Campaign(deployment, emulator, s3_server)
    expected_list = listed(emulator)
    emulator.requests.clear()
    reports_before = len(list(emulator.reports))
    for index, name in enumerate(campaign.schedule(number)):
        deployment.until(lambda: campaign.unfinished() < IN_FLIGHT, "the end of a run", DEADLINE)
        deployment.begin_run(f"chaos_{index % 3}", f"run-{index:03d}")
        campaign.pause(0.5, 2.5)
        deployment.until(campaign.running, "a task", 60)
        campaign.happen(name)
    campaign.faults = sum(fault.hit_count for fault in emulator.faults)
    emulator.faults.clear()

    def all_finished() -> bool:
        states = [state for (state,) in deployment.rows("SELECT state FROM dag_run WHERE run_id LIKE 'run-%'")]
        return len(states) == number and all(state in FINISHED for state in states)

    deployment.until(all_finished, "the end of all runs", DEADLINE)

    # All tasks have succeeded, in time.
    tasks = deployment.rows(
        "SELECT run_id, task_id, state, try_number, dag_id FROM task_instance WHERE run_id LIKE 'run-%'"
    )
    failed = [task for task in tasks if task[2] != "success"]
    assert failed == [], "\n".join(deployment._task_logs(dag_id)[-5000:] for *_, dag_id in failed)
    assert len(tasks) == 5 * number
    longest = max(
        seconds
        for (seconds,) in deployment.rows(
            "SELECT (julianday(end_date) - julianday(start_date)) * 86400 FROM dag_run WHERE run_id LIKE 'run-%'"
        )
    )
    assert longest < DEADLINE

    # Every export is whole, and nothing else is there.
    results = {
        (run_id, task_id): json.loads(value)
        for run_id, task_id, value in deployment.rows(
            "SELECT run_id, task_id, value FROM xcom WHERE run_id LIKE 'run-%' AND key = 'return_value'"
        )
    }
    assert len(results) == 5 * number
    wanted = set()
    for (run_id, task_id), manifest in results.items():
        if task_id not in ("report_worker", "report_deferrable", "list_worker"):
            continue
        place = s3_server.data_dir if manifest["uri"].startswith("s3://") else folder
        file = place / "exports" / run_id / manifest["uri"].rpartition("/")[2]
        wanted.add(file)
        content = expected_list if task_id == "list_worker" else emulator.report_content(manifest["report_id"])
        assert file.read_bytes() == content, f"{run_id} {task_id}"
    assert len(wanted) == 3 * number
    there = {
        file
        for place in (s3_server.data_dir / "exports", folder / "exports")
        for file in place.rglob("*")
        if file.is_file() and not re.match(r"\.rclone_temp_multipart_", file.name) and "waits" not in file.parts
    }
    assert there == wanted
    assert s3_server.open_uploads("exports") == []

    # Every provisioning task has its event, and there is no other.
    ids = [manifest["id"] for (_, task_id), manifest in results.items() if task_id in PROVISIONING]
    made = [event.id for event in emulator.state.events.values() if event.request]
    assert len(ids) == 2 * number
    told = {run_and_task: manifest["id"] for run_and_task, manifest in results.items() if manifest.get("id") in ids}
    assert sorted(ids) == sorted(made), f"{told}\nwithout a task: {set(made) - set(ids)}"

    assert emulator.leaked_authorizations == 0

    for name in HAPPENINGS:
        counted("processes", name, happened=campaign.happened[name], tasks_under_way=campaign.hit[name])
    counted(
        "totals",
        "all",
        tasks=len(tasks),
        exports=len(wanted),
        identical=len(wanted),
        events_wanted=len(ids),
        events_made=len(made),
        tries=sum(task[3] for task in tasks),
        tries_again=sum(task[3] - 1 for task in tasks),
        reports=len(list(emulator.reports)) - reports_before,
        creating_requests=emulator.count("POST"),
        requests=len(emulator.requests.entries),
        faults=campaign.faults,
        longest_run=round(longest),
        late_words=(folder / "logs" / "scheduler.log").read_text().count("state attribute is queued"),
    )


# --- afterwards


def test_no_secret_is_left_behind(
    deployment: Deployment, emulator: Emulator, folder: Path, counted: Callable[..., None]
) -> None:
    deployment.begin_run("chaos_links", "links")
    query = "SELECT state FROM dag_run WHERE run_id = 'links'"
    deployment.until(lambda: deployment.rows(query)[0][0] in FINISHED, "the end of the run", DEADLINE)
    exported = (folder / "exports" / "links.jsonl").read_text().splitlines()
    links = [json.loads(row)["magicLink"] for row in exported]
    signatures = {seen.query.partition("signature=")[2] for seen in emulator.requests.entries} - {""}
    assert any((event.request or {}).get("password") == PASSWORD for event in emulator.state.events.values())
    assert signatures
    assert links
    secrets = {"key": [KEY], "password": [PASSWORD], "signature": [*signatures], "magic link": links}
    assert leaks(folder, secrets) == []
    # The search itself finds what is there: the id of the event is no secret, and in places of all kinds.
    found = " ".join(leaks(folder, {"event": [emulator.event_id]}))
    for place in (
        "file attempt=1.log",
        "file openlineage.jsonl",
        "file airflow.db",
        "table rendered_task_instance_fields",
        "table xcom",
    ):
        assert f"event in {place} " in found
    assert "send_request_headers" in (log := "".join(file.read_text() for file in folder.rglob("attempt=1.log")))
    assert "HTTP Request" in log, "the HTTP libraries' log was on, down to their debugging"
    files = sum(path.is_file() for place in ("home", "logs") for path in (folder / place).rglob("*"))
    counted("secrets", "all", searched=sum(map(len, secrets.values())), files=files)


PROVISIONING = ("create", "template", "duplicate")
