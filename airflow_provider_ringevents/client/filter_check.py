"""Rows held against the filter that was sent: a service that cannot read a filter may ignore it, silently. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsTransportError
from airflow_provider_ringevents.client.validation.datetimes import parse_iso_8601

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.pagination import Page

_CONDITION: Final = re.compile(r"filter\[(\w+)\]\[(\w+)\]")
_SLACK: Final = timedelta(seconds=1)
"""Services round times."""
_TIMES: Final = frozenset({"createdAt", "updatedAt"})
_EARLIEST: Final = "1970-01-01T00:00:00Z"
_LATEST: Final = "2200-01-01T00:00:00Z"
_NOBODY: Final = "nobody@ringevents.invalid"
_CHURN: Final = 0.05
"""The share of a list by which it may change between the requests for two counts."""

Violates = Callable[[Any], bool]


class FilterCheck:
    """The conditions of a call that its rows show.

    E-mail addresses are compared without case, times with one second of slack, and only those with an offset. What no
    row shows (``userUpdatedAt``, ``includeConfirmAndJoin``) cannot be checked.

    :param params: the query parameters of the call.
    """

    def __init__(self, params: Mapping[str, str]) -> None:
        self._conditions: list[tuple[str, str, Violates]] = []
        for name, value in params.items():
            condition = _CONDITION.fullmatch(name)
            if condition and (violates := _violates(condition[1], condition[2], value)):
                self._conditions.append((condition[1], name, violates))

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def violated_parameter(self, rows: Iterable[Mapping[str, Any]]) -> str | None:
        """Return the parameter that the first misfit among rows does not fit; None: all fit, as far as they show."""
        for row in rows:
            for field, parameter, violates in self._conditions:
                value = row.get(field)
                if value is not None and violates(value):
                    return parameter
        return None


class FilterProbe:
    """The requests that tell whether a service ignores the filter of a list, sent where a row does not fit it.

    The count of the list without the conditions on the field of that row; then, if that count is about the same or
    there is none, the rows that fit a condition that none can fit.

    :param call: the list.
    :param per_page: rows asked for in a page.
    """

    def __init__(self, call: Call, per_page: int) -> None:
        self._call = call
        self._per_page = per_page
        self._check = FilterCheck(call.params)
        self._parameter: str | None = None
        self._next: Call | None = None
        self._is_count = True

    def observe(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the rows of a page."""
        if self._parameter is not None or not self._check:
            return
        self._parameter = self._check.violated_parameter(rows)
        if self._parameter is not None:
            self._next = self._without_condition(page="1", perPage="1")

    @property
    def field(self) -> str:
        """Return the field in which a row does not fit the filter; empty: all fit, as far as the rows show."""
        return self._parameter.split("[")[1].rstrip("]") if self._parameter else ""

    def next_call(self) -> Call | None:
        """Return the next request; None: there is none to send."""
        return self._next

    def accept(self, page: Page, count: int | None) -> None:
        """Take the page that answers the request.

        :param count: the count of the list with its filter.
        :raises RingEventsTransportError: the service ignores the filter.
        """
        request, self._next = self._next, None
        if self._is_count:
            self._is_count = False
            if page.count is None or count is None or 0 < abs(page.count - count) <= _CHURN * count:
                self._next = self._without_condition(
                    **{str(self._parameter): self._impossible_value(), "page": "1", "perPage": str(self._per_page)}
                )
            elif page.count == count:
                raise self._error(f"the list has {count} rows with and without it")
        elif request is not None and FilterCheck(request.params).violated_parameter(page.items):
            raise self._error("a value that no row can have finds rows as well")

    def _without_condition(self, **params: str) -> Call:
        """Return the call without the conditions on the field, and with other parameters."""
        prefix = f"filter[{self.field}]"
        kept = {name: value for name, value in self._call.params.items() if not name.startswith(prefix)}
        return replace(self._call, params={**kept, **params})

    def _impossible_value(self) -> str:
        parameter = str(self._parameter)
        if self.field == "email":
            return _NOBODY
        if self.field == "refunded":
            return "false" if self._call.params[parameter] == "true" else "true"
        return _EARLIEST if parameter.endswith(("[lt]", "[lte]")) else _LATEST

    def _error(self, reason: str) -> RingEventsTransportError:
        return RingEventsTransportError(
            f"{self._call.operation}: the service ignores the filter: a row does not fit it in {self.field!r}, and"
            f" {reason}",
            sent=True,
            retryable=False,
        )


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
