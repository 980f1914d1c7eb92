"""One limit for all waits of a connection: requests per second, and the pause that a 429 asks for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from clocks import SteppedClock
from raw_server import RawServer, Request, Response, error_response, json_response

from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.errors import RingEventsRateLimitError
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.triggers._client_registry import SharedClient, acquire_shared_client

Connect = Callable[..., str]
POLL = endpoints.get_report("r")
IN_PROGRESS = json_response({"data": {"id": "r", "attributes": {}}}, 202)


@pytest.fixture
def hands() -> Iterator[SteppedClock]:
    with SteppedClock().installed() as clock:
        yield clock


class Refusing:
    """Refuses the first request."""

    def __init__(self, retry_after: str = "30") -> None:
        self.retry_after = retry_after
        self.refused = 0

    def __call__(self, seen: Request) -> Response:
        if self.refused:
            return IN_PROGRESS
        self.refused += 1
        return error_response(429, Retry_After=self.retry_after)


async def refused(client: SharedClient) -> None:
    with pytest.raises(RingEventsRateLimitError):
        await client.fetch(POLL)


async def test_a_429_holds_all_waits_of_the_connection(connect: Connect, hands: SteppedClock) -> None:
    with RawServer(Refusing()) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client, acquire_shared_client("one") as again:
            await refused(client)
            waiting = [asyncio.ensure_future(each.fetch(POLL)) for each in (client, again) for _ in range(10)]
            await hands.step(29.9)
            assert len(server.requests) == 1
            await hands.step(0.2)
            assert len(server.requests) <= 5, "one after the other, not all at once"
            while not all(task.done() for task in waiting):
                await hands.step(0.1)
            assert len(server.requests) == 21


async def test_another_connection_is_not_held(connect: Connect, hands: SteppedClock) -> None:
    with RawServer(Refusing()) as server:
        connect("one", host=server.url)
        connect("two", host=server.url)
        async with acquire_shared_client("one") as client, acquire_shared_client("two") as other:
            await refused(client)
            for _ in range(5):
                await other.fetch(POLL)
            assert len(server.requests) == 6


async def test_a_new_key_does_not_end_the_pause(connect: Connect, hands: SteppedClock) -> None:
    """The service counts an account's requests, not a key's."""
    limited = threading.Event()

    def handler(seen: Request) -> Response:
        if seen.headers["authorization"].endswith("90ab"):
            return IN_PROGRESS
        if seen.number == 0:
            limited.wait(5)
            time.sleep(SteppedClock.SETTLED)  # so that the pause has begun when the key is refused
            return error_response(401)
        limited.set()
        return error_response(429, Retry_After="30")

    with RawServer(handler) as server:
        connect("one", host=server.url)
        async with acquire_shared_client("one") as client:
            first = asyncio.ensure_future(client.fetch(POLL))
            while not server.requests:
                await asyncio.sleep(0.005)
            connect("one", host=server.url, password="fresh-key-90ab")
            await refused(client)
            await asyncio.sleep(3 * SteppedClock.SETTLED)
            await hands.step(29.9)
            assert len(server.requests) == 2
            await hands.step(0.2)
            assert (await first).status == 202
            assert len(server.requests) == 3


async def test_the_connection_s_rate_is_that_of_all_its_waits(connect: Connect, hands: SteppedClock) -> None:
    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url, extra={"rate_limit": 0.5})
        async with acquire_shared_client("one") as client:
            waiting = [asyncio.ensure_future(client.fetch(POLL)) for _ in range(8)]
            for second in range(14):
                await asyncio.sleep(SteppedClock.SETTLED)
                assert len(server.requests) <= 1 + second // 2
                await hands.step(1.0)
            await asyncio.gather(*waiting)
            assert len(server.requests) == 8


@pytest.fixture
def limiting(hands: SteppedClock) -> Iterator[Emulator]:
    """An emulator that lets ten requests a second through, on the clock that is moved by hand."""
    with Emulator(clock=hands.now, rate_limit=10) as emulator:
        yield emulator


def statuses(emulator: Emulator) -> Counter[int | None]:
    return Counter(seen.status for seen in emulator.requests.entries)


async def forty_polls(hands: SteppedClock) -> None:
    async with acquire_shared_client("one") as client:
        report = endpoints.get_report("none")
        waiting = [asyncio.ensure_future(client.fetch(report)) for _ in range(40)]
        await asyncio.sleep(3 * SteppedClock.SETTLED)
        while not all(task.done() for task in waiting):
            await hands.step(0.125)
        await asyncio.gather(*waiting, return_exceptions=True)


def test_a_service_that_limits_refuses_a_few_and_not_all(
    connect: Connect, hands: SteppedClock, limiting: Emulator
) -> None:
    """Only those that were on their way when the first one was refused: each of forty would be, minding its own."""
    connect("one", host=limiting.url, password=limiting.api_key)
    asyncio.run(forty_polls(hands))
    seen = statuses(limiting)
    assert seen.total() == 40
    assert 1 <= seen[429] <= defaults.MAX_CONNECTIONS


def test_with_a_rate_below_the_service_s_nothing_is_refused(
    connect: Connect, hands: SteppedClock, limiting: Emulator
) -> None:
    connect("one", host=limiting.url, password=limiting.api_key, extra={"rate_limit": 8})
    asyncio.run(forty_polls(hands))
    assert statuses(limiting) == {404: 40}
