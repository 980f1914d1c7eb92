"""Limits of what the service may send: by bytes, rows and values, through both clients."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import tracemalloc
from itertools import pairwise
from typing import Any

import pytest
from client_drivers import AT_ONCE, KEY, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import AsyncClient, Client, defaults, endpoints
from airflow_provider_ringevents.client.errors import RingEventsTransportError
from airflow_provider_ringevents.client.transport.json_decoding import decode_json
from airflow_provider_ringevents.client.transport.responses import parse_resource, parse_response

GET = endpoints.get_event("e")
LIST = endpoints.list_registrations("e")
POST = endpoints.create_event("o", {"name": "n"})
MIB = 2**20


def page(*rows: Any) -> bytes:
    return json.dumps({"data": rows}).encode()


PAGES = {
    "empty rows": b'{"data":[' + b"{}," * (5 * MIB) + b"{}]}",
    "empty lists in a row": b'{"data":[{"id":"1","attributes":{"x":[' + b"[]," * (5 * MIB) + b"[]]}}]}",
    "values of one key": b'{"data":[{"id":"1","attributes":{"x":[' + b'{"a":1},' * MIB + b"[]]}}]}",
    "many rows": page(*({"id": str(number), "type": "registration"} for number in range(100_001))),
    "one row of 2 MiB": page({"id": "1", "attributes": {"x": "y" * 2 * MIB}}),
    "20 MiB": page(*({"id": str(number), "attributes": {"x": "y" * 10_000}} for number in range(2_100))),
}


@pytest.mark.parametrize("body", PAGES.values(), ids=PAGES)
def test_a_page_is_bounded_before_it_is_decoded(driver: type[SyncDriver], body: bytes) -> None:
    """Found becoming 5.9 GiB of Python from 64 KiB on the wire."""
    with RawServer(lambda seen: Response(200, body)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(RingEventsTransportError, match=r"has more than .* lower 'per_page'"):
                driver(server.url).items(LIST)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert len(server.requests) == 1, "the same page would come again"
    assert peak < 150 * MIB


def test_a_resource_is_bounded(driver: type[SyncDriver]) -> None:
    answer = json_response({"data": {"id": "e", "attributes": {"x": "y" * MIB}}})
    with (
        RawServer(lambda seen: answer) as server,
        pytest.raises(RingEventsTransportError, match="has more than 1048576 bytes"),
    ):
        driver(server.url).send(GET)


def test_large_pages_within_the_limits_are_read(driver: type[SyncDriver]) -> None:
    rows = [{"id": str(number), "attributes": {"x": "y" * 10_000}} for number in range(1_200)]
    answer = json_response({"data": rows, "meta": {"count": 1_200}})
    with RawServer(lambda seen: answer) as server:
        assert [row["id"] for row in driver(server.url, per_page=1_200).items(LIST)] == [row["id"] for row in rows]


def test_all_pages_that_are_held_are_bounded() -> None:
    """The first page is small, so that many are requested ahead; each of the others would be allowed by itself."""

    def handler(seen: Request) -> Response:
        number = int(seen.query["page"])
        if number > 20:
            return json_response({"data": [], "meta": {"count": 100}})
        if number > 1:
            # Once the client has read a page of this size, it requests no more of them ahead.
            server.wait_until(lambda: len(server.requests) > 8)
        text = "y" * 100_000 if number > 1 else "y"
        rows = [{"id": f"{number}-{n}", "attributes": {"x": text}} for n in range(100 if number > 1 else 1)]
        return json_response({"data": rows, "meta": {"count": 100}})

    def read_slowly(client: Client) -> None:
        for page in client.pages(LIST):
            # Those that are read ahead have to be kept meanwhile, until one is given up and its connection with it.
            if len(page.items) > 1:
                server.wait_until(lambda: server.open_connections < server.connections)

    with (
        RawServer(handler) as server,
        Client(server.url, KEY, policy=AT_ONCE, concurrency=16) as client,
        pytest.raises(RingEventsTransportError, match="lower 'per_page' or 'concurrency'"),
    ):
        read_slowly(client)


def test_large_pages_are_not_read_far_ahead() -> None:
    """Pages of 3 MiB: five are read ahead, whatever ``concurrency`` says, and none fails."""

    def handler(seen: Request) -> Response:
        number = int(seen.query["page"])
        rows = [{"id": f"{number}-{n}", "attributes": {"x": "y" * 10_000}} for n in range(300)]
        return json_response({"data": rows, "meta": {"count": 6_000}})

    with RawServer(handler) as server, Client(server.url, KEY, policy=AT_ONCE, concurrency=16) as client:
        count = sum(len(page.items) for page in client.pages(LIST, per_page=300))
        assert count == 6_000
        assert server.peak <= defaults.MAX_PAGES_BYTES // (2 * 3_000_000)


def test_a_large_page_leaves_the_event_loop_its_turns() -> None:
    """15 MiB of rows: no gap between two turns of another task has half the CPU of decoding them at once."""
    rows = [{"id": str(n), "attributes": {f"field{f}": f"value {n} {f}" for f in range(30)}} for n in range(19_000)]
    answer = json_response({"data": rows, "meta": {"count": len(rows)}})
    assert 10 * MIB < len(answer.body) < 16 * MIB
    began = time.thread_time()
    parse_response(LIST, 200, {}, answer.body, secret="secret")
    at_once = time.thread_time() - began
    turns: list[float] = []

    async def tick() -> None:
        while True:
            turns.append(time.thread_time())
            await asyncio.sleep(0)

    async def run() -> int:
        async with AsyncClient(server.url, KEY) as client:
            ticking = asyncio.create_task(tick())
            envelope = await client.send(LIST)
            ticking.cancel()
            return len(envelope["data"])

    gc.collect()
    gc.freeze()  # what other tests have left is not traversed on the loop's account
    try:
        with RawServer(lambda seen: answer) as server:
            assert asyncio.run(run()) == len(rows)
    finally:
        gc.unfreeze()
    assert max(later - earlier for earlier, later in pairwise(turns)) < at_once / 2


# --- numbers


NUMBERS = {
    "1e400": "1e400",
    "-1E+999": "-1E+999",
    "9" * 400: "9" * 400,
    "-" + "9" * 5_000: "-" + "9" * 5_000,
    "1.5": 1.5,
    "12345678901234567890": 12345678901234567890,
}


@pytest.mark.parametrize("emoji", ["", "\\ud83d\\ude00", "\\ud83d"], ids=["no emoji", "emoji", "half an emoji"])
@pytest.mark.parametrize(("written", "value"), NUMBERS.items(), ids=[text[:12] for text in NUMBERS])
def test_a_number_that_no_double_holds_is_its_text_never_null(
    driver: type[SyncDriver], written: str, value: Any, emoji: str
) -> None:
    body = f'{{"data": {{"id": "e", "attributes": {{"x": {written}, "y": "{emoji}"}}}}}}'.encode()
    with RawServer(lambda seen: Response(200, body)) as server:
        assert driver(server.url).send(GET)["data"]["attributes"]["x"] == value


def test_a_large_page_and_a_small_one_read_odd_values_alike(driver: type[SyncDriver]) -> None:
    row = b'{"id": "1", "attributes": {"x": 1e400, "\\ud83d": "\\ud83d", "\\ud83e": 1}}'
    filler = b",".join(b'{"id": "f%d", "attributes": {"x": "%b"}}' % (n, b"y" * 50_000) for n in range(30))
    found = []
    for body in (b'{"data": [' + row + b"]}", b'{"data": [' + row + b"," + filler + b"]}"):
        with RawServer(lambda seen, body=body: Response(200, body)) as server:
            found.append(driver(server.url).items(LIST)[0])
    assert found[0] == found[1] == {"id": "1", "x": "1e400", "\ufffd": "\ufffd", "\\ud83e": 1}


def test_no_depth_and_no_digits_raise_an_error_of_the_language() -> None:
    assert decode_json(b'"\\ud83d\\ude00"') == "😀"
    with pytest.raises(ValueError, match="JSON"):
        decode_json(b"NaN")


@pytest.mark.parametrize("count", [10_000_000, 10**15, 2**53 + 1])
def test_a_count_makes_no_room_for_ids_that_have_not_come(driver: type[SyncDriver], count: int) -> None:
    """Found making room for ten million ids at once."""
    body = json_response({"data": [{"id": "1", "attributes": {"name": "x"}}], "meta": {"count": count}})
    empty = json_response({"data": [], "meta": {"count": count}})
    with RawServer(lambda seen: body if seen.query["page"] == "1" else empty) as server:
        tracemalloc.start()
        try:
            found = driver(server.url, concurrency=1).items(LIST, on_incomplete="warn")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert [row["id"] for row in found] == ["1"]
    assert peak < 60 * MIB


# --- ids


BAD_IDS = ["", " ", "a b", "a/b", "a\\b", "a?b", "a#b", "a%2Fb", "a\nb", "a\u202eb", "x" * 256, ".."]


@pytest.mark.parametrize("id", BAD_IDS, ids=ascii)
def test_a_bad_id_in_the_answer_to_a_creating_request_is_ambiguous(driver: type[SyncDriver], id: str) -> None:
    with RawServer(lambda seen: json_response({"data": {"id": id, "attributes": {}}}, 201)) as server:
        envelope = driver(server.url).send(POST)
        with pytest.raises(RingEventsTransportError, match="unusable id") as caught:
            parse_resource(POST, envelope)
        assert len(server.requests) == 1
    assert caught.value.ambiguous
    assert not caught.value.retryable


def test_no_cookie_is_kept(driver: type[SyncDriver]) -> None:
    """Found keeping 183 MiB of cookies after 2,000 pages."""

    def handler(seen: Request) -> Response:
        return json_response({"data": {"id": "e"}}, Set_Cookie=f"c{seen.number}=x; Path=/")

    with RawServer(handler) as server:
        client = driver(server.url).client()
        if isinstance(client, Client):
            with client:
                for _ in range(3):
                    client.send(GET)
        else:

            async def run() -> None:
                async with client:
                    for _ in range(3):
                        await client.send(GET)

            asyncio.run(run())
        assert not any("cookie" in seen.headers for seen in server.requests)
