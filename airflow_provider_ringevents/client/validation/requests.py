"""Validation of request attributes before anything is sent.

The attributes and their types come from the contract. All errors are reported together, so that a row of a spreadsheet
has to be corrected only once.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_ringevents.client.errors import combine_errors, invalid_argument
from airflow_provider_ringevents.client.secrets import conceal_attributes
from airflow_provider_ringevents.client.types import check_switch
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp
from airflow_provider_ringevents.client.validation.schema import (
    AttributeType,
    BooleanType,
    EnumListType,
    EnumType,
    IdentifierType,
    IntegerType,
    MapType,
    NumberType,
    PatternType,
    SecretType,
    StringType,
    StructListType,
    StructType,
    TextOrListType,
    TimestampType,
    TimeZoneType,
    ValidationContext,
    validate_attributes,
)
from airflow_provider_ringevents.contract._generated import REQUESTS
from airflow_provider_ringevents.contract.overlay import (
    DEPRECATED_ATTRIBUTES,
    PATTERN_DESCRIPTIONS,
    SECRET_ATTRIBUTES,
)


def _attribute_type(name: str, kind: str, required: bool, detail: Any) -> AttributeType:
    if name in SECRET_ATTRIBUTES:
        return SecretType(required=required)
    if kind == "string" and name.endswith(("Id", "_id")):
        return IdentifierType(required=required)
    if kind == "pattern":
        return PatternType(re.compile(detail), PATTERN_DESCRIPTIONS[name], required=required)
    if kind == "enumeration":
        return EnumType(detail, DEPRECATED_ATTRIBUTES.get(name), required=required)
    if kind == "enumeration list":
        return EnumListType(detail, required=required)
    if kind == "map":
        return MapType(detail == "string", required=required)
    if kind == "struct":
        return StructType(_attribute_types(detail), required=required)
    if kind == "struct list":
        return StructListType(_attribute_types(detail), required=required)
    return _PLAIN_TYPES[kind](required=required)


def _attribute_types(attributes: Mapping[str, tuple[str, bool, Any]]) -> dict[str, AttributeType]:
    return {name: _attribute_type(name, *attribute) for name, attribute in attributes.items()}


_PLAIN_TYPES: Mapping[str, type[AttributeType]] = {
    "string": StringType,
    "string or array": TextOrListType,
    "timezone": TimeZoneType,
    "date-time": TimestampType,
    "boolean": BooleanType,
    "integer": IntegerType,
    "number": NumberType,
}

REQUEST_SCHEMAS: Mapping[str, Mapping[str, AttributeType]] = {
    operation: _attribute_types(attributes) for operation, attributes in REQUESTS.items()
}
"""Operation -> attributes under the API's own names."""


def boolean_attributes(operation: str) -> list[str]:
    """Return the names of the boolean attributes of an operation."""
    return [name for name, kind in REQUEST_SCHEMAS[operation].items() if isinstance(kind, BooleanType)]


def validate_request(
    operation: str,
    attributes: Mapping[str, Any],
    *,
    allow_undocumented: bool = False,
    is_resolved: Callable[[Any], bool] = lambda value: True,
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Validate the attributes of a request and return them as they are sent.

    ``None`` means "not given" and is left out. Times become strings in UTC.

    :param operation: a key of :data:`REQUEST_SCHEMAS`.
    :param attributes: under the API's own names.
    :param allow_undocumented: accept unknown attributes and enumeration values; known attributes are validated all the
        same.
    :param is_resolved: returns False for a value that is not rendered yet, which counts as given and is not validated.
    :param names: attribute -> the name by which errors call it, where that is another one.
    :raises RingEventsConfigError: at least one attribute is invalid; the message has one line for each error.
    """
    schema = REQUEST_SCHEMAS[operation]
    check_switch("allow_undocumented", allow_undocumented)
    if not isinstance(attributes, Mapping):
        raise invalid_argument(
            "attributes", f"an object with attributes of {operation}, not {type(attributes).__name__}"
        )
    # Rebound, so that a traceback from below holds no password in a variable.
    attributes = conceal_attributes(attributes)
    timezone = attributes.get("timezone") if "timezone" in schema else None
    context = ValidationContext(allow_undocumented, timezone, is_resolved, names or {})
    validated = validate_attributes(schema, attributes, context)
    first, last = (context.names.get(name, name) for name in ("timeStart", "timeEnd"))
    start, end = context.timestamps.get(first), context.timestamps.get(last)
    if start is not None and end is not None and start >= end:
        after = f"after the start, {format_timestamp(start)} in `{first}`"
        context.errors.append(invalid_argument(last, after, format_timestamp(end)))
    if context.errors:
        raise combine_errors(f"{operation}: nothing was sent", context.errors)
    for name in validated:
        attribute = schema.get(name)
        if isinstance(attribute, EnumType) and attribute.deprecated_for:
            warnings.warn(f"{name} is deprecated, use {attribute.deprecated_for}", DeprecationWarning, stacklevel=2)
    return validated
