"""Request bodies, checked against the API's reference; every flaw is said with a JSON pointer.

This is a second reading of the reference, on purpose not shared with the client: what one of them gets wrong the other
shows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from airflow_provider_ringevents.client import types
from airflow_provider_ringevents.client.validation.timezones import TIME_ZONES
from airflow_provider_ringevents.emulator.api.errors import ApiError, ErrorDetail
from airflow_provider_ringevents.emulator.backend.clock import parse_instant

Check = Callable[[Any, str], list[ErrorDetail]]
"""Takes a value and its pointer, gives what is wrong with it."""

_COLOR: Final = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})\Z")
_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)\Z", re.IGNORECASE)


def _typed(kind: type | tuple[type, ...], word: str) -> Check:
    def check(value: Any, pointer: str) -> list[ErrorDetail]:
        # In Python true is an integer, in JSON it is not.
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return []
        return [ErrorDetail(f"must be {word}", pointer=pointer)]

    return check


string: Final = _typed(str, "a string")
boolean: Final = _typed(bool, "a boolean")
integer: Final = _typed(int, "an integer")
number: Final = _typed((int, float), "a number")
mapping: Final = _typed(dict, "an object")


def one_of(allowed: Sequence[str]) -> Check:
    """A string out of ``allowed``."""
    known = frozenset(allowed)
    listing = f": {', '.join(allowed)}" if len(allowed) <= 30 else ""

    def check(value: Any, pointer: str) -> list[ErrorDetail]:
        if isinstance(value, str) and value in known:
            return []
        return [
            ErrorDetail(f"{json.dumps(value)[:80]} is not one of the {len(known)} allowed values{listing}", pointer)
        ]

    return check


def date_time(value: Any, pointer: str) -> list[ErrorDetail]:
    """A date-time with an offset."""
    if isinstance(value, str) and _DATE_TIME.match(value) and parse_instant(value) is not None:
        return []
    return [ErrorDetail("must be a date-time with an offset, such as 2019-08-24T14:15:22Z", pointer)]


def color(value: Any, pointer: str) -> list[ErrorDetail]:
    """A colour in hexadecimal digits."""
    return (
        []
        if isinstance(value, str) and _COLOR.match(value)
        else [ErrorDetail('must be a colour such as "#fff"', pointer)]
    )


def strings(value: Any, pointer: str) -> list[ErrorDetail]:
    """An object whose values are strings."""
    if not isinstance(value, dict):
        return mapping(value, pointer)
    return [flaw for name, item in value.items() for flaw in string(item, f"{pointer}/{_escaped(name)}")]


def list_of(check_item: Check) -> Check:
    """An array whose items pass ``check_item``."""

    def check(value: Any, pointer: str) -> list[ErrorDetail]:
        if not isinstance(value, list):
            return [ErrorDetail("must be an array", pointer)]
        return [flaw for place, item in enumerate(value) for flaw in check_item(item, f"{pointer}/{place}")]

    return check


@dataclass(frozen=True)
class Fields:
    """An object with these fields and no others."""

    checks: Mapping[str, Check]
    required: tuple[str, ...] = ()

    def __call__(self, value: Any, pointer: str) -> list[ErrorDetail]:
        if not isinstance(value, dict):
            return mapping(value, pointer)
        flaws = [
            ErrorDetail(f"{name} is missing", f"{pointer}/{_escaped(name)}")
            for name in self.required
            if name not in value
        ]
        for name, item in value.items():
            where = f"{pointer}/{_escaped(name)}"
            check = self.checks.get(name)
            flaws += check(item, where) if check else [ErrorDetail(f"{name} is not a known attribute", where)]
        return flaws


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def resource(kind: str, attributes: Fields) -> Fields:
    """``{"data": {"type": kind, "attributes": {...}}}``"""
    data = Fields({"type": one_of([kind]), "attributes": attributes}, ("type", "attributes"))
    return Fields({"data": data}, ("data",))


_EVENT_TYPE: Final = one_of(types.EVENT_TYPES)
_COPY: Final[dict[str, Check]] = {
    "auto_publish": boolean,
    "metadata": mapping,
    "name": string,
    "organizationId": string,
    "password": string,
    "timeEnd": date_time,
    "timeStart": date_time,
    "timezone": one_of(TIME_ZONES),
    "type": _EVENT_TYPE,
}
_VISIBILITY: Final = one_of(types.ATTENDEES_VISIBILITIES)

EVENT: Final = resource(
    "event",
    Fields(
        {
            "analyticsCode": string,
            "attendeesVisibility": _VISIBILITY,
            # Deprecated, and spelled so in the reference.
            "attendeesVisiblity": _VISIBILITY,
            "color": color,
            "currency": string,
            "description": string,
            "doorsCloseAfterMinutes": integer,
            "doorsOpenBeforeMinutes": integer,
            "eventType": _EVENT_TYPE,
            "gdprText": string,
            "hidePeopleArea": boolean,
            "message": string,
            "name": string,
            "networkType": one_of(types.NETWORK_TYPES),
            "password": string,
            "shortDescription": string,
            "slug": string,
            "suppressEmails": boolean,
            "timeEnd": date_time,
            "timeStart": date_time,
            "timerLength": integer,
            "timezone": one_of(TIME_ZONES),
        },
        ("currency", "name", "timeEnd", "timeStart", "timezone"),
    ),
)
EVENT_FROM_TEMPLATE: Final = resource(
    "event", Fields(_COPY, ("name", "organizationId", "timeEnd", "timeStart", "timezone"))
)
DUPLICATION: Final = resource("event", Fields(_COPY))
REGISTRATION: Final = resource("Registration", Fields({"metadata": strings}))
REPORT: Final = Fields(
    {
        "data": Fields(
            {
                "attributes": Fields(
                    {
                        "segmentType": one_of(types.SEGMENT_TYPES),
                        "virtualSpaceId": string,
                        "participationReportType": one_of(types.PARTICIPATION_REPORT_TYPES),
                        "participationTypeId": string,
                    }
                )
            }
        )
    }
)
TICKET: Final = resource(
    "ticket",
    Fields({"count": integer, "description": string, "name": string, "price": number, "private": boolean}),
)
MAGIC_LINK: Final = resource(
    "magicLink",
    Fields(
        {
            "email": string,
            "extraFields": strings,
            "firstName": string,
            "headline": string,
            "lastName": string,
            "metadata": strings,
            "registrationId": string,
        },
        ("email", "firstName", "lastName"),
    ),
)
DATA_SUBSCRIPTION: Final = resource(
    "dataSubscription",
    Fields(
        {
            "configuration": Fields({"url": string, "type": string, "expiresAt": date_time}),
            "signals": list_of(one_of(types.SIGNALS)),
        }
    ),
)
REDEEM_CODE: Final = Fields(
    {"ticket_id": string, "first_name": string, "last_name": string, "email": string, "created_at": string},
    ("ticket_id", "first_name", "last_name", "email"),
)


def read_body(raw: bytes, schema: Fields, *, optional: bool = False) -> dict[str, Any]:
    """Read a request's body.

    :param optional: whether the body may be left out; then an empty object is returned for it.
    :raises Problem: 422 with a flaw for everything that is wrong.
    """
    if not raw and optional:
        return {}
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ApiError(
            422, [ErrorDetail("the body is not JSON" if raw else "the body is missing", pointer="")]
        ) from None
    flaws = schema(body, "")
    if flaws:
        raise ApiError(422, flaws)
    result: dict[str, Any] = body
    return result


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def read_attributes(raw: bytes, schema: Fields, *, optional: bool = False) -> dict[str, Any]:
    """Read ``data.attributes`` of a request's body; the same as :func:`read_body` otherwise.

    :raises Problem: 422, also when an event would end before it starts.
    """
    attributes: dict[str, Any] = read_body(raw, schema, optional=optional).get("data", {}).get("attributes", {})
    check_times(attributes)
    return attributes


def check_times(attributes: Mapping[str, Any]) -> None:
    """:raises Problem: 422 when ``timeEnd`` is not after ``timeStart``."""
    start, end = attributes.get("timeStart"), attributes.get("timeEnd")
    if start is not None and end is not None and (parse_instant(end) or 0) <= (parse_instant(start) or 0):
        raise ApiError(422, [ErrorDetail("must be after timeStart", pointer="/data/attributes/timeEnd")])
