"""The promises of publishing, the same for every store."""

# ruff: noqa: PT012, SIM117 - what happens before the error is what these tests are about

from __future__ import annotations

import random
from typing import Any

import pytest
from storage.stores import Store, destination, payload, sha256

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.storage import Destination, ObjectExistsError
from airflow_provider_ringevents.storage.sinks.staged import BLOCK_BYTES

BIG = 3 * BLOCK_BYTES + 7
"""More than the block of any store, so that part of it has left this process before the end."""

AWKWARD_KEYS = [
    "with space.csv",
    "Ünïcødé-報告-🎟.csv",
    "hash#tag.csv",
    "what?.csv",
    "100%.csv",
    "percent%41%2F.csv",
    "plus+and&equals=.csv",
    "star*[a-z]?{x}.csv",
    "quote'\".csv",
    "colon:semi;comma,.csv",
    "a@b.csv",
    ".hidden",
    "-dash",
    "~tilde",
    "n" * 250,
]


class Stopped(BaseException):
    """As Airflow's own timeout: no Exception."""


@pytest.mark.parametrize("size", [0, 1, 300_000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, BIG])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_written_is_published(store: Store, size: int, known: bool) -> None:
    data = payload(size)
    with destination(store).publish(size if known else None) as writer:
        writer.write(data)
    assert (writer.bytes, writer.sha256) == (size, sha256(data))
    assert store.read("report.csv") == data
    assert store.left_behind() == []


def test_chunks_of_any_size_arrive_in_order(store: Store) -> None:
    data = payload(BIG)
    sizes = random.Random(7)
    with destination(store).publish() as writer:
        start = 0
        while start < len(data):
            end = start + sizes.choice([0, 1, 200, 65_536, 262_144, 1_000_000, BLOCK_BYTES + 1])
            chunk = data[start:end]
            writer.write(memoryview(chunk) if sizes.random() < 0.5 else chunk)
            start = end
            assert writer.bytes == min(start, len(data))
    assert store.read("report.csv") == data
    assert writer.sha256 == sha256(data)


def test_a_buffer_may_be_reused_after_a_write(store: Store) -> None:
    buffer = bytearray(400_000)
    with destination(store).publish() as writer:
        for value in range(20):
            buffer[:] = bytes([value]) * len(buffer)
            writer.write(memoryview(buffer))
    assert store.read("report.csv") == b"".join(bytes([value]) * len(buffer) for value in range(20))


def test_nothing_is_there_before_the_end(store: Store) -> None:
    with destination(store).publish() as writer:
        writer.write(payload(BIG))
        assert writer.sha256 == sha256(payload(BIG))  # waits until the store has taken all of it
        assert store.read("report.csv") is None
    assert store.read("report.csv") == payload(BIG)


@pytest.mark.parametrize("size", [10, BIG])
@pytest.mark.parametrize("wait", [True, False], ids=["when the store has it all", "while it is being written"])
@pytest.mark.parametrize("before", [None, b"what was there"])
@pytest.mark.parametrize("error", [ValueError("cut"), Stopped()])
def test_any_exception_leaves_what_was_there(
    store: Store, size: int, wait: bool, before: bytes | None, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    if before is not None:
        store.put("report.csv", before)
    with pytest.raises(type(error)) as caught, destination(store).publish() as writer:
        writer.write(payload(size))
        if wait:
            _ = writer.sha256
        raise error
    assert caught.value is error
    assert store.read("report.csv") == before
    assert store.left_behind() == []
    assert "Could not clean up" not in caplog.text


def test_an_object_is_replaced_by_a_smaller_one(store: Store) -> None:
    store.put("report.csv", payload(BIG))
    with destination(store).publish() as writer:
        writer.write(b"new")
    assert store.read("report.csv") == b"new"


def test_too_few_bytes_are_not_published(store: Store) -> None:
    store.put("report.csv", b"old")
    with pytest.raises(RingEventsTransferError, match=r"9 bytes came instead of 10.*Nothing was published"):
        with destination(store).publish(10) as writer:
            writer.write(b"123456789")
    assert store.read("report.csv") == b"old"
    assert store.left_behind() == []


def test_too_many_bytes_are_refused_at_once(store: Store) -> None:
    store.put("report.csv", b"old")
    with pytest.raises(RingEventsTransferError, match="more than 10 bytes came"):
        with destination(store).publish(10) as writer:
            writer.write(b"12345678901")
            pytest.fail("went on")
    assert store.read("report.csv") == b"old"


def test_a_writer_ends_with_its_block(store: Store) -> None:
    with destination(store).publish() as writer:
        writer.write(b"x")
    with pytest.raises(ValueError, match="published or discarded"):
        writer.write(b"y")
    assert store.read("report.csv") == b"x"


def test_a_failed_attempt_can_be_followed_by_another(store: Store) -> None:
    place = destination(store)
    with pytest.raises(ZeroDivisionError), place.publish() as writer:
        writer.write(payload(BIG))
        raise ZeroDivisionError
    with place.publish() as writer:
        writer.write(b"second")
    assert store.read("report.csv") == b"second"


@pytest.mark.parametrize("key", AWKWARD_KEYS)
def test_awkward_keys_are_taken_literally(store: Store, key: str) -> None:
    place = destination(store, key)
    neighbour = "star-other.csv"
    store.put(neighbour, b"untouched")
    with place.publish() as writer:
        writer.write(b"content")
    assert store.read(key) == b"content"
    assert place.exists()
    with pytest.raises(ZeroDivisionError), place.publish() as writer:
        writer.write(b"other")
        raise ZeroDivisionError
    assert store.read(key) == b"content"
    assert store.read(neighbour) == b"untouched"
    assert store.left_behind() == [] if key != ".hidden" else True


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_an_object_that_appeared_during_the_transfer_is_kept(store: Store, if_exists: Any) -> None:
    with pytest.raises(ObjectExistsError, match="Nothing was changed"):
        with destination(store).publish(if_exists=if_exists) as writer:
            writer.write(payload(BIG))
            store.put("report.csv", b"somebody else's")
    assert store.read("report.csv") == b"somebody else's"
    assert store.left_behind() == []


def test_exists_asks_the_store(store: Store) -> None:
    place = destination(store)
    assert not place.exists()
    store.put("report.csv", b"from elsewhere")
    assert place.exists()


def test_a_folder_is_not_an_object(store: Store) -> None:
    with destination(store, "folder.d/report.csv").publish() as writer:
        writer.write(b"x")
    assert not destination(store, "folder.d").exists()
    assert store.read("folder.d/report.csv") == b"x"


def test_children_of_a_prefix(store: Store) -> None:
    prefix = destination(store, "exports/")
    assert prefix.is_prefix
    child = prefix.child("Über #1?.csv")
    assert not child.is_prefix
    assert child.uri == prefix.uri + "Über #1?.csv"
    with child.publish() as writer:
        writer.write(b"x")
    assert store.read("exports/Über #1?.csv") == b"x"
    assert destination(store, "exports/Über #1?.csv") == child


@pytest.mark.parametrize("name", ["", "a/b", "/"])
def test_a_child_is_one_name(store: Store, name: str) -> None:
    with pytest.raises(RingEventsConfigError, match="must be a folder"):
        destination(store, "exports/").child(name)


def test_a_prefix_holds_no_bytes(store: Store) -> None:
    prefix = destination(store, "exports/")
    for act in (prefix.exists, prefix.publish):
        with pytest.raises(RingEventsConfigError, match="It names a folder"):
            act()
    with pytest.raises(RingEventsConfigError, match="must be a folder"):
        destination(store).child("report.csv")


def test_the_uri_names_no_connection(store: Store) -> None:
    uri = destination(store).uri
    assert "@" not in uri
    assert uri.endswith("/report.csv")
    if store.prefix.startswith("file"):
        assert Destination.resolve(uri.removeprefix("file://")) == destination(store)
