"""Kinds of request attributes: each reads one value as it is to be sent, or says what is wrong with it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.types import closest_matches, validate_choice
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, to_utc
from airflow_provider_ringevents.client.validation.timezones import check_timezone

_LONGEST_VALUE = 80


@dataclass(slots=True)
class ValidationContext:
    """One run over the attributes of one call: what the kinds need to know, and what they find."""

    allow_undocumented: bool
    timezone: Any = None
    known: Callable[[Any], bool] = lambda value: True
    moments: dict[str, datetime] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def refuse(self, parameter: str, text: str) -> None:
        self.problems.append(f"{parameter}: {text}")


@dataclass(frozen=True, slots=True)
class StringType:
    """A string; a required one is not blank."""

    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, str):
            check.refuse(parameter, f"expected a string, got {_shown(value)}")
        elif self.required and not value.strip():
            check.refuse(parameter, "is required and empty")
        return value


@dataclass(frozen=True, slots=True)
class SecretType:
    """A string that no message shows."""

    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, str):
            check.refuse(parameter, f"expected a string, got {type(value).__name__} (not shown)")
        return value


@dataclass(frozen=True, slots=True)
class PatternType:
    """A string of a certain look."""

    pattern: re.Pattern[str]
    expected: str
    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            check.refuse(parameter, f"expected {self.expected}, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class EnumType:
    """One of the documented values."""

    allowed: Sequence[str]
    required: bool = False
    deprecated_for: str | None = None

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        try:
            return validate_choice(parameter, value, self.allowed, allow_undocumented=check.allow_undocumented)
        except RingEventsConfigError as error:
            check.problems.append(str(error))


@dataclass(frozen=True, slots=True)
class EnumListType:
    """A list of documented values, not empty."""

    allowed: Sequence[str]
    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, (list, tuple)) or not value:
            check.refuse(parameter, f"expected a list with at least one string, got {_shown(value)}")
            return value
        one = EnumType(self.allowed)
        return [one.read(f"{parameter}[{index}]", item, check) for index, item in enumerate(value)]


@dataclass(frozen=True, slots=True)
class TimeZoneType:
    """The documented name of a time zone."""

    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        try:
            return check_timezone(parameter, value, check.allow_undocumented)
        except RingEventsConfigError as error:
            check.problems.append(str(error))


@dataclass(frozen=True, slots=True)
class TimestampType:
    """A point in time, sent in UTC; without an offset it is local in the call's ``timezone``."""

    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        try:
            moment = to_utc(parameter, value, check.timezone, allow_undocumented=check.allow_undocumented)
        except RingEventsConfigError as error:
            check.problems.append(str(error))
            return value
        check.moments[parameter] = moment
        return format_timestamp(moment)


@dataclass(frozen=True, slots=True)
class BooleanType:
    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, bool):
            check.refuse(parameter, f"expected true or false, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class IntegerType:
    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            check.refuse(parameter, f"expected an integer, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class NumberType:
    """A finite number."""

    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value or abs(value) == math.inf:
            check.refuse(parameter, f"expected a finite number, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class MapType:
    """An open map; ``strings``: whose values are strings. Values are not shown: they may be anybody's secret."""

    strings: bool = False
    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            check.refuse(parameter, f"expected an object with strings for keys, got {type(value).__name__}")
            return value
        for key, item in value.items():
            if self.strings and not isinstance(item, str):
                check.refuse(f"{parameter}[{key!r}]", f"expected a string, got {type(item).__name__}")
            elif not _is_json(item):
                check.refuse(f"{parameter}[{key!r}]", f"expected what JSON can hold, got {type(item).__name__}")
        return dict(value)


@dataclass(frozen=True, slots=True)
class StructType:
    """An object with documented attributes."""

    table: Mapping[str, Kind]
    required: bool = False

    def read(self, parameter: str, value: Any, check: ValidationContext) -> Any:
        if not isinstance(value, Mapping):
            check.refuse(parameter, f"expected an object, got {type(value).__name__}")
            return value
        return validate_attributes(self.table, value, check, prefix=f"{parameter}.")


Kind = (
    StringType
    | SecretType
    | PatternType
    | EnumType
    | EnumListType
    | TimeZoneType
    | TimestampType
    | BooleanType
    | IntegerType
    | NumberType
    | MapType
    | StructType
)


def validate_attributes(
    table: Mapping[str, Kind], attributes: Mapping[str, Any], check: ValidationContext, prefix: str = ""
) -> dict[str, Any]:
    """Read each attribute by its kind; what is wrong goes to ``check``."""
    given = {name: value for name, value in attributes.items() if value is not None}
    for name, kind in table.items():
        if kind.required and name not in given:
            check.refuse(f"{prefix}{name}", "is required and missing")
    checked = {}
    for name, value in given.items():
        kind_of_it = table.get(name)
        if not check.known(value) or (isinstance(kind_of_it, TimestampType) and not check.known(check.timezone)):
            checked[name] = value
        elif kind_of_it is not None:
            checked[name] = kind_of_it.read(f"{prefix}{name}", value, check)
        elif not isinstance(name, str) or not check.allow_undocumented:
            close = closest_matches(str(name), table)
            hint = f"did you mean {' or '.join(close)}?" if close else f"allowed: {', '.join(table)}."
            # A name may hold what cannot be seen, such as the byte order mark of a spreadsheet's first column.
            plain = isinstance(name, str) and name.isidentifier()
            check.refuse(
                f"{prefix}{name if plain else repr(name)}",
                f"is not a documented attribute; {hint} Pass allow_undocumented=True for one newer than this package.",
            )
        elif _is_json(value):
            checked[name] = value
        else:
            check.refuse(f"{prefix}{name}", f"expected what JSON can hold, got {type(value).__name__}")
    return checked


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
