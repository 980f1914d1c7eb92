"""The thread behind a writer: errors of the sink, and how much may wait for it."""

# ruff: noqa: PT012 - what happens before the error is what these tests are about

from __future__ import annotations

import threading
import time

import pytest

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage import writer as writer_module
from airflow_provider_ringevents.storage.writer import BATCH_BYTES, ObjectWriter

CHUNK = bytes(BATCH_BYTES)
QUEUE_BYTES = 4 * 2**20


class _Sink:
    """Takes bytes when it is let, and fails when it is told."""

    queue_bytes = QUEUE_BYTES

    def __init__(self) -> None:
        self.let = threading.Event()
        self.error: BaseException | None = None
        self.taken: list[int] = []

    def open(self) -> None: ...

    def commit(self) -> None: ...

    def discard(self) -> None: ...

    def size(self) -> int:
        return sum(self.taken)

    def write(self, data: bytes | bytearray) -> None:
        assert self.let.wait(30)
        if self.error is not None:
            raise self.error
        self.taken.append(len(data))


def test_small_writes_reach_the_sink_in_batches() -> None:
    sink = _Sink()
    sink.let.set()
    writer = ObjectWriter(sink, "s3://b/k", None)
    for _ in range(10_000):
        writer.write(b"x" * 100)
    writer.finish()
    assert sum(sink.taken) == writer.bytes == 1_000_000
    assert len(sink.taken) == 4


def test_no_more_than_the_queue_waits_for_a_slow_store() -> None:
    sink = _Sink()
    writer = ObjectWriter(sink, "s3://b/k", None)
    receiving = threading.Thread(target=lambda: [writer.write(CHUNK) for _ in range(100)])
    receiving.start()
    deadline = time.monotonic() + 30
    while writer.bytes < QUEUE_BYTES and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # it would go on now if it did not wait
    assert writer.bytes == QUEUE_BYTES
    sink.let.set()
    receiving.join()
    writer.finish()
    assert sum(sink.taken) == 100 * BATCH_BYTES


def test_one_write_may_be_larger_than_the_queue() -> None:
    sink = _Sink()
    sink.let.set()
    writer = ObjectWriter(sink, "s3://b/k", None)
    writer.write(CHUNK)
    writer.write(bytes(3 * QUEUE_BYTES))
    writer.finish()
    assert sum(sink.taken) == writer.bytes


def test_an_error_of_the_store_comes_with_a_later_write_and_with_every_one_after() -> None:
    sink = _Sink()
    sink.error = OSError(28, "No space left on device")
    writer = ObjectWriter(sink, "s3://b/k", None)
    sink.let.set()
    with pytest.raises(RingEventsTransferError, match=r"Writing to s3://b/k failed.*No space.*Free some space"):
        for _ in range(100):
            writer.write(CHUNK)
    for act in (lambda: writer.write(CHUNK), writer.finish):
        with pytest.raises(RingEventsTransferError) as caught:
            act()
        assert caught.value.__cause__ is sink.error
    writer.abort()


def test_an_error_that_comes_while_the_writer_waits_ends_the_wait() -> None:
    sink = _Sink()
    sink.error = ConnectionResetError("peer")
    writer = ObjectWriter(sink, "s3://b/k", None)
    threading.Timer(0.2, sink.let.set).start()
    with pytest.raises(RingEventsTransferError, match="ConnectionResetError: peer"):
        for _ in range(100):
            writer.write(CHUNK)


def test_abandoning_does_not_wait_for_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "STOP_TIMEOUT", 0.05)
    sink = _Sink()
    writer = ObjectWriter(sink, "s3://b/k", None)
    writer.write(CHUNK)
    writer.write(CHUNK)
    writer.abort()
    sink.let.set()
    writer._thread.join()
    assert len(sink.taken) <= 1  # what was under way, and nothing that waited
