"""Connections of the asynchronous client: as many as are needed at a time, and no more."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from drivers import KEY, SyncDriver
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


def test_a_poll_and_any_other_request_have_the_same_head(driver: type[SyncDriver]) -> None:
    with WireServer(lambda seen: OK) as server:
        for call in (POLL, POLL.with_params(page=1)):
            driver(server.url).send(call)
        poll, other = (seen.headers for seen in server.seen)
        assert [seen.target for seen in server.seen] == ["/v1/reports/r", "/v1/reports/r?page=1"]
    assert list(poll.items()) == list(other.items())
    assert next(iter(poll)) == "host"
    assert poll["host"] == server.url.removeprefix("http://")
    assert not {"content-length", "transfer-encoding", "cookie"} & poll.keys()


def test_a_body_is_sent_with_whatever_method(driver: type[SyncDriver]) -> None:
    call = endpoints.Call("odd", "GET", "/v1/health", body={"a": 1})
    with WireServer(lambda seen: OK) as server:
        driver(server.url).send(call)
        assert server.seen[0].json == {"a": 1}


def test_cookies_are_not_kept(driver: type[SyncDriver]) -> None:
    with WireServer(lambda seen: json_answer({}, 503 if seen.number == 0 else 200, Set_Cookie="a=b")) as server:
        driver(server.url).send(POLL)
        assert len(server.seen) == 2
        assert "cookie" not in server.seen[1].headers


@pytest.mark.parametrize("proxy_elsewhere", [False, True])
def test_each_request_writes_its_line_once(
    driver: type[SyncDriver],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    proxy_elsewhere: bool,
) -> None:
    if proxy_elsewhere:  # then httpx's own client chooses who goes by it, and writes the line
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with WireServer(lambda seen: OK) as server, caplog.at_level(logging.INFO, "httpx"):
        driver(server.url).send(POLL)
    lines = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [("httpx", "INFO", f'HTTP Request: GET {server.url}/v1/reports/r "HTTP/1.1 202 Whatever"')]
