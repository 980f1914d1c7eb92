"""No trigger ever makes the triggerer's event loop wait: a thousand others run in it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest
from airflow.providers.common.compat.sdk import BaseHook
from airflow_harness import HAS_TASK_SDK
from airflow_harness.asset_watchers import Triggerer
from blocking_calls import blocking_calls

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY
from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger, RingEventsEventTrigger
from airflow_provider_ringevents.triggers.registrations import RingEventsRegistrationsTrigger
from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

# Processes are watched here, and none is started.
pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "POLL_FIRST", 0.05)
    monkeypatch.setattr(defaults, "WATCH_INITIAL_JITTER", 0.05)
    monkeypatch.setattr(defaults, "WATCH_CHECKPOINT_DELAY", 0.0)


def _report(emulator: Any) -> Any:
    report = emulator.reports.create(emulator.state.events[emulator.event_id], "registrations", {})
    return RingEventsReportTrigger(report.id, poll_interval=0.1)


def _event(emulator: Any) -> Any:
    return RingEventsEventTrigger(emulator.event_id, condition="ended", poll_interval=0.1)


def _copy(emulator: Any) -> Any:
    emulator.state.duplicate(emulator.state.events[emulator.event_id], {"metadata": {MARKER_METADATA_KEY: "row-1"}})
    return RingEventsDuplicationTrigger(
        emulator.organization_id, emulator.event_id, "row-1", time.time(), poll_interval=0.1, deadline=time.time() + 30
    )


WAITS = [_report, _event, _copy]


async def _first(trigger: Any) -> Any:
    async with asyncio.timeout(30):
        return (await anext(trigger.run())).payload


@pytest.mark.parametrize("weather", ["fair", "errors", "refused key", "no answer"])
@pytest.mark.parametrize("make", WAITS, ids=["report", "event", "copy"])
def test_a_wait(emulator: Any, ringevents_conn: str, make: Callable[[Any], Any], weather: str) -> None:
    emulator.settings.change(report_seconds=0.2, duplicate_seconds=0.2)
    trigger = make(emulator)
    if weather == "errors":
        for kind in ("status", "reset", "truncated_json", "close"):
            emulator.fault(kind)
    elif weather == "refused key":
        emulator.fault("status", status=401, times=None)
    elif weather == "no answer":
        emulator.stop()
    with blocking_calls() as found:
        payload = asyncio.run(_first(trigger))
    assert found == []
    assert payload["status"] == ("error" if weather in ("refused key", "no answer") else "ready")


@pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 has no asset watchers")
def test_a_watcher(emulator: Any, ringevents_conn: str) -> None:
    async def watch() -> Any:
        async with asyncio.timeout(30):
            async with Triggerer() as triggerer:
                watcher = triggerer.watch(RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=0.02))
                while emulator.count("GET", "/v1/events/*/registrations", status=200) < 3:
                    await asyncio.sleep(0.01)
                emulator.fault("status", status=500, times=2)
                emulator.state.add_registrations(emulator.event_id, 1)
                while not watcher.events:
                    await asyncio.sleep(0.01)
                return watcher.events[0]

    with blocking_calls() as found:
        event = asyncio.run(watch())
    assert found == []
    assert event["count"] == 1


def _talk(url: str) -> None:
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        sock.recv(1)


def _look_up(url: str) -> None:
    with suppress(Exception):
        BaseHook.get_connection("there_is_none")


PLANTED: dict[str, Callable[[str], Any]] = {
    "time.sleep": lambda url: time.sleep(0.001),
    "socket.getaddrinfo": lambda url: socket.getaddrinfo("127.0.0.1", 80),
    "socket.recv": _talk,
    "socket.sendall": _talk,
    "socket.create_connection": _talk,
    "socket.connect": lambda url: httpx.get(f"{url}/v1/health", trust_env=False),
    "subprocess.Popen": lambda url: subprocess.run([sys.executable, "-c", ""], check=True),
    "BaseHook.get_connection": _look_up,
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_call_is_found(emulator: Any, ringevents_conn: str, name: str) -> None:
    """What the tests above would say if a trigger did it; in a thread beside the loop it is allowed."""

    async def poll() -> None:
        PLANTED[name](emulator.url)

    async def beside() -> None:
        await asyncio.to_thread(PLANTED[name], emulator.url)

    with blocking_calls() as found:
        asyncio.run(poll())
    assert name in [each.partition("\n")[0] for each in found]
    assert "in poll" in found[0]
    with blocking_calls() as found:
        asyncio.run(beside())
    assert found == []
