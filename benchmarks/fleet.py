"""Thousands of waits in one event loop: CPU, how late the loop is, how even the polls are; beside other providers.

The waits are in one process, the server in another one. Other providers may have an environment of their own:
`BENCH_PEERS_PYTHON` is its interpreter. The tables of the documentation: `python -m benchmarks fleet --write`.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks import certificate, machine
from benchmarks.charts import Bar, bars
from benchmarks.fleet_server import STATS, Stats
from benchmarks.fleet_waits import Figures, Outcome
from benchmarks.machine import ROOT, Written, environment

MODULES = {
    "http": "airflow.providers.http",
    "dbt": "airflow.providers.dbt.cloud",
    "airbyte": "airflow.providers.airbyte",
}
LABELS = {
    "ours": "**ours**: `RingEventsReportTrigger`",
    "http": "http: `HttpSensorTrigger`",
    "dbt": "dbt Cloud: `DbtCloudRunJobTrigger`",
    "airbyte": "Airbyte: `AirbyteSyncTrigger`",
}
LIMIT = 20.0
"""Requests per second of the server that limits."""
LIMITED = {
    "ours": ("**ours**, as it is: a 429 holds all waits", {}),
    "ours-18": ("**ours**, `rate_limit` 18", {"rate_limit": 18}),
    "ours-alone": ("as the first row, but each wait minds its own 429 alone (switched off for this row)", {}),
    "http": ("http: `HttpSensorTrigger`", {}),
}


@contextmanager
def server(latency: float, limit: float | None = None) -> Iterator[tuple[str, dict[str, str]]]:
    """The server of one run; gives its origin, and the environment of those that trust it."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(certificate.make(Path(folder)))
        command = [sys.executable, "-m", "benchmarks.fleet_server", file, "--latency", str(latency)]
        command += ["--limit", str(limit)] if limit else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
            assert process.stdout is not None
            try:
                origin: str = json.loads(process.stdout.readline())
                yield origin, {**environment(), "SSL_CERT_FILE": file}
            finally:
                process.terminate()


def interpreter(kind: str) -> str | None:
    """The Python that has what a kind of waits needs; None: it is not installed."""
    module = MODULES.get(kind)
    if module is None:
        return sys.executable
    return machine.interpreter(module)


@dataclass(frozen=True, slots=True)
class Run:
    """One fleet and what the server saw of it."""

    figures: Figures
    outcome: Outcome
    stats: Stats

    @property
    def seconds(self) -> float:
        return self.outcome.ended - self.outcome.begun

    @property
    def cpu(self) -> float:
        """Share of a core."""
        return self.outcome.cpu / self.seconds

    @property
    def measured(self) -> list[float]:
        """When polls came while it was measured, in seconds from its beginning."""
        begun, ended = self.outcome.begun, self.outcome.ended
        return [poll - begun for poll in self.stats.polls if begun <= poll < ended]

    @property
    def fullest(self) -> float:
        """The most polls in a second against the mean."""
        polls, whole = self.measured, int(self.seconds)
        counts = Counter(int(poll) for poll in polls if poll < whole)
        return max(counts.values(), default=0) / (sum(counts.values()) / whole) if counts else 0.0

    @property
    def in_time(self) -> float:
        """Share of the waits that noticed within one interval."""
        within = sum(delay <= self.figures.interval for delay in self.outcome.noticed)
        return within / self.figures.waits


def run(kind: str, figures: Figures, latency: float, limit: float | None = None, **extra: Any) -> Run | None:
    """Run one fleet; None where what it needs is not installed.

    :param extra: of the connection; ours alone.
    :raises RuntimeError: it failed.
    """
    python = interpreter(kind)
    if python is None:
        return None
    with server(latency, limit) as (origin, trusting):
        given = json.dumps({**asdict(figures), "extra": extra})
        command = [python, "-m", "benchmarks.fleet_waits", kind, origin, given]
        longest = figures.warm + figures.steady + figures.interval + figures.patience
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=2 * longest + 120, cwd=ROOT, env=trusting
        )
        printed = [line for line in done.stdout.splitlines() if line.startswith('{"begun"')]
        if not printed:
            raise RuntimeError(f"{kind}: {' '.join(done.stderr.strip().splitlines()[-1:])}")
        context = ssl.create_default_context(cafile=trusting["SSL_CERT_FILE"])
        with urlopen(f"{origin}{STATS}", context=context) as answer:
            stats = Stats(**json.load(answer))
    return Run(figures, Outcome(**json.loads(printed[-1])), stats)


def _row(label: str, found: Run | None, first: Run) -> str:
    if found is None:
        return f"| {label} | skipped: not installed |{' |' * 8}"
    per_poll = found.outcome.cpu / max(1, len(found.measured))
    half, hundredth, latest = (f"{late * 1000:,.1f}" for late in found.outcome.lag)
    wanted = found.figures.waits / found.figures.interval
    noticed = max(found.outcome.noticed, default=0.0)
    cells = [
        label,
        f"{len(found.measured) / found.seconds / wanted:.0%}",
        f"{found.cpu:.1%}",
        f"{per_poll * 1000:.2f} ({per_poll / (first.outcome.cpu / max(1, len(first.measured))):.1f})",
        f"{half} / {hundredth} / {latest}",
        f"{found.stats.connections:,} / {found.stats.opened:,}",
        f"{found.fullest:.2f}",
        f"{found.in_time:.1%}, {noticed:.1f}",
        f"{found.outcome.failed:,}",
        f"{found.outcome.memory / 1024:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def _table(title: str, runs: dict[str, Run | None], labels: dict[str, str]) -> str:
    first = next(iter(runs.values()))
    assert first is not None
    lines = [
        f"| {title} | polls made of those that are due | CPU, share of a core | CPU of a poll, ms (times ours) |"
        " the loop is late, ms: half / one in a hundred / most | connections at once / opened | fullest second against"
        " the mean | noticed within an interval, slowest in s | gave up | memory of a wait, KiB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    return "\n".join([*lines, *(_row(labels[kind], found, first) for kind, found in runs.items())])


def beside_peers(full: bool) -> tuple[str, dict[str, Run | None]]:
    """A thousand waits every 10 seconds, of each provider."""
    figures = Figures(1000, 10, 20, 40, 20) if full else Figures(200, 2, 4, 6, 4)
    runs = {kind: run(kind, figures, 0.05) for kind in LABELS}
    title = f"{figures.waits:,} waits, each polls every {figures.interval:.0f} s, server at 50 ms"
    return _table(title, runs, LABELS), runs


def many(full: bool) -> str:
    """Ten thousand waits every minute, ours alone."""
    figures = Figures(10_000, 60, 130, 60, 70) if full else Figures(1000, 6, 12, 6, 9)
    found = run("ours", figures, 0.02)
    assert found is not None
    title = f"{figures.waits:,} waits, each polls every {figures.interval:.0f} s, server at 20 ms"
    return _table(title, {"ours": found}, LABELS)


def limited(full: bool) -> str:
    """More waits than the server lets through: 30 polls a second are due, 20 are let through."""
    figures = Figures(300, 10, 20, 40, 60) if full else Figures(60, 2, 4, 6, 10)
    lines = [
        f"| {figures.waits} waits, each polls every {figures.interval:.0f} s; {LIMIT:.0f} requests a second are let"
        " through | requests a second | answered with 429 | polls a second that were let through | waits that gave up |"
        " slowest to notice, s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, (label, extra) in LIMITED.items():
        found = run(kind.removesuffix("-18"), figures, 0.05, LIMIT, **extra)
        if found is None:
            lines.append(f"| {label} | skipped: not installed |{' |' * 4}")
            continue
        seconds = max(found.stats.polls) - min(found.stats.polls)
        asked, refused = len(found.stats.polls), found.stats.refused
        lines.append(
            f"| {label} | {asked / seconds:.1f} | {refused / asked:.0%} | {(asked - refused) / seconds:.1f} |"
            f" {found.outcome.failed} | {max(found.outcome.noticed, default=0.0):.1f} |"
        )
    return "\n".join(lines)


def report(*, full: bool = True) -> Written:
    """Three tables and a plot.

    :param full: with a thousand and ten thousand waits, which takes a quarter of an hour; else small fleets.
    """
    small, runs = beside_peers(full)
    there = {kind: found for kind, found in runs.items() if found is not None}
    cpu = [Bar(kind, found.cpu * 100, f"{found.cpu:.1%}") for kind, found in there.items()]
    late = {kind: found.outcome.lag[1] * 1000 for kind, found in there.items()}
    lag = [Bar(kind, value, f"{value:,.0f} ms") for kind, value in late.items()]
    drawn = bars(
        "A thousand waits in one event loop",
        {"CPU, percent of a core": cpu, "the loop is late, one in a hundred (ms, logarithmic)": lag},
    )
    text = "\n\n".join([small, "![A thousand waits](../images/fleet-benchmark.svg)", many(full), limited(full)])
    return Written(text, {"fleet-benchmark.svg": drawn})
