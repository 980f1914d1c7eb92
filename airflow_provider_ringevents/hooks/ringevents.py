"""The hook: from an Airflow connection to a client, with one method for each operation of the API."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any, TypeVar

from airflow.providers.common.compat.connection import get_async_extra_dejson
from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_ringevents._compat import get_connection_async, silence_request_log
from airflow_provider_ringevents.client import AsyncClient, Client, endpoints
from airflow_provider_ringevents.client.downloads.download import Download
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.filters import FilterLike
from airflow_provider_ringevents.client.secrets import conceal_attributes
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.client.transport.redaction import clean_text
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.client.types import OnIncomplete
from airflow_provider_ringevents.client.validation.requests import validate_request
from airflow_provider_ringevents.hooks import connection_form
from airflow_provider_ringevents.hooks.connection import ConnectionFields, client_settings, conceal_extra, read_extra

_SHOWN_ORGANIZATIONS = 5
_Result = TypeVar("_Result")


def _read_connection(connection: Any) -> ConnectionFields:
    return ConnectionFields.read(connection, connection.extra_dejson)


async def _async_read_connection(conn_id: str) -> ConnectionFields:
    connection = await get_connection_async(conn_id)
    return ConnectionFields.read(connection, await get_async_extra_dejson(connection))


class RingEventsHook(BaseHook):
    """A hook for RingCentral Events.

    Resources are returned as plain dicts of their attributes with ``id``; lists as iterators that hold a few pages at a
    time. Requests are checked before they are sent; ``allow_undocumented=True`` accepts attributes and enumeration
    values that the API does not document. Every method raises
    :class:`~airflow_provider_ringevents.client.errors.RingEventsError` or one of its subclasses.

    :param ringevents_conn_id: the Airflow connection, of type ``ringevents``.
    :param overrides: fields of :class:`~airflow_provider_ringevents.client.settings.ClientSettings` that win over the
        connection's, such as ``timeout`` (seconds) or ``concurrency``.
    """

    conn_name_attr = "ringevents_conn_id"
    default_conn_name = "ringevents_default"
    conn_type = "ringevents"
    hook_name = "RingCentral Events"

    def __init__(self, ringevents_conn_id: str = default_conn_name, **overrides: Any) -> None:
        super().__init__()
        self.ringevents_conn_id = ringevents_conn_id
        self._overrides = overrides

    # --- connection

    def get_conn(self) -> Client:
        """Return a new client for the connection; close it, or use it in a ``with`` statement.

        :raises RingEventsConfigError: the connection does not exist or is invalid; the message names the field.
        """
        silence_request_log()
        with self._translate_missing_connection():
            connection = _read_connection(self.get_connection(self.ringevents_conn_id))
        settings = client_settings(connection, self._overrides)
        # One reading of the connection serves both.
        self.__dict__["default_organization_id"] = read_extra(self.ringevents_conn_id, connection.extra).get(
            "organization_id"
        )
        return Client.from_settings(settings)

    async def get_async_conn(self) -> AsyncClient:
        """Return a new asynchronous client; the connection is looked up without blocking the event loop.

        :raises RingEventsConfigError: the connection does not exist or is invalid; the message names the field.
        """
        return AsyncClient.from_settings(await self.get_async_settings())

    async def get_async_settings(self) -> ClientSettings:
        """Look the connection up without blocking the event loop, and return the settings of a client for it.

        :raises RingEventsConfigError: the connection does not exist or is invalid; the message names the field.
        """
        silence_request_log()
        with self._translate_missing_connection():
            connection = await _async_read_connection(self.ringevents_conn_id)
        return client_settings(connection, self._overrides)

    @contextmanager
    def _translate_missing_connection(self) -> Iterator[None]:
        """Raise an error of ours where Airflow finds no connection."""
        try:
            yield
        except AirflowNotFoundException as error:
            raise RingEventsConfigError(
                "`ringevents_conn_id` must be the id of a connection that Airflow can read: there is no connection"
                f" {self.ringevents_conn_id!r}. Create one of type 'ringevents', or check that the one that exists is"
                " valid JSON or a valid URI.",
                parameter="ringevents_conn_id",
                expected="the id of a connection that Airflow can read",
                got=repr(self.ringevents_conn_id),
            ) from error

    @cached_property
    def client(self) -> Client:
        """The client that the methods of the hook share; closed with the hook."""
        return self.get_conn()

    @property
    def base_url(self) -> str:
        """The base URL of the API."""
        return self.client.settings.base_url

    def with_reauthentication(self, use: Callable[[Client], _Result]) -> _Result:
        """Return what ``use`` returns for the client.

        When the key is refused with a 401 and the connection holds other settings by now, run ``use`` once more with a
        client for these: keys are rotated while a wait goes on.
        """
        try:
            return use(self.client)
        except RingEventsAuthError as error:
            if error.status != 401 or not self._reload_connection():
                raise
            return use(self.client)

    def _reload_connection(self) -> bool:
        """Replace the client by one for the current connection; return False if its settings are the same."""
        fresh = self.get_conn()
        if fresh.settings == self.client.settings:
            fresh.close()
            return False
        self.close()
        self.__dict__["client"] = fresh
        return True

    def close(self) -> None:
        """Close the client that the methods of the hook share."""
        if client := self.__dict__.pop("client", None):
            client.close()

    def __enter__(self) -> RingEventsHook:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @cached_property
    def default_organization_id(self) -> str | None:
        """The ``organization_id`` of the connection's extra; None if it has none."""
        with self._translate_missing_connection():
            extra = conceal_extra(self.get_connection(self.ringevents_conn_id).extra_dejson)
        return read_extra(self.ringevents_conn_id, extra).get("organization_id")

    def organization_id(self, given: str | None = None) -> str:
        """Return the id of the organization to work on: the one given, else the connection's.

        :raises RingEventsConfigError: neither is given.
        """
        found = given or self.default_organization_id
        if not found:
            raise RingEventsConfigError(
                "`organization_id` must be given: the connection"
                f" {self.ringevents_conn_id!r} has no 'organization_id' in its extra.",
                parameter="organization_id",
                expected="given",
            )
        return found

    def test_connection(self) -> tuple[bool, str]:
        """Read the first organizations that the key can see; the Test button of the connection form shows the result.

        :returns: whether the test succeeded, and a message that does not hold the key.
        """
        try:
            with self.get_conn() as client:
                page = next(client.pages(endpoints.list_organizations(), per_page=_SHOWN_ORGANIZATIONS))
        except RingEventsAuthError as error:
            return False, f"The key was refused ({error.status}): {error}"
        except RingEventsTransportError as error:
            if error.sent or not error.retryable:
                return False, str(error)
            where = client.settings.base_url
            advice = "Check the base URL, the scheme and the port, and whether a proxy is needed."
            return False, f"No answer from {where}: {error.reason or str(error).rstrip('.')}. {advice}"
        except RingEventsError as error:
            return False, str(error)
        count = page.count if page.count is not None else len(page.items)
        shown = page.items[:_SHOWN_ORGANIZATIONS]
        named = ", ".join(f"{clean_text(str(item.get('name')))} (id {clean_text(str(item['id']))})" for item in shown)
        more = ", ..." if count > len(shown) else ""
        organizations = "organization" if count == 1 else "organizations"
        return True, f"Key accepted; sees {count} {organizations}{f': {named}{more}' if named else ''}"

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the extra fields of the form, for Airflow before 3.2, which does not read the provider's metadata."""
        return connection_form.widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the labels of the form, for Airflow before 3.2."""
        return connection_form.field_behaviour()

    # --- responses

    def _get_resource(self, call: Call) -> dict[str, Any]:
        return parse_resource(call, self.client.send(call))

    def _iter_resources(self, call: Call, on_incomplete: OnIncomplete) -> Iterator[dict[str, Any]]:
        return self.client.items(call, on_incomplete=on_incomplete)

    # --- health, organizations, templates

    def health(self) -> dict[str, Any]:
        """Return the health of the service.

        ``GET /v1/health``
        """
        return dict(self.client.send(endpoints.health()))

    def list_organizations(self, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the organizations that the key can see.

        ``GET /v1/organizations``
        """
        return self._iter_resources(endpoints.list_organizations(), on_incomplete)

    def get_organization(self, organization_id: str | None = None) -> dict[str, Any]:
        """Return an organization; default: the connection's.

        ``GET /v1/organizations/{organizationId}``
        """
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
        """Return an event.

        ``GET /v1/events/{eventId}``
        """
        return self._get_resource(endpoints.get_event(event_id))

    def create_event(
        self, organization_id: str | None, attributes: Mapping[str, Any], *, allow_undocumented: bool = False
    ) -> dict[str, Any]:
        """Create an event, and return it.

        ``POST /v1/organizations/{organizationId}/events``
        """
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
        attributes = conceal_attributes(attributes or {})
        checked = validate_request("duplicate_event", attributes, allow_undocumented=allow_undocumented)
        self.client.send(endpoints.duplicate_event(event_id, checked))

    # --- registrations

    def list_registrations(
        self, event_id: str, filter: FilterLike | None = None, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the registrations of an event.

        ``GET /v1/events/{eventId}/registrations``
        """
        return self._iter_resources(endpoints.list_registrations(event_id, filter), on_incomplete)

    def get_registration(self, registration_id: str) -> dict[str, Any]:
        """Return a registration.

        ``GET /v1/registrations/{registrationId}``
        """
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
        """Request a report, and return it.

        ``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``
        """
        checked = validate_request("create_report", attributes or {}, allow_undocumented=allow_undocumented)
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
        """Return a report; its ``url`` is a signed link, valid for a minute.

        ``GET /v1/reports/{reportId}``
        """
        return self._get_resource(endpoints.get_report(report_id))

    def download_report(self, report_id: str) -> AbstractContextManager[Download]:
        """Download a report, in a ``with`` statement; iterate over it for blocks of bytes.

        ``GET /v1/reports/{reportId}/download``
        """
        return self.client.download(endpoints.download_report(report_id))

    # --- schedule, booths, sessions and stages

    def list_schedule_items(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the schedule items of an event.

        ``GET /v1/events/{eventId}/scheduleItems``
        """
        return self._iter_resources(endpoints.list_schedule_items(event_id), on_incomplete)

    def get_schedule_item(self, schedule_item_id: str) -> dict[str, Any]:
        """Return a schedule item.

        ``GET /v1/scheduleItems/{scheduleItemId}``
        """
        return self._get_resource(endpoints.get_schedule_item(schedule_item_id))

    def list_schedule_item_tags(
        self, schedule_item_id: str, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the tags of a schedule item.

        ``GET /v1/scheduleItems/{scheduleId}/tags``
        """
        return self._iter_resources(endpoints.list_schedule_item_tags(schedule_item_id), on_incomplete)

    def list_booths(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the booths of an event.

        ``GET /v1/events/{eventId}/booths``
        """
        return self._iter_resources(endpoints.list_booths(event_id), on_incomplete)

    def list_booth_tags(self, booth_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the tags of a booth.

        ``GET /v1/booths/{boothId}/tags``
        """
        return self._iter_resources(endpoints.list_booth_tags(booth_id), on_incomplete)

    def list_sessions(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the sessions of an event.

        ``GET /v1/events/{eventId}/sessions``
        """
        return self._iter_resources(endpoints.list_sessions(event_id), on_incomplete)

    def list_stages(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the stages of an event.

        ``GET /v1/events/{eventId}/stages``
        """
        return self._iter_resources(endpoints.list_stages(event_id), on_incomplete)

    # --- tickets and magic links

    def list_tickets(self, event_id: str, *, on_incomplete: OnIncomplete = "fail") -> Iterator[dict[str, Any]]:
        """Iterate over the tickets of an event.

        ``GET /v1/events/{eventId}/tickets``
        """
        return self._iter_resources(endpoints.list_tickets(event_id), on_incomplete)

    def create_ticket(
        self, event_id: str, attributes: Mapping[str, Any], *, allow_undocumented: bool = False
    ) -> dict[str, Any]:
        """Create a ticket of an event, and return it.

        ``POST /v1/events/{eventId}/tickets``
        """
        checked = validate_request("create_ticket", attributes, allow_undocumented=allow_undocumented)
        return self._get_resource(endpoints.create_ticket(event_id, checked))

    def get_ticket(self, ticket_id: str) -> dict[str, Any]:
        """Return a ticket.

        ``GET /v1/tickets/{ticketId}``
        """
        return self._get_resource(endpoints.get_ticket(ticket_id))

    def list_magic_links(
        self, ticket_id: str, filter: FilterLike | None = None, *, on_incomplete: OnIncomplete = "fail"
    ) -> Iterator[dict[str, Any]]:
        """Iterate over the magic links of a ticket.

        ``GET /v1/tickets/{ticketId}/magicLinks``
        """
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
        """Return a magic link.

        ``GET /v1/magicLinks/{magicLinkId}``
        """
        return self._get_resource(endpoints.get_magic_link(magic_link_id))

    def delete_magic_link(self, magic_link_id: str) -> None:
        """Delete a magic link.

        ``DELETE /v1/magicLinks/{magicLinkId}``
        """
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
        """Create a data subscription of an event, and return it.

        ``POST /v1/events/{eventId}/dataSubscriptions``
        """
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
        """Create a redeem code; deprecated by the API, use :meth:`create_magic_link`.

        ``POST /v1/magic_link``
        """
        warnings.warn("the API has deprecated redeem codes; use create_magic_link", DeprecationWarning, stacklevel=2)
        return self._get_resource(endpoints.create_redeem_code(ticket_id, first_name, last_name, email, created_at))
