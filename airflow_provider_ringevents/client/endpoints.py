"""The documented operations, each a function that returns the :class:`Call` to send and sends nothing.

The functions have the names of the hook's methods. Each id becomes one quoted path segment, so that none can change the
path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.filters import MAGIC_LINKS_FILTER, REGISTRATIONS_FILTER, FilterLike
from airflow_provider_ringevents.client.secrets import Secret, conceal_attributes
from airflow_provider_ringevents.client.transport.retry import IDEMPOTENT_METHODS
from airflow_provider_ringevents.client.types import REPORT_TYPES, REPORT_VERSIONS, check_switch, validate_choice
from airflow_provider_ringevents.client.validation.identifiers import quote_segment
from airflow_provider_ringevents.client.validation.nesting import find_unusable
from airflow_provider_ringevents.contract._generated import OPERATIONS, REGISTRATION_TYPES
from airflow_provider_ringevents.contract.overlay import PERSONAL_ATTRIBUTES

MIN_PERSONAL_LENGTH: Final = 2
"""Characters of a text that is taken out of errors as personal: a single letter tells nobody from another."""
_PLACEHOLDER: Final = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the API.

    :ivar operation: the name of the function that builds it.
    :ivar method: the HTTP method.
    :ivar path: the quoted path, from ``/v1``.
    :ivar params: query parameters.
    :ivar body: the JSON object to send, if there is one.
    :ivar paged: it is a list that supports ``page`` and ``perPage``.
    :ivar type_spellings: the spellings of ``data.type`` that the sources of the contract have, where they disagree.
    :ivar link_call: for a download: the call whose response holds a ``url`` that leads to the same file.
    :ivar exact_numbers: give numbers with a fraction or an exponent as ``msgspec.Raw``, which keeps their digits.
    """

    operation: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    paged: bool = False
    type_spellings: tuple[str, ...] = ()
    link_call: Call | None = None
    exact_numbers: bool = False

    @property
    def idempotent(self) -> bool:
        """Return whether sending it twice has the effect of sending it once."""
        return self.method in IDEMPOTENT_METHODS

    @property
    def is_list(self) -> bool:
        """Return whether the response is a list, paged or not."""
        return self.operation.startswith("list_")

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return the values that no message may repeat, even where the service echoes them: an event's password."""
        data = (self.body or {}).get("data")
        attributes = data.get("attributes") if isinstance(data, Mapping) else None
        password = attributes.get("password") if isinstance(attributes, Mapping) else None
        return (password,) if isinstance(password, Secret) and password else ()

    @property
    def personal_values(self) -> tuple[str, ...]:
        """Return the texts of a person that the request holds, the longest first: no error repeats them."""
        body = self.body or {}
        data = body.get("data")
        attributes = data.get("attributes") if isinstance(data, Mapping) else body
        named = [attributes.get(name) for name in PERSONAL_ATTRIBUTES] if isinstance(attributes, Mapping) else []
        filtered = [value.split(",") for name, value in self.params.items() if name.startswith("filter[email]")]
        found = {text.strip() for text in _texts([named, filtered])}
        return tuple(sorted((text for text in found if len(text) >= MIN_PERSONAL_LENGTH), key=len, reverse=True))

    def with_params(self, **params: str | int) -> Call:
        """Return a copy with more query parameters."""
        return replace(self, params={**self.params, **{name: str(value) for name, value in params.items()}})


def _body(type_: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": {"type": type_, "attributes": conceal_attributes(_mapping("attributes", attributes))}}


def _mapping(parameter: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid_argument(parameter, f"a mapping, not {type(value).__name__}")
    if unusable := find_unusable(parameter, value):
        raise unusable
    return value


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a JSON value, without names of members and ids of questions."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            if name != "questionId":
                yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _call(
    operation: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None, **ids: str
) -> Call:
    """Build the call of an operation of the contract.

    :param ids: the values of the path's placeholders, in their order, by the names that errors call them.
    """
    method, paths, paged = OPERATIONS[operation]
    template = next(path for path in paths if path.count("{") == len(ids))
    segments = (quote_segment(name, value) for name, value in ids.items())
    path = _PLACEHOLDER.sub("{}", template).format(*segments)
    return Call(operation, method, path, params or {}, body, paged)


# --- health


def health() -> Call:
    """Return the call ``GET /v1/health``."""
    return _call("health")


# --- organizations and templates


def list_organizations() -> Call:
    """Return the call ``GET /v1/organizations``."""
    return _call("list_organizations")


def get_organization(organization_id: str) -> Call:
    """Return the call ``GET /v1/organizations/{organizationId}``."""
    return _call("get_organization", organization_id=organization_id)


def list_templates(organization_id: str) -> Call:
    """Return the call ``GET /v1/organizations/{organizationId}/templates`` (not paged)."""
    return _call("list_templates", organization_id=organization_id)


# --- events


def list_events(organization_id: str) -> Call:
    """Return the call ``GET /v1/organizations/{organizationId}/events``."""
    return _call("list_events", organization_id=organization_id)


def get_event(event_id: str) -> Call:
    """Return the call ``GET /v1/events/{eventId}``."""
    return _call("get_event", event_id=event_id)


def create_event(organization_id: str, attributes: Mapping[str, Any]) -> Call:
    """Return the call ``POST /v1/organizations/{organizationId}/events``."""
    return _call("create_event", organization_id=organization_id, body=_body("event", attributes))


def create_event_from_template(template_id: str, attributes: Mapping[str, Any]) -> Call:
    """Return the call ``POST /v1/templates/{templateID}/event``."""
    return _call("create_event_from_template", template_id=template_id, body=_body("event", attributes))


def duplicate_event(event_id: str, attributes: Mapping[str, Any] | None = None) -> Call:
    """Return the call ``POST /v1/events/{eventId}/duplications``: 202 without a body; the copy appears later."""
    return _call("duplicate_event", event_id=event_id, body=_body("event", {} if attributes is None else attributes))


# --- registrations


def list_registrations(event_id: str, filter: FilterLike | None = None) -> Call:
    """Return the call ``GET /v1/events/{eventId}/registrations``."""
    return _call("list_registrations", event_id=event_id, params=REGISTRATIONS_FILTER.params(filter))


def get_registration(registration_id: str) -> Call:
    """Return the call ``GET /v1/registrations/{registrationId}``."""
    return _call("get_registration", registration_id=registration_id)


def create_registration(event_id: str, attributes: Mapping[str, Any]) -> Call:
    """Return the call ``POST /v1/events/{eventId}/registrations``, which the vendor's collection alone documents."""
    return _call("create_registration", event_id=event_id, body=_body("registration", attributes))


def update_registration(
    registration_id: str, metadata: Mapping[str, str] | None = None, attributes: Mapping[str, Any] | None = None
) -> Call:
    """Return the call ``PATCH /v1/registrations/{registrationId}``.

    The reference documents ``metadata`` alone and the type ``Registration``; the other attributes and the type
    ``registration`` are from the vendor's collection. The clients try both spellings.

    :raises RingEventsConfigError: nothing is to be changed, or the metadata are given twice.
    """
    given = dict(_mapping("attributes", {} if attributes is None else attributes))
    if metadata is not None:
        if "metadata" in given:
            raise invalid_argument("metadata", "given once, beside `attributes` or in them")
        given["metadata"] = dict(_mapping("metadata", metadata))
    if not given:
        raise invalid_argument("metadata", "given, or `attributes`, so that there is something to change")
    call = _call("update_registration", registration_id=registration_id, body=_body(REGISTRATION_TYPES[0], given))
    return replace(call, type_spellings=REGISTRATION_TYPES)


# --- reports


def create_report(
    event_id: str,
    report_type: str,
    report_version: str | None = None,
    attributes: Mapping[str, Any] | None = None,
    *,
    allow_undocumented: bool = False,
) -> Call:
    """Return the call ``POST /v1/events/{eventId}/reports/{reportType}[/{reportVersion}]``."""
    check_switch("allow_undocumented", allow_undocumented)
    validate_choice("report_type", report_type, REPORT_TYPES, allow_undocumented=allow_undocumented)
    further = {} if attributes is None else dict(_mapping("attributes", attributes))
    body = {"data": {"attributes": further}} if further else None
    if report_version is None:
        return _call("create_report", event_id=event_id, report_type=report_type, body=body)
    validate_choice("report_version", report_version, REPORT_VERSIONS, allow_undocumented=allow_undocumented)
    return _call("create_report", event_id=event_id, report_type=report_type, report_version=report_version, body=body)


def list_reports(event_id: str) -> Call:
    """Return the call ``GET /v1/events/{eventId}/reports``."""
    return _call("list_reports", event_id=event_id)


def get_report(report_id: str) -> Call:
    """Return the call ``GET /v1/reports/{reportId}``: 200 ready, 202 in progress."""
    return _call("get_report", report_id=report_id)


def download_report(report_id: str) -> Call:
    """Return the call ``GET /v1/reports/{reportId}/download``: the file, or a redirect to it."""
    return replace(_call("download_report", report_id=report_id), link_call=get_report(report_id))


# --- the rooms of an event


def list_schedule_items(event_id: str) -> Call:
    """Return the call ``GET /v1/events/{eventId}/scheduleItems``."""
    return _call("list_schedule_items", event_id=event_id)


def get_schedule_item(schedule_item_id: str) -> Call:
    """Return the call ``GET /v1/scheduleItems/{scheduleItemId}``."""
    return _call("get_schedule_item", schedule_item_id=schedule_item_id)


def list_schedule_item_tags(schedule_item_id: str) -> Call:
    """Return the call ``GET /v1/scheduleItems/{scheduleId}/tags``."""
    return _call("list_schedule_item_tags", schedule_item_id=schedule_item_id)


def list_booths(event_id: str) -> Call:
    """Return the call ``GET /v1/events/{eventId}/booths``."""
    return _call("list_booths", event_id=event_id)


def list_booth_tags(booth_id: str) -> Call:
    """Return the call ``GET /v1/booths/{boothId}/tags``."""
    return _call("list_booth_tags", booth_id=booth_id)


def list_sessions(event_id: str) -> Call:
    """Return the call ``GET /v1/events/{eventId}/sessions``."""
    return _call("list_sessions", event_id=event_id)


def list_stages(event_id: str) -> Call:
    """Return the call ``GET /v1/events/{eventId}/stages``."""
    return _call("list_stages", event_id=event_id)


# --- tickets and magic links


def list_tickets(event_id: str) -> Call:
    """Return the call ``GET /v1/events/{eventId}/tickets``."""
    return _call("list_tickets", event_id=event_id)


def create_ticket(event_id: str, attributes: Mapping[str, Any]) -> Call:
    """Return the call ``POST /v1/events/{eventId}/tickets``."""
    return _call("create_ticket", event_id=event_id, body=_body("ticket", attributes))


def get_ticket(ticket_id: str) -> Call:
    """Return the call ``GET /v1/tickets/{ticketId}``."""
    return _call("get_ticket", ticket_id=ticket_id)


def list_magic_links(ticket_id: str, filter: FilterLike | None = None) -> Call:
    """Return the call ``GET /v1/tickets/{ticketId}/magicLinks``."""
    return _call("list_magic_links", ticket_id=ticket_id, params=MAGIC_LINKS_FILTER.params(filter))


def create_magic_link(ticket_id: str, attributes: Mapping[str, Any]) -> Call:
    """Return the call ``POST /v1/tickets/{ticketId}/magicLinks``."""
    return _call("create_magic_link", ticket_id=ticket_id, body=_body("magicLink", attributes))


def list_bank_questions(ticket_id: str) -> Call:
    """Return the call ``GET /v1/tickets/{ticketId}/bankQuestions``, which the vendor's collection alone documents.

    Whether the list has pages is not documented: they are asked for, and an answer without pages is the whole list.
    """
    return _call("list_bank_questions", ticket_id=ticket_id)


def get_magic_link(magic_link_id: str) -> Call:
    """Return the call ``GET /v1/magicLinks/{magicLinkId}``."""
    return _call("get_magic_link", magic_link_id=magic_link_id)


def delete_magic_link(magic_link_id: str) -> Call:
    """Return the call ``DELETE /v1/magicLinks/{magicLinkId}``."""
    return _call("delete_magic_link", magic_link_id=magic_link_id)


# --- data subscriptions


def create_data_subscription(event_id: str, configuration: Mapping[str, Any], signals: Sequence[str]) -> Call:
    """Return the call ``POST /v1/events/{eventId}/dataSubscriptions``."""
    body = _body(
        "dataSubscription", {"configuration": dict(_mapping("configuration", configuration)), "signals": list(signals)}
    )
    return _call("create_data_subscription", event_id=event_id, body=body)


# --- deprecated


def create_redeem_code(
    ticket_id: str, first_name: str, last_name: str, email: str, created_at: str | None = None
) -> Call:
    """Return the call ``POST /v1/magic_link``, deprecated by the API: use :func:`create_magic_link`."""
    body = {"ticket_id": ticket_id, "first_name": first_name, "last_name": last_name, "email": email}
    if created_at is not None:
        body["created_at"] = created_at
    return _call("create_redeem_code", body=body)
