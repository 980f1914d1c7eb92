"""The documented enumerations and resources of the API.

The service may grow faster than this package: undocumented values pass with ``allow_undocumented=True``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.contract._generated import (
    ATTENDEES_VISIBILITIES,
    EVENT_TYPES,
    NETWORK_TYPES,
    PARTICIPATION_REPORT_TYPES,
    REPORT_TYPES,
    REPORT_VERSIONS,
    SEGMENT_TYPES,
    SIGNALS,
)
from airflow_provider_ringevents.contract.overlay import CREDENTIAL_FIELDS

if TYPE_CHECKING:
    from airflow_provider_ringevents.contract._generated_resources import (
        BankQuestion,
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
    "CREDENTIAL_FIELDS",
    "validate_choice",
    "closest_matches",
    "Organization",
    "Template",
    "Event",
    "Registration",
    "BankQuestion",
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

# A longer list of choices would bury the rest of the message.
_LONGEST_LIST = 30
_MAX_COMPARED = 1000
"""Names that are compared with a misspelt one, and the characters of the longest of them."""

OnIncomplete = Literal["fail", "warn"]
"""The treatment of a list from which rows are missing after all readings."""
ON_INCOMPLETE: Final[tuple[OnIncomplete, ...]] = get_args(OnIncomplete)


def closest_matches(value: str, allowed: Iterable[str], limit: int = 3) -> list[str]:
    """Return up to ``limit`` allowed values that resemble ``value`` most, best first, regardless of case."""
    from difflib import get_close_matches

    # Of what a service sends, neither the number nor the length is known, and the comparison is quadratic.
    names = [name for name in islice(allowed, _MAX_COMPARED) if len(name) <= _MAX_COMPARED]
    folded = value.casefold()
    same = [name for name in names if name.casefold() == folded]
    originals = {name.casefold(): name for name in names}
    close = [originals[match] for match in get_close_matches(folded, list(originals), n=limit)]
    return list(dict.fromkeys(same + close))[:limit]


def validate_choice(
    parameter: str, value: str, allowed: Sequence[str], *, allow_undocumented: bool = False, closed: bool = False
) -> str:
    """Return ``value`` if it is an allowed one.

    :param parameter: the name to use in the error.
    :param allowed: the documented values.
    :param allow_undocumented: accept any non-empty string.
    :param closed: the values are this package's own, so that there are no undocumented ones.
    :raises RingEventsConfigError: ``value`` is not a string, empty, or (unless ``allow_undocumented``) not documented.
    """
    listing = f"Allowed: {', '.join(allowed)}." if len(allowed) <= _LONGEST_LIST else ""
    if not isinstance(value, str) or not value:
        raise invalid_argument(parameter, "a non-empty string", value, hint=listing or None)
    if value in allowed or allow_undocumented:
        return value
    close = closest_matches(value, allowed)
    suggestion = f"Did you mean {' or '.join(map(repr, close))}?" if close else ""
    newer = "" if closed else "Pass `allow_undocumented=True` for a value newer than this package."
    hint = " ".join(filter(None, [suggestion, listing, newer]))
    raise invalid_argument(parameter, "an allowed value" if closed else "a documented value", value, hint=hint or None)


def check_switch(parameter: str, value: Any) -> None:
    """Require True or False: a word such as "false" would count as true.

    :raises RingEventsConfigError: it is neither.
    """
    if not isinstance(value, bool):
        raise invalid_argument(parameter, "True or False", value)


def __getattr__(name: str) -> Any:
    # Creating the typed dicts takes 5 ms, which every import of an operator would pay only for annotations.
    if name in __all__:
        from airflow_provider_ringevents.contract import _generated_resources

        return getattr(_generated_resources, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
