"""Limits of time beside silence: whole responses, deadlines, transfers, through both clients."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from client_drivers import AT_ONCE, KEY, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import Client, defaults, endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsTransferError, RingEventsTransportError
from airflow_provider_ringevents.client.transport.time_budget import TimeBudget

GET = endpoints.get_event("e")
LIST = endpoints.list_events("o")
POST = endpoints.create_event("o", {"name": "n"})
FILE = endpoints.download_report("r")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 100000\r\n"


def drip(head: bytes, byte: bytes, pause: float = 0.1) -> Response:
    """Send a head, then one byte after the other, for as long as the client stays."""
    return Response(raw=head, drip=byte, pause=pause)


@pytest.mark.parametrize("call", [GET, LIST, POST], ids=["a resource", "a list", "a creating request"])
def test_a_response_that_drips_ends_in_time(driver: type[SyncDriver], call: Call) -> None:
    with RawServer(lambda seen: drip(HEAD + b"\r\n", b" ")) as server:
        began = time.monotonic()
        with pytest.raises(RingEventsTransportError, match=r"took longer than 0.5 s, see 'request_timeout'") as caught:
            driver(server.url, request_timeout=0.5, max_attempts=1).send(call)
        assert 0.4 < time.monotonic() - began < 10
        assert caught.value.timed_out
        assert caught.value.ambiguous == (call is POST)
        assert server.wait_until_closed()


def test_a_head_that_drips_ends_in_time(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: drip(HEAD + b"X-Long: ", b"x")) as server:
        began = time.monotonic()
        with pytest.raises(RingEventsTransportError, match="request_timeout"):
            driver(server.url, request_timeout=0.5, max_attempts=1).send(GET)
        assert 0.4 < time.monotonic() - began < 10


def test_pages_have_more_time_than_resources_unless_it_is_set() -> None:
    with Client("https://127.0.0.1", KEY) as client:
        for call, seconds in ((GET, 120), (LIST, 600), (endpoints.list_templates("o"), 600)):
            timer = client._timer(call)
            timer.start()
            assert seconds - 1 < timer.remaining <= seconds
    with Client("https://127.0.0.1", KEY, request_timeout=7) as client:
        timer = client._timer(LIST)
        timer.start()
        assert 6 < timer.remaining <= 7


def test_the_queue_of_a_client_does_not_count() -> None:
    """At one request a second each but the first waits in our own queue for longer than it may take by itself."""
    with (
        RawServer(lambda seen: json_response({"data": {"id": "e"}})) as server,
        Client(server.url, KEY, rate_limit=1, request_timeout=0.6, max_attempts=1) as client,
    ):
        for _ in range(3):
            client.send(GET)


def test_a_budget_ends_a_call_with_all_its_attempts() -> None:
    with (
        RawServer(lambda seen: json_response({}, 503, Retry_After="60")) as server,
        Client(server.url, KEY) as client,
    ):
        began = time.monotonic()
        with pytest.raises(Exception, match="503"):
            client.send(GET, budget=TimeBudget(1))
        assert time.monotonic() - began < 20
        assert len(server.requests) == 1


def test_a_request_whose_turn_comes_after_the_deadline_is_not_sent() -> None:
    with (
        RawServer(lambda seen: json_response({"data": {"id": "e"}})) as server,
        Client(server.url, KEY, rate_limit=0.1, max_attempts=1) as client,
    ):
        client.send(GET)
        with pytest.raises(RingEventsTransportError, match="rate_limit") as caught:
            client.send(POST, budget=TimeBudget(1))
        assert not caught.value.ambiguous
        assert len(server.requests) == 1


# --- transfers


@pytest.fixture
def quick_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(defaults, "TRANSFER_RATE_WINDOW", 0.5)
    return iter(())


@pytest.mark.usefixtures("quick_window")
@pytest.mark.parametrize("where", ["body", "chunk"])
def test_a_file_that_drips_is_given_up(driver: type[SyncDriver], where: str) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n5;"
    answer = drip(HEAD + b"\r\n", b"x") if where == "body" else drip(chunked, b"x")
    with RawServer(lambda seen: answer) as server:
        began = time.monotonic()
        with pytest.raises(RingEventsTransferError):
            driver(server.url, timeout=0.5).download(FILE)
        assert time.monotonic() - began < 10


def test_one_budget_for_the_whole_transfer(driver: type[SyncDriver]) -> None:
    """Found drawn out to 240 requests and 6.4 hours of pauses."""

    def handler(seen: Request) -> Response:
        if not seen.path.startswith("/v1/reports/r") or seen.path.endswith("/download"):
            return json_response({}, 503, Retry_After="1")
        return json_response({"data": {"id": "r", "attributes": {"url": f"{server.url}/file"}}})

    with RawServer(handler) as server:
        began = time.monotonic()
        with pytest.raises(Exception, match=r"transfer_timeout|503"):
            driver(server.url, transfer_timeout=2.5).download(FILE)
        assert time.monotonic() - began < 20
        assert len(server.requests) <= 5, "of all of them together"


@pytest.mark.usefixtures("quick_window")
def test_a_slow_destination_is_not_blamed_on_the_server() -> None:
    """The consumer takes three times as long for each block as the server may: the file comes whole."""
    content = b"x" * 4_000_000
    with (
        RawServer(lambda seen: Response(200, content, {"Content-Type": "text/csv"})) as server,
        Client(server.url, KEY, policy=AT_ONCE, timeout=0.5) as client,
        client.download(FILE) as download,
    ):
        received = 0
        for block in download:
            received += len(block)
            time.sleep(1.0)
        assert received == len(content)
        assert len(server.requests) == 1
        assert download.state.resumes == 0
        assert download.state.clock.waited < 1.0


def test_a_transfer_that_takes_too_long_says_for_whom_it_waited() -> None:
    with (
        RawServer(lambda seen: Response(200, b"x" * 4_000_000, {"Content-Type": "text/csv"})) as server,
        Client(server.url, KEY, policy=AT_ONCE, transfer_timeout=0.5) as client,
        client.download(FILE) as download,
    ):
        blocks: Any = iter(download)
        next(blocks)
        time.sleep(0.6)
        with pytest.raises(RingEventsTransferError, match=r"longer than 0.5 s \('transfer_timeout'.* 0 s were spent"):
            list(blocks)
