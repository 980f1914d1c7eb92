"""What a server says that the bytes of a file are, compared with what came. Pure.

Known are ``Repr-Digest`` and ``Content-Digest`` (RFC 9530), ``Digest`` (RFC 3230), ``x-goog-hash`` and
``Content-MD5``, with SHA-256 or MD5. An ETag is none: it is an MD5 for some objects of some stores, and cannot be told
from one that is not.
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
"""What they are called in headers, by hashlib, and their bytes; the stronger first."""
_ITEM: Final = re.compile(r"\s*([\w-]+)\s*=\s*(:?)([A-Za-z0-9+/]+={0,2})\2\s*(?:;.*)?")


class Checksum:
    """Takes the bytes of one file in the order in which they come, and compares in the end.

    :param header: who said so, for messages.
    :param algorithm: a name that :mod:`hashlib` knows.
    :param expected: the digest.
    """

    def __init__(self, header: str, algorithm: str, expected: bytes) -> None:
        self._said = f"{header} ({algorithm})"
        self._expected = expected
        self._digest = hashlib.new(algorithm, usedforsecurity=False)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Checksum | None:
        """The strongest checksum in the head of an answer that holds a whole file; None if there is none to be read.

        :param headers: names in any case if the mapping does not mind, else in lower case.
        """
        for named, (algorithm, length) in _ALGORITHMS.items():
            for header, said, value in _said(headers):
                if said == named and len(expected := _decoded(value)) == length:
                    return cls(header, algorithm, expected)
        return None

    def take(self, block: bytes) -> None:
        """Add the next bytes of the file."""
        self._digest.update(block)

    def check(self, place: str) -> None:
        """Compare, once all bytes were taken.

        :param place: who sent them, for the message.
        :raises RingEventsTransferError: they are not what was said.
        """
        if self._digest.digest() != self._expected:
            raise RingEventsTransferError(
                f"{place} sent other bytes than its checksum says: by {self._said} they should be"
                f" {self._expected.hex()}, and are {self._digest.hexdigest()}"
            )


def _said(headers: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Header, algorithm and encoded digest of all that the headers say."""
    for header in _LISTS:
        for item in headers.get(header, "").split(","):
            if match := _ITEM.fullmatch(item):
                yield header, match[1].lower(), match[3]
    yield "content-md5", "md5", headers.get("content-md5", "").strip()


def _decoded(text: str) -> bytes:
    """Nothing, if it is no base64: a checksum that cannot be read says nothing about the file."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""
