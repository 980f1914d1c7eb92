"""A fleet of waits of one kind in one event loop: `python -m benchmarks.fleet_waits KIND ORIGIN FIGURES_AS_JSON`.

Every wait is run by Airflow's own `TriggerRunner.run_trigger`, as in a triggerer; what a triggerer has around it (its
supervisor, its database) is left out. Connections come from the environment, which is the cheapest lookup there is.

Prints one line of JSON: :class:`Outcome`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.fleet_server import job

TICK = 0.02
"""Seconds between two looks at how late the loop is."""
KEY = "benchmark"
NEVER = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What is run; all in seconds but for ``waits``.

    :ivar interval: between two polls of a wait.
    :ivar warm: until the measuring begins.
    :ivar steady: for how long it is measured; nothing is ready yet.
    :ivar patience: for how long after the last thing is ready the waits may take to notice.
    """

    waits: int
    interval: float
    warm: float
    steady: float
    patience: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen.

    :ivar begun: when measuring began, in seconds of `time.monotonic`.
    :ivar ended: and ended.
    :ivar cpu: seconds of CPU between these.
    :ivar lag: seconds by which the loop was late: half of the ticks were later, one in a hundred, the latest.
    :ivar memory: bytes for each wait.
    :ivar noticed: seconds from being ready to the event, of each wait that fired.
    :ivar failed: waits that ended otherwise.
    """

    begun: float
    ended: float
    cpu: float
    lag: tuple[float, float, float]
    memory: float
    noticed: list[float]
    failed: int


Make = Callable[[int, float], Any]
"""Job id and poll interval in seconds -> a trigger."""


def ours() -> Make:
    """This provider's wait for a report."""
    from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

    return lambda job_id, interval: RingEventsReportTrigger(str(job_id), "fleet", poll_interval=interval)


def ours_alone() -> Make:
    """The same, but a 429 is no matter to the others."""
    from airflow_provider_ringevents.client.transport.rate_limiter import AsyncRateLimiter

    AsyncRateLimiter.record_response = lambda *_: None  # type: ignore[method-assign]
    return ours()


def http() -> Make:
    """`HttpSensor(deferrable=True)`: whatever is not an error is ready."""
    from airflow.providers.http.triggers.http import HttpSensorTrigger

    return lambda job_id, interval: HttpSensorTrigger(
        endpoint=f"things/{job_id}", http_conn_id="fleet", poke_interval=interval
    )


def dbt() -> Make:
    """`DbtCloudRunJobOperator(deferrable=True)`."""
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger

    return lambda job_id, interval: DbtCloudRunJobTrigger(
        conn_id="fleet", run_id=job_id, end_time=time.time() + NEVER, account_id=1, poll_interval=interval
    )


def airbyte() -> Make:
    """`AirbyteTriggerSyncOperator(deferrable=True)`."""
    from airflow.providers.airbyte.triggers.airbyte import AirbyteSyncTrigger

    return lambda job_id, interval: AirbyteSyncTrigger(
        job_id=job_id, conn_id="fleet", end_time=time.time() + NEVER, poll_interval=interval
    )


KINDS: dict[str, Callable[[], Make]] = {
    "ours": ours,
    "ours-alone": ours_alone,
    "http": http,
    "dbt": dbt,
    "airbyte": airbyte,
}


def connection(kind: str, origin: str, extra: dict[str, Any]) -> dict[str, Any]:
    """The connection of a kind of waits to the server."""
    place = origin.partition("://")[2]
    if kind == "dbt":
        return {"conn_type": "dbt_cloud", "login": "1", "password": KEY, "host": place}
    if kind == "airbyte":
        return {"conn_type": "airbyte", "host": f"{origin}/api/public/v1/", "extra": {}}
    if kind == "http":
        return {"conn_type": "http", "host": origin}
    return {"conn_type": "ringevents", "host": origin, "password": KEY, "extra": extra}


class _Fired(deque[Any]):
    """Where the runner puts events: notes when each came that says "ready"."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[int, float] = {}

    def append(self, entry: Any) -> None:
        told = entry.event.payload
        if told is True or told["status"] in ("ready", "success"):
            self.at[entry.trigger_id] = time.monotonic()
        super().append(entry)


class Loop:
    """The waits, in Airflow's runner."""

    def __init__(self) -> None:
        from airflow.jobs.triggerer_job_runner import TriggerRunner

        self._runner = TriggerRunner()
        self.fired = self._runner.events = _Fired()
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self, triggers: list[Any]) -> None:
        """Start them one after the other, as the runner does with what it is given."""
        for number, trigger in enumerate(triggers):
            trigger.trigger_id = number
            details: Any = {"task": None, "is_watcher": False, "name": f"fleet/wait/{number}", "events": 0}
            self._runner.triggers[number] = details
            self.tasks.append(asyncio.create_task(self._runner.run_trigger(number, trigger)))
            await asyncio.sleep(0)


class Lag:
    """How late the loop is. While it is blocked every tick that is missed counts, each as late as it would be."""

    def __init__(self) -> None:
        self._late: list[float] = []

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            late = time.monotonic() - due
            self._late.append(max(0.0, late))
            while (late := late - TICK) > 0:
                self._late.append(late)

    def forget(self) -> None:
        """Begin anew."""
        self._late.clear()

    def told(self) -> tuple[float, float, float]:
        """Of half of all ticks, of one in a hundred, of the latest."""
        late = sorted(self._late) or [0.0]
        return late[len(late) // 2], late[len(late) * 99 // 100], late[-1]


def _memory() -> int:
    match = re.search(r"^VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


async def measure(make: Make, figures: Figures) -> Outcome:
    """Run the waits from their start until all have fired, or for as long as they may take."""
    lag, draw = Lag(), random.Random(1)
    watching = asyncio.create_task(lag.watch())
    loop, before, started = Loop(), _memory(), time.monotonic()
    first = started + figures.warm + figures.steady
    ready = [first + draw.random() * figures.interval for _ in range(figures.waits)]
    # Beside what follows: those that ask in the loop itself keep it busy from the first one on.
    starting = asyncio.create_task(
        loop.start([make(job(number, moment), figures.interval) for number, moment in enumerate(ready)])
    )
    await asyncio.sleep(started + figures.warm - time.monotonic())
    lag.forget()
    begun, cpu = time.monotonic(), time.process_time()
    await asyncio.sleep(figures.steady)
    ended, cpu = time.monotonic(), time.process_time() - cpu
    late, memory = lag.told(), (_memory() - before) / figures.waits

    await asyncio.wait([starting], timeout=max(ready) + figures.patience - time.monotonic())
    await asyncio.wait(loop.tasks, timeout=max(ready) + figures.patience - time.monotonic())
    noticed = [at - ready[number] for number, at in loop.fired.at.items()]
    failed = sum(task.done() and number not in loop.fired.at for number, task in enumerate(loop.tasks))
    others = [watching, starting, *loop.tasks]
    for task in others:
        task.cancel()
    await asyncio.wait(others, timeout=10)
    if begun > first:
        raise RuntimeError(f"the loop was blocked for {begun - started - figures.warm:.1f} s before it was measured")
    return Outcome(begun, ended, cpu, late, memory, noticed, failed)


def main() -> None:
    kind, origin, given = sys.argv[1:]
    options = json.loads(given)
    extra = options.pop("extra", {})
    os.environ["AIRFLOW_CONN_FLEET"] = json.dumps(connection(kind, origin, extra))
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
    from airflow.sdk.log import configure_logging

    with open(os.devnull, "wb") as nowhere:
        configure_logging(json_output=True, output=nowhere, sending_to_supervisor=True)
        outcome = asyncio.run(measure(KINDS[kind](), Figures(**options)))
        print(json.dumps(asdict(outcome)), flush=True)
        os._exit(0)  # calls that still block threads of a peer are not waited for


if __name__ == "__main__":
    main()
