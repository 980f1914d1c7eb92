"""What is in a report's file: known by its size, read from any place, never all in memory when it is large."""

from __future__ import annotations

import hashlib
import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import Final, Protocol

BLOCK: Final = 256 * 1024
"""Bytes that are read at once."""
_LINE: Final = 128
_STAMP: Final = 16


class FileContent(Protocol):
    """The bytes of a file."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` up to ``stop``, in pieces of at most :data:`BLOCK`."""


class SpooledContent:
    """A file that was written out once, in memory while it is small, else in a temporary file.

    :param pieces: the bytes, in order.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        # Read from the event loop and from tests' threads: a seek and its read belong together.
        self._lock = threading.Lock()
        self._file = tempfile.SpooledTemporaryFile(max_size=8 * 1024 * 1024)  # noqa: SIM115 - kept open to be read
        weakref.finalize(self, self._file.close)
        for piece in pieces:
            self._file.write(piece)
        self.size = self._file.tell()

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            with self._lock:
                self._file.seek(start)
                piece = self._file.read(min(BLOCK, stop - start))
            start += len(piece)
            yield piece


class SyntheticContent:
    """A CSV file of any given size, made from one block again and again; each copy has its own number in it.

    :param size: bytes; a file below about 512 is too short to be a CSV.
    :param label: some text that other files do not have.
    """

    def __init__(self, size: int, label: str) -> None:
        self.size = size
        columns = b"Block,Row,Name,Email,Report,"
        # The header takes up what whole rows leave over.
        spare = (size - len(columns) - 2) % _LINE
        self._header = (columns + b"x" * spare + b"\r\n")[:size]
        rows = []
        for row in range(BLOCK // _LINE):
            start = f"{0:0{_STAMP - 1}d},{row:05d},Person {row},person.{row}@example.org,{label},"
            rows.append(start.encode().ljust(_LINE - 2, b".")[: _LINE - 2] + b"\r\n")
        self._block = b"".join(rows)
        self._rest = memoryview(self._block)[_STAMP:]

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        if start < len(self._header):
            yield self._header[start:stop]
            start = len(self._header)
        offset = len(self._header)
        while start < stop:
            number, place = divmod(start - offset, BLOCK)
            block = b"".join((b"%015d," % number, self._rest))
            end = min(BLOCK, place + stop - start)
            piece = block if place == 0 and end == BLOCK else block[place:end]
            start += len(piece)
            yield piece


def digest(content: FileContent, algorithm: str) -> bytes:
    """A digest of all bytes, in constant memory; ``algorithm`` is a name that :mod:`hashlib` knows."""
    result = hashlib.new(algorithm)
    for piece in content.read(0, content.size):
        result.update(piece)
    return result.digest()
