"""The list of events in which a created event is looked up."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents.client.endpoints import list_events, list_organizations
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsValidationError
from airflow_provider_ringevents.client.secrets import without_secrets
from airflow_provider_ringevents.client.transport.redaction import clean_text

if TYPE_CHECKING:
    from airflow_provider_ringevents.client import Client

log = logging.getLogger(__name__)

LOOKUP_PAGE_SIZE: Final = 1000
"""Rows per page in a lookup. The largest page is not documented: the service may return fewer."""


def list_events_of(client: Client, organization_id: str) -> list[dict[str, Any]]:
    """Return all events of an organization, each once: the whole list, since its order is not documented.

    The password of an event is left out.

    :raises RingEventsError: the list could not be read.
    """
    call = list_events(organization_id)
    try:
        return list(map(without_secrets, client.items(call, per_page=LOOKUP_PAGE_SIZE)))
    except RingEventsValidationError as error:
        log.info("The service does not accept pages of %d rows: %s", LOOKUP_PAGE_SIZE, error)
        return list(map(without_secrets, client.items(call)))


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

    def list_events(self) -> list[dict[str, Any]]:
        """Return all events of the organization."""
        return list_events_of(self._client, self.resolve_organization_id())

    def _find_organization_of_source(self) -> str:
        organizations = list(self._client.items(list_organizations()))
        if len(organizations) == 1:
            only: str = organizations[0]["id"]
            return only
        organizations.sort(key=lambda organization: organization["id"] != self._default_organization_id)
        for organization in organizations:
            if any(event["id"] == self._source_id for event in list_events_of(self._client, organization["id"])):
                found: str = organization["id"]
                return found
        visible = ", ".join(f"{item['id']} ({clean_text(str(item.get('name')))})" for item in organizations) or "none"
        raise RingEventsConfigError(
            f"`organization_id` must be the organization that the copy goes to: event {self._source_id} is in none of"
            f" those that the key can see ({visible}).",
            parameter="organization_id",
            expected="the organization that the copy goes to",
        )
