"""What importing the operators costs a DAG file, over `airflow.sdk` alone; beside what installed peers cost."""

from __future__ import annotations

import json
import statistics
import subprocess

from benchmarks.machine import Written, environment, interpreter

OURS = tuple(
    f"airflow_provider_ringevents.{module}"
    for module in (
        "operators.data_subscriptions",
        "operators.events",
        "operators.magic_links",
        "operators.registrations",
        "operators.reports",
        "operators.tickets",
        "sensors.events",
        "sensors.reports",
        "transfers.collection_to_object_storage",
        "transfers.report_to_object_storage",
    )
)
PEERS = (
    "airflow.providers.airbyte.operators.airbyte",
    "airflow.providers.http.operators.http",
    "airflow.providers.dbt.cloud.operators.dbt",
)

_PROBE = """
import importlib, json, sys, time
from airflow.sdk import DAG, BaseOperator, BaseSensorOperator
before, started, cpu = len(sys.modules), time.perf_counter(), time.process_time()
for module in sys.argv[1:]:
    importlib.import_module(module)
print(json.dumps([time.perf_counter() - started, time.process_time() - cpu, len(sys.modules) - before]))
"""


def measure(python: str, modules: tuple[str, ...], runs: int) -> tuple[float, float, int]:
    """Median wall and CPU seconds, and the number of modules that are loaded more."""
    samples = []
    for _ in range(runs + 1):  # the first one writes byte code
        done = subprocess.run(
            [python, "-c", _PROBE, *modules],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
            env=environment(),
        )
        samples.append(json.loads(done.stdout.splitlines()[-1]))
    samples = samples[1:]
    return (
        statistics.median(sample[0] for sample in samples),
        statistics.median(sample[1] for sample in samples),
        samples[0][2],
    )


def report(runs: int = 7) -> Written:
    """A Markdown table."""
    rows = [("every operator, sensor and transfer of this provider", OURS)]
    rows += [(peer, (peer,)) for peer in PEERS]
    lines = ["| imported | ms over airflow.sdk | of these CPU | modules |", "|---|---|---|---|"]
    for name, modules in rows:
        python = interpreter(modules[0].rpartition(".")[0])
        if python is None:
            lines.append(f"| {name} | skipped: not installed | | |")
            continue
        wall, cpu, count = measure(python, modules, runs)
        lines.append(f"| {name} | {wall * 1000:.1f} | {cpu * 1000:.1f} | {count} |")
    return Written("\n".join(lines))
