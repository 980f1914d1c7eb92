"""Filters of lists: ``{"email": {"eq": ...}}`` -> ``filter[email][eq]=...``.

The reference does not define the encoding of objects in a query; only this module assumes the bracket form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, to_utc
from airflow_provider_ringevents.client.validation.nesting import find_unusable
from airflow_provider_ringevents.contract._generated import FILTERS

Conditions = Mapping[str, Any]
_TEMPLATES: Final = ("{{", "{%", "{#", "}}", "%}", "#}")


class Filter(dict[str, Conditions]):
    """A filter of a list: field -> operator -> value.

    ``Filter(email="ada@example.org")`` stands for ``{"email": {"eq": "ada@example.org"}}``, and
    ``Filter(updatedAt={"gte": start, "lt": end})`` takes aware datetimes or ISO 8601 strings with an offset. Fields and
    operators are validated when the filter is used with a list.
    """

    def __init__(self, fields: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        given = {**(fields or {}), **more}
        super().__init__(
            {name: value if isinstance(value, Mapping) else {"eq": value} for name, value in given.items()}
        )


FilterLike = Filter | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FilterSchema:
    """The documented filter of a list.

    :ivar collection: the list's name.
    :ivar fields: field -> type of its value and its operators.
    """

    collection: str
    fields: Mapping[str, tuple[str, tuple[str, ...]]]

    def params(self, filter: FilterLike | None) -> dict[str, str]:
        """Return the query parameters of a filter.

        :raises RingEventsConfigError: the list documents no such field, operator or value.
        """
        if filter is None:
            return {}
        if not isinstance(filter, Mapping):
            raise invalid_argument("filter", f"a mapping of fields to conditions, not {type(filter).__name__}")
        for field, conditions in Filter(filter).items():
            if not conditions:
                raise invalid_argument(f"filter[{field}]", "a condition", conditions)
        return {
            f"filter[{field}][{operator}]": self._value(field, operator, value)
            for field, conditions in Filter(filter).items()
            for operator, value in conditions.items()
        }

    def _value(self, field: str, operator: str, value: Any) -> str:
        if field not in self.fields:
            raise _undocumented("filter", f"by a documented field of {self.collection}", field, tuple(self.fields))
        kind, operators = self.fields[field]
        where = f"filter[{field}][{operator}]"
        if operator not in operators:
            raise _undocumented(f"filter[{field}]", "by a documented operator", operator, operators)
        if operator != "in":
            return _scalar(where, kind, value)
        values = [item.strip() for item in value.split(",")] if isinstance(value, str) else value
        if not isinstance(values, Sequence) or not values:
            raise invalid_argument(where, "a list with at least one value", value)
        rendered = [_scalar(where, kind, item) for item in values]
        if any("," in item for item in rendered):
            raise invalid_argument(where, "values without commas, by which the API joins them", value)
        return ",".join(rendered)


def _scalar(where: str, kind: str, value: Any) -> str:
    if kind == "boolean":
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower()
        if not isinstance(value, bool):
            raise invalid_argument(where, "true or false", value)
        return "true" if value else "false"
    if kind == "date-time":
        if isinstance(value, date) and not isinstance(value, datetime):
            raise invalid_argument(where, "a time with an offset, not a date", value.isoformat())
        return format_timestamp(to_utc(where, value, None))
    if not isinstance(value, str) or not value.strip():
        raise invalid_argument(where, "a non-empty string", value)
    if value.strip() == "None":
        raise invalid_argument(where, "a value", value, hint="This is how Python writes a missing value.")
    if unusable := find_unusable(where, value):
        raise unusable
    if any(part in value for part in _TEMPLATES):
        raise invalid_argument(where, "a value", value, hint="It holds Jinja, which nothing renders here.")
    return value


def _undocumented(parameter: str, expected: str, name: str, allowed: Sequence[str]) -> RingEventsConfigError:
    close = get_close_matches(str(name), allowed, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return invalid_argument(parameter, expected, name, hint=f"{hint}Allowed: {', '.join(allowed) or 'none'}.")


REGISTRATIONS_FILTER: Final = FilterSchema("registrations", FILTERS["registrations"])
MAGIC_LINKS_FILTER: Final = FilterSchema("magic_links", FILTERS["magic_links"])
