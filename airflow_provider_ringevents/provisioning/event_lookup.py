"""The list of events in which a created event is looked up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import list_events, list_organizations
from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsTransferError,
    RingEventsTransportError,
    RingEventsValidationError,
)
from airflow_provider_ringevents.client.secrets import without_secrets
from airflow_provider_ringevents.client.transport.redaction import clean_value, list_texts
from airflow_provider_ringevents.client.transport.time_budget import TimeBudget
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY, read_marker

if TYPE_CHECKING:
    from airflow_provider_ringevents.client import Client

log = logging.getLogger(__name__)

_MAX_COMPARED_CHARACTERS: Final = 1000
LOOKUP_PAGE_SIZE: Final = 1000
"""Rows per page in a lookup. The largest page is not documented: the service may return fewer."""


MAX_LOOKUP_ROWS: Final = 200_000
"""Events of one organization; a list that is longer is invented, or cannot be searched by this API."""
MAX_WHOLE_ROWS: Final = 100
"""Rows of a lookup that are kept whole, because they may be the event."""
_COMPARED: Final = ("id", "name", "slug", "timeStart", "timeEnd", "timezone", "createdAt")


class EventRows:
    """The rows of a lookup: of each what is compared, and the whole row of those that may be the event.

    :param operation: the list, for messages.
    :param is_candidate: whether a row may be the event; None: no row is kept whole.
    """

    def __init__(self, operation: str, is_candidate: Callable[[Mapping[str, Any]], bool] | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._operation = operation
        self._is_candidate = is_candidate
        self._whole = 0

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take the rows of a page.

        :raises RingEventsTransferError: the list has too many rows.
        """
        for row in rows:
            if self._whole < MAX_WHOLE_ROWS and self._is_candidate is not None and self._is_candidate(row):
                self._whole += 1
                self.rows.append(without_secrets(row))
            else:
                self.rows.append(_compared(row))
        if len(self.rows) > MAX_LOOKUP_ROWS:
            error = RingEventsTransferError(
                f"{self._operation}: the list has more than {MAX_LOOKUP_ROWS} rows; the event cannot be looked up in it"
            )
            error.retryable = False
            raise error


def _compared(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return of an event what lookups compare, so that a long list is not held whole."""
    kept: dict[str, Any] = {}
    for name in _COMPARED:
        value = row.get(name)
        if isinstance(value, str):
            kept[name] = value if len(value) <= _MAX_COMPARED_CHARACTERS else value[:_MAX_COMPARED_CHARACTERS]
        elif name == "id":
            kept[name] = value
    marker = read_marker(row)
    if isinstance(marker, str) and len(marker) <= _MAX_COMPARED_CHARACTERS:
        kept["metadata"] = {MARKER_METADATA_KEY: marker}
    return kept


def list_events_of(
    client: Client,
    organization_id: str,
    *,
    budget: TimeBudget | None = None,
    is_candidate: Callable[[Mapping[str, Any]], bool] | None = None,
) -> list[dict[str, Any]]:
    """Return all events of an organization, each once: the whole list, since its order is not documented.

    Of each event what is compared is returned, and the first hundred candidates whole. The password of an event is
    left out.

    :param budget: the time for the lookup; default: ``defaults.LOOKUP_TIMEOUT``, which it never exceeds.
    :param is_candidate: whether a row may be the event that is looked for.
    :raises RingEventsError: the list could not be read.
    """
    call = list_events(organization_id)
    limit = TimeBudget(defaults.LOOKUP_TIMEOUT)
    limit = limit if budget is None or limit.remaining < budget.remaining else budget

    def read(per_page: int | None) -> list[dict[str, Any]]:
        found = EventRows(call.operation, is_candidate)
        for page in client.pages(call, per_page=per_page, budget=limit):
            found.add(page.items)
            if limit.is_spent:
                raise RingEventsTransportError(
                    f"{call.operation}: the list was not read whole in time", sent=True, timed_out=True
                )
        return found.rows

    try:
        return read(LOOKUP_PAGE_SIZE)
    except RingEventsValidationError as error:
        log.info("The service does not accept pages of %d rows: %s", LOOKUP_PAGE_SIZE, error)
        return read(None)


class EventLookup:
    """A reader of the whole list of an organization's events.

    :param client: the client.
    :param organization_id: the organization; None: the one that holds the source of the copy.
    :param source_id: for a copy, the id of the duplicated event.
    :param default_organization_id: the organization that is searched first for the source.
    """

    def __init__(
        self,
        client: Client,
        organization_id: str | None,
        source_id: str | None = None,
        default_organization_id: str | None = None,
    ) -> None:
        self._client = client
        self._organization_id = organization_id
        self._source_id = source_id
        self._default_organization_id = default_organization_id

    def resolve_organization_id(self) -> str:
        """Return the id of the organization whose list is searched.

        :raises RingEventsConfigError: none was given, and no organization that the key can see holds the source.
        """
        if self._organization_id is None:
            self._organization_id = self._find_organization_of_source()
        return self._organization_id

    def list_events(self, is_candidate: Callable[[Mapping[str, Any]], bool] | None = None) -> list[dict[str, Any]]:
        """Return all events of the organization, as :func:`list_events_of`."""
        return list_events_of(self._client, self.resolve_organization_id(), is_candidate=is_candidate)

    def _find_organization_of_source(self) -> str:
        budget = TimeBudget(defaults.LOOKUP_TIMEOUT)
        call = list_organizations()
        listed = EventRows(call.operation)
        for page in self._client.pages(call, budget=budget):
            listed.add(page.items)
        organizations = listed.rows
        if len(organizations) == 1:
            only: str = organizations[0]["id"]
            return only
        organizations.sort(key=lambda organization: organization["id"] != self._default_organization_id)
        for organization in organizations:
            events = list_events_of(self._client, organization["id"], budget=budget)
            if any(event["id"] == self._source_id for event in events):
                found: str = organization["id"]
                return found
        visible = list_texts(f"{clean_value(item['id'])} ({clean_value(item.get('name'))})" for item in organizations)
        raise RingEventsConfigError(
            f"`organization_id` must be the organization that the copy goes to: event {self._source_id} is in none of"
            f" those that the key can see ({visible or 'none'}).",
            parameter="organization_id",
            expected="the organization that the copy goes to",
        )
