"""Connections of the clients: as many as are needed at a time, and no more; every request ends."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
import traceback
from typing import Any

import httpcore
import pytest
from client_drivers import KEY, AsyncDriver, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import AsyncClient, defaults, endpoints
from airflow_provider_ringevents.client.errors import RingEventsTransportError
from airflow_provider_ringevents.client.transport.network import _TimedStream

OK = json_response({"data": {"id": "r", "attributes": {}}}, 202)
POLL = endpoints.get_report("r")


def slow(seen: Request) -> Response:
    time.sleep(0.02)
    return OK


def test_one_after_the_other_takes_one_connection() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, KEY) as client:
            for _ in range(20):
                await client.send(POLL)

    with RawServer(lambda seen: OK) as server:
        asyncio.run(main(server.url))
        assert server.connections == 1
        assert server.wait_until_closed()


async def test_after_a_burst_the_connections_that_nobody_needs_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "KEEPALIVE_SECONDS", 1.0)

    with RawServer(slow) as server:
        async with AsyncClient(server.url, KEY) as client:
            await asyncio.gather(*(client.send(POLL) for _ in range(8)))
            assert server.open_connections == 8
            await asyncio.sleep(1.1)
            for _ in range(10):
                await client.send(POLL)
            deadline = time.monotonic() + 5
            while server.open_connections > 1 and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            assert server.open_connections == 1
            await client.send(POLL)
        assert await asyncio.to_thread(server.wait_until_closed)


def test_a_poll_and_any_other_request_have_the_same_head(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: OK) as server:
        for call in (POLL, POLL.with_params(page=1)):
            driver(server.url).send(call)
        poll, other = (seen.headers for seen in server.requests)
        assert [seen.target for seen in server.requests] == ["/v1/reports/r", "/v1/reports/r?page=1"]
    assert list(poll.items()) == list(other.items())
    assert next(iter(poll)) == "host"
    assert poll["host"] == server.url.removeprefix("http://")
    assert not {"content-length", "transfer-encoding", "cookie"} & poll.keys()


def test_a_body_is_sent_with_whatever_method(driver: type[SyncDriver]) -> None:
    call = endpoints.Call("odd", "GET", "/v1/health", body={"a": 1})
    with RawServer(lambda seen: OK) as server:
        driver(server.url).send(call)
        assert server.requests[0].json == {"a": 1}


def test_cookies_are_not_kept(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: json_response({}, 503 if seen.number == 0 else 200, Set_Cookie="a=b")) as server:
        driver(server.url).send(POLL)
        assert len(server.requests) == 2
        assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("proxy_elsewhere", [False, True])
def test_each_request_writes_its_line_once(
    driver: type[SyncDriver],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    proxy_elsewhere: bool,
) -> None:
    if proxy_elsewhere:  # then httpx's own client chooses who goes by it, and writes the line
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with RawServer(lambda seen: OK) as server, caplog.at_level(logging.INFO, "httpx"):
        driver(server.url).send(POLL)
    lines = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert lines == [("httpx", "INFO", f'HTTP Request: GET {server.url}/v1/reports/r "HTTP/1.1 202 Whatever"')]


# --- what goes wrong on the wire

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
STRAY = b'HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n{"a": 11}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MAKE = endpoints.Call("make", "POST", "/v1/things", body={"a": 1})


@pytest.mark.parametrize(
    "answer",
    [
        Response(raw=CHUNKED, after=b"ZZ\r\n", stall=0),
        Response(raw=CHUNKED + b"2\r\n{}\r\n", after=b"nonsense", stall=0),
        Response(raw=CHUNKED, after=b"2\r\n{}!!", stall=0),
        Response(raw=b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", stall=0),
        Response(raw=b"HTTP/1.1 100 Continue\r\n\r\n", stall=0),
        Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", stall=0),
        Response(raw=b"HTTP/1.1 101 Switching Protocols\r\n\r\n", stall=0),
        Response(raw=b"nonsense\r\n\r\n", stall=0),
    ],
    ids=["chunk", "trailer", "end of a chunk", "103", "100", "body", "101", "head"],
)
def test_every_request_ends_and_one_that_creates_is_ambiguous(driver: type[SyncDriver], answer: Response) -> None:
    with RawServer(lambda seen: answer) as server:
        began = time.monotonic()
        with pytest.raises(RingEventsTransportError) as caught:
            driver(server.url, max_attempts=1, timeout=0.5).send(MAKE)
        assert time.monotonic() - began < 10, "it ends by itself, long before anybody loses patience"
        assert caught.value.sent
        assert caught.value.ambiguous
        assert len(server.wait_for_requests(1)) == 1


def test_an_answer_that_nobody_asked_for_is_given_to_nobody() -> None:
    async def main(url: str) -> list[Any]:
        async with AsyncClient(url, KEY) as client:
            answers = [await client.send(POLL, max_attempts=1)]
            assert await asyncio.to_thread(server.wait_until, lambda: server.sent_after == 1)
            await asyncio.sleep(0.05)
            return [*answers, await client.send(POLL, max_attempts=1)]

    with RawServer(lambda seen: Response(raw=WHOLE, after=STRAY if seen.number == 0 else b"")) as server:
        assert asyncio.run(main(server.url)) == [{}, {}]
        assert [seen.connection for seen in server.requests] == [1, 2]


def test_a_connection_that_ended_while_the_loop_was_blocked_is_not_used() -> None:
    async def main(url: str) -> None:
        async with AsyncClient(url, KEY) as client:
            await client.send(POLL)
            assert server.wait_until_closed(), "the loop is blocked meanwhile"
            await client.send(MAKE, max_attempts=1)

    with RawServer(lambda seen: Response(raw=WHOLE, ends=seen.number == 0)) as server:
        asyncio.run(main(server.url))
        assert [seen.method for seen in server.requests] == ["GET", "POST"]


def test_what_is_asked_for_is_in_no_traceback(driver: type[SyncDriver]) -> None:
    call = endpoints.list_registrations("e", {"email": "canary@example.org"})
    with (
        RawServer(lambda seen: Response(raw=b"nonsense\r\n\r\n", stall=0)) as server,
        pytest.raises(RingEventsTransportError) as caught,
    ):
        driver(server.url, max_attempts=1).send(call)
    assert server.requests[0].query["filter[email][eq]"] == "canary@example.org"
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_looking_up_a_name_counts_as_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def slow_look_up(*args: Any, **options: Any) -> Any:
        time.sleep(1)
        return look_up(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)
    with RawServer(lambda seen: OK) as server:
        with pytest.raises(RingEventsTransportError) as caught:
            AsyncDriver(server.url.replace("127.0.0.1", "localhost"), max_attempts=1, timeout=0.2).send(POLL)
        assert caught.value.timed_out
        assert not caught.value.sent
        assert not server.requests


def test_closing_it_after_its_first_request_was_cancelled_leaves_nothing_open() -> None:
    async def main(url: str) -> None:
        client = AsyncClient(url, KEY)
        first = asyncio.ensure_future(client.send(POLL, max_attempts=1))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await client.aclose()
        with pytest.raises(RuntimeError, match="closed"):
            await client.send(POLL, max_attempts=1)

    with RawServer(lambda seen: OK) as server:
        asyncio.run(main(server.url))
        assert server.wait_until_closed()


def test_a_request_without_a_body_names_no_type(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: OK) as server:
        driver(server.url).send(endpoints.Call("odd", "POST", "/v1/things"))
        assert "content-type" not in server.requests[0].headers


def test_requests_one_after_the_other_use_one_connection_and_old_ones_are_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main(url: str) -> tuple[int, int, bool]:
        async with AsyncClient(url, KEY) as client:
            await asyncio.gather(*(client.send_once(POLL) for _ in range(5)))
            together = server.connections
            for _ in range(20):
                await client.send_once(POLL)
            afterwards = server.connections
            monkeypatch.setattr(defaults, "KEEPALIVE_SECONDS", -1.0)
            await client.send_once(POLL)
            return together, afterwards, await asyncio.to_thread(server.wait_until_closed)

    with RawServer(lambda seen: OK) as server:
        together, afterwards, closed = asyncio.run(main(server.url))
    assert 1 <= together == afterwards <= 5
    assert closed


@pytest.mark.parametrize(("size", "pieces"), [(100, 1), (200_000, 2)])
def test_the_head_and_the_body_of_a_request_leave_in_one_piece(size: int, pieces: int) -> None:
    """Two would be two packets and two wake-ups of the server for each row of a file; large bodies are not held."""
    sent: list[bytes] = []

    class Stream(httpcore.NetworkStream):
        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            sent.append(bytes(buffer))

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return b"response"

    stream = _TimedStream(Stream())
    stream.write(b"head")
    stream.write(b"x" * size)
    stream.write(b"end")
    assert stream.read(1) == b"response"
    assert stream.read(1) == b"response"
    assert (b"".join(sent), len(sent)) == (b"head" + b"x" * size + b"end", pieces)


def test_a_response_that_comes_before_the_request_was_taken_is_read() -> None:
    """A server refuses a body by its head and closes its end: the response tells more than the broken pipe."""

    class Stream(httpcore.NetworkStream):
        def write(self, buffer: bytes, timeout: float | None = None) -> None:
            raise httpcore.WriteError

        def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
            return b"413"

    stream = _TimedStream(Stream())
    stream.write(b"request")
    assert stream.read(3) == b"413"
