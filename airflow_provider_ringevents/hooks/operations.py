"""The methods of the hook, one for each operation of the API."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.client.downloads.download import Download
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.filters import FilterLike
from airflow_provider_ringevents.client.secrets import conceal_attributes
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.client.types import OnIncomplete
from airflow_provider_ringevents.client.validation.requests import validate_request


class OperationsMixin:
    """The operations of the API: they check the attributes of a request, send it, and return resources."""

    @property
    @abstractmethod
    def client(self) -> Client:
        """The client that sends the requests."""

    @abstractmethod
    def organization_id(self, given: str | None = None) -> str:
        """Return the id of the organization to work on: the one given, else the connection's."""

    def _get_resource(self, call: Call) -> dict[str, Any]:
        return parse_resource(call, self.client.send(call))

    def _iter_resources(self, call: Call, on_incomplete: OnIncomplete) -> Iterator[dict[str, Any]]:
        return self.client.items(call, on_incomplete=on_incomplete)

    # --- health, organizations, templates

    def health(self) -> dict[str, Any]:
        """Return the health of the service (``GET /v1/health``)."""
        return dict(self.client.send(endpoints.health()))

    def list_organizations(self, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the organizations that the key can see (``GET /v1/organizations``)."""
        return self._iter_resources(endpoints.list_organizations(), on_incomplete)

    def get_organization(self, organization_id: str | None = None) -> dict[str, Any]:
        """Return an organization; default: the connection's (``GET /v1/organizations/{organizationId}``)."""
        return self._get_resource(endpoints.get_organization(self.organization_id(organization_id)))

    def list_templates(
        self, organization_id: str | None = None, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the templates of an organization; default: the connection's.

        ``GET /v1/organizations/{organizationId}/templates``
        """
        return self._iter_resources(endpoints.list_templates(self.organization_id(organization_id)), on_incomplete)

    # --- events

    def list_events(
        self, organization_id: str | None = None, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the events of an organization; default: the connection's.

        ``GET /v1/organizations/{organizationId}/events``
        """
        return self._iter_resources(endpoints.list_events(self.organization_id(organization_id)), on_incomplete)

    def get_event(self, event_id: str) -> dict[str, Any]:
        """Return an event (``GET /v1/events/{eventId}``)."""
        return self._get_resource(endpoints.get_event(event_id))

    def create_event(
        self, organization_id: str | None, attributes: Mapping[str, Any], *, allow_undocumented: bool = False
    ) -> dict[str, Any]:
        """Create an event, and return it (``POST /v1/organizations/{organizationId}/events``)."""
        attributes = conceal_attributes(attributes)
        checked = validate_request("create_event", attributes, allow_undocumented=allow_undocumented)
        return self._get_resource(endpoints.create_event(self.organization_id(organization_id), checked))

    def create_event_from_template(
        self, template_id: str, attributes: Mapping[str, Any], *, allow_undocumented: bool = False
    ) -> dict[str, Any]:
        """Create an event from a template, and return it; the service fills it in the background.

        ``POST /v1/templates/{templateID}/event``
        """
        attributes = conceal_attributes(attributes)
        checked = validate_request("create_event_from_template", attributes, allow_undocumented=allow_undocumented)
        return self._get_resource(endpoints.create_event_from_template(template_id, checked))

    def duplicate_event(
        self, event_id: str, attributes: Mapping[str, Any] | None = None, *, allow_undocumented: bool = False
    ) -> None:
        """Request the copy of an event; the response is empty, and the copy appears later.

        ``POST /v1/events/{eventId}/duplications``
        """
        attributes = conceal_attributes({} if attributes is None else attributes)
        checked = validate_request("duplicate_event", attributes, allow_undocumented=allow_undocumented)
        self.client.send(endpoints.duplicate_event(event_id, checked))

    # --- registrations

    def list_registrations(
        self, event_id: str, filter: FilterLike | None = None, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the registrations of an event (``GET /v1/events/{eventId}/registrations``)."""
        return self._iter_resources(endpoints.list_registrations(event_id, filter), on_incomplete)

    def get_registration(self, registration_id: str) -> dict[str, Any]:
        """Return a registration (``GET /v1/registrations/{registrationId}``)."""
        return self._get_resource(endpoints.get_registration(registration_id))

    def create_registration(
        self, event_id: str, attributes: Mapping[str, Any], *, allow_undocumented: bool = False
    ) -> dict[str, Any]:
        """Register a person for an event, and return the registration.

        ``POST /v1/events/{eventId}/registrations``, which the vendor's collection alone documents. The
        service mails the person, and the registration takes one seat of the licence.
        """
        checked = validate_request("create_registration", attributes, allow_undocumented=allow_undocumented)
        return self._get_resource(endpoints.create_registration(event_id, checked))

    def update_registration(
        self,
        registration_id: str,
        metadata: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        allow_undocumented: bool = False,
    ) -> dict[str, Any]:
        """Send changes of a registration as given, and return the registration.

        ``PATCH /v1/registrations/{registrationId}``; the reference documents ``metadata`` alone, and the other
        attributes are from the vendor's collection.
        """
        call = endpoints.update_registration(registration_id, metadata, attributes)
        given = (call.body or {})["data"]["attributes"]
        checked = validate_request("update_registration", given, allow_undocumented=allow_undocumented)
        return self._get_resource(endpoints.update_registration(registration_id, attributes=checked))

    # --- reports

    def create_report(
        self,
        event_id: str,
        report_type: str,
        report_version: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        *,
        allow_undocumented: bool = False,
    ) -> dict[str, Any]:
        """Request a report, and return it (``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``)."""
        further = {} if attributes is None else attributes
        checked = validate_request("create_report", further, allow_undocumented=allow_undocumented)
        return self._get_resource(
            endpoints.create_report(
                event_id, report_type, report_version, checked, allow_undocumented=allow_undocumented
            )
        )

    def list_reports(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the reports of an event; a ``url`` in a row is a signed link, valid for a minute.

        ``GET /v1/events/{eventId}/reports``
        """
        return self._iter_resources(endpoints.list_reports(event_id), on_incomplete)

    def get_report(self, report_id: str) -> dict[str, Any]:
        """Return a report; its ``url`` is a signed link, valid for a minute (``GET /v1/reports/{reportId}``)."""
        return self._get_resource(endpoints.get_report(report_id))

    def download_report(self, report_id: str) -> AbstractContextManager[Download]:
        """Download a report, in a ``with`` statement; iterate over it for blocks of bytes.

        ``GET /v1/reports/{reportId}/download``
        """
        return self.client.download(endpoints.download_report(report_id))

    # --- schedule, booths, sessions and stages

    def list_schedule_items(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the schedule items of an event (``GET /v1/events/{eventId}/scheduleItems``)."""
        return self._iter_resources(endpoints.list_schedule_items(event_id), on_incomplete)

    def get_schedule_item(self, schedule_item_id: str) -> dict[str, Any]:
        """Return a schedule item (``GET /v1/scheduleItems/{scheduleItemId}``)."""
        return self._get_resource(endpoints.get_schedule_item(schedule_item_id))

    def list_schedule_item_tags(
        self, schedule_item_id: str, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the tags of a schedule item (``GET /v1/scheduleItems/{scheduleId}/tags``)."""
        return self._iter_resources(endpoints.list_schedule_item_tags(schedule_item_id), on_incomplete)

    def list_booths(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the booths of an event (``GET /v1/events/{eventId}/booths``)."""
        return self._iter_resources(endpoints.list_booths(event_id), on_incomplete)

    def list_booth_tags(self, booth_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the tags of a booth (``GET /v1/booths/{boothId}/tags``)."""
        return self._iter_resources(endpoints.list_booth_tags(booth_id), on_incomplete)

    def list_sessions(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the sessions of an event (``GET /v1/events/{eventId}/sessions``)."""
        return self._iter_resources(endpoints.list_sessions(event_id), on_incomplete)

    def list_stages(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the stages of an event (``GET /v1/events/{eventId}/stages``)."""
        return self._iter_resources(endpoints.list_stages(event_id), on_incomplete)

    # --- tickets and magic links

    def list_tickets(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the tickets of an event (``GET /v1/events/{eventId}/tickets``)."""
        return self._iter_resources(endpoints.list_tickets(event_id), on_incomplete)

    def create_ticket(
        self, event_id: str, attributes: Mapping[str, Any], *, allow_undocumented: bool = False
    ) -> dict[str, Any]:
        """Create a ticket of an event, and return it (``POST /v1/events/{eventId}/tickets``)."""
        checked = validate_request("create_ticket", attributes, allow_undocumented=allow_undocumented)
        return self._get_resource(endpoints.create_ticket(event_id, checked))

    def get_ticket(self, ticket_id: str) -> dict[str, Any]:
        """Return a ticket (``GET /v1/tickets/{ticketId}``)."""
        return self._get_resource(endpoints.get_ticket(ticket_id))

    def list_magic_links(
        self, ticket_id: str, filter: FilterLike | None = None, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the magic links of a ticket (``GET /v1/tickets/{ticketId}/magicLinks``)."""
        return self._iter_resources(endpoints.list_magic_links(ticket_id, filter), on_incomplete)

    def create_magic_link(
        self, ticket_id: str, attributes: Mapping[str, Any], *, allow_undocumented: bool = False
    ) -> dict[str, Any]:
        """Create a magic link, and return it; with its ``magicLink`` anyone can enter.

        ``POST /v1/tickets/{ticketId}/magicLinks``
        """
        checked = validate_request("create_magic_link", attributes, allow_undocumented=allow_undocumented)
        return self._get_resource(endpoints.create_magic_link(ticket_id, checked))

    def list_bank_questions(self, ticket_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the registration questions of a ticket.

        ``GET /v1/tickets/{ticketId}/bankQuestions``, which the vendor's collection alone documents.
        """
        return self._iter_resources(endpoints.list_bank_questions(ticket_id), on_incomplete)

    def get_magic_link(self, magic_link_id: str) -> dict[str, Any]:
        """Return a magic link (``GET /v1/magicLinks/{magicLinkId}``)."""
        return self._get_resource(endpoints.get_magic_link(magic_link_id))

    def delete_magic_link(self, magic_link_id: str) -> None:
        """Delete a magic link (``DELETE /v1/magicLinks/{magicLinkId}``)."""
        self.client.send(endpoints.delete_magic_link(magic_link_id))

    # --- data subscriptions

    def create_data_subscription(
        self,
        event_id: str,
        configuration: Mapping[str, Any],
        signals: Sequence[str],
        *,
        allow_undocumented: bool = False,
    ) -> dict[str, Any]:
        """Create a data subscription of an event, and return it (``POST /v1/events/{eventId}/dataSubscriptions``)."""
        for parameter, value in (("configuration", configuration), ("signals", signals)):
            if value is None:
                raise invalid_argument(parameter, "given")
        checked = validate_request(
            "create_data_subscription",
            {"configuration": configuration, "signals": signals},
            allow_undocumented=allow_undocumented,
        )
        return self._get_resource(
            endpoints.create_data_subscription(event_id, checked["configuration"], checked["signals"])
        )

    # --- deprecated

    def create_redeem_code(
        self, ticket_id: str, first_name: str, last_name: str, email: str, created_at: str | None = None
    ) -> dict[str, Any]:
        """Create a redeem code; deprecated by the API, use :meth:`create_magic_link` (``POST /v1/magic_link``)."""
        warnings.warn("the API has deprecated redeem codes; use create_magic_link", DeprecationWarning, stacklevel=2)
        call = endpoints.create_redeem_code(ticket_id, first_name, last_name, email, created_at)
        validate_request(call.operation, call.body or {})
        return self._get_resource(call)
