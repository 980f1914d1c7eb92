"""All events of the organization in which an event must be found again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents.client.consistent_listing import list_consistently
from airflow_provider_ringevents.client.endpoints import list_events
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsValidationError

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

log = logging.getLogger(__name__)

LOOKUP_PAGE_SIZE: Final = 1000
"""Rows asked for when looking: the largest page is not documented, so much is asked and what comes is believed."""


def list_events_of(client: Client, organization_id: str) -> list[dict[str, Any]]:
    """Return all events of an organization, each once.

    :raises RingEventsError: the list could not be read.
    """
    call = list_events(organization_id)
    try:
        return list_consistently(client, call, per_page=LOOKUP_PAGE_SIZE)
    except RingEventsValidationError as error:
        log.info("The service does not accept pages of %d rows: %s", LOOKUP_PAGE_SIZE, error)
        return list_consistently(client, call)


class EventLookup:
    """Reads whole lists of events.

    :param hook: speaks with the API.
    :param organization_id: whose list; None: that of the organization which holds the source.
    :param source_id: of a copy: the event that is copied.
    """

    def __init__(self, hook: RingEventsHook, organization_id: str | None, source_id: str | None = None) -> None:
        self._hook = hook
        self._organization_id = organization_id
        self._source_id = source_id

    def organization(self) -> str:
        """Whose list is searched.

        :raises RingEventsConfigError: none is given, and none that the key sees holds the source of the copy.
        """
        if self._organization_id is None:
            self._organization_id = self._organization_of_source()
        return self._organization_id

    def events(self) -> list[dict[str, Any]]:
        """All events of the organization; the whole list, since its order is not documented."""
        return list_events_of(self._hook.client, self.organization())

    def _organization_of_source(self) -> str:
        organizations = list(self._hook.list_organizations())
        if len(organizations) == 1:
            only: str = organizations[0]["id"]
            return only
        default = self._hook.default_organization_id
        organizations.sort(key=lambda organization: organization["id"] != default)
        for organization in organizations:
            if any(event["id"] == self._source_id for event in list_events_of(self._hook.client, organization["id"])):
                found: str = organization["id"]
                return found
        named = ", ".join(f"{item['id']} ({item.get('name')})" for item in organizations) or "none"
        raise RingEventsConfigError(
            f"organization_id: event {self._source_id} is in none of the organizations that the key sees"
            f" ({named}); name the one that the copy goes to"
        )
