"""Reversible ids that look random and depend on the seed.

An id is the kind, parent and index of a resource, scrambled by a keyed bijection. A million registrations therefore
need no table: ids are computed, and decoded to find the registration.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

LENGTH: Final = 25
_BITS: Final = 125
_MASK: Final = (1 << _BITS) - 1
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Kind (5 bits), parent (32), index (40); the other bits are zero, so that an invented id is recognized.
_PARENT_SHIFT: Final = 40
_KIND_SHIFT: Final = 72


class ResourceType(IntEnum):
    """The types of resources, each with the type of its parent."""

    ORGANIZATION = 1  # (none)
    TEMPLATE = 2  # (organization)
    EVENT = 3  # (none)
    TICKET = 4  # (event)
    REGISTRATION = 5  # (event)
    MAGIC_LINK = 6  # (event)
    BOOTH = 7  # (event)
    STAGE = 8  # (event)
    SESSION = 9  # (event)
    SCHEDULE_ITEM = 10  # (event)
    BOOTH_TAG = 11  # (event)
    SCHEDULE_TAG = 12  # (event)
    REPORT = 13  # (event)
    SUBSCRIPTION = 14  # (event)
    USER = 15  # (none)
    QUESTION = 16  # (event)
    REDEEM_CODE = 17  # (event)


@dataclass(frozen=True, slots=True)
class ResourceKey:
    """The content of an id."""

    kind: ResourceType
    parent: int
    index: int


class Ids:
    """An encoder and decoder of the ids of one seed."""

    def __init__(self, seed: int) -> None:
        digest = hashlib.blake2b(f"ids of {seed}".encode(), digest_size=64).digest()
        self._first = int.from_bytes(digest[:16]) & _MASK | 1
        self._second = int.from_bytes(digest[16:32]) & _MASK | 1
        self._add = int.from_bytes(digest[32:48]) & _MASK
        self._first_back = pow(self._first, -1, 1 << _BITS)
        self._second_back = pow(self._second, -1, 1 << _BITS)
        # Ten bits become two letters, the last five bits one: a table is three times as fast as base32.
        letters = random.Random(digest).sample(_LETTERS, 62)  # noqa: S311 - no secret depends on it
        pairs = [first + second for first in letters for second in letters]
        self._pairs = random.Random(digest).sample(pairs, 1024)  # noqa: S311
        self._singles = letters[:32]
        self._pair_bits = {pair: bits for bits, pair in enumerate(self._pairs)}
        self._single_bits = {letter: bits for bits, letter in enumerate(self._singles)}

    def encode(self, kind: ResourceType, parent: int, index: int) -> str:
        """Return the id of the ``index``-th resource of ``kind`` under ``parent``: always the same 25 characters."""
        word = kind << _KIND_SHIFT | parent << _PARENT_SHIFT | index
        word = (word * self._first + self._add) & _MASK
        word ^= word >> 63
        word = word * self._second & _MASK
        word ^= word >> 63
        pairs = self._pairs
        return (
            f"{pairs[word >> 115]}{pairs[word >> 105 & 1023]}{pairs[word >> 95 & 1023]}{pairs[word >> 85 & 1023]}"
            f"{pairs[word >> 75 & 1023]}{pairs[word >> 65 & 1023]}{pairs[word >> 55 & 1023]}{pairs[word >> 45 & 1023]}"
            f"{pairs[word >> 35 & 1023]}{pairs[word >> 25 & 1023]}{pairs[word >> 15 & 1023]}{pairs[word >> 5 & 1023]}"
            f"{self._singles[word & 31]}"
        )

    def decode(self, text: str) -> ResourceKey | None:
        """Return the key that an id stands for, or None if it is no id of this seed."""
        if len(text) != LENGTH:
            return None
        word = 0
        for place in range(0, LENGTH - 1, 2):
            bits = self._pair_bits.get(text[place : place + 2])
            if bits is None:
                return None
            word = word << 10 | bits
        last = self._single_bits.get(text[-1])
        if last is None:
            return None
        word = word << 5 | last
        # 63 is more than half of the bits, so one shift undoes the mixing.
        word ^= word >> 63
        word = word * self._second_back & _MASK
        word ^= word >> 63
        word = (word - self._add) * self._first_back & _MASK
        # For an invented id this is a huge number.
        kind = word >> _KIND_SHIFT
        if kind not in ResourceType.__members__.values():
            return None
        return ResourceKey(ResourceType(kind), word >> _PARENT_SHIFT & 0xFFFFFFFF, word & 0xFFFFFFFFFF)


@lru_cache(maxsize=16)
def ids_of(seed: int) -> Ids:
    """Return the ids of one seed; they are immutable."""
    return Ids(seed)


class SeededValues:
    """Pseudo-random numbers that depend on the seed and a resource alone."""

    def __init__(self, seed: int) -> None:
        self._seed = int.from_bytes(hashlib.blake2b(f"dice of {seed}".encode(), digest_size=8).digest())

    def value(self, kind: int, parent: int, index: int) -> int:
        """Return a number of 64 bits."""
        word = self._seed + kind * 0x9E3779B97F4A7C15 + parent * 0xBF58476D1CE4E5B9 + index * 0x94D049BB133111EB
        word &= 0xFFFFFFFFFFFFFFFF
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        word = (word ^ word >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        return word ^ word >> 31
