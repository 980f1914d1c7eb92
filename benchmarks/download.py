"""A large report over TLS to a local file: throughput beside that of curl, and memory."""

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

from benchmarks import certificate
from benchmarks.machine import ROOT, Written, environment

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
def file_server(size: int) -> Iterator[dict[str, Any]]:
    """Run a server of reports of ``size`` bytes in a process of its own; yield its connection."""
    with (
        certificate.trusted() as file,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.file_server", str(file), str(size)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield {"host": json.loads(process.stdout.readline()), "password": "benchmark"}
        finally:
            process.terminate()


def export(connection: dict[str, Any], report: str, target: Path) -> tuple[float, int, int]:
    """Return the seconds, the growth of memory and the size of the file, in bytes."""
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
    """Return the seconds that curl takes, and the seconds until the file has reached the disk."""
    command = ["curl", "--silent", "--fail", "--cacert", os.environ["SSL_CERT_FILE"], "--output", str(target)]
    command += ["--header", f"Authorization: Bearer {connection['password']}"]
    started = time.perf_counter()
    subprocess.run([*command, f"{connection['host']}/v1/reports/{report}/download"], check=True, timeout=600)
    written = time.perf_counter() - started
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    return written, time.perf_counter() - started


def report(size: int = 1024 * MIB, runs: int = 9) -> Written:
    """Return a Markdown table. The runs of both alternate, so that a change of the machine's speed affects both."""
    if shutil.which("curl") is None:
        return Written("Skipped: there is no curl on this machine.")
    ours, theirs, durable, memory = [], [], [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder, file_server(size) as connection:
        for run in range(runs):
            os.sync()  # so that no run waits for the disk because of the one before
            written, safe = curl(connection, "1", Path(folder) / "curl.csv")
            theirs.append(written)
            durable.append(safe)
            os.sync()
            seconds, grown, got = export(connection, "1", Path(folder) / "ours.csv")
            if got != size:
                raise RuntimeError(f"run {run}: {got} bytes arrived instead of {size}")
            ours.append(seconds)
            memory.append(grown)
    rows = [
        ("curl, seconds", f"{statistics.median(theirs):.2f}"),
        ("curl and fsync, seconds", f"{statistics.median(durable):.2f}"),
        ("export with SHA-256, verified size and fsync, seconds", f"{statistics.median(ours):.2f}"),
        ("throughput over that of curl, median of the pairs", _ratios(theirs, ours)),
        ("throughput over that of curl and fsync, median of the pairs", _ratios(durable, ours)),
        ("growth of memory, MiB at most", f"{max(memory) / MIB:.1f}"),
    ]
    head = f"| {size / MIB:.0f} MiB over TLS to a local file, {runs} pairs | |\n|---|---|"
    return Written("\n".join([head, *(f"| {name} | {value} |" for name, value in rows)]))


def _ratios(theirs: list[float], ours: list[float]) -> str:
    ratios = sorted(other / own for other, own in zip(theirs, ours, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
