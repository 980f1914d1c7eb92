"""Every documented operation as a pure function that returns a :class:`Call`: what to send, nothing sent.

The functions are named as the hook's methods. Ids become one quoted path segment each, so no id can change the path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_provider_ringevents.client.filters import MAGIC_LINKS_FILTER, REGISTRATIONS_FILTER, FilterLike
from airflow_provider_ringevents.client.transport.retry import REPEATABLE_METHODS
from airflow_provider_ringevents.client.types import REPORT_TYPES, REPORT_VERSIONS, validate_choice
from airflow_provider_ringevents.client.validation.identifiers import quote_segment


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the API.

    :ivar operation: the name of the function that made it.
    :ivar method: the HTTP method.
    :ivar path: the quoted path, from ``/v1``.
    :ivar params: query parameters.
    :ivar body: what is sent as JSON, if anything.
    :ivar paged: a list that understands ``page`` and ``perPage``.
    :ivar link: for a download: the call whose answer's ``url`` leads to the same file.
    """

    operation: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    paged: bool = False
    link: Call | None = None

    @property
    def repeatable(self) -> bool:
        """Sending it twice is the same as sending it once."""
        return self.method in REPEATABLE_METHODS

    @property
    def secrets(self) -> tuple[str, ...]:
        """What is sent that no message repeats, even where the service echoes it: an event's password."""
        data = (self.body or {}).get("data")
        attributes = data.get("attributes") if isinstance(data, Mapping) else None
        password = attributes.get("password") if isinstance(attributes, Mapping) else None
        return (password,) if isinstance(password, str) and password else ()

    def with_params(self, **params: str | int) -> Call:
        """The same call with more query parameters."""
        return replace(self, params={**self.params, **{name: str(value) for name, value in params.items()}})


def _body(type_: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": {"type": type_, "attributes": dict(attributes)}}


# --- health


def health() -> Call:
    """``GET /v1/health``"""
    return Call("health", "GET", "/v1/health")


# --- organizations and templates


def list_organizations() -> Call:
    """``GET /v1/organizations``"""
    return Call("list_organizations", "GET", "/v1/organizations", paged=True)


def get_organization(organization_id: str) -> Call:
    """``GET /v1/organizations/{organizationId}``"""
    return Call("get_organization", "GET", f"/v1/organizations/{quote_segment('organization_id', organization_id)}")


def list_templates(organization_id: str) -> Call:
    """``GET /v1/organizations/{organizationId}/templates`` (not paged)"""
    organization = quote_segment("organization_id", organization_id)
    return Call("list_templates", "GET", f"/v1/organizations/{organization}/templates")


# --- events


def list_events(organization_id: str) -> Call:
    """``GET /v1/organizations/{organizationId}/events``"""
    organization = quote_segment("organization_id", organization_id)
    return Call("list_events", "GET", f"/v1/organizations/{organization}/events", paged=True)


def get_event(event_id: str) -> Call:
    """``GET /v1/events/{eventId}``"""
    return Call("get_event", "GET", f"/v1/events/{quote_segment('event_id', event_id)}")


def create_event(organization_id: str, attributes: Mapping[str, Any]) -> Call:
    """``POST /v1/organizations/{organizationId}/events``"""
    organization = quote_segment("organization_id", organization_id)
    return Call("create_event", "POST", f"/v1/organizations/{organization}/events", body=_body("event", attributes))


def create_event_from_template(template_id: str, attributes: Mapping[str, Any]) -> Call:
    """``POST /v1/templates/{templateID}/event``"""
    template = quote_segment("template_id", template_id)
    return Call(
        "create_event_from_template", "POST", f"/v1/templates/{template}/event", body=_body("event", attributes)
    )


def duplicate_event(event_id: str, attributes: Mapping[str, Any] | None = None) -> Call:
    """``POST /v1/events/{eventId}/duplications``: 202 without a body; the copy appears later."""
    event = quote_segment("event_id", event_id)
    return Call("duplicate_event", "POST", f"/v1/events/{event}/duplications", body=_body("event", attributes or {}))


# --- registrations


def list_registrations(event_id: str, filter: FilterLike | None = None) -> Call:
    """``GET /v1/events/{eventId}/registrations``"""
    return Call(
        "list_registrations",
        "GET",
        f"/v1/events/{quote_segment('event_id', event_id)}/registrations",
        params=REGISTRATIONS_FILTER.params(filter),
        paged=True,
    )


def get_registration(registration_id: str) -> Call:
    """``GET /v1/registrations/{registrationId}``"""
    return Call("get_registration", "GET", f"/v1/registrations/{quote_segment('registration_id', registration_id)}")


def update_registration(registration_id: str, metadata: Mapping[str, str]) -> Call:
    """``PATCH /v1/registrations/{registrationId}``; its type is spelt with a capital."""
    registration = quote_segment("registration_id", registration_id)
    return Call(
        "update_registration",
        "PATCH",
        f"/v1/registrations/{registration}",
        body=_body("Registration", {"metadata": dict(metadata)}),
    )


# --- reports


def create_report(
    event_id: str,
    report_type: str,
    report_version: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    allow_undocumented: bool = False,
) -> Call:
    """``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``"""
    validate_choice("report_type", report_type, REPORT_TYPES, allow_undocumented=allow_undocumented)
    path = f"/v1/events/{quote_segment('event_id', event_id)}/reports/{quote_segment('report_type', report_type)}"
    if report_version is not None:
        validate_choice("report_version", report_version, REPORT_VERSIONS, allow_undocumented=allow_undocumented)
        path += f"/{quote_segment('report_version', report_version)}"
    return Call("create_report", "POST", path, body={"data": {"attributes": dict(attributes or {})}})


def list_reports(event_id: str) -> Call:
    """``GET /v1/events/{eventId}/reports``"""
    return Call("list_reports", "GET", f"/v1/events/{quote_segment('event_id', event_id)}/reports", paged=True)


def get_report(report_id: str) -> Call:
    """``GET /v1/reports/{reportId}``: 200 ready, 202 in progress"""
    return Call("get_report", "GET", f"/v1/reports/{quote_segment('report_id', report_id)}")


def download_report(report_id: str) -> Call:
    """``GET /v1/reports/{reportId}/download``: the file, or a redirect to it"""
    path = f"/v1/reports/{quote_segment('report_id', report_id)}/download"
    return Call("download_report", "GET", path, link=get_report(report_id))


# --- the rooms of an event


def list_schedule_items(event_id: str) -> Call:
    """``GET /v1/events/{eventId}/scheduleItems``"""
    event = quote_segment("event_id", event_id)
    return Call("list_schedule_items", "GET", f"/v1/events/{event}/scheduleItems", paged=True)


def get_schedule_item(schedule_item_id: str) -> Call:
    """``GET /v1/scheduleItems/{scheduleItemId}``"""
    item = quote_segment("schedule_item_id", schedule_item_id)
    return Call("get_schedule_item", "GET", f"/v1/scheduleItems/{item}")


def list_schedule_item_tags(schedule_item_id: str) -> Call:
    """``GET /v1/scheduleItems/{scheduleId}/tags``"""
    item = quote_segment("schedule_item_id", schedule_item_id)
    return Call("list_schedule_item_tags", "GET", f"/v1/scheduleItems/{item}/tags", paged=True)


def list_booths(event_id: str) -> Call:
    """``GET /v1/events/{eventId}/booths``"""
    return Call("list_booths", "GET", f"/v1/events/{quote_segment('event_id', event_id)}/booths", paged=True)


def list_booth_tags(booth_id: str) -> Call:
    """``GET /v1/booths/{boothId}/tags``"""
    return Call("list_booth_tags", "GET", f"/v1/booths/{quote_segment('booth_id', booth_id)}/tags", paged=True)


def list_sessions(event_id: str) -> Call:
    """``GET /v1/events/{eventId}/sessions``"""
    return Call("list_sessions", "GET", f"/v1/events/{quote_segment('event_id', event_id)}/sessions", paged=True)


def list_stages(event_id: str) -> Call:
    """``GET /v1/events/{eventId}/stages``"""
    return Call("list_stages", "GET", f"/v1/events/{quote_segment('event_id', event_id)}/stages", paged=True)


# --- tickets and magic links


def list_tickets(event_id: str) -> Call:
    """``GET /v1/events/{eventId}/tickets``"""
    return Call("list_tickets", "GET", f"/v1/events/{quote_segment('event_id', event_id)}/tickets", paged=True)


def create_ticket(event_id: str, attributes: Mapping[str, Any]) -> Call:
    """``POST /v1/events/{eventId}/tickets``"""
    event = quote_segment("event_id", event_id)
    return Call("create_ticket", "POST", f"/v1/events/{event}/tickets", body=_body("ticket", attributes))


def get_ticket(ticket_id: str) -> Call:
    """``GET /v1/tickets/{ticketId}``"""
    return Call("get_ticket", "GET", f"/v1/tickets/{quote_segment('ticket_id', ticket_id)}")


def list_magic_links(ticket_id: str, filter: FilterLike | None = None) -> Call:
    """``GET /v1/tickets/{ticketId}/magicLinks``"""
    return Call(
        "list_magic_links",
        "GET",
        f"/v1/tickets/{quote_segment('ticket_id', ticket_id)}/magicLinks",
        params=MAGIC_LINKS_FILTER.params(filter),
        paged=True,
    )


def create_magic_link(ticket_id: str, attributes: Mapping[str, Any]) -> Call:
    """``POST /v1/tickets/{ticketId}/magicLinks``"""
    ticket = quote_segment("ticket_id", ticket_id)
    return Call("create_magic_link", "POST", f"/v1/tickets/{ticket}/magicLinks", body=_body("magicLink", attributes))


def get_magic_link(magic_link_id: str) -> Call:
    """``GET /v1/magicLinks/{magicLinkId}``"""
    return Call("get_magic_link", "GET", f"/v1/magicLinks/{quote_segment('magic_link_id', magic_link_id)}")


def delete_magic_link(magic_link_id: str) -> Call:
    """``DELETE /v1/magicLinks/{magicLinkId}``"""
    return Call("delete_magic_link", "DELETE", f"/v1/magicLinks/{quote_segment('magic_link_id', magic_link_id)}")


# --- data subscriptions


def create_data_subscription(event_id: str, configuration: Mapping[str, Any], signals: Sequence[str]) -> Call:
    """``POST /v1/events/{eventId}/dataSubscriptions``"""
    return Call(
        "create_data_subscription",
        "POST",
        f"/v1/events/{quote_segment('event_id', event_id)}/dataSubscriptions",
        body=_body("dataSubscription", {"configuration": dict(configuration), "signals": list(signals)}),
    )


# --- deprecated


def create_redeem_code(
    ticket_id: str, first_name: str, last_name: str, email: str, created_at: str | None = None
) -> Call:
    """``POST /v1/magic_link``, deprecated by the API: use :func:`create_magic_link`."""
    body = {"ticket_id": ticket_id, "first_name": first_name, "last_name": last_name, "email": email}
    if created_at is not None:
        body["created_at"] = created_at
    return Call("create_redeem_code", "POST", "/v1/magic_link", body=body)
