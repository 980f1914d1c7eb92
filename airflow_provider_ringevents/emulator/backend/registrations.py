"""The registrations of one event: any number of them, computed when asked for, with explicit changes on top."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_ringevents.emulator.api.filters import Selection, Spans
from airflow_provider_ringevents.emulator.backend.registration_ids import Ids, ResourceType, SeededValues
from airflow_provider_ringevents.emulator.backend.registration_json import RegistrationSerializer, email_of
from airflow_provider_ringevents.emulator.backend.registration_selection import (
    EVERYONE,
    PERIOD,
    Matches,
    Span,
    indexes_between,
)

_DAY: Final = 86_400_000
_LATE: Final = sum(1 << place for place in range(PERIOD) if place % 16 == 3)
_REFUNDED: Final = 1 << 19  # one of the late ones: a refund is an update
_BY_USER: Final = sum(1 << place for place in range(PERIOD) if place % 16 == 11)
_CLASSES: Final = (EVERYONE & ~_LATE & ~_BY_USER, _LATE & ~_REFUNDED, _REFUNDED, _BY_USER)
_NUMBER: Final = re.compile(r"(\d{1,12})@")


@dataclass(frozen=True, slots=True)
class _RegistrationBatch:
    """Registrations that arrived later, all in one moment."""

    first: int
    size: int
    created: int


@dataclass(frozen=True, slots=True)
class _Patch:
    metadata: dict[str, Any]
    updated: int


class Registrations:
    """The registrations of one event, in the order in which they were made.

    Times are milliseconds since the epoch. They lie between ``opened`` and ``closed``; every tenth registration has
    the same time as the one before, since real ones have ties too.

    :param event: number of the event.
    :param size: how many there are to begin with.
    :param attended: whether the event has begun, so that people may have come.
    """

    def __init__(
        self, ids: Ids, dice: SeededValues, event: int, size: int, *, opened: int, closed: int, attended: bool
    ) -> None:
        self._ids = ids
        self._dice = dice
        self._event = event
        self._seeded = size
        self._opened = opened
        self._closed = closed
        self._began = attended
        self._batches: list[_RegistrationBatch] = []
        self._deleted: set[int] = set()
        self._patches: dict[int, _Patch] = {}
        self._rows: RegistrationSerializer | None = None
        self.size = size
        """One more than the last index that was ever used."""

    def __len__(self) -> int:
        return self.size - len(self._deleted)

    # --- changes

    def add(self, number: int, now: int) -> range:
        """Let ``number`` people register at ``now``; returns their indexes."""
        if not number:
            return range(self.size, self.size)
        last = self._batches[-1].created if self._batches else self._closed
        self._batches.append(_RegistrationBatch(self.size, number, max(now, last)))
        self.size += number
        return range(self.size - number, self.size)

    def delete(self, index: int) -> None:
        """:raises KeyError: there is no such registration."""
        if not self.exists(index):
            raise KeyError(index)
        self._deleted.add(index)

    def patch(self, index: int, metadata: dict[str, Any], now: int) -> None:
        """Give a registration other metadata.

        :raises KeyError: there is no such registration.
        """
        if not self.exists(index):
            raise KeyError(index)
        self._patches[index] = _Patch(metadata, max(now, self.updated(index)))

    # --- times

    def exists(self, index: int) -> bool:
        """Whether there is a registration with this index."""
        return 0 <= index < self.size and index not in self._deleted

    def created(self, index: int) -> int:
        """When the registration was made; never falls as the index grows."""
        if index >= self._seeded:
            return self._batches[bisect_right(self._batches, index, key=lambda batch: batch.first) - 1].created
        index -= index % 10 == 9
        span = self._closed - self._opened
        jitter = (index * 2_654_435_761 >> 7) % max(1, span // self._seeded)
        return self._opened + index * span // self._seeded + jitter

    def updated(self, index: int) -> int:
        """When the registration was last changed by anybody."""
        patch = self._patches.get(index)
        if patch is not None:
            return patch.updated
        created = self.created(index)
        if index >= self._seeded:
            return created
        place = 1 << index % PERIOD
        if place & _LATE:
            return min(created + 3 * _DAY, self._closed)
        return min(created + _DAY, self._closed) if place & _BY_USER else created

    def user_updated(self, index: int) -> int:
        """When the person changed what they had said."""
        created = self.created(index)
        if index < self._seeded and 1 << index % PERIOD & _BY_USER:
            return min(created + _DAY, self._closed)
        return created

    def refunded(self, index: int) -> bool:
        """Whether the ticket was given back."""
        return index < self._seeded and bool(1 << index % PERIOD & _REFUNDED)

    # --- selecting

    def select(self, selection: Selection) -> Matches:
        """The indexes that ``selection`` asks for."""
        emails = selection.strings.get("email")
        if emails is not None:
            return Matches(self.size, (), added=self._by_email(emails, selection))
        spans: list[Span] = []
        if not selection.times and not selection.booleans:
            spans.append(Span(EVERYONE, 0, self.size))
            return Matches(self.size, spans, self._deleted)
        for mask in _CLASSES:
            if selection.booleans.get("refunded", mask == _REFUNDED) is (mask == _REFUNDED):
                spans += [Span(mask, low, high) for low, high in self._class_ranges(mask, selection)]
        spans += [
            Span(EVERYONE, batch.first, batch.first + batch.size)
            for batch in self._batches
            if self._accepts(batch.first, selection, batch.created)
        ]
        changed = [index for index in self._patches if index not in self._deleted]
        wanted = [index for index in changed if self._accepts(index, selection, self.updated(index))]
        return Matches(self.size, spans, self._deleted | self._patches.keys(), wanted)

    def _class_ranges(self, mask: int, selection: Selection) -> list[tuple[int, int]]:
        delay = {_CLASSES[1]: 3 * _DAY, _CLASSES[2]: 3 * _DAY, _CLASSES[3]: _DAY}.get(mask, 0)
        user_delay = _DAY if mask == _BY_USER else 0
        ranges: Spans = ((0, self._seeded),)
        for column, spans in selection.times.items():
            extra = {"createdAt": 0, "updatedAt": delay, "userUpdatedAt": user_delay}[column]
            ranges = tuple(self._intersect(ranges, spans, extra))
        return list(ranges)

    def _intersect(self, ranges: Spans, spans: Spans, extra: int) -> Iterator[tuple[int, int]]:
        def moment(index: int) -> int:
            created = self.created(index)
            return min(created + extra, self._closed) if extra else created

        for low, high in spans:
            first, last = indexes_between(self._seeded, low, high, moment)
            for begin, end in ranges:
                if max(first, begin) < min(last, end):
                    yield max(first, begin), min(last, end)

    def _accepts(self, index: int, selection: Selection, updated: int) -> bool:
        return Selection(times=selection.times, booleans=selection.booleans).accepts(
            strings={},
            times={
                "createdAt": self.created(index),
                "updatedAt": updated,
                "userUpdatedAt": self.user_updated(index),
            },
            booleans={"refunded": self.refunded(index)},
        )

    def _by_email(self, emails: frozenset[str], selection: Selection) -> Iterator[int]:
        for email in emails:
            match = _NUMBER.search(email)
            if match is None or not self.exists(index := int(match.group(1))):
                continue
            if self.email(index) == email and self._accepts(index, selection, self.updated(index)):
                yield index

    # --- rows

    def id(self, index: int) -> str:
        """The registration's id."""
        return self._ids.make(ResourceType.REGISTRATION, self._event, index)

    def email(self, index: int) -> str:
        """The registered address: the same person at the same place of every event."""
        return email_of(self._dice.throw(ResourceType.USER, 0, index), index)

    def write(self, index: int) -> str:
        """One registration as the API shows it, in JSON."""
        if self._rows is None:
            self._rows = RegistrationSerializer(self._ids, self._dice, self._event, self._seeded)
        created = self.created(index)
        refunded = self.refunded(index)
        came = self._began and not refunded and index % 3 != 0
        patch = self._patches.get(index)
        return self._rows.write(
            index,
            created=created,
            updated=self.updated(index),
            check_in=min(created + 2 * _DAY, self._closed) if came else None,
            refunded=refunded,
            metadata=None if patch is None else patch.metadata,
        )

    def attributes(self, index: int) -> dict[str, Any]:
        """All attributes of one registration."""
        attributes: dict[str, Any] = json.loads(self.write(index))["attributes"]
        return attributes
