"""The network below HTTP: proxies and their exceptions, connections beyond the limit, bodies larger than any buffer."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from certificates import Authority
from client_drivers import KEY, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import AsyncClient, Client, defaults, endpoints
from airflow_provider_ringevents.client.errors import RingEventsTransportError

HEALTH = endpoints.health()
FILE = endpoints.download_report("r")
OK = json_response({"status": "ok", "data": {"id": "x"}})
CONTENT = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(100_000))


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_a_file_over_tls_comes_whole(
    driver: type[SyncDriver], authority: Authority, trusted: ssl.SSLContext, chunked: bool
) -> None:
    def handler(seen: Request) -> Response:
        if not chunked:
            return Response(200, CONTENT, {"Content-Type": "text/csv"})
        parts = (CONTENT[start : start + 100_000] for start in range(0, len(CONTENT), 100_000))
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
        return Response(raw=head + body)

    with RawServer(handler, context=trusted) as server:
        fetched = driver(server.url, verify=str(authority.bundle)).download(FILE)
    assert fetched.content == CONTENT


def test_a_file_waits_for_a_slow_reader(authority: Authority, trusted: ssl.SSLContext) -> None:
    """What the loop reads ahead is bounded: the server is held up, and goes on when the file is read."""

    async def main(url: str) -> bytes:
        received = b""
        async with AsyncClient(url, KEY, verify=str(authority.bundle)) as client, client.download(FILE) as download:
            async for block in download:
                received += block
                await asyncio.sleep(0.1)
        return received

    with RawServer(lambda seen: Response(200, CONTENT, {"Content-Type": "text/csv"}), context=trusted) as server:
        assert asyncio.run(main(server.url)) == CONTENT


@pytest.mark.parametrize(
    "excepted", ["api.example.org", "example.org", ".example.org", "a.example, api.example.org", "*"]
)
def test_a_host_that_the_environment_excepts_goes_by_no_proxy(
    driver: type[SyncDriver], monkeypatch: pytest.MonkeyPatch, trusted: ssl.SSLContext, excepted: str
) -> None:
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: look_up("127.0.0.1", *rest, **more))
    with RawServer(lambda seen: OK) as proxy, RawServer(lambda seen: OK, context=trusted) as server:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", excepted)
        with pytest.raises(RingEventsTransportError, match="certificate is not trusted"):
            driver(f"https://api.example.org:{server.port}", max_attempts=1).send(HEALTH)
        assert (proxy.connections, server.connections) == (0, 1)


def test_an_exception_of_the_environment_does_not_hold_for_the_proxy_of_a_connection(
    driver: type[SyncDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with RawServer(lambda seen: OK) as proxy:
        driver("http://127.0.0.1:9", proxy=proxy.url).send(HEALTH)
        assert len(proxy.requests) == 1


def test_requests_beyond_the_limit_wait_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "MAX_CONNECTIONS", 2)

    def slow(seen: Request) -> Response:
        time.sleep(0.05)
        return OK

    with RawServer(slow) as server, Client(server.url, KEY) as client, ThreadPoolExecutor(6) as pool:
        list(pool.map(client.send, [HEALTH] * 6))
        assert len(server.requests) == 6
        assert server.connections == 2


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """A server that answers only at the end, to clients of one connection for which nobody waits long."""
    monkeypatch.setattr(defaults, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(defaults, "POOL_TIMEOUT", 0.2)
    end = threading.Event()

    def handler(seen: Request) -> Response:
        end.wait(5)
        return OK

    with RawServer(handler) as server:
        yield server
        end.set()


def test_a_request_that_gets_no_connection_in_time_was_not_sent(held: RawServer) -> None:
    with Client(held.url, KEY, max_attempts=1, timeout=1) as client, ThreadPoolExecutor(2) as pool:
        outcomes = [future.exception() for future in [pool.submit(client.send, HEALTH) for _ in range(2)]]
    assert len(held.requests) == 1
    assert sorted(error.sent for error in outcomes if isinstance(error, RingEventsTransportError)) == [False, True]


def test_files_beyond_the_limit_wait_for_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "MAX_CONNECTIONS", 2)

    async def main(url: str) -> list[int]:
        async with AsyncClient(url, KEY) as client:

            async def size() -> int:
                async with client.download(FILE) as download:
                    return sum([len(block) async for block in download])

            return await asyncio.gather(*(size() for _ in range(6)))

    with RawServer(lambda seen: Response(200, b"x" * 100_000, {"Content-Type": "text/csv"})) as server:
        assert asyncio.run(main(server.url)) == [100_000] * 6
        assert server.connections == 2


async def test_a_request_that_is_cancelled_while_it_connects_leaves_no_connection() -> None:
    with RawServer(lambda seen: json_response({"data": {"id": "r", "attributes": {}}})) as server:
        for rounds in range(40):
            async with AsyncClient(server.url, "k") as client:
                request = asyncio.create_task(client.send_once(endpoints.get_report("r")))
                while not (server.open_connections or request.done()):
                    await asyncio.sleep(0)
                for _ in range(rounds % 10):
                    await asyncio.sleep(0)
                request.cancel()
                await asyncio.wait([request])
            assert await asyncio.to_thread(server.wait_until_closed)
