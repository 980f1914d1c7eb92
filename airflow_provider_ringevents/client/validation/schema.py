"""Types of request attributes: each validates a value and returns it as it is sent."""

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
    """The state of one validation run: its options, and the errors and timestamps found."""

    allow_undocumented: bool
    timezone: Any = None
    is_resolved: Callable[[Any], bool] = lambda value: True
    timestamps: dict[str, datetime] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def add_error(self, parameter: str, text: str) -> None:
        """Record a problem of a parameter."""
        self.errors.append(f"{parameter}: {text}")


@dataclass(frozen=True, slots=True)
class StringType:
    """A string; a required one is not blank."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, str):
            context.add_error(parameter, f"expected a string, got {_shown(value)}")
        elif self.required and not value.strip():
            context.add_error(parameter, "is required and empty")
        return value


@dataclass(frozen=True, slots=True)
class SecretType:
    """A string that no message repeats."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, str):
            context.add_error(parameter, f"expected a string, got {type(value).__name__} (not shown)")
        return value


@dataclass(frozen=True, slots=True)
class PatternType:
    """A string that matches a pattern."""

    pattern: re.Pattern[str]
    expected: str
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            context.add_error(parameter, f"expected {self.expected}, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class EnumType:
    """One of the documented values."""

    allowed: Sequence[str]
    required: bool = False
    deprecated_for: str | None = None

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        try:
            return validate_choice(parameter, value, self.allowed, allow_undocumented=context.allow_undocumented)
        except RingEventsConfigError as error:
            context.errors.append(str(error))


@dataclass(frozen=True, slots=True)
class EnumListType:
    """A non-empty list of documented values."""

    allowed: Sequence[str]
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, (list, tuple)) or not value:
            context.add_error(parameter, f"expected a list with at least one string, got {_shown(value)}")
            return value
        one = EnumType(self.allowed)
        return [one.validate(f"{parameter}[{index}]", item, context) for index, item in enumerate(value)]


@dataclass(frozen=True, slots=True)
class TimeZoneType:
    """The documented name of a time zone."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        try:
            return check_timezone(parameter, value, context.allow_undocumented)
        except RingEventsConfigError as error:
            context.errors.append(str(error))


@dataclass(frozen=True, slots=True)
class TimestampType:
    """A point in time, sent in UTC; without an offset it is local in the call's ``timezone``."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        try:
            moment = to_utc(parameter, value, context.timezone, allow_undocumented=context.allow_undocumented)
        except RingEventsConfigError as error:
            context.errors.append(str(error))
            return value
        context.timestamps[parameter] = moment
        return format_timestamp(moment)


@dataclass(frozen=True, slots=True)
class BooleanType:
    """A boolean."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, bool):
            context.add_error(parameter, f"expected true or false, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class IntegerType:
    """An integer."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, int) or isinstance(value, bool):
            context.add_error(parameter, f"expected an integer, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class NumberType:
    """A finite number."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value or abs(value) == math.inf:
            context.add_error(parameter, f"expected a finite number, got {_shown(value)}")
        return value


@dataclass(frozen=True, slots=True)
class MapType:
    """An object with any keys, and only string values if ``strings``; values may be secret and are not shown."""

    strings: bool = False
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            context.add_error(parameter, f"expected an object with strings for keys, got {type(value).__name__}")
            return value
        for key, item in value.items():
            if self.strings and not isinstance(item, str):
                context.add_error(f"{parameter}[{key!r}]", f"expected a string, got {type(item).__name__}")
            elif not _is_json(item):
                context.add_error(f"{parameter}[{key!r}]", f"expected what JSON can hold, got {type(item).__name__}")
        return dict(value)


@dataclass(frozen=True, slots=True)
class StructType:
    """An object with documented attributes."""

    table: Mapping[str, AttributeType]
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, Mapping):
            context.add_error(parameter, f"expected an object, got {type(value).__name__}")
            return value
        return validate_attributes(self.table, value, context, prefix=f"{parameter}.")


AttributeType = (
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
    table: Mapping[str, AttributeType], attributes: Mapping[str, Any], context: ValidationContext, prefix: str = ""
) -> dict[str, Any]:
    """Validate each attribute by its type and return them all; errors are added to ``context``."""
    given = {name: value for name, value in attributes.items() if value is not None}
    for name, attribute in table.items():
        if attribute.required and name not in given:
            context.add_error(f"{prefix}{name}", "is required and missing")
    validated = {}
    for name, value in given.items():
        attribute_type = table.get(name)
        if not context.is_resolved(value) or (
            isinstance(attribute_type, TimestampType) and not context.is_resolved(context.timezone)
        ):
            validated[name] = value
        elif attribute_type is not None:
            validated[name] = attribute_type.validate(f"{prefix}{name}", value, context)
        elif not isinstance(name, str) or not context.allow_undocumented:
            close = closest_matches(str(name), table)
            hint = f"did you mean {' or '.join(close)}?" if close else f"allowed: {', '.join(table)}."
            # A name may contain invisible characters, such as the byte order mark in a spreadsheet's first column.
            plain = isinstance(name, str) and name.isidentifier()
            context.add_error(
                f"{prefix}{name if plain else repr(name)}",
                f"is not a documented attribute; {hint} Pass allow_undocumented=True for one newer than this package.",
            )
        elif _is_json(value):
            validated[name] = value
        else:
            context.add_error(f"{prefix}{name}", f"expected what JSON can hold, got {type(value).__name__}")
    return validated


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
