"""The columns of a list in CSV and Parquet: its documented fields, in the order of the contract."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final, Literal, cast

from airflow_provider_ringevents.client.types import validate_choice
from airflow_provider_ringevents.contract._generated import COLUMNS

ColumnKind = Literal["string", "integer", "number", "boolean", "timestamp", "json"]

OTHER: Final = "_other"
"""The last column of every table: undocumented fields and values that fit no column, as JSON."""


@dataclass(frozen=True, slots=True)
class Column:
    """A documented field.

    :ivar name: the API's own name; a field of a nested object is prefixed with the object's name and a dot.
    :ivar kind: ``timestamp`` is a time that JSON holds as text; ``json`` is a list, or an object without fixed fields.
    """

    name: str
    kind: ColumnKind


@functools.cache
def columns_for(collection: str) -> tuple[Column, ...]:
    """Return the columns of a list, without :data:`OTHER`, which follows them.

    Columns of credentials are included; they are empty where credentials are not exported.

    :raises RingEventsConfigError: there is no such list.
    """
    validate_choice("collection", collection, tuple(COLUMNS), closed=True)
    return tuple(Column(name, cast(ColumnKind, kind)) for name, kind in COLUMNS[collection])
