"""The registrations of one event: any number of them, computed when asked for, with explicit changes on top."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_ringevents.emulator import people
from airflow_provider_ringevents.emulator.clock import iso
from airflow_provider_ringevents.emulator.filters import Selection, Spans
from airflow_provider_ringevents.emulator.ids import Dice, Ids, Kind
from airflow_provider_ringevents.emulator.selecting import EVERYONE, PERIOD, Matches, Span, indexes_between

_DAY: Final = 86_400_000
_LATE: Final = sum(1 << place for place in range(PERIOD) if place % 16 == 3)
_REFUNDED: Final = 1 << 19  # one of the late ones: a refund is an update
_BY_USER: Final = sum(1 << place for place in range(PERIOD) if place % 16 == 11)
_CLASSES: Final = (EVERYONE & ~_LATE & ~_BY_USER, _LATE & ~_REFUNDED, _REFUNDED, _BY_USER)
_NUMBER: Final = re.compile(r"(\d{1,12})@")

TICKETS: Final = 3
"""Tickets that each seeded event sells."""
MAGIC_LINKS: Final = 30
"""Magic links that each seeded event has given out; the seventh part of the first registrations came by them."""


@dataclass(frozen=True, slots=True)
class _Batch:
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
        self, ids: Ids, dice: Dice, event: int, size: int, *, opened: int, closed: int, attended: bool
    ) -> None:
        self._ids = ids
        self._dice = dice
        self._event = event
        self._seeded = size
        self._opened = opened
        self._closed = closed
        self._began = attended
        self._batches: list[_Batch] = []
        self._deleted: set[int] = set()
        self._patches: dict[int, _Patch] = {}
        self._tickets = [ids.make(Kind.TICKET, event, index) for index in range(TICKETS)]
        self._questions = [ids.make(Kind.QUESTION, event, index) for index in range(6)]
        self.size = size
        """One more than the last index that was ever used."""
        self.version = 0
        """Grows with every change."""

    def __len__(self) -> int:
        return self.size - len(self._deleted)

    # --- changes

    def add(self, number: int, now: int) -> range:
        """Let ``number`` people register at ``now``; returns their indexes."""
        last = self._batches[-1].created if self._batches else self._closed
        self._batches.append(_Batch(self.size, number, max(now, last)))
        self.size += number
        self.version += 1
        return range(self.size - number, self.size)

    def delete(self, index: int) -> None:
        """:raises KeyError: there is no such registration."""
        if not self.exists(index):
            raise KeyError(index)
        self._deleted.add(index)
        self.version += 1

    def patch(self, index: int, metadata: dict[str, Any], now: int) -> None:
        """Give a registration other metadata.

        :raises KeyError: there is no such registration.
        """
        if not self.exists(index):
            raise KeyError(index)
        self._patches[index] = _Patch(metadata, max(now, self.updated(index)))
        self.version += 1

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
        return self._ids.make(Kind.REGISTRATION, self._event, index)

    def email(self, index: int) -> str:
        """The registered address: the same person at the same place of every event."""
        throw = self._dice.throw(Kind.USER, 0, index)
        first = people.FIRST_NAMES[throw % len(people.FIRST_NAMES)][1]
        last = people.LAST_NAMES[(throw >> 8) % len(people.LAST_NAMES)][1]
        return f"{first}.{last}.{index}@example.org"

    def metadata(self, index: int) -> dict[str, Any]:
        """The registration's metadata, as the last update left it."""
        patch = self._patches.get(index)
        if patch is not None:
            return patch.metadata
        return {"crmId": f"CRM-{index:06d}", "tier": ("gold", "silver")[index % 2]} if index % 5 == 4 else {}

    def attributes(self, index: int) -> dict[str, Any]:
        """All attributes of one registration."""
        throw = self._dice.throw(Kind.REGISTRATION, self._event, index)
        person = self._dice.throw(Kind.USER, 0, index)
        first, first_mail = people.FIRST_NAMES[person % len(people.FIRST_NAMES)]
        last, last_mail = people.LAST_NAMES[(person >> 8) % len(people.LAST_NAMES)]
        created = self.created(index)
        came = self._began and throw % 3 != 0 and not self.refunded(index)
        identifier = self.id(index)
        invited = index % 7 == 2 and index // 7 < MAGIC_LINKS and index < self._seeded
        return {
            "attended": came,
            "bio": "Likes long walks,\nshort talks and \"quotes\"." if throw % 13 == 0 else None,
            "createdAt": iso(created),
            "customRegistrationFields": self._answers(throw),
            "email": f"{first_mail}.{last_mail}.{index}@example.org",
            "firstCheckIn": iso(min(created + 2 * _DAY, self._closed)) if came else None,
            "firstName": first,
            "headline": people.TITLES[throw % len(people.TITLES)] if throw >> 5 & 1 else None,
            "id": identifier,
            "lastName": last,
            "linkedin": f"https://linkedin.example/in/{last_mail}-{index}" if throw >> 6 & 1 else None,
            "magicLinkId": self._ids.make(Kind.MAGIC_LINK, self._event, index // 7) if invited else None,
            "metadata": self.metadata(index),
            "phoneNumber": people.PHONES[throw >> 9 & 3] if throw >> 7 & 1 else None,
            "qrCodeData": f"ringevents:{identifier}" if throw >> 8 & 1 else None,
            "qrCodeImageUrl": f"https://qr.example/{identifier}.png" if throw >> 8 & 1 else None,
            "questionBankEnabled": throw >> 10 & 1 == 1,
            "refunded": self.refunded(index),
            "registeredThrough": "magic_link" if invited else people.SOURCES[(throw >> 11) % len(people.SOURCES)],
            "ticketId": self._tickets[index % TICKETS],
            "timezone": people.ZONES[(person >> 16) % len(people.ZONES)],
            "twitter": f"@{first_mail}{index}" if throw >> 14 & 3 == 0 else None,
            "updatedAt": iso(self.updated(index)),
            "userId": self._ids.make(Kind.USER, 0, index),
            "utm": _utm(throw >> 16),
            "website": f"https://{last_mail}.example/?id={index}&ref=bio" if throw >> 18 & 7 == 0 else None,
        }

    def _answers(self, throw: int) -> list[dict[str, Any]] | None:
        kind = throw >> 20 & 7
        if kind < 2:
            return None if kind == 0 else []
        ids = self._questions
        company = people.COMPANIES[(throw >> 24) % len(people.COMPANIES)]
        answers: list[dict[str, Any]] = [_answer(ids[0], "Company", company, "singleLineText")]
        if kind > 2:
            picked = [choice for bit, choice in enumerate(people.CHOICES) if throw >> (28 + bit) & 1]
            answers.append(_answer(ids[1], "What brings you here?", picked, "multiSelect"))
        if kind > 4:
            day = f"{1950 + (throw >> 34) % 55}-{1 + (throw >> 40) % 12:02d}-{1 + (throw >> 44) % 28:02d}"
            answers.append(_answer(ids[2], "Date of birth", day, "date"))
        if kind > 5:
            child = _answer(ids[4], "Which diet?", ("vegan", "halal", "no nuts, please")[throw % 3], "singleSelect")
            answers.append({**_answer(ids[3], "Any diet?", "Yes", "conditional"), "childQuestions": [child]})
        return answers


def _answer(identifier: str, name: str, value: str | list[str], kind: str) -> dict[str, Any]:
    return {"id": identifier, "name": name, "value": value, "type": kind, "childQuestions": None}


def _utm(throw: int) -> dict[str, str]:
    if throw & 3:
        return {}
    utm = {"utmSource": "newsletter", "utmCampaign": f"week-{throw % 52}"}
    if throw & 4:
        utm |= {"utmMedium": "email", "utmContent": "header", "utmTerm": "events & more"}
    return utm
