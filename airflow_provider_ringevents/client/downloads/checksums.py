"""Checksums that a server announces for a file, compared with the bytes that arrived.

Supported are ``Repr-Digest`` and ``Content-Digest`` (RFC 9530), ``Digest`` (RFC 3230), ``x-goog-hash`` and
``Content-MD5``, with SHA-256 or MD5. An ETag is not a checksum: it is an MD5 for some objects of some stores only, and
nothing tells which.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Final

from airflow_provider_ringevents.client.errors import RingEventsTransferError

_LISTS: Final = ("repr-digest", "content-digest", "digest", "x-goog-hash")
"""Headers whose value is ``algorithm=digest, ...``; the digest is between colons in the newer ones."""
_ALGORITHMS: Final = {"sha-256": ("sha256", 32), "md5": ("md5", 16)}
"""Name in headers -> name in hashlib, length in bytes; the stronger one first."""
_ITEM: Final = re.compile(r"\s*([\w-]+)\s*=\s*(:?)([A-Za-z0-9+/]+={0,2})\2\s*(?:;.*)?")


class Checksum:
    """A running digest over the bytes of one file, compared with an announced one at the end.

    :param header: the header that announced it, for messages.
    :param algorithm: a name that :mod:`hashlib` knows.
    :param expected: the announced digest.
    """

    def __init__(self, header: str, algorithm: str, expected: bytes) -> None:
        self._source = f"{header} ({algorithm})"
        self._expected = expected
        self._digest = hashlib.new(algorithm, usedforsecurity=False)

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Checksum | None:
        """Return the strongest readable checksum of a response that holds a whole file, None if there is none.

        :param headers: a case-insensitive mapping, or one with names in lower case.
        """
        for name, (algorithm, length) in _ALGORITHMS.items():
            for header, announced, value in _announced(headers):
                if announced == name and len(expected := _decoded(value)) == length:
                    return cls(header, algorithm, expected)
        return None

    def update(self, block: bytes) -> None:
        """Add the next bytes of the file."""
        self._digest.update(block)

    def verify(self, source: str) -> None:
        """Compare the digests, once all bytes were added.

        :param source: the sender, for the message.
        :raises RingEventsTransferError: they differ.
        """
        if self._digest.digest() != self._expected:
            raise RingEventsTransferError(
                f"{source} sent bytes that do not match its checksum: {self._source} announces"
                f" {self._expected.hex()}, the bytes have {self._digest.hexdigest()}"
            )


def _announced(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield header, algorithm and encoded digest of each announced checksum."""
    for header in _LISTS:
        for item in headers.get(header, "").split(","):
            if match := _ITEM.fullmatch(item):
                yield header, match[1].lower(), match[3]
    yield "content-md5", "md5", headers.get("content-md5", "").strip()


def _decoded(text: str) -> bytes:
    """Return the bytes of a base64 text; of an unreadable one nothing, as it says nothing about the file."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""
