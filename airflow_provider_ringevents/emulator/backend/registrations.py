"""The registrations of one event: any number of them, computed when asked for, with explicit changes on top.

Creation and update times never fall as the index grows, within each of four classes that repeat every 64 indexes. A
range of times is therefore a range of indexes per class, found by bisection, and a million registrations need no list.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from airflow_provider_ringevents.emulator.api.filters import Selection, Spans
from airflow_provider_ringevents.emulator.backend.ids import Ids, ResourceType, SeededValues
from airflow_provider_ringevents.emulator.backend.registration_json import RegistrationSerializer, email_of

PERIOD: Final = 64
EVERYONE: Final = (1 << PERIOD) - 1
_DAY: Final = 86_400_000
_LATE: Final = sum(1 << place for place in range(PERIOD) if place % 16 == 3)
_REFUNDED: Final = 1 << 19  # one of the late ones: a refund is an update
_BY_USER: Final = sum(1 << place for place in range(PERIOD) if place % 16 == 11)
_CLASSES: Final = (EVERYONE & ~_LATE & ~_BY_USER, _LATE & ~_REFUNDED, _REFUNDED, _BY_USER)
_NUMBER: Final = re.compile(r"(\d{1,12})@")


class Span:
    """A set of the indexes in [low, high) whose remainder by 64 is a bit of ``mask``."""

    __slots__ = ("_before", "_prefix", "high", "low", "mask")

    def __init__(self, mask: int, low: int, high: int) -> None:
        self.mask = mask
        self.low = low
        self.high = high
        self._prefix = [(mask & ((1 << place) - 1)).bit_count() for place in range(PERIOD + 1)]
        self._before = self._members_below(low)

    def _members_below(self, index: int) -> int:
        return index // PERIOD * self._prefix[PERIOD] + self._prefix[index % PERIOD]

    def count_below(self, index: int) -> int:
        """Return the number of members below ``index``."""
        if index <= self.low:
            return 0
        return self._members_below(min(index, self.high)) - self._before

    def __contains__(self, index: int) -> bool:
        return self.low <= index < self.high and bool(self.mask >> (index % PERIOD) & 1)


class Matches:
    """A sorted sequence of the indexes in disjoint spans, without ``removed`` and with ``added``.

    :param size: upper bound of all indexes.
    :param removed: indexes to leave out.
    :param added: indexes to include although no span has them or they are removed.
    """

    def __init__(
        self, size: int, spans: Sequence[Span], removed: Iterable[int] = (), added: Iterable[int] = ()
    ) -> None:
        self._size = size
        self._spans = [span for span in spans if span.low < span.high]
        self._removed = sorted(index for index in set(removed) if any(index in span for span in self._spans))
        self._added = sorted(set(added))
        self._gone = frozenset(self._removed)
        self._extra = frozenset(self._added)
        self.total = self._rank(size)

    def _rank(self, index: int) -> int:
        members = sum(span.count_below(index) for span in self._spans)
        return members - bisect_left(self._removed, index) + bisect_left(self._added, index)

    def __contains__(self, index: int) -> bool:
        if index in self._extra:
            return True
        return index not in self._gone and any(index in span for span in self._spans)

    def slice(self, start: int, stop: int) -> list[int]:
        """Return the matching indexes at the positions from ``start`` up to ``stop``."""
        stop = min(stop, self.total)
        if start >= stop:
            return []
        index = bisect_left(range(self._size), start + 1, key=lambda place: self._rank(place + 1))
        found: list[int] = []
        while len(found) < stop - start:
            if index in self:
                found.append(index)
            index = self._next(index + 1)
        return found

    def _next(self, index: int) -> int:
        """Return the smallest index from ``index`` on that may match."""
        candidates = [max(index, span.low) for span in self._spans if index < span.high]
        place = bisect_left(self._added, index)
        if place < len(self._added):
            candidates.append(self._added[place])
        return min(candidates, default=self._size)


class _RegistrationBatch(NamedTuple):
    """Registrations that were added later, all at one moment."""

    first: int
    size: int
    created: int


# The emulator's own: a registration that the API created has none of what only the person can give.
_CREATED_BY_API: Final[Mapping[str, Any]] = {
    "attended": False,
    "bio": None,
    "customRegistrationFields": [],
    "firstCheckIn": None,
    "headline": None,
    "linkedin": None,
    "magicLinkId": None,
    "metadata": {},
    "phoneNumber": None,
    "questionBankEnabled": True,
    "registeredThrough": "api",
    "twitter": None,
    "utm": {},
    "website": None,
}


class Registrations:
    """The registrations of one event, oldest first.

    Times are milliseconds since the epoch between ``opened`` and ``closed``. Every tenth registration has the same time
    as the one before it, since real lists have ties.

    :param event: number of the event.
    :param size: number of seeded registrations.
    :param attended: True when the event has begun, so that people may have checked in.
    """

    def __init__(
        self, ids: Ids, values: SeededValues, event: int, size: int, *, opened: int, closed: int, attended: bool
    ) -> None:
        self._ids = ids
        self._values = values
        self._event = event
        self._seeded = size
        self._opened = opened
        self._closed = closed
        self._began = attended
        self._batches: list[_RegistrationBatch] = []
        self._deleted: set[int] = set()
        self._changed: dict[int, int] = {}
        self._explicit: dict[int, dict[str, Any]] = {}
        self._by_address: dict[str, list[int]] = {}
        self._serializer: RegistrationSerializer | None = None
        self.size = size
        """Number of indexes ever used."""

    def __len__(self) -> int:
        return self.size - len(self._deleted)

    def add(self, number: int, now: int) -> range:
        """Register ``number`` people at ``now`` and return their indexes."""
        if not number:
            return range(self.size, self.size)
        last = self._batches[-1].created if self._batches else self._closed
        self._batches.append(_RegistrationBatch(self.size, number, max(now, last)))
        self.size += number
        return range(self.size - number, self.size)

    def delete(self, index: int) -> None:
        """Delete a registration.

        :raises KeyError: the registration does not exist.
        """
        if not self.exists(index):
            raise KeyError(index)
        self._deleted.add(index)

    def create(self, attributes: dict[str, Any], now: int) -> int:
        """Register one person at ``now`` with these attributes, and return the index."""
        (index,) = self.add(1, now)
        self._explicit[index] = {**_CREATED_BY_API, **attributes}
        self._by_address.setdefault(attributes["email"], []).append(index)
        return index

    def patch(self, index: int, attributes: dict[str, Any], now: int) -> None:
        """Replace attributes of a registration.

        :raises KeyError: the registration does not exist.
        """
        if not self.exists(index):
            raise KeyError(index)
        self._changed[index] = max(now, self.updated(index))
        self._explicit[index] = {**self._explicit.get(index, {}), **attributes}

    def claims(self, ticket_id: str) -> int:
        """Return the number of registrations that were created with a ticket."""
        held = (self._explicit[index].get("ticketId") for index in self._created() if index not in self._deleted)
        return sum(ticket == ticket_id for ticket in held)

    def generated(self) -> int:
        """Return the number of registrations that were not created one by one."""
        return len(self) - sum(index not in self._deleted for index in self._created())

    def _created(self) -> Iterator[int]:
        return (index for indexes in self._by_address.values() for index in indexes)

    def exists(self, index: int) -> bool:
        """Return True when a registration has this index."""
        return 0 <= index < self.size and index not in self._deleted

    def created(self, index: int) -> int:
        """Return the creation time, which never falls as the index grows."""
        if index >= self._seeded:
            return self._batches[bisect_right(self._batches, index, key=lambda batch: batch.first) - 1].created
        index -= index % 10 == 9
        span = self._closed - self._opened
        jitter = (index * 2_654_435_761 >> 7) % max(1, span // self._seeded)
        return self._opened + index * span // self._seeded + jitter

    def updated(self, index: int) -> int:
        """Return the time of the last change by anybody."""
        if index in self._changed:
            return self._changed[index]
        created = self.created(index)
        if index >= self._seeded:
            return created
        place = 1 << index % PERIOD
        if place & _LATE:
            return min(created + 3 * _DAY, self._closed)
        return min(created + _DAY, self._closed) if place & _BY_USER else created

    def user_updated(self, index: int) -> int:
        """Return the time of the last change by the person."""
        created = self.created(index)
        if index < self._seeded and 1 << index % PERIOD & _BY_USER:
            return min(created + _DAY, self._closed)
        return created

    def refunded(self, index: int) -> bool:
        """Return True when the ticket was refunded."""
        return index < self._seeded and bool(1 << index % PERIOD & _REFUNDED)

    def select(self, selection: Selection) -> Matches:
        """Return the indexes that match a selection."""
        emails = selection.strings.get("email")
        if emails is not None:
            return Matches(self.size, (), added=self._by_email(emails, selection))
        if not selection.times and not selection.booleans:
            return Matches(self.size, [Span(EVERYONE, 0, self.size)], self._deleted)
        spans: list[Span] = []
        for mask in _CLASSES:
            if selection.booleans.get("refunded", mask == _REFUNDED) is (mask == _REFUNDED):
                spans += [Span(mask, low, high) for low, high in self._class_ranges(mask, selection)]
        spans += [
            Span(EVERYONE, batch.first, batch.first + batch.size)
            for batch in self._batches
            if self._accepts(batch.first, selection, batch.created)
        ]
        changed = [index for index in self._changed if index not in self._deleted]
        matching = [index for index in changed if self._accepts(index, selection, self.updated(index))]
        return Matches(self.size, spans, self._deleted | self._changed.keys(), matching)

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
            first = bisect_left(range(self._seeded), low, key=moment)
            last = bisect_left(range(self._seeded), high, key=moment)
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
            indexes = [*self._by_address.get(email, ()), *([int(match.group(1))] if match else ())]
            for index in indexes:
                if not self.exists(index) or self.email(index) != email:
                    continue
                if self._accepts(index, selection, self.updated(index)):
                    yield index

    def id(self, index: int) -> str:
        """Return the id of a registration."""
        return self._ids.encode(ResourceType.REGISTRATION, self._event, index)

    def email(self, index: int) -> str:
        """Return the e-mail address; an index is the same person in every event unless a request created it."""
        if given := self._explicit.get(index, {}).get("email"):
            return str(given)
        return email_of(self._values.value(ResourceType.USER, 0, index), index)

    def to_json(self, index: int) -> str:
        """Return a registration as the API shows it."""
        if self._serializer is None:
            self._serializer = RegistrationSerializer(self._ids, self._values, self._event, self._seeded)
        created = self.created(index)
        refunded = self.refunded(index)
        came = self._began and not refunded and index % 3 != 0
        text = self._serializer.to_json(
            index,
            created=created,
            updated=self.updated(index),
            check_in=min(created + 2 * _DAY, self._closed) if came else None,
            refunded=refunded,
        )
        if index not in self._explicit:
            return text
        shown = json.loads(text)
        shown["attributes"].update(self._explicit[index])
        return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))

    def attributes(self, index: int) -> dict[str, Any]:
        """Return all attributes of a registration."""
        attributes: dict[str, Any] = json.loads(self.to_json(index))["attributes"]
        return attributes
