"""Conversion of points in time between users, the API and Python."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.validation.timezones import get_zone

_MAX_CHARACTERS = 100
_EXAMPLE = '"2026-05-01T09:00:00+02:00"'
# The reader of the standard library takes any character as separator, and dates without any: 1764012312345 is no time.
_ISO_8601 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,20})?)?"
    r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?(?::[0-9]{2})?)?)?"
)
# "2026-05-01 09:00:00 UTC" and "2026-05-01 09:00:00 +0200": the default format of a Ruby service.
_SPACED_OFFSET = re.compile(r"\s+(UTC|GMT|[+-]\d\d:?\d\d)$")


def to_utc(
    parameter: str, value: str | datetime, timezone: str | None, *, allow_undocumented: bool = False
) -> datetime:
    """Convert an ISO 8601 string or a datetime to an aware datetime in UTC.

    :param parameter: the name to use in the error.
    :param value: with an offset it is converted; without one it is local time in ``timezone``.
    :param timezone: the documented name of a time zone, or ``None`` where a time needs an offset.
    :param allow_undocumented: ``timezone`` may be a tz database name that the API does not document.
    :raises RingEventsConfigError: unreadable, without an offset where there is no zone, skipped or repeated when the
        zone's clocks change, or in an unknown zone.
    """
    moment = _parsed(parameter, value)
    if moment.utcoffset() is not None:
        return _in_utc(parameter, moment)
    # A pendulum datetime would bring its own arithmetic along.
    local = datetime.combine(moment.date(), moment.time().replace(tzinfo=None, fold=0))
    shown = local.isoformat(sep=" ")
    if timezone is None:
        raise invalid_argument(parameter, f"a time with an offset, such as {_EXAMPLE}", shown)
    zone_info = get_zone(timezone, allow_undocumented=allow_undocumented)
    first = _in_utc(parameter, local.replace(tzinfo=zone_info))
    second = _in_utc(parameter, local.replace(tzinfo=zone_info, fold=1))
    if first == second:
        return first
    if _local(first, zone_info) != local:
        raise invalid_argument(parameter, f"a time that the clocks in {timezone!r} do not skip", shown)
    times = f"{first.astimezone(zone_info).isoformat()} or {second.astimezone(zone_info).isoformat()}"
    raise invalid_argument(parameter, f"{times}, since this local time occurs twice in {timezone!r}", shown)


def format_timestamp(value: datetime) -> str:
    """Format an aware datetime as the API expects it: ``2019-08-24T14:15:22Z``.

    Microseconds are written only where there are any.

    :raises RingEventsConfigError: the datetime has no offset.
    """
    if value.utcoffset() is None:
        raise invalid_argument("time", f"a time with an offset, such as {_EXAMPLE}", value.isoformat())
    return f"{_in_utc('time', value).replace(tzinfo=None).isoformat()}Z"


def parse_timestamp(text: str | None, timezone: str | None) -> datetime | None:
    """Parse a time of a response as an aware datetime in UTC; ``None`` if it is missing or malformed.

    :param timezone: the event's zone: a time without an offset is local there, and cannot be read if the zone is not
        known. ``None`` stands for UTC. Of a time that happens twice it is the first; one that the clocks skip is read
        with the offset before the change.
    """
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS:
        return None
    try:
        moment = parse_iso_8601(_SPACED_OFFSET.sub(_joined_offset, text.strip()))
        if moment.utcoffset() is None:
            moment = moment.replace(tzinfo=UTC if timezone is None else get_zone(timezone, allow_undocumented=True))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, RingEventsConfigError):
        return None


def is_local_time(text: object) -> bool:
    """Return True for a time of a response without an offset, which can be read in a known zone only."""
    return isinstance(text, str) and parse_timestamp(text, None) is not None and parse_timestamp(text, "") is None


def parse_iso_8601(text: str) -> datetime:
    """Parse a date, or a date and a time, in ISO 8601 with separators.

    :raises ValueError: it is something else.
    """
    if not _ISO_8601.fullmatch(text):
        raise ValueError(f"not ISO 8601 with separators: {text[:_MAX_CHARACTERS]!r}")
    return datetime.fromisoformat(text.upper())


def _parsed(parameter: str, value: str | datetime) -> datetime:
    if isinstance(value, datetime) and value == value:  # `pandas.NaT` is a datetime that equals nothing
        return value
    if isinstance(value, str):
        try:
            moment = parse_iso_8601(value.strip())
        except ValueError:
            pass
        else:
            # A date alone would be midnight, which is hardly meant.
            if ":" in value or "T" in value.upper():
                return moment
    raise invalid_argument(parameter, f"a time in ISO 8601, such as {_EXAMPLE}", value)


def _in_utc(parameter: str, moment: datetime) -> datetime:
    try:
        moved = moment.astimezone(UTC)
    except OverflowError:
        raise invalid_argument(parameter, "in the years 1 to 9999", moment.isoformat()) from None
    return datetime.combine(moved.date(), moved.time(), UTC)


def _local(moment: datetime, zone_info: tzinfo) -> datetime:
    return moment.astimezone(zone_info).replace(tzinfo=None, fold=0)


def _joined_offset(match: re.Match[str]) -> str:
    return "+00:00" if match[1] in ("UTC", "GMT") else match[1]
