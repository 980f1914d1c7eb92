"""The lists of the API: their parents, filters and the fields that are not exported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.filters import FilterLike, FilterSchema
from airflow_provider_ringevents.client.types import validate_choice
from airflow_provider_ringevents.contract._generated import FILTERS, PARENTS
from airflow_provider_ringevents.contract.overlay import CREDENTIAL_FIELDS, SIGNED_LINK_FIELDS

RANGE_OPERATORS: Final = frozenset({"gte", "lt"})
"""The operators of a field that a half-open window needs."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A list of the API.

    :ivar name: the end of the hook's ``list_*`` method.
    :ivar parent: the resource that it belongs to: ``organization``, ``event``, ``ticket``, ``schedule_item`` or
        ``booth``; None for the lists of the key.
    :ivar filter: the documented filter, if there is one.
    :ivar dropped: fields with signed links, which are never exported: anyone can use them, for a minute.
    :ivar credentials: fields that admit their holder to an event, exported only on request.
    """

    name: str
    _endpoint: Callable[..., Call]
    parent: str | None
    filter: FilterSchema | None = None
    dropped: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()

    def call(self, parent_id: str | None, filter: FilterLike | None = None) -> Call:
        """Return the call that reads the list.

        :raises RingEventsConfigError: the parent is missing or invalid, or the list does not document the filter.
        """
        self.check_filter(filter)
        if self.parent is None:
            if parent_id is not None:
                raise invalid_argument("parent_id", f"left out: {self.name} belong to the key", parent_id)
            return self._endpoint()
        if self.filter is None:
            return self._endpoint(parent_id)
        return self._endpoint(parent_id, filter)

    def check_filter(self, filter: FilterLike | None) -> None:
        """Refuse a filter that the list does not document.

        :raises RingEventsConfigError: the message names the documented ones.
        """
        if self.filter is not None:
            self.filter.params(filter)
        elif filter is not None and (filter or not isinstance(filter, Mapping)):
            got = list(filter) if isinstance(filter, Mapping) else filter
            hint = f"Lists with a filter: {', '.join(FILTERS)}."
            raise invalid_argument("filter", f"left out: the API documents no filter for {self.name}", got, hint=hint)

    @property
    def window_fields(self) -> tuple[str, ...]:
        """Return the fields that can bound a window."""
        if self.filter is None:
            return ()
        return tuple(
            name for name, (_kind, operators) in self.filter.fields.items() if set(operators) >= RANGE_OPERATORS
        )

    def check_window_field(self, field: str) -> None:
        """Refuse a field that cannot bound a window.

        :raises RingEventsConfigError: the message names those that can.
        """
        if not self.window_fields:
            windowed = ", ".join(name for name in COLLECTIONS if COLLECTIONS[name].window_fields)
            raise invalid_argument(
                "window_field",
                f"left out: the API documents no filter by time for {self.name}",
                field,
                hint=f"Lists with one: {windowed}.",
            )
        validate_choice("window_field", field, self.window_fields, closed=True)


COLLECTIONS: Final[dict[str, Collection]] = {
    name: Collection(
        name,
        getattr(endpoints, f"list_{name}"),
        parent,
        FilterSchema(name, FILTERS[name]) if name in FILTERS else None,
        SIGNED_LINK_FIELDS.get(name, frozenset()),
        CREDENTIAL_FIELDS,
    )
    for name, parent in PARENTS.items()
}
"""By name."""


def collection_named(name: str) -> Collection:
    """Return the list of that name.

    :raises RingEventsConfigError: there is none; the message suggests the closest names.
    """
    validate_choice("collection", name, tuple(COLLECTIONS), closed=True)
    return COLLECTIONS[name]
