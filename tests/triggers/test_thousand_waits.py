"""A thousand waits come and go: the connections are closed, and no task stays."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from typing import Any

import pytest
from airflow_harness import HAS_TASK_SDK
from airflow_harness.asset_watchers import Triggerer

from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY
from airflow_provider_ringevents.triggers import _client_registry, _registration_poller
from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger, RingEventsEventTrigger
from airflow_provider_ringevents.triggers.registrations import RingEventsRegistrationsTrigger
from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

ROUNDS = 5
WAITS = 200


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "POLL_FIRST", 0.05)


def _open_sockets() -> int:
    """Sockets of this process; the emulator's side of a connection is one of them, too.

    Those that earlier tests have left to the collector may close at any moment: fewer than before is no leak.
    """
    gc.collect()
    sockets = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            sockets += os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
        except FileNotFoundError:
            continue
    return sockets


async def _sockets_again(before: int) -> int:
    """How many sockets stay: the emulator needs a moment to see that a connection has ended."""
    deadline = time.monotonic() + 10
    while (now := _open_sockets()) > before and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    return now


async def _ended(trigger: Any) -> str:
    stream = trigger.run()
    try:
        status: str = (await anext(stream)).payload["status"]
        return status
    finally:
        await stream.aclose()


def test_a_thousand_waits_leave_no_socket_and_no_task(emulator: Any, ringevents_conn: str) -> None:
    """Some end, some are cancelled in the middle; of each kind of trigger."""
    event = emulator.state.events[emulator.event_id]
    ready = emulator.reports.create(event, "registrations", {})
    ready.ready_at = 0
    never = emulator.reports.create(event, "registrations", {})
    never.ready_at = 1 << 60
    emulator.settings.change(duplicate_seconds=0.0)
    emulator.state.duplicate(event, {"metadata": {MARKER_METADATA_KEY: "row-1"}})

    def wait(number: int) -> Any:
        organization = emulator.organization_id
        return (
            lambda: RingEventsReportTrigger(ready.id, poll_interval=0.1),
            lambda: RingEventsReportTrigger(never.id, poll_interval=2.0),
            lambda: RingEventsEventTrigger(emulator.event_id, condition="ended", poll_interval=0.1),
            lambda: RingEventsDuplicationTrigger(
                organization, emulator.event_id, "row-1", time.time(), poll_interval=0.1
            ),
        )[number % 4]()

    async def rounds() -> list[str]:
        told: list[str] = []
        before = _open_sockets()
        for _ in range(ROUNDS):
            tasks = [asyncio.ensure_future(_ended(wait(number))) for number in range(WAITS)]
            endless = tasks[1::4]
            told += await asyncio.gather(*(task for task in tasks if task not in endless))
            assert len(_client_registry._CLIENTS[asyncio.get_running_loop()]) == 1
            assert not any(task.done() for task in endless)
            for task in endless:
                task.cancel()
            await asyncio.gather(*endless, return_exceptions=True)
            assert not any(_client_registry._CLIENTS.values())
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert await _sockets_again(before) <= before
        return told

    emulator.requests.clear()
    assert asyncio.run(rounds()) == ["ready"] * (ROUNDS * WAITS * 3 // 4)
    assert {seen.method for seen in emulator.requests.entries} == {"GET"}


@pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 has no asset watchers")
def test_a_hundred_watchers_leave_no_socket_and_no_task(
    emulator: Any, ringevents_conn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(defaults, "WATCH_INITIAL_JITTER", 0.05)

    async def watch() -> None:
        before = _open_sockets()
        async with Triggerer() as triggerer:
            for _ in range(100):
                triggerer.watch(RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=0.05))
            async with asyncio.timeout(30):
                while emulator.count("GET", "/v1/events/*/registrations", status=200) < 3:
                    await asyncio.sleep(0.01)
            assert _open_sockets() > before
        assert not any(_client_registry._CLIENTS.values())
        assert not any(_registration_poller._POLLERS.values())
        assert await _sockets_again(before) <= before

    asyncio.run(watch())


def test_a_socket_that_is_kept_is_counted(emulator: Any, ringevents_conn: str) -> None:
    """The count above can see a client that nobody closes."""

    async def keep() -> int:
        before = _open_sockets()
        client = await _client_registry.RingEventsHook("ringevents_default").get_async_conn()
        await client.send(endpoints.health())
        kept = _open_sockets() - before
        await client.aclose()
        return kept

    assert asyncio.run(keep()) > 0
