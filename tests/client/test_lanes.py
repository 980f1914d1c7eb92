"""Connections of the asynchronous client: as many as are needed at a time, and no more."""

from __future__ import annotations

import asyncio
import time

import pytest
from drivers import KEY
from wire import Answer, Seen, WireServer, json_answer

from airflow_provider_ringevents.client import AsyncClient, defaults, endpoints

OK = json_answer({"data": {"id": "r", "attributes": {}}}, 202)
POLL = endpoints.get_report("r")


def slow(seen: Seen) -> Answer:
    time.sleep(0.02)
    return OK


def test_one_after_the_other_takes_one_connection() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, KEY) as client:
            for _ in range(20):
                await client.send(POLL)

    with WireServer(lambda seen: OK) as server:
        asyncio.run(main(server.url))
        assert server.connections == 1
        assert server.wait_until_closed()


def test_after_a_burst_the_connections_that_nobody_needs_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "KEEPALIVE_SECONDS", 0.2)

    async def main(server: WireServer) -> None:
        async with AsyncClient(server.url, KEY) as client:
            await asyncio.gather(*(client.send(POLL) for _ in range(8)))
            assert server.open_connections == 8
            await asyncio.sleep(0.25)
            for _ in range(10):
                await client.send(POLL)
            deadline = time.monotonic() + 5
            while server.open_connections > 1 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            assert server.open_connections == 1
            await client.send(POLL)
        assert await asyncio.to_thread(server.wait_until_closed)

    with WireServer(slow) as server:
        asyncio.run(main(server))
