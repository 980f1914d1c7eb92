"""The columns that a list has in CSV and Parquet: the documented fields, in the order of the API's reference. Pure."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, Literal, get_args

from airflow_provider_ringevents.client.types import validate_choice

ColumnKind = Literal["string", "integer", "number", "boolean", "timestamp", "json"]

OTHER: Final = "_other"
"""The name of the last column of every table: as JSON, what no documented column holds."""


@dataclass(frozen=True, slots=True)
class Column:
    """One documented field.

    :ivar name: the API's own; a field of a nested object has the object's name and a dot before it.
    :ivar kind: ``timestamp`` is a time that JSON has as text; ``json`` is a list, or an object without fixed fields.
    """

    name: str
    kind: ColumnKind


# `name` is a string, anything else is `name:kind`. The reference goes by the alphabet; `id` is first in every row.
# The types of `timeStart`, `timeEnd` and `firstCheckIn` are not said there: their names say that they are times.
_TABLES: Final[dict[str, str]] = {
    "organizations": "id createdAt:timestamp email facebook name twitter website",
    "templates": "id name",
    "events": """
        id createdAt:timestamp description metadata:json name published:boolean slug status timeEnd:timestamp
        timeStart:timestamp timezone type
    """,
    "registrations": """
        id attended:boolean bio createdAt:timestamp customRegistrationFields:json email firstCheckIn:timestamp
        firstName headline lastName linkedin magicLinkId metadata:json phoneNumber qrCodeData qrCodeImageUrl
        questionBankEnabled:boolean refunded:boolean registeredThrough ticketId timezone twitter updatedAt:timestamp
        userId utm.utmSource utm.utmCampaign utm.utmMedium utm.utmContent utm.utmTerm website
    """,
    "tickets": """
        id claimed:integer count:integer createdAt:timestamp description discount:number eventId name price:number
        private:boolean remaining:integer slug
    """,
    "magic_links": """
        id createdAt:timestamp email extraFields:json firstName headline lastName magicLink metadata:json
        registrationId status updatedAt:timestamp
    """,
    "booths": """
        id about boothSize createdAt:timestamp email facebook headline instagram linkedin name priority:integer twitter
        updatedAt:timestamp website
    """,
    "booth_tags": "id name",
    "stages": "id createdAt:timestamp name updatedAt:timestamp",
    "sessions": "id createdAt:timestamp name updatedAt:timestamp",
    "schedule_items": """
        id area areaId areaName createdAt:timestamp description name speakers:json timeEnd:timestamp
        timeStart:timestamp updatedAt:timestamp
    """,
    "schedule_item_tags": "id name",
    "reports": "id title status",
}


@functools.cache
def columns_for(collection: str) -> tuple[Column, ...]:
    """The columns of a list, without :data:`OTHER`, which follows them.

    Columns of credentials are among them: they are empty where credentials are not exported.

    :raises RingEventsConfigError: there is no such list.
    """
    validate_choice("collection", collection, tuple(_TABLES), closed=True)
    return tuple(_column(entry) for entry in _TABLES[collection].split())


def _column(entry: str) -> Column:
    name, _, kind = entry.partition(":")
    for known in get_args(ColumnKind):
        if (kind or "string") == known:
            return Column(name, known)
    raise ValueError(f"{entry!r} is no column")
