"""Type coercion: the values of a response in the types of columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from airflow_provider_ringevents.client.validation.datetimes import is_local_time, parse_timestamp
from airflow_provider_ringevents.exports.columns import ColumnKind
from airflow_provider_ringevents.exports.formats.base import Row, ZoneOf
from airflow_provider_ringevents.exports.formats.flattening import digits, json_bytes

INT64: Final = range(-(2**63), 2**63)
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class CoercionError(ValueError):
    """A value is not of the kind of its column."""


def coerce(kind: ColumnKind, value: Any, row: Row, zone_of: ZoneOf) -> Any:
    """Return the value in the column's type; a ``timestamp`` as an aware datetime in UTC.

    Another spelling of the same value fits: a number as text where a number is documented (Ruby writes decimals so), a
    number or boolean where text is. A number whose double is another decimal number does not.

    :param kind: any but ``json``, which takes everything.
    :param zone_of: returns the zone in which a time of the row without an offset is local; None: it is not known.
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
    if isinstance(value, msgspec.Raw):
        return digits(value)
    raise CoercionError


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise CoercionError


def _integer(value: Any) -> int:
    number = _parsed(value)
    # The range first, and zero by itself: an exponent may stand for more digits than memory has room for.
    if not number:
        return 0
    if INT64.start <= number < INT64.stop and int(number) == number:
        return int(number)
    raise CoercionError


def _number(value: Any) -> float:
    number = _parsed(value)
    try:
        double = float(number)
    except OverflowError:
        raise CoercionError from None
    if math.isfinite(double) and (isinstance(number, float) or _is_same_number(double, number)):
        return double
    raise CoercionError


def _is_same_number(double: float, number: int | Decimal) -> bool:
    """Tell whether a double is written with the digits of the number: ``1.10`` is 1.1, ``9007199254740993`` is none."""
    return int(double) == number if isinstance(number, int) else Decimal(repr(double)) == number


def _parsed(value: Any) -> int | float | Decimal:
    if isinstance(value, msgspec.Raw):
        value = digits(value)
    if isinstance(value, str) and len(value) < 400 and _NUMBER.fullmatch(value):
        try:
            value = Decimal(value) if any(mark in value for mark in ".eE") else int(value)
        except InvalidOperation:
            raise CoercionError from None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | Decimal)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise CoercionError
    return value


def _moment(value: Any, zone_of: Callable[[], tzinfo | None]) -> datetime:
    moment = parse_timestamp(value, None)
    if moment is None:
        raise CoercionError
    if not is_local_time(value):
        return moment
    zone = zone_of()
    if zone is None:
        raise CoercionError
    try:
        return moment.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise CoercionError from None


_SCALARS: Final[dict[ColumnKind, Callable[[Any], Any]]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
