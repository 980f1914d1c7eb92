"""Filters of lists: query parameters ``filter[field][operator]=value``, parsed into sets of values and times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_ringevents.contract._generated import FILTERS, FILTERS_IN_ERRORS
from airflow_provider_ringevents.emulator.api.errors import ApiError, bad_parameter
from airflow_provider_ringevents.emulator.backend.clock import parse_instant

Spans = tuple[tuple[int, int], ...]
"""Sorted, disjoint, half-open ranges of integers."""

_FOREVER: Final = 1 << 62
ALWAYS: Final[Spans] = ((-_FOREVER, _FOREVER),)
_NAME: Final = re.compile(r"filter\[(\w+)\]\[(\w+)\]\Z")


@dataclass(frozen=True, slots=True)
class FilterRules:
    """The documented filter of a list.

    :ivar fields: field -> type of its value and its operators.
    :ivar named: the fields that the error for an unknown field names.
    """

    fields: Mapping[str, tuple[str, tuple[str, ...]]]
    named: tuple[str, ...]


REGISTRATIONS: Final = FilterRules(FILTERS["registrations"], FILTERS_IN_ERRORS["registrations"])
MAGIC_LINKS: Final = FilterRules(FILTERS["magic_links"], FILTERS_IN_ERRORS["magic_links"])


@dataclass(slots=True)
class Selection:
    """A parsed filter; an empty one selects everything. Times are in milliseconds since the epoch."""

    strings: dict[str, frozenset[str]] = field(default_factory=dict)
    times: dict[str, Spans] = field(default_factory=dict)
    booleans: dict[str, bool] = field(default_factory=dict)

    def accepts(self, *, strings: Mapping[str, str], times: Mapping[str, int], booleans: Mapping[str, bool]) -> bool:
        """Return True if a row with these values is selected."""
        return (
            all(strings[name] in wanted for name, wanted in self.strings.items())
            and all(contains(spans, times[name]) for name, spans in self.times.items())
            and all(booleans[name] is wanted for name, wanted in self.booleans.items())
        )


def contains(spans: Spans, value: int) -> bool:
    """Return True if ``value`` lies in one of ``spans``."""
    return any(low <= value < high for low, high in spans)


def intersect(left: Spans, right: Spans) -> Spans:
    """Return the intersection of two sets of spans."""
    both = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return tuple(sorted((low, high) for low, high in both if low < high))


def read_filter(query: Iterable[tuple[str, str]], rules: FilterRules) -> Selection:
    """Parse the filter in a query's parameters.

    :raises ApiError: 400 for a field, an operator or a value that the list does not document.
    """
    selection = Selection()
    for name, value in query:
        if not name.startswith("filter"):
            continue
        match = _NAME.match(name)
        if match is None:
            raise bad_parameter(name, "a filter is written filter[field][operator]=value")
        column, operator = match.groups()
        if column not in rules.fields:
            allowed = ", ".join(rules.named)
            raise bad_parameter(name, f"Invalid filter params, please use allowed ones: {allowed}")
        kind, operators = rules.fields[column]
        if operator not in operators:
            allowed = ", ".join(operators)
            raise bad_parameter(name, f"{column} cannot be filtered with {operator!r}, only with {allowed}")
        _narrow(selection, kind, column, operator, value, name)
    return selection


def _narrow(selection: Selection, kind: str, column: str, operator: str, value: str, name: str) -> None:
    if kind == "string":
        wanted = frozenset(value.split(",") if operator == "in" else [value])
        before = selection.strings.get(column)
        selection.strings[column] = wanted if before is None else wanted & before
    elif kind == "boolean":
        if value not in ("true", "false"):
            raise _wrong_type(name, column, value, "true or false")
        selection.booleans[column] = value == "true"
    else:
        spans = _times(operator, value, column, name)
        selection.times[column] = intersect(selection.times.get(column, ALWAYS), spans)


def _times(operator: str, value: str, column: str, name: str) -> Spans:
    instants = []
    for text in value.split(",") if operator == "in" else [value]:
        instant = parse_instant(text)
        if instant is None:
            raise _wrong_type(name, column, text, "a date-time such as 2019-08-24T14:15:22Z")
        instants.append(instant)
    first = instants[0]
    return {
        "gt": ((first + 1, _FOREVER),),
        "gte": ((first, _FOREVER),),
        "lt": ((-_FOREVER, first),),
        "lte": ((-_FOREVER, first + 1),),
    }.get(operator) or tuple((instant, instant + 1) for instant in sorted(set(instants)))


def _wrong_type(name: str, column: str, value: str, wanted: str) -> ApiError:
    return bad_parameter(name, f"Field value has the wrong type: {column} is {value!r}, wanted {wanted}")
