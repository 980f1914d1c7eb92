"""Whole lists to a file: seconds and memory beside other ways of reading them, one server and one run for all.

The tables of the documentation: `python -m benchmarks collections --write`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import certificate, machine
from benchmarks.machine import ROOT, Written, environment
from benchmarks.plot import Panel, plot

MIB = 2**20
PLOT = "collections-growth.svg"

PAGE = 100
ROWS = 20_000
LATENCY = 0.05
MEMORY_LIMIT = 48 * MIB
WAYS = {
    "ours-1": ("ours, one page at a time", 1),
    "ours": ("**ours, as it is (4 in flight)**", 4),
    "ours-8": ("**ours, 8 in flight**", 8),
    "ours-16": ("**ours, 16 in flight**", 16),
    "sockets-4": ("answers thrown away as they come, 4 in flight", 4),
    "sockets-8": ("answers thrown away as they come, 8 in flight", 8),
    "requests": ("a loop with `requests` that writes each page", 1),
    "http": ("`HttpOperator` with a pagination function", 1),
    "dlt": ("dlt, `rest_api` to `filesystem`", 1),
}


@dataclass(frozen=True, slots=True)
class Result:
    """What one way took.

    :ivar cpu: seconds of CPU.
    :ivar memory: bytes over what the imports need, at most.
    """

    seconds: float
    cpu: float
    memory: int
    rows: int


@contextmanager
def list_server(latency: float) -> Iterator[str]:
    """Run the server of all readers in a process of its own; yield its origin."""
    with (
        certificate.trusted() as file,
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.list_server", str(file), "--latency", str(latency)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            origin: str = json.loads(process.stdout.readline())
            yield origin
        finally:
            process.terminate()


def interpreter(name: str) -> str | None:
    """The Python that has what a way needs, or None: dlt may have an environment of its own, `BENCH_DLT_PYTHON`."""
    if name == "dlt":
        return machine.interpreter("dlt", "BENCH_DLT_PYTHON")
    return machine.interpreter("airflow.providers.http") if name == "http" else sys.executable


def read(name: str, origin: str, rows: int, target: Path) -> Result | None:
    """Let one way read a list into a file, in a process of its own; None where what it needs is not installed.

    :raises RuntimeError: it failed, or wrote another number of rows.
    """
    python = interpreter(name)
    if python is None:
        return None
    command = [python, "-m", "benchmarks.list_readers", name, origin, str(rows), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, cwd=ROOT, env=environment())
    if done.returncode:
        raise RuntimeError(f"{name}: {' '.join(done.stderr.strip().splitlines()[-1:])}")
    # Airflow may log to stdout while it ends.
    printed = next(line for line in reversed(done.stdout.splitlines()) if line.startswith("{"))
    result = Result(**json.loads(printed))
    if result.rows != rows:
        raise RuntimeError(f"{name} wrote {result.rows} rows instead of {rows}")
    return result


def measure(name: str, origin: str, rows: int, suffix: str = ".jsonl") -> Result | None:
    """The same into a file that is not kept."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        return read(name, origin, rows, Path(folder) / f"list{suffix}")


def speed(runs: int) -> str:
    """20,000 rows from a server that answers in 50 ms; the median of the runs, in which the ways take turns."""
    results: dict[str, list[Result]] = {name: [] for name in WAYS}
    with list_server(LATENCY) as origin:
        for _ in range(runs):
            for name, found in results.items():
                if result := measure(name, origin, ROWS):
                    found.append(result)
    one = statistics.median(result.seconds for result in results["ours-1"])
    lines = [
        f"| {ROWS:,} registrations, {LATENCY * 1000:.0f} ms a page of {PAGE} | seconds | times as fast as one page at a"
        " time | share of the ideal | CPU seconds | memory, MiB |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, (label, in_flight) in WAYS.items():
        found = results[name]
        if not found:
            lines.append(f"| {label} | skipped: not installed | | | | |")
            continue
        seconds = statistics.median(result.seconds for result in found)
        ideal = ROWS / PAGE * LATENCY / in_flight
        cpu = statistics.median(result.cpu for result in found)
        memory = max(result.memory for result in found) / MIB
        lines.append(
            f"| {label} | {seconds:.2f} | {one / seconds:.1f} | {ideal / seconds:.2f} | {cpu:.1f} | {memory:.1f} |"
        )
    return "\n".join(lines)


def growth(sizes: tuple[int, ...]) -> tuple[str, dict[int, Result]]:
    """Lists of growing length to gzip JSON Lines, from a server that answers at once."""
    with list_server(0) as origin:
        results = {rows: _needed(measure("ours", origin, rows, ".jsonl.gz")) for rows in sizes}
    lines = [
        "| rows | seconds | CPU, µs per row | memory over the imports, MiB |",
        "|---:|---:|---:|---:|",
    ]
    for rows, result in results.items():
        per_row = f"{result.cpu / rows * 1e6:.0f}"
        lines.append(f"| {rows:,} | {result.seconds:.2f} | {per_row} | {result.memory / MIB:.1f} |")
    return "\n".join(lines), results


def cost(rows: int, runs: int) -> str:
    """CPU for each row, beside what Python's `json` alone costs for the same rows; the median of the runs, in turns."""
    ways = {
        ("ours", ".jsonl"): "**ours, JSON Lines**: HTTP, checks and SHA-256 included",
        ("json", ".jsonl"): "`json.loads` and `json.dumps` of the same rows, no HTTP",
        ("ours", ".jsonl.gz"): "**ours, gzip JSON Lines**",
        ("json.gz", ".jsonl.gz"): "`json.loads`, `json.dumps` and `gzip` at the same level, no HTTP",
    }
    lines = [f"| {rows:,} registrations, no latency | CPU, µs per row |", "|---|---:|"]
    costs: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
    with list_server(0) as origin:
        for _ in range(runs):
            for name, suffix in ways:
                costs[name, suffix].append(_needed(measure(name, origin, rows, suffix)).cpu)
    for way, label in ways.items():
        lines.append(f"| {label} | {statistics.median(costs[way]) / rows * 1e6:.0f} |")
    return "\n".join(lines)


def _needed(result: Result | None) -> Result:
    assert result is not None
    return result


def report(*, full: bool = True) -> Written:
    """Three Markdown tables, and the plot of the growth.

    :param full: with a million rows, which takes minutes.
    """
    sizes = (1_000, 10_000, 100_000, 1_000_000) if full else (1_000, 10_000, 100_000)
    runs = 3 if full else 1
    fast = speed(runs)
    dear = cost(100_000 if full else 20_000, runs)
    table, results = growth(sizes)
    text = "\n\n".join([fast, dear, table, f"![Growth](../images/{PLOT})"])
    return Written(text, {PLOT: _drawn(results)})


def _drawn(results: dict[int, Result]) -> str:
    rows = list(results)
    seconds = [result.seconds for result in results.values()]
    memory = [result.memory / MIB for result in results.values()]
    described = "; ".join(
        f"{size:,} rows: {result.seconds:.1f} seconds, {result.memory / MIB:.0f} MiB"
        for size, result in results.items()
    )
    return plot(
        "Time and memory of an export as the list grows",
        f"Registrations to gzip JSON Lines. {described}. Promised: at most {MEMORY_LIMIT / MIB:.0f} MiB.",
        [
            Panel("seconds", rows, seconds, logarithmic=True),
            Panel("memory, MiB", rows, memory, limit=MEMORY_LIMIT / MIB),
        ],
    )
