"""One limit for all waits of a connection: requests per second, and the pause that a 429 asks for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from raw_server import RawServer, Request, Response, error_response, json_response

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.errors import RingEventsRateLimitError
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.triggers._client_registry import SharedClient, acquire_shared_client

Connect = Callable[..., str]
POLL = endpoints.get_report("r")
IN_PROGRESS = json_response({"data": {"id": "r", "attributes": {}}}, 202)
SETTLED = 0.05
"""Seconds of real time in which requests that may start have started."""


class Hands:
    """A clock that is moved by hand; who sleeps is woken when it has gone far enough."""

    def __init__(self) -> None:
        self.time = 1000.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self.time

    async def async_sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.time + seconds, woken))
        await woken

    async def move(self, seconds: float) -> None:
        self.time += seconds
        for moment, woken in self._sleepers:
            if moment <= self.time + 1e-6 and not woken.done():
                woken.set_result(None)
        await asyncio.sleep(SETTLED)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    made = Hands()
    monkeypatch.setattr(clock, "monotonic", made.now)
    monkeypatch.setattr(clock, "async_sleep", made.async_sleep)
    return made


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


def test_a_429_holds_all_waits_of_the_connection(connect: Connect, hands: Hands) -> None:
    async def main(server: RawServer) -> None:
        async with acquire_shared_client("one") as client, acquire_shared_client("one") as again:
            await refused(client)
            waiting = [asyncio.ensure_future(each.fetch(POLL)) for each in (client, again) for _ in range(10)]
            await hands.move(29.9)
            assert len(server.requests) == 1
            await hands.move(0.2)
            assert len(server.requests) <= 5, "one after the other, not all at once"
            while not all(task.done() for task in waiting):
                await hands.move(0.1)
            assert len(server.requests) == 21

    with RawServer(Refusing()) as server:
        connect("one", host=server.url)
        asyncio.run(main(server))


def test_another_connection_is_not_held(connect: Connect, hands: Hands) -> None:
    async def main(server: RawServer) -> None:
        async with acquire_shared_client("one") as client, acquire_shared_client("two") as other:
            await refused(client)
            for _ in range(5):
                await other.fetch(POLL)
            assert len(server.requests) == 6

    with RawServer(Refusing()) as server:
        connect("one", host=server.url)
        connect("two", host=server.url)
        asyncio.run(main(server))


def test_a_new_key_does_not_end_the_pause(connect: Connect, hands: Hands) -> None:
    """The service counts an account's requests, not a key's."""
    limited = threading.Event()

    def handler(seen: Request) -> Response:
        if seen.headers["authorization"].endswith("90ab"):
            return IN_PROGRESS
        if seen.number == 0:
            limited.wait(5)
            time.sleep(SETTLED)  # so that the pause has begun when the key is refused
            return error_response(401)
        limited.set()
        return error_response(429, Retry_After="30")

    async def main(server: RawServer) -> None:
        async with acquire_shared_client("one") as client:
            first = asyncio.ensure_future(client.fetch(POLL))
            while not server.requests:
                await asyncio.sleep(0.005)
            connect("one", host=server.url, password="fresh-key-90ab")
            await refused(client)
            await asyncio.sleep(3 * SETTLED)
            await hands.move(29.9)
            assert len(server.requests) == 2
            await hands.move(0.2)
            assert (await first).status == 202
            assert len(server.requests) == 3

    with RawServer(handler) as server:
        connect("one", host=server.url)
        asyncio.run(main(server))


def test_the_connection_s_rate_is_that_of_all_its_waits(connect: Connect, hands: Hands) -> None:
    async def main(server: RawServer) -> None:
        async with acquire_shared_client("one") as client:
            waiting = [asyncio.ensure_future(client.fetch(POLL)) for _ in range(8)]
            for second in range(14):
                await asyncio.sleep(SETTLED)
                assert len(server.requests) <= 1 + second // 2
                await hands.move(1.0)
            await asyncio.gather(*waiting)
            assert len(server.requests) == 8

    with RawServer(lambda seen: IN_PROGRESS) as server:
        connect("one", host=server.url, extra={"rate_limit": 0.5})
        asyncio.run(main(server))


@pytest.fixture
def limiting(hands: Hands) -> Iterator[Emulator]:
    """An emulator that lets ten requests a second through, on the clock that is moved by hand."""
    with Emulator(clock=hands.now, rate_limit=10) as emulator:
        yield emulator


def statuses(emulator: Emulator) -> Counter[int | None]:
    return Counter(seen.status for seen in emulator.requests.entries)


async def forty_polls(hands: Hands) -> None:
    async with acquire_shared_client("one") as client:
        report = endpoints.get_report("none")
        waiting = [asyncio.ensure_future(client.fetch(report)) for _ in range(40)]
        await asyncio.sleep(3 * SETTLED)
        while not all(task.done() for task in waiting):
            await hands.move(0.125)
        await asyncio.gather(*waiting, return_exceptions=True)


def test_a_service_that_limits_refuses_a_few_and_not_all(connect: Connect, hands: Hands, limiting: Emulator) -> None:
    """Only those that were on their way when the first one was refused: each of forty would be, minding its own."""
    connect("one", host=limiting.url, password=limiting.api_key)
    asyncio.run(forty_polls(hands))
    seen = statuses(limiting)
    assert seen.total() == 40
    assert 1 <= seen[429] <= defaults.MAX_CONNECTIONS


def test_with_a_rate_below_the_service_s_nothing_is_refused(connect: Connect, hands: Hands, limiting: Emulator) -> None:
    connect("one", host=limiting.url, password=limiting.api_key, extra={"rate_limit": 8})
    asyncio.run(forty_polls(hands))
    assert statuses(limiting) == {404: 40}
