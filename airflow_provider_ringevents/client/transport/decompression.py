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
"""The encodings requested where compression is welcome; a body in another one stays as it is."""
_WINDOWS: Final = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class DecompressionError(Exception):
    """A body is not in the encoding that its headers declare."""


class StreamingDecompressor:
    """A decompressor of one body, which passes through as it is with an unknown encoding or none.

    :param encoding: the Content-Encoding of the response.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding.strip().lower()
        self._compressed = self._encoding in _WINDOWS
        self._stream = zlib.decompressobj(_WINDOWS.get(self._encoding, zlib.MAX_WBITS))
        self._may_be_raw_deflate = self._encoding == "deflate"
        self._started = False

    @property
    def is_truncated(self) -> bool:
        """Return whether the bytes so far end in the middle of the compressed stream."""
        return self._started and not self._stream.eof

    def decompress(self, part: bytes) -> Iterator[bytes]:
        """Yield the content of the next bytes of the body, in pieces of at most ``defaults.CHUNK_BYTES``.

        :raises DecompressionError: they are not in the declared encoding.
        """
        if not self._compressed:
            yield part
            return
        self._started = self._started or bool(part)
        while True:
            piece = self._decompress_piece(part)
            if piece:
                yield piece
            part = self._stream.unconsumed_tail
            if not part and len(piece) < defaults.CHUNK_BYTES:
                return

    def _decompress_piece(self, part: bytes) -> bytes:
        try:
            piece = self._stream.decompress(part, defaults.CHUNK_BYTES)
        except zlib.error as error:
            if not self._may_be_raw_deflate:
                raise DecompressionError(f"the body is not valid {self._encoding}") from error
            # Some servers send a raw stream as "deflate", without the zlib header that RFC 9110 requires.
            self._stream, self._may_be_raw_deflate = zlib.decompressobj(-zlib.MAX_WBITS), False
            return self._decompress_piece(part)
        self._may_be_raw_deflate = False
        return piece
