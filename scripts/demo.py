"""`make demo`: reports from an emulated RingCentral Events into files, by a real Airflow, from nothing.

Everything happens on 127.0.0.1 and in the folder ``.demo`` of the checkout; nothing is left running.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

from demo_screen import Screen
from local_airflow import LocalAirflow, LocalAirflowError

from airflow_provider_ringevents.emulator import Emulator

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".demo"
EXPORTS = FOLDER / "exports"
LOGS = FOLDER / "logs"
AIRFLOW = FOLDER / "airflow"
EXPORT = "example_ringevents_report_export"
MAPPED = "example_ringevents_report_export_mapped"
REGISTRATIONS = 2000
REPORT_SECONDS = 1.5
WINDOW = timedelta(days=28)
"""Two of the emulator's events ended within it."""


@dataclass(frozen=True)
class Export:
    """A file that a task says it has written, and what the emulator says should be in it."""

    manifest: Mapping[str, Any]
    expected: str

    @property
    def file(self) -> Path:
        """Where it lies."""
        return Path(self.manifest["uri"].removeprefix("file://"))

    def check(self) -> None:
        """:raises LocalAirflowError: the file is another one than the emulator's."""
        found = hashlib.sha256(self.file.read_bytes()).hexdigest()
        if not found == self.expected == self.manifest["sha256"]:
            raise LocalAirflowError(f"{self.file} has the SHA-256 {found}, the emulator's file {self.expected}")


def main() -> int:
    """Run the demo; returns the exit code."""
    options = _options()
    screen = Screen()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, _interrupted)
    try:
        with _own_folder():
            _play(screen, keep=options.keep)
    except LocalAirflowError as error:
        screen.failure(str(error), error.log, LOGS)
        return 1
    except KeyboardInterrupt:
        screen.line("\nInterrupted; nothing is left running.")
        return 130
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Exports reports from an emulated RingCentral Events on a real Airflow."
    )
    parser.add_argument("--keep", action="store_true", help="leave Airflow and the emulator running until Ctrl-C")
    return parser.parse_args()


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _own_folder() -> Iterator[None]:
    """An empty folder, for one demo at a time."""
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalAirflowError(f"another demo is running in {FOLDER}") from None
        for earlier in FOLDER.iterdir():
            if earlier.is_dir():
                shutil.rmtree(earlier)
        yield


def _play(screen: Screen, *, keep: bool) -> None:
    screen.title("A report from RingCentral Events into object storage, all of it on this machine")
    with Emulator(registrations=REGISTRATIONS, report_seconds=REPORT_SECONDS) as emulator:
        connection = {"AIRFLOW_CONN_RINGEVENTS_DEFAULT": emulator.connection_json()}
        with LocalAirflow(AIRFLOW, LOGS, _dags(), connection, pages=keep) as airflow:
            with screen.step(f"Airflow {version('apache-airflow')} with a new database"):
                airflow.create()
            with screen.step("API server, scheduler, DAG processor, triggerer"):
                airflow.start((EXPORT, MAPPED))
            one = _export_one(screen, airflow, emulator)
            many = _export_many(screen, airflow, emulator)
            _show(screen, emulator, one, many)
            if keep:
                screen.line(f"\nAirflow is at {airflow.url}, the emulator at {emulator.url}. Ctrl-C ends both.")
                with suppress(KeyboardInterrupt):
                    signal.pause()
            with screen.step("All of it is ended again"):
                airflow.stop()
    _advise(screen)


def _dags() -> Path:
    """A folder with the two DAGs of the demo: the other examples would take time to parse."""
    dags = FOLDER / "dags"
    dags.mkdir()
    for dag_id in (EXPORT, MAPPED):
        shutil.copy(ROOT / "example_dags" / f"{dag_id}.py", dags)
    return dags


def _export_one(screen: Screen, airflow: LocalAirflow, emulator: Emulator) -> Export:
    """One report of one event; the states of its task are shown as they change."""
    with screen.step(f"DAG run {EXPORT}") as said:
        conf = {"event_id": emulator.event_id, "report_type": "registrations", "destination": f"file://{EXPORTS}"}
        airflow.start_run(EXPORT, "one", conf)
        started, seen = time.monotonic(), ["none"]
        for tasks in airflow.follow_run(EXPORT, "one"):
            now = tasks.get("export_report", "none")
            if now != seen[-1]:
                screen.moment(time.monotonic() - started, f"{now:10}{_meaning(now, 'deferred' in seen)}")
                seen.append(now)
        said.append("success")
    return _exports(airflow, emulator, EXPORT, "one")[0]


def _meaning(state: str, has_waited: bool) -> str:
    return {
        "running": "downloads the file and publishes it" if has_waited else "asks the API for the report",
        "deferred": "waits in the triggerer and holds no worker",
    }.get(state, "")


def _export_many(screen: Screen, airflow: LocalAirflow, emulator: Emulator) -> list[Export]:
    """Two reports of every event of the last weeks."""
    with screen.step(f"DAG run {MAPPED}") as said:
        now = datetime.now(UTC)
        window = {"ended_from": (now - WINDOW).isoformat(), "ended_before": now.isoformat()}
        airflow.start_run(MAPPED, "many", {**window, "destination": f"file://{EXPORTS}"})
        for _ in airflow.follow_run(MAPPED, "many"):
            pass
        exports = _exports(airflow, emulator, MAPPED, "many")
        said.append(f"success, {len(exports)} files")
    return exports


def _exports(airflow: LocalAirflow, emulator: Emulator, dag_id: str, run_id: str) -> list[Export]:
    """What a run has exported, compared with what the emulator holds."""
    manifests = airflow.results(dag_id, run_id, "export_report")
    exports = [Export(manifest, emulator.report_sha256(manifest["report_id"])) for manifest in manifests]
    for export in exports:
        export.check()
    return exports


def _show(screen: Screen, emulator: Emulator, one: Export, many: list[Export]) -> None:
    connection = emulator.connection()
    screen.facts(
        "The report of the first run",
        {
            "title": one.manifest["title"],
            "file": str(one.file.relative_to(ROOT)),
            "size": f"{one.manifest['bytes']:,} bytes",
            "SHA-256": f"{one.manifest['sha256']} ✓",
            "": "the same in the task's result, in the file, and in the emulator",
            "connection": f"ringevents_default, of type {connection['conn_type']}: {connection['host']}",
        },
    )
    screen.first_rows(one.file, 5)
    names = {event.id: event.name for event in emulator.state.events.values()}
    screen.table(
        f"The files of the second run, in {EXPORTS.relative_to(ROOT)}",
        [
            {
                "event": names[export.manifest["event_id"]],
                "file": str(export.file.relative_to(EXPORTS)),
                "bytes": f"{export.manifest['bytes']:,}",
                "SHA-256": f"{export.expected[:8]}… ✓",
            }
            for export in many
        ],
    )


def _advise(screen: Screen) -> None:
    screen.line(f"\nAirflow's own logs: {LOGS.relative_to(ROOT)}; its tasks': {(AIRFLOW / 'logs').relative_to(ROOT)}")
    screen.advice(
        "What to try next",
        (
            ("Look at the runs in Airflow's web pages:", ("make demo ARGS=--keep",)),
            ("Read the two DAGs:", (f"example_dags/{EXPORT}.py", f"example_dags/{MAPPED}.py")),
            (
                "Try DAGs of your own on the emulator:",
                (".venv/bin/python -m airflow_provider_ringevents.emulator --port 8765",),
            ),
            (
                "Run the same DAG on your own events, without an edit:",
                (
                    """export AIRFLOW_CONN_RINGEVENTS_DEFAULT='{"conn_type": "ringevents", "password": "<API key>"}'""",
                    "export AIRFLOW_HOME=~/airflow-ringevents AIRFLOW__CORE__DAGS_FOLDER=$PWD/example_dags",
                    ".venv/bin/airflow db migrate",
                    f""".venv/bin/airflow dags test {EXPORT} --conf '{{"event_id": "<event id>"}}'""",
                ),
            ),
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
