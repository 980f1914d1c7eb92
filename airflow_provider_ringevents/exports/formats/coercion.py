"""Type coercion: the values of a response in the types of columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from airflow_provider_ringevents.client.validation.datetimes import parse_timestamp
from airflow_provider_ringevents.exports.columns import ColumnKind
from airflow_provider_ringevents.exports.formats.base import Row, ZoneOf
from airflow_provider_ringevents.exports.formats.flattening import json_bytes

INT64: Final = range(-(2**63), 2**63)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
# Any zone but UTC: a time without an offset reads differently there.
_ELSEWHERE: Final = "Etc/GMT+12"


class CoercionError(ValueError):
    """A value is not of the kind of its column."""


def coerce(kind: ColumnKind, value: Any, row: Row, zone_of: ZoneOf) -> Any:
    """Return the value in the column's type; a ``timestamp`` as an aware datetime in UTC.

    Another spelling of the same value fits: a number as text where a number is documented (Ruby writes decimals so), a
    number or boolean where text is.

    :param kind: any but ``json``, which takes everything.
    :param zone_of: returns the zone in which a time of the row without an offset is local.
    :raises CoercionError: the column cannot hold it.
    """
    if value is None:
        return None
    if kind == "timestamp":
        return _moment(value, lambda: zone_of(row))
    return _SCALARS[kind](value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json_bytes(value).decode()
    raise CoercionError


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise CoercionError


def _integer(value: Any) -> int:
    number = _parsed(value)
    if number == number // 1 and int(number) in INT64:
        return int(number)
    raise CoercionError


def _number(value: Any) -> float:
    number = _parsed(value)
    try:
        # An integer that a double cannot hold would come out as another one.
        if isinstance(number, float) or int(float(number)) == number:
            return float(number)
    except OverflowError:
        pass
    raise CoercionError


def _parsed(value: Any) -> int | float:
    if isinstance(value, str) and len(value) < 400 and _NUMBER.fullmatch(value):
        value = float(value) if any(mark in value for mark in ".eE") else int(value)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise CoercionError
    return value


def _moment(value: Any, zone: Callable[[], tzinfo]) -> datetime:
    moment = parse_timestamp(value, None)
    if moment is None:
        raise CoercionError
    if moment == parse_timestamp(value, _ELSEWHERE):
        return moment
    try:
        return moment.replace(tzinfo=zone()).astimezone(UTC)
    except OverflowError:
        raise CoercionError from None


_SCALARS: Final[dict[ColumnKind, Callable[[Any], Any]]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
