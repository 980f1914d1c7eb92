"""Validation of request bodies by the schemas of the contract; every error has a JSON pointer."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from airflow_provider_ringevents.contract import openapi
from airflow_provider_ringevents.emulator.api.errors import ApiError, ErrorEntry
from airflow_provider_ringevents.emulator.backend.clock import parse_instant

_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)\Z", re.IGNORECASE)
_FORMATS: Final = FormatChecker(formats=())
_TYPE_NAMES: Final = {
    "string": "a string",
    "boolean": "a boolean",
    "integer": "an integer",
    "number": "a number",
    "object": "an object",
    "array": "an array",
}
# A longer list of choices would bury the rest of the message.
_LONGEST_LIST: Final = 30
_LONGEST_VALUE: Final = 80


def _is_date_time(value: object) -> bool:
    return not isinstance(value, str) or (_DATE_TIME.match(value) is not None and parse_instant(value) is not None)


_FORMATS.checks("date-time")(_is_date_time)


def _is_integer(_checker: object, value: object) -> bool:
    # For JSON Schema 1.0 is an integer, too; the emulator's counters must be Python integers.
    return isinstance(value, int) and not isinstance(value, bool)


_Validator: Final = extend(
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
)


@functools.cache
def _validator(operation: str) -> Draft202012Validator:
    return _Validator(openapi.request_body_schema(operation), format_checker=_FORMATS)


@functools.cache
def _is_optional(operation: str) -> bool:
    # The reference calls every body optional, even one with required attributes.
    return not openapi.attributes_schema(openapi.request_body_schema(operation)).get("required")


def read_body(raw: bytes, operation: str) -> dict[str, Any]:
    """Return the parsed and validated body of a request, empty where it is left out and may be.

    :param operation: the ``operationId`` of the contract.
    :raises ApiError: 422 with an entry for every error.
    """
    if not raw and _is_optional(operation):
        return {}
    try:
        body: dict[str, Any] = json.loads(raw, parse_constant=_refuse_constant)
        # A value of the wrong type is not among the allowed ones either: the first error of each place suffices.
        details: dict[str | None, ErrorEntry] = {}
        for error in _validator(operation).iter_errors(body):
            for detail in _details(error):
                details.setdefault(detail.pointer, detail)
    except (ValueError, RecursionError):
        message = "the body is not JSON" if raw else "the body is missing"
        raise ApiError(422, [ErrorEntry(message, pointer="")]) from None
    if details:
        raise ApiError(422, list(details.values()))
    return body


def read_attributes(raw: bytes, operation: str) -> dict[str, Any]:
    """Return ``data.attributes`` of a request's body, validated as by :func:`read_body`.

    :raises ApiError: 422 with an entry for every error, or because an event would end before it starts.
    """
    attributes: dict[str, Any] = read_body(raw, operation).get("data", {}).get("attributes", {})
    check_times(attributes)
    return attributes


def check_times(attributes: Mapping[str, Any]) -> None:
    """Refuse an event that ends before it starts.

    :raises ApiError: 422 if ``timeEnd`` is not after ``timeStart``.
    """
    start, end = attributes.get("timeStart"), attributes.get("timeEnd")
    if start is not None and end is not None and (parse_instant(end) or 0) <= (parse_instant(start) or 0):
        raise ApiError(422, [ErrorEntry("must be after timeStart", pointer="/data/attributes/timeEnd")])


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _details(error: ValidationError) -> Iterator[ErrorEntry]:
    pointer = "".join(f"/{_escaped(str(part))}" for part in error.absolute_path)
    allowed = error.validator_value
    if error.validator == "required":
        missing = [name for name in allowed if name not in error.instance]
        yield from (ErrorEntry(f"{name} is missing", f"{pointer}/{_escaped(name)}") for name in missing)
    elif error.validator == "additionalProperties":
        unknown = [name for name in error.instance if name not in error.schema["properties"]]
        yield from (ErrorEntry(f"{name} is not a known attribute", f"{pointer}/{_escaped(name)}") for name in unknown)
    elif error.validator == "enum":
        listing = f": {', '.join(allowed)}" if len(allowed) <= _LONGEST_LIST else ""
        value = json.dumps(error.instance)[:_LONGEST_VALUE]
        yield ErrorEntry(f"{value} is not one of the {len(allowed)} allowed values{listing}", pointer)
    elif error.validator == "type":
        types = [allowed] if isinstance(allowed, str) else allowed
        yield ErrorEntry(f"must be {' or '.join(_TYPE_NAMES[each] for each in types)}", pointer)
    elif error.validator == "format":
        yield ErrorEntry("must be a date-time with an offset, such as 2019-08-24T14:15:22Z", pointer)
    else:
        yield ErrorEntry(f"must match {allowed}", pointer)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
