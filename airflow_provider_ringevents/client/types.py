"""What the API documents: its enumerations, and the fields of what it returns.

The service may grow faster than this package. So values that are not listed here pass with ``allow_undocumented=True``,
and the typed dicts say what to expect, not what to cut: unknown fields of an answer are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NotRequired, TypedDict

from airflow_provider_ringevents.client.errors import RingEventsConfigError

REPORT_TYPES: tuple[str, ...] = (
    "all",
    "attendees",
    "attendeeLog",
    "attendeeActivity",
    "attendeeFeedback",
    "attendeeScore",
    "postEventSurvey",
    "feedback",
    "boothAttendee",
    "boothInteraction",
    "chat",
    "connection",
    "noShows",
    "participation",
    "timeSpentOnline",
    "registrations",
    "registrants",
    "schedule",
    "schedules",
    "summary",
    "referrals",
    "viewership",
    "onlineAttendeeCounts",
    "segmentRegistrations",
    "agenda",
    "replayRecordings",
    "replayViewers",
    "engagement",
)
REPORT_VERSIONS: tuple[str, ...] = ("2",)
SEGMENT_TYPES: tuple[str, ...] = ("schedule", "session", "expo", "stage", "all")
PARTICIPATION_REPORT_TYPES: tuple[str, ...] = ("schedule", "session", "expo", "stage", "all")
SIGNALS: tuple[str, ...] = (
    "attendance",
    "attendeeCheckedInToEvent",
    "attendeeCheckedInToScheduleItem",
    "attendeeCheckedOutFromEvent",
    "attendeeCheckedOutFromScheduleItem",
    "attendeeClickedUrl",
    "attendeeEnteredEventArea",
    "attendeeFilledMidEventSurvey",
    "attendeeFilledPostEventSurvey",
    "attendeeLeftEventArea",
    "attendeeRegisteredVendorInterest",
    "onsiteSegmentRegistrationCreated",
    # The API lists these four with both spellings.
    "registrationQRCreated",
    "registrationQRUpdated",
    "registrationQrCreated",
    "registrationQrUpdated",
)
EVENT_TYPES: tuple[str, ...] = ("hidden_event", "private_event", "public_event")
ATTENDEES_VISIBILITIES: tuple[str, ...] = ("show_all", "show_list", "show_none")
NETWORK_TYPES: tuple[str, ...] = ("everyone", "ticket_holder")

# A list of choices longer than this would bury the message that it belongs to.
_LONGEST_LIST = 30


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


def nearest(value: str, allowed: Iterable[str], limit: int = 3) -> list[str]:
    """Name the allowed values that look most like ``value``, best first, at most ``limit``; case does not matter."""
    from difflib import get_close_matches

    names = list(allowed)
    folded = value.casefold()
    same = [name for name in names if name.casefold() == folded]
    originals = {name.casefold(): name for name in names}
    close = [originals[match] for match in get_close_matches(folded, list(originals), n=limit)]
    return list(dict.fromkeys(same + close))[:limit]


def check_choice(parameter: str, value: str, allowed: Sequence[str], *, allow_undocumented: bool = False) -> str:
    """Return ``value`` if the API documents it.

    :param parameter: the name to use in the error.
    :param allowed: the documented values.
    :param allow_undocumented: let any non-empty string through.
    :raises RingEventsConfigError: not a string, empty, or (unless ``allow_undocumented``) not documented.
    """
    listing = f" Allowed: {', '.join(allowed)}." if len(allowed) <= _LONGEST_LIST else ""
    if not isinstance(value, str) or not value:
        raise RingEventsConfigError(f"{parameter}: expected a non-empty string, got {value!r}.{listing}")
    if value in allowed or allow_undocumented:
        return value
    close = nearest(value, allowed)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise RingEventsConfigError(
        f"{parameter}: {value!r} is not a documented value.{hint}{listing}"
        " Pass allow_undocumented=True for a value newer than this package."
    )
