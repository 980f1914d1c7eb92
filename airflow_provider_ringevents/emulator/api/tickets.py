"""Tickets, magic links and data subscriptions; booths, stages, sessions, schedule items and tags."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from airflow_provider_ringevents.emulator.api import filters, validation
from airflow_provider_ringevents.emulator.api.errors import ApiError, ErrorEntry
from airflow_provider_ringevents.emulator.api.filters import Selection, read_filter
from airflow_provider_ringevents.emulator.api.responses import (
    RequestContext,
    json_response,
    list_response,
    resource,
    resource_response,
)
from airflow_provider_ringevents.emulator.backend.bank_questions import bank_questions
from airflow_provider_ringevents.emulator.backend.clock import DAY, iso_seconds
from airflow_provider_ringevents.emulator.backend.event_resources import COUNTS
from airflow_provider_ringevents.emulator.backend.ids import ResourceType
from airflow_provider_ringevents.emulator.backend.models import Event, MagicLink, Ticket
from airflow_provider_ringevents.emulator.backend.store import Store

_SUBSCRIPTION_DAYS: Final = 30


class TicketsApi:
    """Handlers named after the operations of the contract, which run under the store's lock and do not wait."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list_booths(self, call: RequestContext) -> Response:
        """Handle ``list_booths``."""
        return self._content(call, ResourceType.BOOTH, "booth")

    def list_stages(self, call: RequestContext) -> Response:
        """Handle ``list_stages``."""
        return self._content(call, ResourceType.STAGE, "stage")

    def list_sessions(self, call: RequestContext) -> Response:
        """Handle ``list_sessions``."""
        return self._content(call, ResourceType.SESSION, "session")

    def list_schedule_items(self, call: RequestContext) -> Response:
        """Handle ``list_schedule_items``."""
        return self._content(call, ResourceType.SCHEDULE_ITEM, "scheduleItem")

    def get_schedule_item(self, call: RequestContext) -> Response:
        """Handle ``get_schedule_item``."""
        event, key = self._store.resolve(call.path("scheduleItemId"), ResourceType.SCHEDULE_ITEM, "schedule item")
        return resource_response("scheduleItem", self._resource(event, ResourceType.SCHEDULE_ITEM, key.index))

    def list_booth_tags(self, call: RequestContext) -> Response:
        """Handle ``list_booth_tags``."""
        _, key = self._store.resolve(call.path("boothId"), ResourceType.BOOTH, "booth")
        return list_response(call, "tag", self._store.resources.tags(ResourceType.BOOTH_TAG, key))

    def list_schedule_item_tags(self, call: RequestContext) -> Response:
        """Handle ``list_schedule_item_tags``."""
        _, key = self._store.resolve(call.path("scheduleId"), ResourceType.SCHEDULE_ITEM, "schedule item")
        return list_response(call, "tag", self._store.resources.tags(ResourceType.SCHEDULE_TAG, key))

    def _content(self, call: RequestContext, kind: ResourceType, word: str) -> Response:
        event = self._store.event(call.path("eventId"))
        number = COUNTS[kind] if event.content else 0
        return list_response(call, word, [self._resource(event, kind, index) for index in range(number)])

    def _resource(self, event: Event, kind: ResourceType, index: int) -> dict[str, Any]:
        return self._store.resources.attributes(kind, event.number, index, event.created, event.start or event.created)

    def list_tickets(self, call: RequestContext) -> Response:
        """Handle ``list_tickets``."""
        event = self._store.event(call.path("eventId"))
        return list_response(call, "ticket", [ticket.attributes() for ticket in event.tickets.values()])

    def get_ticket(self, call: RequestContext) -> Response:
        """Handle ``get_ticket``."""
        return resource_response("ticket", self._store.ticket(call.path("ticketId")).attributes())

    def create_ticket(self, call: RequestContext) -> Response:
        """Handle ``create_ticket``."""
        event = self._store.event(call.path("eventId"))
        attributes = validation.read_attributes(call.body, "create_ticket")
        return resource_response("ticket", self._store.create_ticket(event, attributes).attributes(), 201)

    def list_bank_questions(self, call: RequestContext) -> Response:
        """Handle ``list_bank_questions``."""
        event = self._store.ticket(call.path("ticketId")).event
        questions = bank_questions(self._store.ids, event.number)
        if self._store.settings.bank_questions_paged:
            return list_response(call, "bank_question", questions)
        return json_response({"data": [resource("bank_question", question) for question in questions]})

    def list_magic_links(self, call: RequestContext) -> Response:
        """Handle ``list_magic_links``."""
        ticket = self._store.ticket(call.path("ticketId"))
        selection = read_filter(call.filter_query, filters.MAGIC_LINKS)
        with_all = selection.booleans.pop("includeConfirmAndJoin", False)
        found = [
            self._link(link)
            for link in self._store.ticket_links(ticket)
            if (with_all or not link.confirm_and_join) and _matches(link, selection)
        ]
        return list_response(call, "magicLink", found)

    def get_magic_link(self, call: RequestContext) -> Response:
        """Handle ``get_magic_link``."""
        return resource_response("magicLink", self._link(self._store.magic_link(call.path("magicLinkId"))))

    def create_magic_link(self, call: RequestContext) -> Response:
        """Handle ``create_magic_link``."""
        ticket = self._store.ticket(call.path("ticketId"))
        self._check_magic_links(ticket)
        attributes = validation.read_attributes(call.body, "create_magic_link")
        return resource_response("magicLink", self._link(self._store.create_magic_link(ticket, attributes)), 201)

    def _link(self, link: MagicLink) -> dict[str, Any]:
        attributes = link.attributes()
        if self._store.settings.naive_registration_times:
            return link.ticket.event.with_local_times(attributes)
        return attributes

    def _check_magic_links(self, ticket: Ticket) -> None:
        if not self._store.settings.plan_has_magic_links:
            raise ApiError(403, "the plan of the organization does not include magic links")
        if not (self._store.settings.draft_magic_links or ticket.event.published):
            raise ApiError(422, "the event is not published")

    def delete_magic_link(self, call: RequestContext) -> Response:
        """Handle ``delete_magic_link``."""
        link = self._store.magic_link(call.path("magicLinkId"))
        del link.ticket.event.magic_links[link.id]
        return Response(status_code=204)

    def create_data_subscription(self, call: RequestContext) -> Response:
        """Handle ``create_data_subscription``."""
        event = self._store.event(call.path("eventId"))
        given = validation.read_attributes(call.body, "create_data_subscription")
        configuration = dict(given.get("configuration", {}))
        expires = configuration.pop("expiresAt", None)
        attributes = {
            "configuration": configuration,
            "expiresAt": expires or iso_seconds(self._store.now() / 1000 + _SUBSCRIPTION_DAYS * DAY),
            "signals": given.get("signals", []),
        }
        return resource_response("dataSubscription", self._store.subscribe(event, attributes), 201)

    def create_redeem_code(self, call: RequestContext) -> Response:
        """Handle ``create_redeem_code``."""
        body = validation.read_body(call.body, "create_redeem_code")
        try:
            ticket = self._store.ticket(body["ticket_id"])
        except ApiError as problem:
            # The reference knows neither 403 nor 404 here.
            raise ApiError(422, [ErrorEntry("ticket not found", pointer="/ticket_id")]) from problem
        self._check_magic_links(ticket)
        names = {"firstName": body["first_name"], "lastName": body["last_name"], "email": body["email"]}
        link = self._store.create_magic_link(ticket, names).attributes()
        attributes = {
            "id": link["id"],
            "first_name": link["firstName"],
            "last_name": link["lastName"],
            "email": link["email"],
            "magic_link": link["magicLink"],
            "registration_id": None,
            "created_at": body.get("created_at") or link["createdAt"],
        }
        return resource_response("redeem_code", attributes, 201)


def _matches(link: MagicLink, selection: Selection) -> bool:
    # Shown to the second, so compared to the second.
    updated = link.updated // 1000 * 1000
    return selection.accepts(strings={"email": link.email}, times={"updatedAt": updated}, booleans={})
