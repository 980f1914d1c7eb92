"""The stream into one object: counted, hashed, and written by a thread of its own.

Receiving overlaps with hashing and writing: both release the interpreter, and the upload of one block no longer stops
the download of the next. On two cores a download takes a seventh less time to a local file, a third less to S3.
"""

from __future__ import annotations

import contextlib
import hashlib
import queue
import sys
import threading
from typing import Protocol

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.storage.errors import transfer_error

BATCH_BYTES = 256 * 2**10
"""Bytes of one queue entry: smaller writes are gathered, larger ones split."""

STOP_TIMEOUT = 10.0
"""Seconds that a failed transfer waits for the write in progress, so that a dead server cannot block the task."""


class Sink(Protocol):
    """The unpublished bytes of one object.

    :ivar queue_bytes: how many bytes may wait for the sink: enough to bridge its pauses, with the bytes that it holds
        itself small against the promised memory.
    """

    queue_bytes: int

    def open(self) -> None:
        """Remove the remains of a killed try and prepare for writing."""

    def write(self, data: bytes | bytearray) -> None:
        """Write all of ``data``."""

    def commit(self) -> None:
        """Publish everything that was written as the object, at once."""

    def discard(self) -> None:
        """Throw away everything that was written; the destination stays as it is. Allowed in any state but committed.

        During interpreter shutdown, a sink that needs other threads only ensures that nothing more is sent.
        """

    def size(self) -> int | None:
        """Return the size in bytes that the store reports for the object, or None where it reports none."""


class ObjectWriter:
    """The writer of one object. Made by ``Destination.publish``, used by one thread at a time.

    :ivar bytes: how many bytes were written so far.
    """

    def __init__(self, sink: Sink, uri: str, expected_size: int | None) -> None:
        self.bytes = 0
        self._sink = sink
        self._uri = uri
        self._expected_size = expected_size
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        # One more entry is in the hands of the thread.
        self._queue: queue.Queue[bytes | bytearray | None] = queue.Queue(max(1, sink.queue_bytes // BATCH_BYTES - 1))
        self._closed = False
        self._aborted = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="ringevents-writer", daemon=True)
        self._thread.start()

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data`` to the object.

        :param data: bytes, or a view of bytes; the buffer behind it may be reused afterwards.
        :raises RingEventsTransferError: the store rejected this write or an earlier one, or more bytes come than
            expected.
        """
        if self._closed:
            raise ValueError("The object is published or discarded: nothing can be written to it any more.")
        size = len(data) if isinstance(data, bytes) else data.nbytes
        if self._expected_size is not None and self.bytes + size > self._expected_size:
            raise self._wrong_size(f"more than {self._expected_size} bytes came")
        if size < BATCH_BYTES:
            self._buffer += data
            if len(self._buffer) >= BATCH_BYTES:
                self._flush_buffer()
        else:
            self._flush_buffer()
            # A block of the usual size goes through as it is: splitting it would copy it.
            step = size if size < 2 * BATCH_BYTES else BATCH_BYTES
            for start in range(0, size, step):
                self._enqueue(bytes(data[start : start + step]))
        self.bytes += size

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of all bytes written so far, in hexadecimal digits."""
        self._flush_buffer()
        if not self._closed:
            self._queue.join()
        return self._digest.hexdigest()

    def finish(self) -> None:
        """Wait until the sink has taken everything, and end the thread.

        :raises RingEventsTransferError: the sink failed, or the size is not the expected one.
        """
        self._flush_buffer()
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._raise_error()
        if self._expected_size is not None and self.bytes != self._expected_size:
            raise self._wrong_size(f"{self.bytes} bytes came instead of {self._expected_size}")

    def abort(self) -> None:
        """End the thread without writing the queued bytes. Never raises; returns after at most 10 seconds."""
        self._closed = self._aborted = True
        # With the queue empty and no other producer, the end marker always finds room.
        with contextlib.suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
                self._queue.task_done()
        self._queue.put_nowait(None)
        if not sys.is_finalizing():  # daemon threads are frozen then
            self._thread.join(STOP_TIMEOUT)

    def _flush_buffer(self) -> None:
        if self._buffer and not self._closed:
            data, self._buffer = self._buffer, bytearray()
            self._enqueue(data)

    def _enqueue(self, data: bytes | bytearray) -> None:
        self._raise_error()
        self._queue.put(data)
        self._raise_error()

    def _work(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                # After an error the queue is only emptied, so that the producer never blocks on it.
                if self._error is None and not self._aborted:
                    self._digest.update(data)
                    self._sink.write(data)
            except BaseException as e:  # whatever it is, it belongs to the producing thread
                self._error = e
            finally:
                self._queue.task_done()

    def _raise_error(self) -> None:
        if isinstance(self._error, RingEventsTransferError):
            raise self._error
        if self._error is not None:
            raise transfer_error(f"Writing to {self._uri}", self._error, state="Nothing was published.")

    def _wrong_size(self, problem: str) -> RingEventsTransferError:
        return RingEventsTransferError(f"The data for {self._uri} is incomplete: {problem}. Nothing was published.")
