"""Checks of what a writing operation would send, before anything is sent.

Each operation has a table of its attributes and their kinds. All that is wrong is said at once, so that the row of a
spreadsheet needs mending only once.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.types import (
    ATTENDEES_VISIBILITIES,
    EVENT_TYPES,
    NETWORK_TYPES,
    PARTICIPATION_REPORT_TYPES,
    SEGMENT_TYPES,
    SIGNALS,
)
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp
from airflow_provider_ringevents.client.validation.schema import (
    BooleanType,
    EnumListType,
    EnumType,
    IntegerType,
    Kind,
    MapType,
    NumberType,
    PatternType,
    SecretType,
    StringType,
    StructType,
    TimestampType,
    TimeZoneType,
    ValidationContext,
    validate_attributes,
)

_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ADDRESS = "an e-mail address"
_SERIES: dict[str, Kind] = {
    "auto_publish": BooleanType(),
    "metadata": MapType(),
    "name": StringType(),
    "organizationId": StringType(),
    "password": SecretType(),
    "timeEnd": TimestampType(),
    "timeStart": TimestampType(),
    "timezone": TimeZoneType(),
    "type": EnumType(EVENT_TYPES),
}
REQUEST_SCHEMAS: Mapping[str, Mapping[str, Kind]] = {
    "create_event": {
        "analyticsCode": StringType(),
        "attendeesVisibility": EnumType(ATTENDEES_VISIBILITIES),
        "attendeesVisiblity": EnumType(ATTENDEES_VISIBILITIES, deprecated_for="attendeesVisibility"),
        "color": PatternType(_COLOR, 'a colour in HEX format ("#fff" or "#ffffff")'),
        "currency": StringType(required=True),
        "description": StringType(),
        "doorsCloseAfterMinutes": IntegerType(),
        "doorsOpenBeforeMinutes": IntegerType(),
        "eventType": EnumType(EVENT_TYPES),
        "gdprText": StringType(),
        "hidePeopleArea": BooleanType(),
        "message": StringType(),
        "name": StringType(required=True),
        "networkType": EnumType(NETWORK_TYPES),
        "password": SecretType(),
        "shortDescription": StringType(),
        "slug": StringType(),
        "suppressEmails": BooleanType(),
        "timeEnd": TimestampType(required=True),
        "timeStart": TimestampType(required=True),
        "timerLength": IntegerType(),
        "timezone": TimeZoneType(required=True),
    },
    "create_event_from_template": {
        **_SERIES,
        "name": StringType(required=True),
        "organizationId": StringType(required=True),
        "timeEnd": TimestampType(required=True),
        "timeStart": TimestampType(required=True),
        "timezone": TimeZoneType(required=True),
    },
    "duplicate_event": _SERIES,
    "create_ticket": {
        "count": IntegerType(),
        "description": StringType(),
        "name": StringType(),
        "price": NumberType(),
        "private": BooleanType(),
    },
    "create_magic_link": {
        "email": PatternType(_EMAIL, _ADDRESS, required=True),
        "extraFields": MapType(strings=True),
        "firstName": StringType(required=True),
        "headline": StringType(),
        "lastName": StringType(required=True),
        "metadata": MapType(strings=True),
        "registrationId": StringType(),
    },
    "create_report": {
        "participationReportType": EnumType(PARTICIPATION_REPORT_TYPES),
        "participationTypeId": StringType(),
        "segmentType": EnumType(SEGMENT_TYPES),
        "virtualSpaceId": StringType(),
    },
    "update_registration": {"metadata": MapType(strings=True)},
    "create_data_subscription": {
        "configuration": StructType({"expiresAt": TimestampType(), "type": StringType(), "url": StringType()}),
        "signals": EnumListType(SIGNALS),
    },
    "create_redeem_code": {
        "created_at": StringType(),
        "email": PatternType(_EMAIL, _ADDRESS, required=True),
        "first_name": StringType(required=True),
        "last_name": StringType(required=True),
        "ticket_id": StringType(required=True),
    },
}
"""What each operation takes, under the API's own names."""


def validate_request(
    operation: str,
    attributes: Mapping[str, Any],
    *,
    allow_undocumented: bool = False,
    known: Callable[[Any], bool] = lambda value: True,
) -> dict[str, Any]:
    """Check the attributes of one call and give them as they are to be sent.

    ``None`` means "not given" and is left out. Times become strings in UTC.

    :param operation: a key of :data:`TABLES`.
    :param attributes: under the API's own names.
    :param allow_undocumented: let unknown attributes and new enumeration values through; types and times of the known
        ones are checked all the same.
    :param known: tells whether a value is known already; one that is not counts as given and is not looked at.
    :raises RingEventsConfigError: with everything that is wrong, one problem a line.
    """
    table = REQUEST_SCHEMAS[operation]
    if not isinstance(attributes, Mapping):
        raise RingEventsConfigError(f"{operation}: expected an object of attributes, got {type(attributes).__name__}")
    check = ValidationContext(allow_undocumented, attributes.get("timezone") if "timezone" in table else None, known)
    checked = validate_attributes(table, attributes, check)
    start, end = check.moments.get("timeStart"), check.moments.get("timeEnd")
    if start is not None and end is not None and start >= end:
        check.refuse("timeEnd", f"{format_timestamp(end)} is not after timeStart, {format_timestamp(start)}")
    # A wrong time zone is found once by itself and once by each time that needs it.
    problems = list(dict.fromkeys(check.problems))
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise RingEventsConfigError("\n- ".join([f"{operation}: {count}, nothing was sent:", *problems]))
    for name in checked:
        kind = table.get(name)
        if isinstance(kind, EnumType) and kind.deprecated_for:
            warnings.warn(f"{name} is deprecated, use {kind.deprecated_for}", DeprecationWarning, stacklevel=2)
    return checked
