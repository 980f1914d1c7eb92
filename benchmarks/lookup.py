"""How long it takes to find one's own event among many: the look before a creating request, and after a cut one."""

from __future__ import annotations

import json
import os
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.request import urlopen

from benchmarks import certificate
from benchmarks.event_server import ORGANIZATION, REQUESTS
from benchmarks.machine import ROOT, Written, environment

EVENTS = 2_000
LATENCY = 0.05
PAGES = (100, 1_000)
"""Largest page that the service gives: the API documents none."""
KEY = "row-1742"


@contextmanager
def event_server(largest: int) -> Iterator[dict[str, Any]]:
    """A server of many events over TLS, in a process of its own; gives its connection."""
    with (
        certificate.trusted() as file,
        subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.event_server", str(file)),
                *("--events", str(EVENTS), "--latency", str(LATENCY), "--max-per-page", str(largest), "--key", KEY),
            ],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        ) as process,
    ):
        assert process.stdout is not None
        try:
            host = json.loads(process.stdout.readline())
            extra = {"organization_id": ORGANIZATION, "verify": str(file)}
            yield {"conn_type": "ringevents", "host": host, "password": "benchmark", "extra": extra}
        finally:
            process.terminate()


def requests_so_far(connection: dict[str, Any]) -> int:
    """Requests that the API has had."""
    context = ssl.create_default_context(cafile=connection["extra"]["verify"])
    with urlopen(f"{connection['host']}{REQUESTS}", context=context) as answer:
        asked: int = json.load(answer)
    return asked


def ours(connection: dict[str, Any]) -> Any:
    """The look that the operators make."""
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent
    from airflow_provider_ringevents.provisioning.event_lookup import EventLookup

    os.environ["AIRFLOW_CONN_LOOKUP"] = json.dumps(connection)
    with RingEventsHook("lookup") as hook:
        return ExpectedEvent(KEY).match(EventLookup(hook.client, connection["extra"]["organization_id"]).list_events())


def page_loop(largest: int, connection: dict[str, Any]) -> Any:
    """A loop over `links.next`, to the end: only so is it known that there is no second one."""
    import requests

    from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY

    session = requests.Session()
    session.verify = connection["extra"]["verify"]
    session.headers["Authorization"] = f"Bearer {connection['password']}"
    events = f"{connection['host']}/v1/organizations/{connection['extra']['organization_id']}/events"
    link = f"{events}?page=1&perPage={largest}"
    found = None
    while link:
        answer = session.get(link, timeout=60).json()
        for event in answer["data"]:
            if (event["attributes"].get("metadata") or {}).get(MARKER_METADATA_KEY) == KEY:
                found = event
        link = answer["links"]["next"]
    return found


def _measured(find: Callable[[dict[str, Any]], Any], connection: dict[str, Any], runs: int) -> tuple[float, float, int]:
    seconds, cpus, asked = [], [], 0
    for _ in range(runs):
        before, started, cpu = requests_so_far(connection), time.perf_counter(), time.process_time()
        found = find(connection)
        seconds.append(time.perf_counter() - started)
        cpus.append(time.process_time() - cpu)
        asked = requests_so_far(connection) - before
        if found is None:
            raise RuntimeError(f"{find} did not find the event")
    return statistics.median(seconds), statistics.median(cpus), asked


def report(*, full: bool = True) -> Written:
    """A Markdown table.

    :param full: the median of five looks instead of one.
    """
    lines = [
        f"| one event among {EVENTS:,} over TLS, {LATENCY * 1000:.0f} ms a request | largest page | requests | seconds"
        " | CPU seconds | times as fast as the loop |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for largest in PAGES:
        ways: dict[str, Callable[[dict[str, Any]], Any]] = {
            "**ours**": ours,
            "a loop with `requests`, the largest pages, one at a time": partial(page_loop, largest),
        }
        with event_server(largest) as connection:
            for way in ways.values():
                way(connection)  # what is imported once is not counted
            found = {label: _measured(way, connection, 5 if full else 1) for label, way in ways.items()}
        *_, (slow, _, _) = found.values()
        for label, (seconds, cpu, asked) in found.items():
            lines.append(f"| {label} | {largest:,} | {asked} | {seconds:.2f} | {cpu:.2f} | {slow / seconds:.1f} |")
    return Written("\n".join(lines))
