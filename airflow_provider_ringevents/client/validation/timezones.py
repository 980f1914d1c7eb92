"""Time zones by the names that the API documents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.types import closest_matches
from airflow_provider_ringevents.contract._generated import TIME_ZONES
from airflow_provider_ringevents.contract.timezone_names import IANA_NAMES


def iana_name(name: str) -> str:
    """Return the tz database name of a documented name.

    :raises RingEventsConfigError: the name is not documented; the message suggests some that are.
    """
    return IANA_NAMES[check_timezone("timezone", name)]


def get_zone(name: str, parameter: str = "timezone", *, allow_undocumented: bool = False) -> ZoneInfo:
    """Return the time zone of a documented name.

    :param parameter: the name to use in the error.
    :param allow_undocumented: look an undocumented name up in the tz database.
    :raises RingEventsConfigError: the name is not documented, or the tz database does not know it.
    """
    check_timezone(parameter, name, allow_undocumented)
    found = _load(IANA_NAMES.get(name, name))
    if found is None:
        raise invalid_argument(
            parameter, "in the tz database", name, hint="Give times with an offset, or install `tzdata`."
        )
    return found


def check_timezone(parameter: str, name: str, allow_undocumented: bool = False) -> str:
    """Return ``name`` if the API documents it.

    :param parameter: the name to use in the error.
    :param allow_undocumented: accept any non-empty string.
    :raises RingEventsConfigError: not a string, empty, or (unless ``allow_undocumented``) not documented.
    """
    if not isinstance(name, str) or not name:
        raise invalid_argument(parameter, 'the name of a time zone, such as "Europe/Berlin"', name)
    if name in IANA_NAMES or allow_undocumented:
        return name
    close = _suggestions(name)
    suggestion = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise invalid_argument(
        parameter,
        f"one of the {len(TIME_ZONES)} documented time zones",
        name,
        hint=f"{suggestion}Pass `allow_undocumented=True` for a zone newer than this package.",
    )


def _load(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A path outside the database raises ValueError, a directory in it OSError.
        return None


def _suggestions(name: str, limit: int = 3) -> list[str]:
    """Return documented names of the same city, with the same clock, or of similar spelling."""
    city = name.casefold().replace(" ", "_")
    same_city = [known for known in TIME_ZONES if known.rpartition("/")[2].casefold() == city]
    same_clock = _same_clock(name) if not same_city else []
    return list(dict.fromkeys([*same_city, *same_clock, *closest_matches(name, TIME_ZONES, limit)]))[:limit]


def _same_clock(name: str) -> list[str]:
    """Return the documented tz database zones of the region of ``name`` that agree with it for the next two years."""
    wanted = _load(name)
    if wanted is None:
        return []
    now = datetime.now(UTC)
    moments = [now + timedelta(days=7 * week) for week in range(104)]
    region = name.partition("/")[0] + "/"
    candidates = (known for known in TIME_ZONES if known.startswith(region))
    return [
        known
        for known in candidates
        if all(
            moment.astimezone(wanted).utcoffset() == moment.astimezone(ZoneInfo(known)).utcoffset()
            for moment in moments
        )
    ]
