"""Types of request attributes: each validates a value and returns it as it is sent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, conceal
from airflow_provider_ringevents.client.types import closest_matches, validate_choice
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, to_utc
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.client.validation.nesting import find_unusable
from airflow_provider_ringevents.client.validation.timezones import check_timezone


@dataclass(slots=True)
class ValidationContext:
    """The state of one validation run: its options, and the errors and timestamps found.

    :ivar names: attribute -> the name by which errors call it, where that is another one.
    :ivar timestamps: the name in errors -> the time.
    """

    allow_undocumented: bool
    timezone: Any = None
    is_resolved: Callable[[Any], bool] = lambda value: True
    names: Mapping[str, str] = field(default_factory=dict)
    timestamps: dict[str, datetime] = field(default_factory=dict)
    errors: list[RingEventsConfigError] = field(default_factory=list)


# Struct: its classes are made in a hundredth of the time of data classes, which every parse of a DAG would pay for.
class AttributeType(msgspec.Struct, frozen=True, kw_only=True):
    """The type of a request attribute.

    :ivar required: the attribute must be given.
    """

    required: bool = False

    def validate(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send; record an error in the context if it is invalid."""
        try:
            if unusable := find_unusable(parameter, value):
                raise unusable
            return self._convert(parameter, value, context)
        except RingEventsConfigError as error:
            context.errors.append(error)
            return value

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        """Return the value to send.

        :raises RingEventsConfigError: it is invalid.
        """
        raise NotImplementedError


class StringType(AttributeType, frozen=True):
    """A string; a required one is not blank."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, str):
            raise invalid_argument(parameter, "a string", value)
        if self.required and not value.strip():
            raise invalid_argument(parameter, "a non-empty string", value)
        return value


class IdentifierType(AttributeType, frozen=True):
    """An id of this API."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        validate_identifier(parameter, value)
        return value


class TextOrListType(AttributeType, frozen=True):
    """A string, or a list of strings, which may be personal data and are not shown."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if isinstance(value, str):
            return value
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return list(value)
        raise invalid_argument(parameter, f"a string or a list of strings, not {type(value).__name__}")


class SecretType(AttributeType, frozen=True):
    """A string that no message repeats."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, str | Secret):
            raise invalid_argument(parameter, f"a string, not {type(value).__name__}")
        return conceal(value)


class PatternType(AttributeType, frozen=True):
    """A string that matches a pattern."""

    pattern: re.Pattern[str]
    expected: str

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, str) or not self.pattern.fullmatch(value):
            raise invalid_argument(parameter, self.expected, value)
        return value


class EnumType(AttributeType, frozen=True):
    """One of the documented values."""

    allowed: Sequence[str]
    deprecated_for: str | None = None

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        return validate_choice(parameter, value, self.allowed, allow_undocumented=context.allow_undocumented)


class EnumListType(AttributeType, frozen=True):
    """A non-empty list of documented values."""

    allowed: Sequence[str]

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, (list, tuple)) or not value:
            raise invalid_argument(parameter, "a list with at least one string", value)
        one = EnumType(self.allowed)
        return [one.validate(f"{parameter}[{index}]", item, context) for index, item in enumerate(value)]


class TimeZoneType(AttributeType, frozen=True):
    """The documented name of a time zone."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        return check_timezone(parameter, value, context.allow_undocumented)


class TimestampType(AttributeType, frozen=True):
    """A point in time, sent in UTC; without an offset it is local in the call's ``timezone``."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        moment = to_utc(parameter, value, context.timezone, allow_undocumented=context.allow_undocumented)
        context.timestamps[parameter] = moment
        return format_timestamp(moment)


class BooleanType(AttributeType, frozen=True):
    """A boolean."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, bool):
            raise invalid_argument(parameter, "true or false", value)
        return value


class IntegerType(AttributeType, frozen=True):
    """An integer."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid_argument(parameter, "an integer", value)
        return value


class NumberType(AttributeType, frozen=True):
    """A finite number."""

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value or abs(value) == math.inf:
            raise invalid_argument(parameter, "a finite number", value)
        return value


class MapType(AttributeType, frozen=True):
    """An object with any keys, and only string values if ``strings``; values may be secret and are not shown."""

    strings: bool = False

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise invalid_argument(parameter, f"an object with strings for keys, not {type(value).__name__}")
        for key, item in value.items():
            if self.strings and not isinstance(item, str):
                expected = f"a string, not {type(item).__name__}"
            elif not _is_json(item):
                expected = f"a value that JSON can represent, not {type(item).__name__}"
            else:
                continue
            context.errors.append(invalid_argument(f"{parameter}[{key!r}]", expected))
        return dict(value)


class StructType(AttributeType, frozen=True):
    """An object with documented attributes."""

    table: Mapping[str, AttributeType]

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, Mapping):
            raise invalid_argument(parameter, f"an object, not {type(value).__name__}")
        return validate_attributes(self.table, value, context, prefix=f"{parameter}.")


class StructListType(AttributeType, frozen=True):
    """A list of objects with documented attributes."""

    table: Mapping[str, AttributeType]

    def _convert(self, parameter: str, value: Any, context: ValidationContext) -> Any:
        if not isinstance(value, (list, tuple)):
            raise invalid_argument(parameter, f"a list of objects, not {type(value).__name__}")
        one = StructType(self.table)
        return [
            one.validate(f"{parameter}[{index}]", item, context) if context.is_resolved(item) else item
            for index, item in enumerate(value)
        ]


def validate_attributes(
    table: Mapping[str, AttributeType], attributes: Mapping[Any, Any], context: ValidationContext, prefix: str = ""
) -> dict[str, Any]:
    """Validate each attribute by its type and return them all; errors are added to ``context``."""
    names = {} if prefix else context.names
    given = {name: value for name, value in attributes.items() if isinstance(name, str) and value is not None}
    for name in attributes:
        if not isinstance(name, str):
            whole = prefix.removesuffix(".") or "attributes"
            context.errors.append(invalid_argument(whole, "a mapping with strings for keys", name))
    for name, attribute in table.items():
        if attribute.required and name not in given:
            context.errors.append(invalid_argument(f"{prefix}{names.get(name, name)}", "given"))
    validated = {}
    for name, value in given.items():
        attribute_type = table.get(name)
        # A name may contain invisible characters, such as the byte order mark in a spreadsheet's first column.
        place = f"{prefix}{name if name.isidentifier() else repr(name)}"
        if not context.is_resolved(value) or (
            isinstance(attribute_type, TimestampType) and not context.is_resolved(context.timezone)
        ):
            validated[name] = value
        elif attribute_type is not None:
            validated[name] = attribute_type.validate(f"{prefix}{names.get(name, name)}", value, context)
        elif not context.allow_undocumented:
            close = closest_matches(name, table)
            hint = f"Did you mean {' or '.join(close)}?" if close else f"Allowed: {', '.join(table)}."
            context.errors.append(
                invalid_argument(
                    place,
                    "a documented attribute",
                    hint=f"{hint} Pass `allow_undocumented=True` for one newer than this package.",
                )
            )
        elif unusable := find_unusable(place, value) or find_unusable(place, name):
            context.errors.append(unusable)
        elif _is_json(value):
            validated[name] = value
        else:
            context.errors.append(
                invalid_argument(place, f"a value that JSON can represent, not {type(value).__name__}")
            )
    return validated


def _is_json(value: Any) -> bool:
    """Return whether a value that is not nested too deeply can be sent as it is."""
    if not _has_text_keys(value):  # others would become strings
        return False
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _has_text_keys(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _has_text_keys(item) for name, item in value.items())
    return not isinstance(value, (list, tuple)) or all(map(_has_text_keys, value))
