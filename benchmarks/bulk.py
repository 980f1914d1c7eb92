"""Magic links for the people of a file, over TLS: time, CPU and memory, beside a loop with `requests`."""

from __future__ import annotations

import csv
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, Written, environment, memory

LATENCY = 0.05
IN_FLIGHT = 8
ROWS, LOOP_ROWS, MANY = 10_000, 1_000, 200_000


@contextmanager
def server() -> Iterator[dict[str, str]]:
    """A server of links over TLS, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.link_server", "--latency", str(LATENCY)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        assert process.stdout is not None
        try:
            connection: dict[str, str] = json.loads(process.stdout.readline())
            yield connection
        finally:
            process.terminate()


def write_people(path: Path, rows: int) -> None:
    """A CSV of guests."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("email", "firstName", "lastName", "metadata.crm_id"))
        writer.writerows((f"guest{row}@people.example", "Given", f"Family {row}", row) for row in range(rows))


def measure(arguments: dict[str, Any]) -> dict[str, float]:
    """One run in this process; it is started anew for each."""
    if arguments["kind"] == "loop":
        return _loop(arguments)
    from airflow_provider_ringevents.bulk.targets import MagicLinkTarget
    from airflow_provider_ringevents.client import Client
    from airflow_provider_ringevents.transfers._bulk_load import BulkLoad, load_rows

    with Client(arguments["base_url"], "key", verify=arguments["verify"], per_page=1_000) as client:
        gc.collect()
        before = memory("VmRSS")
        load = BulkLoad(
            source=arguments["source"],
            results=arguments["results"],
            concurrency=IN_FLIGHT,
            dry_run=arguments["dry_run"],
            include_links=True,
        )
        started, cpu = time.perf_counter(), time.process_time()
        outcome = load_rows(client, MagicLinkTarget(arguments["ticket"]), load)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    counts = outcome.manifest["counts"]
    if counts != {arguments["expected"]: arguments["rows"]}:
        raise RuntimeError(f"expected {arguments['rows']} {arguments['expected']}, got {counts}")
    return {"seconds": seconds, "cpu": cpu, "memory": (memory("VmHWM") - before) / 2**20}


def _loop(arguments: dict[str, Any]) -> dict[str, float]:
    """A session of `requests` and a POST for each row."""
    import requests

    session = requests.Session()
    session.headers["Authorization"] = "Bearer key"
    started, cpu = time.perf_counter(), time.process_time()
    with open(arguments["source"]) as file:
        for row in csv.DictReader(file):
            crm_id = row.pop("metadata.crm_id")
            attributes: dict[str, Any] = {**row, "metadata": {"crm_id": crm_id}}
            body: Any = {"data": {"type": "magicLink", "attributes": attributes}}
            url = f"{arguments['base_url']}/v1/tickets/{arguments['ticket']}/magicLinks"
            session.post(url, json=body, timeout=60, verify=arguments["verify"]).raise_for_status()
    return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu, "memory": 0.0}


def _run(**arguments: Any) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.bulk", json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def report(*, full: bool = True) -> Written:
    """A Markdown table.

    :param full: all people; else a twentieth of them.
    """
    rows, loop_rows, many = (ROWS, LOOP_ROWS, MANY) if full else (ROWS // 20, LOOP_ROWS // 20, MANY // 20)
    lines = [
        f"| {LATENCY * 1000:.0f} ms a request, over TLS | rows | seconds | rows a second | of the ideal"
        " | times the loop | CPU ms a row | MiB over the imports |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as name, server() as connection:
        folder = Path(name)
        common = {**connection, "results": f"{folder}/results.csv"}
        for count in (rows, loop_rows, many):
            write_people(folder / f"{count}.csv", count)
        loop = _run(kind="loop", ticket="0", source=f"{folder}/{loop_rows}.csv", **common)
        files = {"source": f"{folder}/{rows}.csv", "rows": rows}
        load = _run(kind="load", ticket="0", expected="created", dry_run=False, **files, **common)
        files = {"source": f"{folder}/{many}.csv", "rows": many}
        dry = _run(kind="load", ticket=str(many), expected="exists", dry_run=True, **files, **common)
    speed, loop_speed = rows / load["seconds"], loop_rows / loop["seconds"]
    ideal = rows * LATENCY / IN_FLIGHT / load["seconds"]
    lines += [
        f"| **ours**, {IN_FLIGHT} in flight | {rows:,} | {load['seconds']:.1f} | {speed:.0f} | {ideal:.2f}"
        f" | {speed / loop_speed:.1f} | {load['cpu'] / rows * 1000:.2f} | {load['memory']:.0f} |",
        f"| a loop with `requests.Session` | {loop_rows:,} | {loop['seconds']:.1f} | {loop_speed:.0f} | "
        f" | 1.0 | {loop['cpu'] / loop_rows * 1000:.2f} | |",
        f"| **ours**, dry run, all of them have a link | {many:,} | {dry['seconds']:.1f} |"
        f" {many / dry['seconds']:.0f} | | | {dry['cpu'] / many * 1000:.2f} | {dry['memory']:.0f} |",
    ]
    return Written("\n".join(lines))


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.argv[1]))))
