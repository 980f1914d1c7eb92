"""Every list of the API: where it hangs, what may be filtered, what is not exported. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.filters import FilterLike, FilterSchema
from airflow_provider_ringevents.client.types import validate_choice
from airflow_provider_ringevents.contract._generated import FILTERS, PARENTS
from airflow_provider_ringevents.contract.overlay import CREDENTIAL_FIELDS, SIGNED_LINK_FIELDS

RANGE_OPERATORS: Final = frozenset({"gte", "lt"})
"""What a half-open window needs of a field."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One list.

    :ivar name: the end of the hook's ``list_*`` method.
    :ivar parent: what it belongs to: ``organization``, ``event``, ``ticket``, ``schedule_item``, ``booth``; None: the
        key.
    :ivar filter: what the API documents to filter it by, if anything.
    :ivar dropped: fields that are never exported: signed links, which are dead within a minute and open to anyone till
        then.
    :ivar credentials: fields that let whoever has them in, exported only when asked for.
    """

    name: str
    _endpoint: Callable[..., Call]
    parent: str | None
    filter: FilterSchema | None = None
    dropped: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()

    def call(self, parent_id: str | None, filter: FilterLike | None = None) -> Call:
        """Return the call that reads the list.

        :raises RingEventsConfigError: the parent is missing or unusable, or the list does not document the filter.
        """
        self.check_filter(filter)
        if self.parent is None:
            if parent_id is not None:
                raise RingEventsConfigError(
                    f"parent_id: {self.name} belong to the key and have no parent, got {parent_id!r}"
                )
            return self._endpoint()
        if self.filter is None:
            return self._endpoint(parent_id)
        return self._endpoint(parent_id, filter)

    def check_filter(self, filter: FilterLike | None) -> None:
        """Refuse a filter that the list does not document.

        :raises RingEventsConfigError: the message names what is allowed.
        """
        if self.filter is not None:
            self.filter.params(filter)
        elif filter:
            got = f"one by {', '.join(map(str, filter))}" if isinstance(filter, Mapping) else repr(filter)
            raise RingEventsConfigError(
                f"filter: the API documents none for {self.name}, got {got}"
                f" (lists with a filter: {', '.join(_filtered())})"
            )

    @property
    def window_fields(self) -> tuple[str, ...]:
        """The fields that a window can be laid on."""
        if self.filter is None:
            return ()
        return tuple(
            name for name, (_kind, operators) in self.filter.fields.items() if set(operators) >= RANGE_OPERATORS
        )

    def check_window_field(self, field: str) -> None:
        """Refuse a field that no window can be laid on.

        :raises RingEventsConfigError: the message names the fields that there are.
        """
        if not self.window_fields:
            windowed = ", ".join(name for name in COLLECTIONS if COLLECTIONS[name].window_fields)
            raise RingEventsConfigError(
                f"window_field: the API documents no filter by time for {self.name}, got {field!r}"
                f" (lists with one: {windowed})"
            )
        validate_choice("window_field", field, self.window_fields, closed=True)


def _filtered() -> list[str]:
    return [name for name, collection in COLLECTIONS.items() if collection.filter is not None]


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
    """Return the list of a name.

    :raises RingEventsConfigError: there is none; the message names the nearest.
    """
    validate_choice("collection", name, tuple(COLLECTIONS), closed=True)
    return COLLECTIONS[name]
