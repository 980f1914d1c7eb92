"""Rows held against the filter that was sent: a service that cannot read a filter may ignore it, silently. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from airflow_provider_ringevents.client.validation.datetimes import parse_iso_8601

_CONDITION: Final = re.compile(r"filter\[(\w+)\]\[(\w+)\]")
_SLACK: Final = timedelta(seconds=1)
"""Services round times."""
_TIMES: Final = frozenset({"createdAt", "updatedAt"})

Violates = Callable[[Any], bool]


class FilterCheck:
    """The conditions of a call that its rows show.

    E-mail addresses are compared without case, times with one second of slack, and only those with an offset. What no
    row shows (``userUpdatedAt``, ``includeConfirmAndJoin``) cannot be checked.

    :param params: the query parameters of the call.
    """

    def __init__(self, params: Mapping[str, str]) -> None:
        self._conditions: list[tuple[str, Violates]] = []
        for name, value in params.items():
            condition = _CONDITION.fullmatch(name)
            if condition and (violates := _violates(condition[1], condition[2], value)):
                self._conditions.append((condition[1], violates))

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def violated_field(self, row: Mapping[str, Any]) -> str | None:
        """Return the field in which a row does not fit the filter; None: it fits, as far as the row shows."""
        for field, violates in self._conditions:
            value = row.get(field)
            if value is not None and violates(value):
                return field
        return None


def without_filter(params: Mapping[str, str]) -> dict[str, str]:
    """Return query parameters without those of a filter."""
    return {name: value for name, value in params.items() if not name.startswith("filter[")}


def _violates(field: str, operator: str, value: str) -> Violates | None:
    if field == "email":
        wanted = {item.strip().casefold() for item in (value.split(",") if operator == "in" else [value])}
        return lambda found: isinstance(found, str) and found.strip().casefold() not in wanted
    if field == "refunded":
        return lambda found: isinstance(found, bool) and found is not (value == "true")
    if field in _TIMES:
        limits = [_instant(item) for item in (value.split(",") if operator == "in" else [value])]
        return lambda found: _violates_time(operator, [limit for limit in limits if limit], _instant(found))
    return None


def _violates_time(operator: str, limits: list[datetime], found: datetime | None) -> bool:
    if found is None or not limits:
        return False
    if operator in ("gt", "gte"):
        return found < limits[0] - _SLACK
    if operator in ("lt", "lte"):
        return found > limits[0] + _SLACK
    return all(abs(found - limit) > _SLACK for limit in limits)


def _instant(value: Any) -> datetime | None:
    """Return a time with an offset; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        instant = parse_iso_8601(value)
        return None if instant.tzinfo is None else instant + timedelta(0)
    except (ValueError, OverflowError):
        return None
