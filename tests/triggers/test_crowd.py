"""A triggerer starts its waits one after the other, and each of them sees only those that are there already."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import clocks
import pytest

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.polling.schedule import PollSchedule
from airflow_provider_ringevents.polling.waiter import PollRequest, async_wait_until_done
from airflow_provider_ringevents.triggers._client_registry import ConnectionReader, SharedClient

START = 1_000_000.0


class Polled(SharedClient):
    """Notes when it is asked."""

    def __init__(self) -> None:
        super().__init__("nowhere", ClientSettings(api_key="key"), ConnectionReader())
        self.at: list[float] = []

    async def fetch(self, request: PollRequest, deadline: float | None = None, max_age: float = 0.0) -> Any:
        self.at.append(clock.now() - START)
        await asyncio.sleep(0.05)
        return {}


class Endless:
    """A wait for what never comes."""

    def __init__(self, seed: int, deadline: float | None = None) -> None:
        self.request: PollRequest = endpoints.get_report("r")
        self.deadline = deadline
        self._schedule = PollSchedule("it", deadline, 60, uniform=random.Random(seed).uniform)

    def next_delay(self, concurrent_waits: int = 0) -> float:
        return self._schedule.next_delay(clock.now(), concurrent_waits)

    def on_response(self, response: Any) -> bool:
        self._schedule.record_pending(clock.now())
        return False

    def on_error(self, error: Any) -> None:
        raise AssertionError("no poll fails here")


def polls_of(waits: int, seconds: float, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    monkeypatch.setattr(clock, "now", lambda: START + clocks.loop_time())
    monkeypatch.setattr(clock, "monotonic", clocks.loop_time)

    async def main() -> list[float]:
        client = Polled()

        async def wait(seed: int) -> None:
            client.ref_count += 1
            await async_wait_until_done(Endless(seed), client)

        tasks = [asyncio.ensure_future(wait(seed)) for seed in range(waits)]
        await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return client.at

    return clocks.run_in_virtual_time(main())


@pytest.mark.parametrize("waits", [200, 1_000, 2_500])
def test_a_crowd_that_starts_one_by_one_does_not_flood_the_service(waits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = Counter(map(int, polls_of(waits, 300, monkeypatch)))
    assert max(seconds.values()) < 2 * max(defaults.POLL_RATE_TARGET, waits / 60)


def test_a_wait_alone_does_not_let_a_moment_pass_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert polls_of(1, 10, monkeypatch)[0] < 2.2 < polls_of(1, 10, monkeypatch)[1]


def test_a_wait_of_a_crowd_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: START + clocks.loop_time())
    monkeypatch.setattr(clock, "monotonic", clocks.loop_time)

    async def main() -> list[float]:
        client = Polled()
        client.ref_count = 1_000
        with pytest.raises(Exception, match="did not happen in time"):
            await async_wait_until_done(Endless(1, deadline=START + 0.3), client)
        return client.at

    assert clocks.run_in_virtual_time(main()) == pytest.approx([0.3])
