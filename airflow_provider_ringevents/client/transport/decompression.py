"""Compressed answers -> bytes, in pieces of bounded size. Pure.

The HTTP library unpacks all that it has read at once: half a megabyte that was packed well becomes half a gigabyte of
memory before anybody can look at a limit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from airflow_provider_ringevents.client import defaults

ACCEPT_ENCODING: Final = "gzip, deflate"
"""What is asked for where compression is welcome; whatever else comes stays packed."""
_WINDOWS: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class DecompressionError(Exception):
    """A body is not in the encoding that its head says."""


class StreamingDecompressor:
    """Unpacks one body; gives it through as it is where it has an encoding that is not known, or none.

    :param encoding: the answer's Content-Encoding.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        self._packed = self._encoding in _WINDOWS
        self._stream = zlib.decompressobj(_WINDOWS.get(self._encoding, zlib.MAX_WBITS))
        self._may_be_bare = self._encoding == "deflate"
        self._begun = False

    @property
    def cut(self) -> bool:
        """What has come ends in the middle of its compression."""
        return self._begun and not self._stream.eof

    def pieces(self, part: bytes) -> Iterator[bytes]:
        """What the next bytes of the body hold, in pieces of ``defaults.CHUNK_BYTES`` at most if they are packed.

        :raises UnpackingError: they are not packed as was said.
        """
        if not self._packed:
            yield part
            return
        self._begun = self._begun or bool(part)
        while True:
            piece = self._unpacked(part)
            if piece:
                yield piece
            part = self._stream.unconsumed_tail
            if not part and len(piece) < defaults.CHUNK_BYTES:
                return

    def _unpacked(self, part: bytes) -> bytes:
        try:
            piece = self._stream.decompress(part, defaults.CHUNK_BYTES)
        except zlib.error as error:
            if not self._may_be_bare:
                raise DecompressionError(f"the body is no {self._encoding}") from error
            # Some servers take "deflate" for the bare stream, without the head that RFC 9110 wants.
            self._stream, self._may_be_bare = zlib.decompressobj(-zlib.MAX_WBITS), False
            return self._unpacked(part)
        self._may_be_bare = False
        return piece
