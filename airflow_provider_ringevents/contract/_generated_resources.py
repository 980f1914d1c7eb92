"""The documented fields of each resource; responses may hold more.

Written by ``scripts/generate_contract.py``; do not edit.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Option(TypedDict):
    id: int
    defaultAnswer: NotRequired[bool | None]
    name: str
    seq: str


class BankQuestionChildQuestion(TypedDict):
    id: int
    defaultAnswer: NotRequired[str | None]
    field_type: str
    name: str
    options: NotRequired[list[Option] | None]


class BankQuestion(TypedDict):
    """A registration question of a ticket, which the reference calls ``bankQuestions``."""

    id: str
    childQuestions: list[BankQuestionChildQuestion] | None
    defaultAnswer: str | None
    fieldType: str
    name: str
    options: list[Option] | None


class Booth(TypedDict):
    id: str
    about: str | None
    boothSize: str
    createdAt: str
    email: str | None
    facebook: str | None
    headline: str | None
    instagram: str | None
    linkedin: str | None
    name: str
    priority: int
    twitter: str | None
    updatedAt: str
    website: str | None


class DataSubscriptionConfiguration(TypedDict):
    type: NotRequired[str]
    url: NotRequired[str | None]


class DataSubscription(TypedDict):
    id: str
    configuration: DataSubscriptionConfiguration
    eventId: str
    expiresAt: str
    signals: list[str]


class Event(TypedDict):
    """An event; ``timeStart`` and ``timeEnd`` without an offset are local to ``timezone``."""

    id: str
    createdAt: str
    description: str
    metadata: dict[str, Any]
    name: str
    published: bool
    slug: str
    status: str
    timeEnd: str | None
    timeStart: str | None
    timezone: str
    type: str


class MagicLink(TypedDict):
    """A magic link; ``magicLink`` admits its holder to the event."""

    id: str
    createdAt: str
    email: str
    extraFields: dict[str, str]
    firstName: str
    headline: str | None
    lastName: str
    magicLink: str
    metadata: dict[str, str]
    registrationId: NotRequired[str | None]
    status: str | None
    updatedAt: str


class Organization(TypedDict):
    id: str
    createdAt: str
    email: str
    facebook: str | None
    name: str
    twitter: str | None
    website: str | None


class CustomRegistrationFieldChildQuestion(TypedDict):
    id: str
    name: str
    type: str
    value: str | list[Any]


class CustomRegistrationField(TypedDict):
    id: str
    childQuestions: NotRequired[list[CustomRegistrationFieldChildQuestion] | None]
    name: str
    type: str
    value: str | list[Any]


class RegistrationUtm(TypedDict):
    utmSource: NotRequired[str]
    utmCampaign: NotRequired[str]
    utmMedium: NotRequired[str]
    utmContent: NotRequired[str]
    utmTerm: NotRequired[str]


class Registration(TypedDict):
    """A registration; ``qrCodeData`` and ``qrCodeImageUrl`` admit their holder to the event."""

    id: str
    attended: bool
    bio: str | None
    createdAt: str
    customRegistrationFields: list[CustomRegistrationField] | None
    email: str
    firstCheckIn: str | None
    firstName: str
    headline: str | None
    lastName: str
    linkedin: str | None
    magicLinkId: str | None
    metadata: dict[str, Any]
    phoneNumber: str | None
    qrCodeData: str | None
    qrCodeImageUrl: str | None
    questionBankEnabled: bool
    refunded: bool
    registeredThrough: str
    ticketId: str
    timezone: str
    twitter: str | None
    updatedAt: str
    userId: str
    utm: RegistrationUtm
    website: str | None


class Report(TypedDict):
    """A report; ``url`` is a signed link that expires after one minute."""

    id: str
    url: NotRequired[str]
    title: NotRequired[str]
    status: NotRequired[str]


class ScheduleItem(TypedDict):
    id: str
    area: str
    areaId: str | None
    areaName: str | None
    createdAt: str
    description: str | None
    name: str
    speakers: list[Any]
    timeEnd: str
    timeStart: str
    updatedAt: str


class Session(TypedDict):
    id: str
    createdAt: str
    name: str
    updatedAt: str


class Stage(TypedDict):
    id: str
    createdAt: str
    name: str
    updatedAt: str


class Tag(TypedDict):
    id: str
    name: str


class Template(TypedDict):
    id: str
    name: str


class Ticket(TypedDict):
    id: str
    claimed: int
    count: int
    createdAt: str
    description: str | None
    discount: float | None
    eventId: str
    name: str
    price: float
    private: bool
    remaining: int
    slug: str
