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
from airflow_provider_ringevents.client.validation.datetimes import api_time
from airflow_provider_ringevents.client.validation.schema import (
    Check,
    Choice,
    Choices,
    Flag,
    Integer,
    Kind,
    Number,
    Object,
    Pattern,
    Record,
    Secret,
    Text,
    Time,
    Zone,
    read_all,
)

_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_ADDRESS = "an e-mail address"
_SERIES: dict[str, Kind] = {
    "auto_publish": Flag(),
    "metadata": Object(),
    "name": Text(),
    "organizationId": Text(),
    "password": Secret(),
    "timeEnd": Time(),
    "timeStart": Time(),
    "timezone": Zone(),
    "type": Choice(EVENT_TYPES),
}
TABLES: Mapping[str, Mapping[str, Kind]] = {
    "create_event": {
        "analyticsCode": Text(),
        "attendeesVisibility": Choice(ATTENDEES_VISIBILITIES),
        "attendeesVisiblity": Choice(ATTENDEES_VISIBILITIES, deprecated_for="attendeesVisibility"),
        "color": Pattern(_COLOR, 'a colour in HEX format ("#fff" or "#ffffff")'),
        "currency": Text(required=True),
        "description": Text(),
        "doorsCloseAfterMinutes": Integer(),
        "doorsOpenBeforeMinutes": Integer(),
        "eventType": Choice(EVENT_TYPES),
        "gdprText": Text(),
        "hidePeopleArea": Flag(),
        "message": Text(),
        "name": Text(required=True),
        "networkType": Choice(NETWORK_TYPES),
        "password": Secret(),
        "shortDescription": Text(),
        "slug": Text(),
        "suppressEmails": Flag(),
        "timeEnd": Time(required=True),
        "timeStart": Time(required=True),
        "timerLength": Integer(),
        "timezone": Zone(required=True),
    },
    "create_event_from_template": {
        **_SERIES,
        "name": Text(required=True),
        "organizationId": Text(required=True),
        "timeEnd": Time(required=True),
        "timeStart": Time(required=True),
        "timezone": Zone(required=True),
    },
    "duplicate_event": _SERIES,
    "create_ticket": {
        "count": Integer(),
        "description": Text(),
        "name": Text(),
        "price": Number(),
        "private": Flag(),
    },
    "create_magic_link": {
        "email": Pattern(_EMAIL, _ADDRESS, required=True),
        "extraFields": Object(strings=True),
        "firstName": Text(required=True),
        "headline": Text(),
        "lastName": Text(required=True),
        "metadata": Object(strings=True),
        "registrationId": Text(),
    },
    "create_report": {
        "participationReportType": Choice(PARTICIPATION_REPORT_TYPES),
        "participationTypeId": Text(),
        "segmentType": Choice(SEGMENT_TYPES),
        "virtualSpaceId": Text(),
    },
    "update_registration": {"metadata": Object(strings=True)},
    "create_data_subscription": {
        "configuration": Record({"expiresAt": Time(), "type": Text(), "url": Text()}),
        "signals": Choices(SIGNALS),
    },
    "create_redeem_code": {
        "created_at": Text(),
        "email": Pattern(_EMAIL, _ADDRESS, required=True),
        "first_name": Text(required=True),
        "last_name": Text(required=True),
        "ticket_id": Text(required=True),
    },
}
"""What each operation takes, under the API's own names."""


def checked_attributes(
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
    table = TABLES[operation]
    if not isinstance(attributes, Mapping):
        raise RingEventsConfigError(f"{operation}: expected an object of attributes, got {type(attributes).__name__}")
    check = Check(allow_undocumented, attributes.get("timezone") if "timezone" in table else None, known)
    checked = read_all(table, attributes, check)
    start, end = check.moments.get("timeStart"), check.moments.get("timeEnd")
    if start is not None and end is not None and start >= end:
        check.refuse("timeEnd", f"{api_time(end)} is not after timeStart, {api_time(start)}")
    # A wrong time zone is found once by itself and once by each time that needs it.
    problems = list(dict.fromkeys(check.problems))
    if problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        raise RingEventsConfigError("\n- ".join([f"{operation}: {count}, nothing was sent:", *problems]))
    for name in checked:
        kind = table.get(name)
        if isinstance(kind, Choice) and kind.deprecated_for:
            warnings.warn(f"{name} is deprecated, use {kind.deprecated_for}", DeprecationWarning, stacklevel=2)
    return checked
