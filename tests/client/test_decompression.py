"""Compressed answers: bounded, and whole or an error."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
import zlib
from typing import Any

import pytest
from client_drivers import SyncDriver
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import RawServer, Response

from airflow_provider_ringevents.client import defaults, endpoints
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsTransferError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.transport.decompression import DecompressionError, StreamingDecompressor

GET = endpoints.get_event("e")
FILE = endpoints.download_report("r")
CONTENT = b"".join(b"%07d,some row of the report\n" % number for number in range(100_000))


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "deflate": zlib.compress,
    "deflate ": bare,
    "identity": bytes,
    "aws-chunked": bytes,
    "UTF-8": bytes,
    "aws-chunked, gzip": gzip.compress,
    "": bytes,
}


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """300 MB of blanks, in 300 KB."""
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    return b"".join([*(packer.compress(b" " * 1_000_000) for _ in range(300)), packer.flush()])


@pytest.mark.parametrize("what", ["an error page", "a success"])
def test_an_answer_that_unpacks_to_hundreds_of_megabytes_does_not_fill_memory(
    driver: type[SyncDriver], bomb: bytes, what: str
) -> None:
    status = 500 if what == "an error page" else 200
    wanted = RingEventsApiError if status == 500 else RingEventsTransportError
    with RawServer(lambda seen: Response(status, bomb, {"Content-Encoding": "gzip"})) as server:
        tracemalloc.start()
        try:
            with pytest.raises(wanted):
                driver(server.url, max_attempts=1).send(GET)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 30_000_000


def test_a_file_that_unpacks_to_hundreds_of_megabytes_comes_in_blocks(driver: type[SyncDriver], bomb: bytes) -> None:
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/csv"}
    blocks: Any = Sizes()
    with RawServer(lambda seen: Response(200, bomb, headers)) as server:
        driver(server.url).download(FILE, into=blocks)
    assert sum(blocks.sizes) == 300_000_000
    assert max(blocks.sizes) <= 2 * defaults.CHUNK_BYTES


class Sizes(list[bytes]):
    """Counts what is put in, and forgets it."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def append(self, block: bytes) -> None:
        self.sizes.append(len(block))

    def extend(self, blocks: Any) -> None:
        for block in blocks:
            self.append(block)


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_answers_and_files_in_every_known_encoding(driver: type[SyncDriver], encoding: str, framing: str) -> None:
    body = json.dumps({"data": {"id": "e", "attributes": {"text": "x" * 300_000}}}).encode()
    headers = {"Content-Type": "text/csv", **({"Content-Encoding": encoding} if encoding else {})}
    with RawServer(lambda seen: Response(200, PACKED[encoding](body), headers, framing=framing)) as server:
        assert driver(server.url).send(GET)["data"]["id"] == "e"
        assert driver(server.url).download(FILE).content == body
        assert {seen.headers["accept-encoding"] for seen in server.requests} <= {"gzip, deflate", "identity"}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_a_compressed_file_that_ends_in_the_middle_is_no_file(
    driver: type[SyncDriver], encoding: str, framing: str
) -> None:
    part = PACKED[encoding](CONTENT)[:-1000]
    headers = {"Content-Encoding": encoding, "Content-Type": "text/csv"}
    with (
        RawServer(lambda seen: Response(200, part, headers, framing=framing)) as server,
        pytest.raises(RingEventsTransferError, match="compressed file that ends in the middle"),
    ):
        driver(server.url).download(FILE)


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}")[:5] + b"\xff" * 50], ids=["none", "broken"])
def test_what_is_not_compressed_as_it_says_is_an_error_of_ours(driver: type[SyncDriver], body: bytes) -> None:
    with RawServer(lambda seen: Response(200, body, {"Content-Encoding": "gzip"})) as server:
        with pytest.raises(RingEventsTransportError, match=r"no complete response arrived|not valid JSON"):
            driver(server.url, max_attempts=2).send(GET)
        assert len(server.requests) == 2


@given(
    st.binary(max_size=5_000).map(lambda data: data * 50),
    st.sampled_from(["gzip", "deflate"]),
    st.integers(1, 400),
)
@settings(derandomize=True, max_examples=100, deadline=None)
def test_whatever_the_parts_the_whole_is_the_same(content: bytes, encoding: str, size: int) -> None:
    packed = PACKED[encoding](content)
    unpacker = StreamingDecompressor(encoding)
    parts = [packed[start : start + size] for start in range(0, len(packed), size)]
    pieces = [piece for part in parts for piece in unpacker.decompress(part)]
    assert b"".join(pieces) == content
    assert not unpacker.is_truncated


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["gzip", "deflate", "br", ""]))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_any_bytes_are_unpacked_or_refused(data: bytes, encoding: str) -> None:
    try:
        pieces = [*StreamingDecompressor(encoding).decompress(data)]
    except DecompressionError:
        assert encoding
    else:
        assert encoding in ("gzip", "deflate") or (not encoding and pieces == [data])


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("padding", [b"", b"\0" * 700])
def test_all_members_of_a_gzip_body_are_read(driver: type[SyncDriver], framing: str, padding: bytes) -> None:
    body = json.dumps({"data": {"id": "e", "attributes": {"text": "x" * 30_000}}}).encode()
    packed = b"".join(gzip.compress(body[start : start + 700]) for start in range(0, len(body), 700)) + padding
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
    with RawServer(lambda seen: Response(200, packed, headers, framing=framing)) as server:
        assert driver(server.url).send(GET)["data"]["id"] == "e"
        assert driver(server.url).download(FILE).content == body


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bytes_after_the_end_of_a_compressed_body_are_an_error(driver: type[SyncDriver], encoding: str) -> None:
    headers = {"Content-Type": "text/csv", "Content-Encoding": encoding}
    body = PACKED[encoding](b'{"data": {"id": "e"}}') + b"and more"
    with RawServer(lambda seen: Response(200, body, headers)) as server:
        with pytest.raises(RingEventsTransportError, match=f"goes on after the end of its {encoding} stream"):
            driver(server.url, max_attempts=1).send(GET)
        with pytest.raises((RingEventsTransferError, RingEventsTransportError)):
            driver(server.url, max_attempts=1).download(FILE)


def test_an_encoding_that_cannot_be_read_is_named(driver: type[SyncDriver]) -> None:
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip, br"}
    with RawServer(lambda seen: Response(200, b"x", headers)) as server:
        with pytest.raises(RingEventsTransportError, match="the encoding is 'gzip, br'"):
            driver(server.url, max_attempts=1).send(GET)
        with pytest.raises(RingEventsTransferError, match="the encoding is 'gzip, br'"):
            driver(server.url, max_attempts=1).download(FILE)


def test_an_error_in_an_encoding_that_cannot_be_read_keeps_its_status(driver: type[SyncDriver]) -> None:
    with (
        RawServer(lambda seen: Response(404, b"x", {"Content-Encoding": "br"})) as server,
        pytest.raises(RingEventsApiError) as caught,
    ):
        driver(server.url, max_attempts=1).send(GET)
    assert caught.value.status == 404


@pytest.mark.parametrize("after", ["garbage", "empty members", "zeros"])
def test_what_follows_a_gzip_stream_is_bounded_in_bytes_and_in_time(driver: type[SyncDriver], after: str) -> None:
    """Found costing 39 s of CPU for 200 MiB: what followed the end was collected, and copied for each part."""
    filler = {"garbage": b"g" * 65_536, "empty members": gzip.compress(b"") * 3_000, "zeros": bytes(65_536)}[after]
    first = gzip.compress(b'{"data": []}')
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + first
    answer = Response(200, raw=head + filler * (200 * 2**20 // len(filler)), ends=True)
    with RawServer(lambda seen: answer) as server:
        began = time.process_time()
        with pytest.raises(RingEventsTransportError):
            driver(server.url, max_attempts=1).send(endpoints.list_events("o"))
        spent = time.process_time() - began
    assert spent < 10
