"""A file whose bytes are not what its server says they are is no file."""

from __future__ import annotations

import gzip
import hashlib
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from client_drivers import SyncDriver
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import RawServer, Request, Response

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.downloads.checksums import Checksum
from airflow_provider_ringevents.client.downloads.state import DownloadRestartRequired
from airflow_provider_ringevents.client.errors import RingEventsTransferError

CALL = endpoints.download_report("r")
CONTENT = b"".join(b"%07d,some row of the report\n" % number for number in range(36_000))
ETAG = '"v1"'


def coded(algorithm: str, content: bytes = CONTENT) -> str:
    return b64encode(hashlib.new(algorithm, content).digest()).decode()


MD5, SHA256 = coded("md5"), coded("sha256")
HEADERS = {
    "Content-MD5": {"Content-MD5": MD5},
    "Repr-Digest": {"Repr-Digest": f"sha-256=:{SHA256}:"},
    "Repr-Digest, two of them": {"Repr-Digest": f"sha-512=:AAAA:, sha-256=:{SHA256}:"},
    "Content-Digest": {"Content-Digest": f"md5=:{MD5}:"},
    "Digest": {"Digest": f"SHA-256={SHA256}"},
    "Digest in small letters": {"digest": f"unixsum=30637, md5={MD5}"},
    "x-goog-hash": {"x-goog-hash": f"crc32c=n03x6A==,md5={MD5}"},
    "x-goog-hash, a header each": [("x-goog-hash", "crc32c=n03x6A=="), ("x-goog-hash", f"md5={MD5}")],
}


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


class Store:
    """Gives a file in several answers.

    :param cuts: bytes after which each answer in turn is cut; then it goes on to the end.
    :param sent: the bytes that are really sent.
    """

    def __init__(
        self, headers: Any, sent: bytes = CONTENT, cuts: tuple[int, ...] = (), framing: str = "length"
    ) -> None:
        self.headers = [*headers.items()] if isinstance(headers, dict) else headers
        self.sent = sent
        self.cuts = list(cuts)
        self.framing = framing

    def __call__(self, seen: Request) -> Response:
        headers = [("Content-Type", "text/csv"), ("ETag", ETAG), *self.headers]
        start = int(seen.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        status = 206 if start else 200
        if start:
            headers.append(("Content-Range", f"bytes {start}-{len(self.sent) - 1}/{len(self.sent)}"))
        cut = self.cuts.pop(0) if self.cuts else None
        return Response(status, self.sent[start:], headers, cut=cut, framing=self.framing)


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("cuts", [(), (300_000, 200_000)], ids=["whole", "resumed twice"])
def test_a_byte_that_was_flipped_is_seen_by_the_checksum(
    driver: type[SyncDriver], headers: Any, cuts: tuple[int, ...]
) -> None:
    for sent in (CONTENT, flipped(CONTENT, 10), flipped(CONTENT, len(CONTENT) - 10)):
        with RawServer(Store(headers, sent, cuts)) as server:
            if sent == CONTENT:
                assert driver(server.url).download(CALL).content == CONTENT
            else:
                with pytest.raises(
                    RingEventsTransferError, match=r"127\.0\.0\.1 sent bytes that do not match its checksum"
                ):
                    driver(server.url).download(CALL)
            assert len(server.requests) == 1 + len(cuts), "another request would bring the same bytes"


def test_what_the_checksum_says_is_in_the_message_and_the_task_may_be_tried_again(driver: type[SyncDriver]) -> None:
    sent = flipped(CONTENT, 7)
    with RawServer(Store(HEADERS["Repr-Digest"], sent)) as server, pytest.raises(RingEventsTransferError) as caught:
        driver(server.url).download(CALL)
    for content in (CONTENT, sent):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert "repr-digest (sha256)" in str(caught.value)
    assert caught.value.retryable
    assert not isinstance(caught.value, DownloadRestartRequired)


def test_a_checksum_verifies_a_file_whose_length_is_not_said(driver: type[SyncDriver]) -> None:
    with RawServer(Store(HEADERS["Content-MD5"], framing="close")) as server:
        assert driver(server.url).download(CALL).state.verified
    with (
        RawServer(Store(HEADERS["Content-MD5"], framing="close", cuts=(400_000,))) as server,
        pytest.raises(RingEventsTransferError, match="checksum"),
    ):
        driver(server.url).download(CALL)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ETag": f'"{hashlib.md5(CONTENT).hexdigest()}"'},
        {"Content-MD5": "not base64!"},
        {"Content-MD5": "AAAA"},
        {"Content-MD5": hashlib.md5(b"hex is not what the header holds").hexdigest()},
        {"Repr-Digest": "sha-512=:AAAA:"},
        {"Digest": "sha-256"},
        {"x-goog-hash": "crc32c=AAAAAA=="},
        {"x-goog-hash": "=,==,;"},
    ],
    ids=str,
)
def test_what_is_no_checksum_is_not_taken_for_one(driver: type[SyncDriver], headers: dict[str, str]) -> None:
    sent = flipped(CONTENT, 5)
    with RawServer(Store(headers, sent)) as server:
        assert driver(server.url).download(CALL).content == sent


def test_the_stronger_of_two_is_compared(driver: type[SyncDriver]) -> None:
    headers = {"Content-MD5": coded("md5", b"another file"), "Repr-Digest": f"sha-256=:{SHA256}:"}
    with RawServer(Store(headers)) as server:
        assert driver(server.url).download(CALL).content == CONTENT


def test_a_part_s_own_checksum_is_not_the_file_s(driver: type[SyncDriver]) -> None:
    """Stores say the Content-MD5 of what an answer holds: of a range, of the range."""
    store = Store({}, cuts=(300_000,))

    def handler(seen: Request) -> Response:
        answer = store(seen)
        headers = [*answer.headers, ("Content-MD5", coded("md5", answer.body))]
        return replace(answer, headers=headers)

    with RawServer(handler) as server:
        assert driver(server.url).download(CALL).content == CONTENT
        assert len(server.requests) == 2


def test_a_compressed_file_is_not_compared(driver: type[SyncDriver]) -> None:
    packed = gzip.compress(CONTENT)
    headers = {"Content-Type": "text/csv", "Content-Encoding": "gzip", "Content-MD5": MD5}
    with RawServer(lambda seen: Response(200, packed, headers)) as server:
        assert driver(server.url).download(CALL).content == CONTENT


@given(st.dictionaries(st.sampled_from(["repr-digest", "digest", "x-goog-hash", "content-md5"]), st.text(max_size=60)))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_header_is_a_checksum_or_none(headers: dict[str, str]) -> None:
    assert isinstance(Checksum.from_headers(headers), Checksum | None)


@given(st.lists(st.binary(max_size=50), max_size=5), st.sampled_from(["md5", "sha-256"]))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_blocks_in_order_are_the_file(blocks: list[bytes], algorithm: str) -> None:
    content = b"".join(blocks)
    checksum = Checksum.from_headers({"digest": f"{algorithm}={coded(algorithm.replace('-', ''), content)}"})
    assert checksum is not None
    for block in blocks:
        checksum.update(block)
    checksum.verify("here")
    checksum.update(b"x")
    with pytest.raises(RingEventsTransferError, match="here sent bytes that do not match"):
        checksum.verify("here")
