"""Decompression of response bodies in pieces of bounded size.

The HTTP library decompresses all that it has read at once: half a megabyte that was compressed well becomes half a
gigabyte of memory before a limit can be checked.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from airflow_provider_ringevents.client import defaults

ACCEPT_ENCODING: Final = "gzip, deflate"
"""The encodings requested where compression is welcome."""
_WINDOWS: Final = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
_NO_ENCODING: Final = frozenset({"", "identity", "aws-chunked", "utf-8"})
"""Tokens that leave the body as it is: stores keep ``aws-chunked`` of an upload, and some services name a charset."""
_GZIP_MAGIC: Final = b"\x1f\x8b"
_MEMBER_SLICE: Final = 4096
"""Bytes fed at a time after the first member: zlib copies all that follows a member, so tiny ones would cost quadratic
time."""


class DecompressionError(Exception):
    """A body is not in the encoding that its headers declare, or in one that cannot be read."""


def parse_encoding(header: str) -> str:
    """Return the encoding of a body: ``gzip``, ``deflate``, or nothing.

    :param header: the Content-Encoding of the response.
    :raises DecompressionError: it cannot be read; the message names it, as the service sent it.
    """
    tokens = [token.strip().lower().removeprefix("x-") for token in header.split(",")]
    named = [token for token in tokens if token not in _NO_ENCODING]
    if not named:
        return ""
    if len(named) > 1 or named[0] not in _WINDOWS:
        raise DecompressionError(f"only gzip and deflate can be read, and the encoding is '{header}'")
    return named[0]


class StreamingDecompressor:
    """A decompressor of one body, which passes through as it is without an encoding.

    All members of a gzip body are read; anything else after its end is an error.

    :ivar encoding: ``gzip``, ``deflate``, or nothing.
    :param header: the Content-Encoding of the response.
    :raises DecompressionError: the encoding cannot be read.
    """

    def __init__(self, header: str) -> None:
        self.encoding = parse_encoding(header)
        self._stream = zlib.decompressobj(_WINDOWS.get(self.encoding, zlib.MAX_WBITS))
        self._may_be_raw_deflate = self.encoding == "deflate"
        self._started = False
        self._later_members = False

    @property
    def is_truncated(self) -> bool:
        """Return whether the bytes so far end in the middle of the compressed stream."""
        return self._started and not self._stream.eof

    def decompress(self, part: bytes) -> Iterator[bytes]:
        """Yield the content of the next bytes of the body, in pieces of at most ``defaults.CHUNK_BYTES``.

        :raises DecompressionError: they are not in the declared encoding.
        """
        if not self.encoding:
            yield part
            return
        self._started = self._started or bool(part)
        position = 0
        while position < len(part):
            size = _MEMBER_SLICE if self._later_members else len(part)
            yield from self._decompress_slice(part[position : position + size])
            position += size

    def _decompress_slice(self, rest: bytes) -> Iterator[bytes]:
        while rest:
            if self._stream.eof and not self._begin_member(rest):
                return
            while True:
                piece = self._decompress_piece(rest)
                if piece:
                    yield piece
                rest = self._stream.unconsumed_tail
                if not rest and len(piece) < defaults.CHUNK_BYTES:
                    break
            rest = self._stream.unused_data

    def _begin_member(self, rest: bytes) -> bool:
        """Prepare for the bytes after the end of a stream; return False for padding."""
        if self.encoding == "gzip" and not rest.strip(b"\0"):
            return False  # tar and tapes pad with zeros, as gzip itself accepts
        # A part may end between the two bytes of a member's mark.
        if self.encoding != "gzip" or rest[:2] not in (_GZIP_MAGIC, _GZIP_MAGIC[:1]):
            raise DecompressionError(f"the body goes on after the end of its {self.encoding} stream")
        self._stream = zlib.decompressobj(_WINDOWS["gzip"])
        self._later_members = True
        return True

    def _decompress_piece(self, part: bytes) -> bytes:
        try:
            piece = self._stream.decompress(part, defaults.CHUNK_BYTES)
        except zlib.error as error:
            if not self._may_be_raw_deflate:
                raise DecompressionError(f"the body is not valid {self.encoding}") from error
            # Some servers send a raw stream as "deflate", without the zlib header that RFC 9110 requires.
            self._stream, self._may_be_raw_deflate = zlib.decompressobj(-zlib.MAX_WBITS), False
            return self._decompress_piece(part)
        self._may_be_raw_deflate = False
        return piece
