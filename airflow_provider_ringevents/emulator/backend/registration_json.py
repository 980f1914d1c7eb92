"""Registrations in the JSON of the API, written directly because lists are long."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

from airflow_provider_ringevents.emulator.backend import sample_data
from airflow_provider_ringevents.emulator.backend.bank_questions import CHILD_NAME, CHILD_TYPE, bank_questions, child_id
from airflow_provider_ringevents.emulator.backend.clock import iso
from airflow_provider_ringevents.emulator.backend.ids import Ids, ResourceType, SeededValues

TICKETS: Final = 3
"""Number of tickets of each seeded event."""
MAGIC_LINKS: Final = 30
"""Number of magic links of each seeded event; every seventh of its first registrations used one."""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _each(values: tuple[str, ...]) -> list[str]:
    return [_json(value) for value in values]


_FIRST: Final = _each(tuple(name for name, _ in sample_data.FIRST_NAMES))
_LAST: Final = _each(tuple(name for name, _ in sample_data.LAST_NAMES))
_FIRST_MAIL: Final = [mail for _, mail in sample_data.FIRST_NAMES]
_LAST_MAIL: Final = [mail for _, mail in sample_data.LAST_NAMES]
_TITLES: Final = [*_each(sample_data.TITLES), *["null"] * len(sample_data.TITLES)]
_ZONES: Final = _each(sample_data.ZONES)
_SOURCES: Final = _each(sample_data.SOURCES)
_PHONES: Final = [*_each(sample_data.PHONES), *["null"] * len(sample_data.PHONES)]
_BIO: Final = _json('Likes long walks,\nshort talks and "quotes".')
_UTM: Final = [
    _json(
        {"utmSource": "newsletter", "utmCampaign": f"week-{week}"}
        | ({"utmMedium": "email", "utmContent": "header", "utmTerm": "events & more"} if week % 2 else {})
    )
    for week in range(52)
]


def email_of(person: int, index: int) -> str:
    """Return the e-mail address of a person; ``person`` is the number that selects them."""
    return f"{_FIRST_MAIL[person % len(_FIRST)]}.{_LAST_MAIL[(person >> 8) % len(_LAST)]}.{index}@example.org"


class RegistrationSerializer:
    """A serializer of the registrations of one event.

    :param event: number of the event.
    :param seeded: number of seeded registrations.
    """

    def __init__(self, ids: Ids, values: SeededValues, event: int, seeded: int) -> None:
        self._ids = ids
        self._values = values
        self._event = event
        self._seeded = seeded
        self._tickets = [ids.encode(ResourceType.TICKET, event, index) for index in range(TICKETS)]
        company, choice, birth, diet = (
            partial(_answer, question["id"], question["name"], question["fieldType"])
            for question in bank_questions(ids, event)
        )
        which_diet = partial(_answer, child_id(ids, event), CHILD_NAME, CHILD_TYPE)
        self._companies = [company(value) for value in sample_data.COMPANIES]
        self._choices = [
            choice([each for bit, each in enumerate(sample_data.CHOICES) if picked >> bit & 1])
            for picked in range(1 << len(sample_data.CHOICES))
        ]
        self._birth = birth("DATE")
        self._diets = [
            diet("Yes").replace('"childQuestions":null', f'"childQuestions":[{which_diet(value)}]')
            for value in sample_data.DIETS
        ]

    def to_json(
        self,
        index: int,
        *,
        created: int,
        updated: int,
        check_in: int | None,
        refunded: bool,
    ) -> str:
        """Return a registration as a JSON object with ``id``, ``type`` and ``attributes``.

        :param check_in: time of the check-in in milliseconds since the epoch, or None.
        """
        value = self._values.value(ResourceType.REGISTRATION, self._event, index)
        person = self._values.value(ResourceType.USER, 0, index)
        first, last = person % len(_FIRST), (person >> 8) % len(_LAST)
        mail = _LAST_MAIL[last]
        identifier = self._ids.encode(ResourceType.REGISTRATION, self._event, index)
        created_at = iso(created)
        invited = index % 7 == 2 and index // 7 < MAGIC_LINKS and index < self._seeded
        link = f'"{self._ids.encode(ResourceType.MAGIC_LINK, self._event, index // 7)}"' if invited else "null"
        about = "{}"
        if index % 5 == 4:
            about = f'{{"crmId":"CRM-{index:06d}","tier":"{"silver" if index & 1 else "gold"}"}}'
        # The forms of QR codes are made up.
        return (
            f'{{"id":"{identifier}","type":"registration","attributes":{{'
            f'"attended":{"false" if check_in is None else "true"},'
            f'"bio":{_BIO if value % 13 == 0 else "null"},'
            f'"createdAt":"{created_at}",'
            f'"customRegistrationFields":{self._answers(value)},'
            f'"email":"{_FIRST_MAIL[first]}.{mail}.{index}@example.org",'
            f'"firstCheckIn":{"null" if check_in is None else _quoted(iso(check_in))},'
            f'"firstName":{_FIRST[first]},'
            f'"headline":{_TITLES[value % len(_TITLES)]},'
            f'"id":"{identifier}",'
            f'"lastName":{_LAST[last]},'
            f'"linkedin":{_quoted(f"https://linkedin.example/in/{mail}-{index}") if value >> 6 & 1 else "null"},'
            f'"magicLinkId":{link},'
            f'"metadata":{about},'
            f'"phoneNumber":{_PHONES[value >> 9 & 7]},'
            f'"qrCodeData":{_quoted(f"ringevents:{identifier}") if value >> 8 & 1 else "null"},'
            f'"qrCodeImageUrl":{_quoted(f"https://qr.example/{identifier}.png") if value >> 8 & 1 else "null"},'
            f'"questionBankEnabled":{"true" if value >> 12 & 1 else "false"},'
            f'"refunded":{"true" if refunded else "false"},'
            f'"registeredThrough":{_SOURCES[1] if invited else _SOURCES[(value >> 13) % len(_SOURCES)]},'
            f'"ticketId":"{self._tickets[index % TICKETS]}",'
            f'"timezone":{_ZONES[person >> 16 & 7]},'
            f'"twitter":{_quoted(f"@{_FIRST_MAIL[first]}{index}") if value >> 16 & 3 == 0 else "null"},'
            f'"updatedAt":"{created_at if updated == created else iso(updated)}",'
            f'"userId":"{self._ids.encode(ResourceType.USER, 0, index)}",'
            f'"utm":{_UTM[(value >> 18) % 52] if value >> 24 & 3 == 0 else "{}"},'
            f'"website":{_quoted(f"https://{mail}.example/?id={index}&ref=bio") if value >> 26 & 7 == 0 else "null"}'
            "}}"
        )

    def _answers(self, value: int) -> str:
        kind = value >> 29 & 7
        if kind < 2:
            return "[]" if kind else "null"
        answers = self._companies[(value >> 32) % len(self._companies)]
        if kind > 2:
            answers += f",{self._choices[value >> 40 & 31]}"
        if kind > 4:
            day = f"{1950 + (value >> 45) % 55}-{1 + (value >> 50) % 12:02d}-{1 + (value >> 54) % 28:02d}"
            answers += f",{self._birth.replace('DATE', day)}"
        if kind > 5:
            answers += f",{self._diets[value % 3]}"
        return f"[{answers}]"


def _quoted(text: str) -> str:
    # Only for text without anything to escape.
    return f'"{text}"'


def _answer(identifier: str, name: str, kind: str, value: str | list[str]) -> str:
    return _json({"id": identifier, "name": name, "value": value, "type": kind, "childQuestions": None})
