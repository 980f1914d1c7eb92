"""What the API returns: the documented fields of each resource, as typed dicts.

They say what to expect, not what to cut: unknown fields of an answer are kept.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Organization(TypedDict):
    id: str
    name: str
    email: str
    createdAt: str
    facebook: str | None
    twitter: str | None
    website: str | None


class Template(TypedDict):
    id: str
    name: str


class Event(TypedDict):
    """``timeStart`` and ``timeEnd`` are plain strings: without an offset they are local to ``timezone``."""

    id: str
    name: str
    description: str
    slug: str
    status: str
    type: str
    published: bool
    timezone: str
    timeStart: str | None
    timeEnd: str | None
    createdAt: str
    metadata: dict[str, Any]


class ChildQuestion(TypedDict):
    id: str
    name: str
    value: str | list[Any]
    type: str


class CustomRegistrationField(ChildQuestion):
    childQuestions: NotRequired[list[ChildQuestion] | None]


class Utm(TypedDict, total=False):
    utmSource: str
    utmCampaign: str
    utmMedium: str
    utmContent: str
    utmTerm: str


class Registration(TypedDict):
    """``qrCodeData`` and ``qrCodeImageUrl`` admit their holder to the event: treat them as credentials."""

    id: str
    userId: str
    ticketId: str
    email: str
    firstName: str
    lastName: str
    attended: bool
    refunded: bool
    registeredThrough: str
    questionBankEnabled: bool
    timezone: str
    createdAt: str
    updatedAt: str
    metadata: dict[str, Any]
    utm: Utm
    customRegistrationFields: list[CustomRegistrationField] | None
    firstCheckIn: str | None
    magicLinkId: str | None
    phoneNumber: str | None
    qrCodeData: str | None
    qrCodeImageUrl: str | None
    bio: str | None
    headline: str | None
    linkedin: str | None
    twitter: str | None
    website: str | None


class Ticket(TypedDict):
    id: str
    eventId: str
    name: str
    slug: str
    description: str | None
    price: float
    discount: float | None
    private: bool
    count: int
    claimed: int
    remaining: int
    createdAt: str


class MagicLink(TypedDict):
    """``magicLink`` lets its holder into the event: treat it as a credential."""

    id: str
    email: str
    firstName: str
    lastName: str
    headline: str | None
    magicLink: str
    status: str | None
    registrationId: NotRequired[str | None]
    extraFields: dict[str, str]
    metadata: dict[str, str]
    createdAt: str
    updatedAt: str


class Booth(TypedDict):
    id: str
    name: str
    boothSize: str
    priority: int
    about: str | None
    email: str | None
    facebook: str | None
    headline: str | None
    instagram: str | None
    linkedin: str | None
    twitter: str | None
    website: str | None
    createdAt: str
    updatedAt: str


class Stage(TypedDict):
    id: str
    name: str
    createdAt: str
    updatedAt: str


class Session(TypedDict):
    id: str
    name: str
    createdAt: str
    updatedAt: str


class ScheduleItem(TypedDict):
    id: str
    name: str
    area: str
    areaId: str | None
    areaName: str | None
    description: str | None
    speakers: list[Any]
    timeStart: str
    timeEnd: str
    createdAt: str
    updatedAt: str


class Tag(TypedDict):
    id: str
    name: str


class Report(TypedDict):
    """``url`` is a signed link that expires one minute after it was given: treat it as a credential."""

    id: str
    url: NotRequired[str]
    title: NotRequired[str]
    status: NotRequired[str]


class DataSubscriptionConfiguration(TypedDict, total=False):
    type: str
    url: str | None


class DataSubscription(TypedDict):
    id: str
    eventId: str
    configuration: DataSubscriptionConfiguration
    signals: list[str]
    expiresAt: str
