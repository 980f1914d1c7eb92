"""Organizations, templates, events and registrations."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from airflow_provider_ringevents.emulator.api import filters, validation
from airflow_provider_ringevents.emulator.api.errors import invalid
from airflow_provider_ringevents.emulator.api.filters import read_filter
from airflow_provider_ringevents.emulator.api.responses import (
    RequestContext,
    json_response,
    list_response,
    page_response,
    raw_json_response,
    raw_page_response,
    resource,
    resource_response,
)
from airflow_provider_ringevents.emulator.backend.list_order import ordered_slice
from airflow_provider_ringevents.emulator.backend.models import Event
from airflow_provider_ringevents.emulator.backend.store import Store


class EventsApi:
    """Handlers named after the operations of the contract, which run under the store's lock and do not wait."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def health(self, call: RequestContext) -> Response:
        """Handle ``health``."""
        return json_response({"status": "ok"})

    def list_organizations(self, call: RequestContext) -> Response:
        """Handle ``list_organizations``."""
        return list_response(call, "organization", [owner.attributes for owner in self._store.visible_organizations()])

    def get_organization(self, call: RequestContext) -> Response:
        """Handle ``get_organization``."""
        return resource_response("organization", self._store.organization(call.path("organizationId")).attributes)

    def list_templates(self, call: RequestContext) -> Response:
        """Handle ``list_templates``."""
        owner = self._store.organization(call.path("organizationId"))
        templates = [each for each in self._store.templates.values() if each.organization is owner]
        # The only list without pages.
        return json_response({"data": [resource("template", {"id": each.id, "name": each.name}) for each in templates]})

    def list_events(self, call: RequestContext) -> Response:
        """Handle ``list_events``."""
        events = self._store.organization_events(self._store.organization(call.path("organizationId")))
        page = call.page()
        rows = [self._attributes(event) for event in events[page.start : page.stop]]
        return page_response(page, "event", rows, len(events))

    def get_event(self, call: RequestContext) -> Response:
        """Handle ``get_event``."""
        return resource_response("event", self._attributes(self._event(call)))

    def create_event(self, call: RequestContext) -> Response:
        """Handle ``create_event``."""
        owner = self._store.organization(call.path("organizationId"))
        event = self._store.create_event(owner, validation.read_attributes(call.body, "create_event"))
        return resource_response("event", self._attributes(event), 201)

    def create_event_from_template(self, call: RequestContext) -> Response:
        """Handle ``create_event_from_template``."""
        template = self._store.template(call.path("templateID"))
        attributes = validation.read_attributes(call.body, "create_event_from_template")
        return resource_response("event", self._attributes(self._store.create_from_template(template, attributes)), 201)

    def duplicate_event(self, call: RequestContext) -> Response:
        """Handle ``duplicate_event``."""
        source = self._event(call)
        attributes = validation.read_attributes(call.body, "duplicate_event")
        self._store.duplicate(source, attributes)
        return Response(status_code=202)

    def _event(self, call: RequestContext) -> Event:
        return self._store.event(call.path("eventId"))

    def _attributes(self, event: Event) -> dict[str, Any]:
        settings = self._store.settings
        return event.attributes(
            self._store.now(), echo_metadata=settings.echo_metadata, naive_times=settings.naive_event_times
        )

    def list_registrations(self, call: RequestContext) -> Response:
        """Handle ``list_registrations``."""
        event = self._event(call)
        book = event.registrations
        found = book.select(read_filter(call.filter_query, filters.REGISTRATIONS))
        page = call.page()
        indexes = ordered_slice(book, found, page.start, page.stop, self._store.settings.registrations_order)
        return raw_page_response(page, (self._registration(event, index) for index in indexes), found.total)

    def get_registration(self, call: RequestContext) -> Response:
        """Handle ``get_registration``."""
        event, index = self._store.registration(call.path("registrationId"))
        return raw_json_response(f'{{"data":{self._registration(event, index)}}}')

    def create_registration(self, call: RequestContext) -> Response:
        """Handle ``create_registration``."""
        event = self._event(call)
        attributes = validation.read_attributes(call.body, "create_registration")
        index = self._store.create_registration(event, attributes)
        return raw_json_response(f'{{"data":{self._registration(event, index)}}}', 201)

    def update_registration(self, call: RequestContext) -> Response:
        """Handle ``update_registration``."""
        event, index = self._store.registration(call.path("registrationId"))
        attributes = validation.read_attributes(call.body, "update_registration")
        self._check_type(call.body)
        if attributes:
            self._store.change_registration(event, index, attributes)
        return raw_json_response(f'{{"data":{self._registration(event, index)}}}')

    def _registration(self, event: Event, index: int) -> str:
        text = event.registrations.to_json(index)
        if not self._store.settings.naive_registration_times:
            return text
        shown = json.loads(text)
        shown["attributes"] = event.with_local_times(shown["attributes"])
        return json.dumps(shown, ensure_ascii=False)

    def _check_type(self, body: bytes) -> None:
        accepted = self._store.settings.registration_type
        given = json.loads(body)["data"]["type"] if body else accepted
        if accepted not in (given, "any"):
            raise invalid("/data/type", f"must be {accepted}")
