"""What the API documents: its enumerations, and (by way of ``resources``) the fields of what it returns.

The service may grow faster than this package: values that are not listed here pass with ``allow_undocumented=True``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_ringevents.client.errors import RingEventsConfigError

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.resources import (
        Booth,
        DataSubscription,
        Event,
        MagicLink,
        Organization,
        Registration,
        Report,
        ScheduleItem,
        Session,
        Stage,
        Tag,
        Template,
        Ticket,
    )

__all__ = [
    "REPORT_TYPES",
    "REPORT_VERSIONS",
    "SEGMENT_TYPES",
    "PARTICIPATION_REPORT_TYPES",
    "SIGNALS",
    "EVENT_TYPES",
    "ATTENDEES_VISIBILITIES",
    "NETWORK_TYPES",
    "validate_choice",
    "closest_matches",
    "Organization",
    "Template",
    "Event",
    "Registration",
    "Ticket",
    "MagicLink",
    "Booth",
    "Stage",
    "Session",
    "ScheduleItem",
    "Tag",
    "Report",
    "DataSubscription",
]

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


def closest_matches(value: str, allowed: Iterable[str], limit: int = 3) -> list[str]:
    """Name the allowed values that look most like ``value``, best first, at most ``limit``; case does not matter."""
    from difflib import get_close_matches

    names = list(allowed)
    folded = value.casefold()
    same = [name for name in names if name.casefold() == folded]
    originals = {name.casefold(): name for name in names}
    close = [originals[match] for match in get_close_matches(folded, list(originals), n=limit)]
    return list(dict.fromkeys(same + close))[:limit]


def validate_choice(
    parameter: str, value: str, allowed: Sequence[str], *, allow_undocumented: bool = False, closed: bool = False
) -> str:
    """Return ``value`` if it is one of those allowed.

    :param parameter: the name to use in the error.
    :param allowed: the documented values.
    :param allow_undocumented: let any non-empty string through.
    :param closed: the values are this package's own, so that there can be no undocumented one.
    :raises RingEventsConfigError: not a string, empty, or (unless ``allow_undocumented``) not documented.
    """
    listing = f" Allowed: {', '.join(allowed)}." if len(allowed) <= _LONGEST_LIST else ""
    if not isinstance(value, str) or not value:
        raise RingEventsConfigError(f"{parameter}: expected a non-empty string, got {value!r}.{listing}")
    if value in allowed or allow_undocumented:
        return value
    close = closest_matches(value, allowed)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    if closed:
        raise RingEventsConfigError(f"{parameter}: {value!r} is not allowed.{hint}{listing}")
    raise RingEventsConfigError(
        f"{parameter}: {value!r} is not a documented value.{hint}{listing}"
        " Pass allow_undocumented=True for a value newer than this package."
    )


def __getattr__(name: str) -> Any:
    # Making the typed dicts takes 5 ms, which every import of an operator would pay for annotations alone.
    if name in __all__:
        from airflow_provider_ringevents.client import resources

        return getattr(resources, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
