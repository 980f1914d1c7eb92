"""A large report over TLS to a local file: throughput beside that of curl, memory, and the CPU of counting its rows."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import certificate
from benchmarks.machine import ROOT, Written, environment

MIB = 2**20

_EXPORT = """
import json, sys, time
from pathlib import Path
from benchmarks.machine import memory
from airflow_provider_ringevents.client import Client
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.transfers._report_content import CsvInspector
from airflow_provider_ringevents.transfers.report_upload import upload_report

connection, report, target = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
with Client(connection["host"], connection["password"]) as client:
    destination = Destination.resolve(target)
    before = memory("VmRSS")
    started, cpu = time.perf_counter(), time.process_time()
    result = upload_report(client, report, destination, if_exists="overwrite", fallback_name="report.csv")
    seconds, cpu, grown = time.perf_counter() - started, time.process_time() - cpu, memory("VmHWM") - before
counting, inspector = 0.0, CsvInspector()
with Path(target).open("rb") as file:
    while block := file.read(2**20):
        began = time.process_time()
        inspector.feed(block)
        counting += time.process_time() - began
inspector.finish()
assert inspector.rows == result["rows"]
print(json.dumps([seconds, grown, result["bytes"], cpu, counting]))
"""


@dataclass(frozen=True, slots=True)
class Export:
    """What one export took.

    :ivar memory: growth in bytes.
    :ivar size: bytes of the file.
    :ivar cpu: seconds of CPU.
    :ivar counting: seconds of CPU that reading the header and counting the rows takes of the same bytes, once more.
    """

    seconds: float
    memory: int
    size: int
    cpu: float
    counting: float

    @property
    def counting_share(self) -> float:
        """The CPU of counting over that of all the rest."""
        return self.counting / (self.cpu - self.counting)


@contextmanager
def file_server(size: int) -> Iterator[dict[str, Any]]:
    """Run a server of reports of ``size`` bytes in a process of its own; yield its connection, which is trusted."""
    with certificate.trusted() as file, serve(file, size) as connection:
        yield connection


@contextmanager
def serve(file: Path, size: int) -> Iterator[dict[str, Any]]:
    """Run a server as :func:`file_server`, with the certificate in a file."""
    command = [sys.executable, "-m", "benchmarks.file_server", str(file), str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        assert process.stdout is not None
        try:
            yield {"host": json.loads(process.stdout.readline()), "password": "benchmark"}
        finally:
            process.terminate()


def export(connection: dict[str, Any], report: str, target: Path) -> Export:
    """Export a report in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT, json.dumps(connection), report, str(target)],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        cwd=ROOT,
    )
    return Export(*json.loads(done.stdout.splitlines()[-1]))


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
    ours: list[Export] = []
    quoted: list[Export] = []
    theirs, durable = [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder, file_server(size) as connection:
        for run in range(runs):
            os.sync()  # so that no run waits for the disk because of the one before
            written, safe = curl(connection, "1", Path(folder) / "curl.csv")
            theirs.append(written)
            durable.append(safe)
            for report_id, found in (("1", ours), ("quoted", quoted)):
                os.sync()
                found.append(export(connection, report_id, Path(folder) / "ours.csv"))
                if found[-1].size != size:
                    raise RuntimeError(f"run {run}: {found[-1].size} bytes arrived instead of {size}")
    seconds = [each.seconds for each in ours]
    rows = [
        ("curl, seconds", f"{statistics.median(theirs):.2f}"),
        ("curl and fsync, seconds", f"{statistics.median(durable):.2f}"),
        ("export with SHA-256, verified size and fsync, seconds", f"{statistics.median(seconds):.2f}"),
        ("throughput over that of curl, median of the pairs", _ratios(theirs, seconds)),
        ("throughput over that of curl and fsync, median of the pairs", _ratios(durable, seconds)),
        ("growth of memory, MiB at most", f"{max(each.memory for each in ours) / MIB:.1f}"),
        ("CPU of header and rows over that of the rest, values without quotes", _share(ours)),
        ("CPU of header and rows over that of the rest, quotes around each value", _share(quoted)),
    ]
    head = f"| {size / MIB:.0f} MiB over TLS to a local file, {runs} pairs | |\n|---|---|"
    return Written("\n".join([head, *(f"| {name} | {value} |" for name, value in rows)]))


def _ratios(theirs: list[float], ours: list[float]) -> str:
    ratios = sorted(other / own for other, own in zip(theirs, ours, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def _share(exports: list[Export]) -> str:
    return f"{statistics.median(each.counting_share for each in exports):.0%}"
