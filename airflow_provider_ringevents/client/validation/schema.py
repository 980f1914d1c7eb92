"""Types of request attributes: each validates a value and returns it as it is sent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, conceal
from airflow_provider_ringevents.client.types import closest_matches, validate_choice
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, to_utc
from airflow_provider_ringevents.client.validation.timezones import check_timezone


@dataclass(slots=True)
class ValidationContext:
    """The state of one validation run: its options, and the errors and timestamps found."""

    allow_undocumented: bool
    timezone: Any = None
    is_resolved: Callable[[Any], bool] = lambda value: True
    timestamps: dict[str, datetime] = field(default_factory=dict)
    errors: list[RingEventsConfigError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StringType:
    """A string; a required one is not blank."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, str):
            context.errors.append(invalid_argument(parameter, "a string", value))
        elif self.required and not value.strip():
            context.errors.append(invalid_argument(parameter, "a non-empty string", value))
        return value


@dataclass(frozen=True, slots=True)
class TextOrListType:
    """A string, or a list of strings, which may be personal data and are not shown."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if isinstance(value, str):
            return value
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return list(value)
        context.errors.append(invalid_argument(parameter, f"a string or a list of strings, not {type(value).__name__}"))
        return value


@dataclass(frozen=True, slots=True)
class SecretType:
    """A string that no message repeats."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, str | Secret):
            context.errors.append(invalid_argument(parameter, f"a string, not {type(value).__name__}"))
        return conceal(value)


@dataclass(frozen=True, slots=True)
class PatternType:
    """A string that matches a pattern."""

    pattern: re.Pattern[str]
    expected: str
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            context.errors.append(invalid_argument(parameter, self.expected, value))
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
            context.errors.append(error)


@dataclass(frozen=True, slots=True)
class EnumListType:
    """A non-empty list of documented values."""

    allowed: Sequence[str]
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, (list, tuple)) or not value:
            context.errors.append(invalid_argument(parameter, "a list with at least one string", value))
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
            context.errors.append(error)


@dataclass(frozen=True, slots=True)
class TimestampType:
    """A point in time, sent in UTC; without an offset it is local in the call's ``timezone``."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        try:
            moment = to_utc(parameter, value, context.timezone, allow_undocumented=context.allow_undocumented)
        except RingEventsConfigError as error:
            context.errors.append(error)
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
            context.errors.append(invalid_argument(parameter, "true or false", value))
        return value


@dataclass(frozen=True, slots=True)
class IntegerType:
    """An integer."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, int) or isinstance(value, bool):
            context.errors.append(invalid_argument(parameter, "an integer", value))
        return value


@dataclass(frozen=True, slots=True)
class NumberType:
    """A finite number."""

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value or abs(value) == math.inf:
            context.errors.append(invalid_argument(parameter, "a finite number", value))
        return value


@dataclass(frozen=True, slots=True)
class MapType:
    """An object with any keys, and only string values if ``strings``; values may be secret and are not shown."""

    strings: bool = False
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            context.errors.append(
                invalid_argument(parameter, f"an object with strings for keys, not {type(value).__name__}")
            )
            return value
        for key, item in value.items():
            if self.strings and not isinstance(item, str):
                context.errors.append(invalid_argument(f"{parameter}[{key!r}]", f"a string, not {type(item).__name__}"))
            elif not _is_json(item):
                context.errors.append(
                    invalid_argument(
                        f"{parameter}[{key!r}]", f"a value that JSON can represent, not {type(item).__name__}"
                    )
                )
        return dict(value)


@dataclass(frozen=True, slots=True)
class StructType:
    """An object with documented attributes."""

    table: Mapping[str, AttributeType]
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, Mapping):
            context.errors.append(invalid_argument(parameter, f"an object, not {type(value).__name__}"))
            return value
        return validate_attributes(self.table, value, context, prefix=f"{parameter}.")


@dataclass(frozen=True, slots=True)
class StructListType:
    """A list of objects with documented attributes."""

    table: Mapping[str, AttributeType]
    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        if not isinstance(value, (list, tuple)):
            context.errors.append(invalid_argument(parameter, f"a list of objects, not {type(value).__name__}"))
            return value
        one = StructType(self.table)
        return [
            one.validate(f"{parameter}[{index}]", item, context) if context.is_resolved(item) else item
            for index, item in enumerate(value)
        ]


AttributeType = (
    StringType
    | TextOrListType
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
    | StructListType
)


def validate_attributes(
    table: Mapping[str, AttributeType], attributes: Mapping[str, Any], context: ValidationContext, prefix: str = ""
) -> dict[str, Any]:
    """Validate each attribute by its type and return them all; errors are added to ``context``."""
    given = {name: value for name, value in attributes.items() if value is not None}
    for name, attribute in table.items():
        if attribute.required and name not in given:
            context.errors.append(invalid_argument(f"{prefix}{name}", "given"))
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
            hint = f"Did you mean {' or '.join(close)}?" if close else f"Allowed: {', '.join(table)}."
            # A name may contain invisible characters, such as the byte order mark in a spreadsheet's first column.
            plain = isinstance(name, str) and name.isidentifier()
            context.errors.append(
                invalid_argument(
                    f"{prefix}{name if plain else repr(name)}",
                    "a documented attribute",
                    hint=f"{hint} Pass `allow_undocumented=True` for one newer than this package.",
                )
            )
        elif _is_json(value):
            validated[name] = value
        else:
            context.errors.append(
                invalid_argument(f"{prefix}{name}", f"a value that JSON can represent, not {type(value).__name__}")
            )
    return validated


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True
