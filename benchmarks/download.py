"""A large report to a local file: throughput beside curl's, from one server to one disk, and memory."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import Written

MIB = 2**20

_EXPORT = """
import json, resource, sys, time
from airflow_provider_ringevents.client import Client
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.transfers.report_upload import upload_report

connection, report, target = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with Client(connection["host"], connection["password"]) as client:
    destination = Destination.resolve(target)
    with open("/proc/self/statm") as statm:
        before = int(statm.read().split()[1]) * resource.getpagesize()
    started = time.perf_counter()
    result = upload_report(client, report, destination, if_exists="overwrite", fallback_name="report.csv")
    print(json.dumps([time.perf_counter() - started, peak() - before, result["bytes"]]))
"""


@contextmanager
def emulator(size: int) -> Iterator[dict[str, Any]]:
    """An emulator in a process of its own, whose reports have ``size`` bytes; gives its connection."""
    command = [sys.executable, "-m", "airflow_provider_ringevents.emulator", "--port", "0"]
    command += ["--report-bytes", str(size), "--report-seconds", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            connection: dict[str, Any] = json.loads(process.stdout.readline().partition("=")[2])
            yield connection
        finally:
            process.terminate()


def ready_report(connection: dict[str, Any]) -> str:
    """Ask for a report and give its id."""
    from airflow_provider_ringevents.client import Client, endpoints

    with Client(connection["host"], connection["password"]) as client:
        organization = connection["extra"]["organization_id"]
        event = next(item for item in client.items(endpoints.list_events(organization)) if item["published"])
        report: str = client.send(endpoints.create_report(event["id"], "registrations"))["data"]["id"]
        while client.send(endpoints.get_report(report)).status != 200:
            time.sleep(0.05)
    return report


def export(connection: dict[str, Any], report: str, target: Path) -> tuple[float, int, int]:
    """Seconds, growth of memory in bytes, size in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT, json.dumps(connection), report, str(target)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    seconds, memory, size = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory, size


def curl(connection: dict[str, Any], report: str, target: Path) -> tuple[float, float]:
    """Seconds that curl takes, and seconds until what it wrote has reached the disk."""
    command = ["curl", "--silent", "--fail", "--output", str(target)]
    command += ["--header", f"Authorization: Bearer {connection['password']}"]
    started = time.perf_counter()
    subprocess.run([*command, f"{connection['host']}/v1/reports/{report}/download"], check=True, timeout=600)
    written = time.perf_counter() - started
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return written, time.perf_counter() - started


def report(size: int = 1024 * MIB, runs: int = 5) -> Written:
    """A Markdown table. Runs of both alternate, so that a change of the machine's speed meets both."""
    if shutil.which("curl") is None:
        return Written("Skipped: there is no curl on this machine.")
    ours, theirs, durable, memory = [], [], [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder, emulator(size) as connection:
        wanted = ready_report(connection)
        for run in range(runs):
            os.sync()  # nobody waits for the disk on account of the run before
            written, safe = curl(connection, wanted, Path(folder) / "curl.csv")
            theirs.append(written)
            durable.append(safe)
            os.sync()
            seconds, grown, got = export(connection, wanted, Path(folder) / "ours.csv")
            if got != size:
                raise RuntimeError(f"run {run}: {got} bytes arrived instead of {size}")
            ours.append(seconds)
            memory.append(grown)
    rows = [
        ("curl, seconds", f"{statistics.median(theirs):.2f}"),
        ("curl and fsync, seconds", f"{statistics.median(durable):.2f}"),
        ("export with SHA-256, verified size and fsync, seconds", f"{statistics.median(ours):.2f}"),
        ("throughput against curl, pair by pair", _ratios(theirs, ours)),
        ("throughput against curl and fsync, pair by pair", _ratios(durable, ours)),
        ("growth of memory, MiB at most", f"{max(memory) / MIB:.1f}"),
    ]
    head = f"| {size / MIB:.0f} MiB to a local file, {runs} pairs | |\n|---|---|"
    return Written("\n".join([head, *(f"| {name} | {value} |" for name, value in rows)]))


def _ratios(theirs: list[float], ours: list[float]) -> str:
    return ", ".join(f"{other / own:.2f}" for other, own in zip(theirs, ours, strict=True))
