"""Where requests wait for their turn: at most so many at a time, and all of them when the service says 429."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from itertools import pairwise

import clocks
import pytest

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.transport.rate_limiter import AsyncRateLimiter


def gate(rate: float | None = None) -> AsyncRateLimiter:
    return AsyncRateLimiter(rate, now=clocks.loop_time, sleep=asyncio.sleep)


class Bucket:
    """A service that lets so many requests a second through; a second's worth may come at once."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.tokens = limit
        self.filled = 0.0
        self.asked: list[float] = []
        self.refused: list[float] = []

    def answer(self) -> tuple[int, dict[str, str]]:
        now = clocks.loop_time()
        self.asked.append(now)
        self.tokens = min(self.limit, self.tokens + (now - self.filled) * self.limit)
        self.filled = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 200, {}
        self.refused.append(now)
        return 429, {"retry-after": str(math.ceil((1 - self.tokens) / self.limit))}


async def request(
    through: AsyncRateLimiter, answer: Callable[[], tuple[int, dict[str, str]]], seconds: float = 0.05
) -> int:
    async with through.in_flight:
        started = await through.acquire()
        await asyncio.sleep(seconds / 2)
        status, headers = answer()
        await asyncio.sleep(seconds / 2)
        through.record_response(started, status, headers)
    return status


def test_so_many_at_a_time() -> None:
    inside, most = 0, 0

    async def use(through: AsyncRateLimiter) -> None:
        nonlocal inside, most
        async with through.in_flight:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(1)
            inside -= 1

    async def main() -> float:
        through = gate()
        await asyncio.gather(*(use(through) for _ in range(160)))
        return clocks.loop_time()

    assert clocks.run_in_virtual_time(main()) == pytest.approx(10)
    assert most == defaults.MAX_CONNECTIONS


def test_so_many_in_a_second() -> None:
    bucket = Bucket(1000)

    async def main() -> None:
        through = gate(20)
        await asyncio.gather(*(request(through, bucket.answer) for _ in range(100)))

    clocks.run_in_virtual_time(main())
    gaps = [later - earlier for earlier, later in pairwise(bucket.asked)]
    assert gaps == pytest.approx([0.05] * 99)


def test_one_refusal_holds_all() -> None:
    """Those that wait for a place, those that wait for their turn, and those that come later."""
    asked: list[float] = []

    def answer() -> tuple[int, dict[str, str]]:
        asked.append(clocks.loop_time())
        return (429, {"retry-after": "30"}) if len(asked) == 1 else (200, {})

    async def main() -> None:
        through = gate(10)  # fifteen have their turn reserved when the first one is refused
        users = [asyncio.create_task(request(through, answer)) for _ in range(50)]
        await asyncio.sleep(10)
        users += [asyncio.create_task(request(through, answer)) for _ in range(50)]
        await asyncio.gather(*users)

    clocks.run_in_virtual_time(main())
    refused, *later = asked
    assert len(later) == 99
    assert min(later) >= refused + 30
    gaps = [after - before for before, after in pairwise(later)]
    assert min(gaps) >= 0.099
    assert max(gaps) < 0.21


def test_one_that_is_cancelled_gives_its_place_back() -> None:
    async def main() -> None:
        through = gate(0.001)
        waiting = [asyncio.create_task(request(through, lambda: (200, {}))) for _ in range(40)]
        await asyncio.sleep(5)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        through.set_rate(None)
        await asyncio.sleep(100_000)  # until all turns are over that were reserved
        done = await asyncio.gather(*(request(through, lambda: (200, {})) for _ in range(16)))
        assert done == [200] * 16

    clocks.run_in_virtual_time(main())


def fleet(
    through: Callable[[], AsyncRateLimiter], bucket: Bucket, waits: int = 300, interval: float = 10, polls: int = 8
) -> None:
    """Waits that ask for one and a half times what the service lets through; one that is refused obeys Retry-After."""
    draw = random.Random(1)

    async def wait(mine: AsyncRateLimiter) -> None:
        await asyncio.sleep(draw.random() * interval)
        for _ in range(polls):
            await asyncio.sleep(interval if await request(mine, bucket.answer) == 200 else 1)

    async def main() -> None:
        await asyncio.gather(*(wait(through()) for _ in range(waits)))

    clocks.run_in_virtual_time(main())


def test_a_fleet_that_shares_it_finds_the_pace_of_the_service() -> None:
    shared, alone = Bucket(20), Bucket(20)
    one: list[AsyncRateLimiter] = []

    def the_one() -> AsyncRateLimiter:
        one[:] = one or [gate()]
        return one[0]

    fleet(the_one, shared)
    fleet(gate, alone)
    assert len(alone.refused) / len(alone.asked) > 0.2, "the service limits, if each minds its own refusal alone"
    assert len(shared.refused) / len(shared.asked) < 0.05
    let_through = (len(shared.asked) - len(shared.refused)) / max(shared.asked)
    assert let_through > 0.7 * 20, "and not much slower than it could be"


def test_a_fleet_with_a_limit_is_never_refused() -> None:
    bucket = Bucket(20)
    one: list[AsyncRateLimiter] = []

    def the_one() -> AsyncRateLimiter:
        one[:] = one or [gate(18)]
        return one[0]

    fleet(the_one, bucket, polls=5)
    assert bucket.refused == []
    assert len(bucket.asked) == 300 * 5
