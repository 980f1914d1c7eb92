"""The state of the emulated service and the operations on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from airflow_provider_ringevents.emulator.api.errors import forbidden, invalid, not_found
from airflow_provider_ringevents.emulator.backend.bank_questions import bank_questions, registration_answers
from airflow_provider_ringevents.emulator.backend.clock import DAY, Clock
from airflow_provider_ringevents.emulator.backend.event_resources import COUNTS, EventResources
from airflow_provider_ringevents.emulator.backend.ids import ResourceKey, ResourceType, SeededValues, ids_of
from airflow_provider_ringevents.emulator.backend.models import Event, MagicLink, Organization, Template, Ticket
from airflow_provider_ringevents.emulator.backend.registrations import Registrations
from airflow_provider_ringevents.emulator.backend.seeding import Seeder, slug_of
from airflow_provider_ringevents.emulator.settings import Settings

_FIRST_EVENT_NUMBER: Final = 3_000_000
"""Numbers of events that requests create start here."""
_FIRST_INDEX: Final = 1_000_000
"""Indexes of tickets and magic links that requests create start here."""


class Store:
    """A thread-safe store of organizations, templates, events and what belongs to events.

    :param clock: returns the time in seconds since the epoch; seeded resources are dated relative to its midnight.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.ids = ids_of(settings.seed)
        self.values = SeededValues(settings.seed)
        self.resources = EventResources(self.ids, self.values)
        self._clock = clock
        self._numbers = count(_FIRST_EVENT_NUMBER)
        self._indexes = count(_FIRST_INDEX)
        self._seeder = Seeder(self.ids, self.values, round(clock() // DAY * DAY * 1000), settings.registrations)
        self.organizations = self._seeder.organizations()
        self.templates = {
            template.id: template for owner in self.organizations for template in self._seeder.templates(owner)
        }
        self.events: dict[str, Event] = {}
        self._by_number: dict[int, Event] = {}
        self._slugs: set[str] = set()
        self._seeded = dict.fromkeys(range(len(self.organizations)), 0)
        self._shuffled: list[Event] | None = None
        for owner, size in zip(self.organizations, (settings.events, 3, 1), strict=True):
            self.add_events(owner.id, size)

    def now(self) -> int:
        """Return the time in milliseconds since the epoch."""
        return round(self._clock() * 1000)

    def visible_organizations(self) -> list[Organization]:
        """Return the organizations that the API key may see."""
        return [owner for owner in self.organizations if owner.visible]

    def organization(self, identifier: str) -> Organization:
        """Return an organization that the API key may see.

        :raises ApiError: 404 for any other id.
        """
        for owner in self.visible_organizations():
            if owner.id == identifier:
                return owner
        raise not_found("organization")

    def template(self, identifier: str) -> Template:
        """Return a template of an organization that the API key may see.

        :raises ApiError: 404 for any other id.
        """
        template = self.templates.get(identifier)
        if template is None or not template.organization.visible:
            raise not_found("template")
        return template

    def event(self, identifier: str) -> Event:
        """Return an event that exists by now.

        :raises ApiError: 404 for an unknown id, 403 for an event of an organization that the key may not see.
        """
        event = self.events.get(identifier)
        return self._accessible(None if event and self.now() < event.visible_at else event, "event")

    def _accessible(self, event: Event | None, subject: str) -> Event:
        if event is None:
            raise not_found(subject)
        if not event.organization.visible:
            raise forbidden()
        return event

    def organization_events(self, owner: Organization) -> list[Event]:
        """Return the events that the organization's list shows now, in the order of the settings."""
        with self.lock:
            if self._shuffled is None:
                self._shuffled = sorted(
                    self.events.values(), key=lambda event: self.values.value(ResourceType.EVENT, 0, event.number)
                )
            events = self._shuffled if self.settings.events_order == "shuffled" else self.events.values()
            now = self.now()
            return [event for event in events if event.organization is owner and now >= event.listed_at]

    def add_events(self, organization_id: str, number: int) -> list[Event]:
        """Add ``number`` past events to an organization, as if they had been seeded."""
        with self.lock:
            owner = next(owner for owner in self.organizations if owner.id == organization_id)
            first = self._seeded[owner.number]
            self._seeded[owner.number] += number
            return [self._register(self._seeder.event(owner, index)) for index in range(first, first + number)]

    def create_event(self, owner: Organization, attributes: dict[str, Any]) -> Event:
        """Create a draft.

        :raises ApiError: 422 when the slug is taken.
        """
        with self.lock:
            return self._register(self._new_event(owner, attributes["name"], attributes["timezone"], attributes))

    def create_from_template(self, template: Template, attributes: dict[str, Any]) -> Event:
        """Create an event from a template; its status is ``templating`` for ``template_seconds``.

        :raises ApiError: 404 when the organization does not exist.
        """
        with self.lock:
            owner = self.organization(attributes["organizationId"])
            event = self._new_event(owner, attributes["name"], attributes["timezone"], attributes)
            event.description = f"Made from the template {template.name!r}."
            event.published = self._publishes(attributes, has_ticket=False)
            event.ready_at = event.created + round(self.settings.template_seconds * 1000)
            return self._register(event)

    def duplicate(self, source: Event, attributes: dict[str, Any]) -> Event:
        """Copy an event; the copy becomes visible after ``duplicate_seconds``.

        :raises ApiError: 404 or 403 for an organization that cannot receive the copy.
        """
        with self.lock:
            owner = self._target_organization(attributes.get("organizationId")) or source.organization
            name = attributes.get("name") or f"{source.name} (copy)"
            copy = self._new_event(owner, name, attributes.get("timezone") or source.timezone, attributes)
            copy.start = source.start if copy.start is None else copy.start
            copy.end = source.end if copy.end is None else copy.end
            copy.type = attributes.get("type") or source.type
            copy.description = source.description
            copy.published = self._publishes(attributes, has_ticket=bool(source.tickets))
            if self.settings.copy_keeps_metadata:
                copy.metadata = {**source.metadata, **copy.metadata}
            delay = round(self.settings.duplicate_seconds * 1000)
            copy.visible_at = copy.created + delay
            copy.listed_at += delay
            return self._register(copy)

    def delete_event(self, event_id: str) -> None:
        """Delete an event, which the web application can and the API cannot.

        :raises KeyError: the event does not exist.
        """
        with self.lock:
            event = self.events.pop(event_id)
            del self._by_number[event.number]
            self._slugs.discard(event.slug)
            self._shuffled = None

    def _publishes(self, attributes: dict[str, Any], *, has_ticket: bool) -> bool:
        if attributes.get("auto_publish") and self.settings.publish_needs_ticket and not has_ticket:
            raise invalid("/data/attributes/auto_publish", "an event needs a ticket to be published")
        return bool(attributes.get("auto_publish"))

    def _target_organization(self, identifier: str | None) -> Organization | None:
        if identifier is None:
            return None
        for owner in self.organizations:
            if owner.id == identifier:
                if owner.visible:
                    return owner
                raise forbidden()
        raise not_found("organization")

    def _register(self, event: Event) -> Event:
        self.events[event.id] = event
        self._by_number[event.number] = event
        self._slugs.add(event.slug)
        self._shuffled = None
        return event

    def _new_event(self, owner: Organization, name: str, timezone: str, attributes: dict[str, Any]) -> Event:
        number = next(self._numbers)
        now = self.now()
        slug = attributes.get("slug") or f"{slug_of(name)}-{number}"
        if slug in self._slugs:
            raise invalid("/data/attributes/slug", "slug has already been taken")
        registrations = Registrations(self.ids, self.values, number, 0, opened=now, closed=now, attended=False)
        identifier = self.ids.encode(ResourceType.EVENT, 0, number)
        event = Event.create(number, identifier, owner, name, slug, timezone, now, registrations, attributes)
        event.listed_at = now + round(self.settings.visible_seconds * 1000)
        return event

    def resolve(self, identifier: str, kind: ResourceType, subject: str) -> tuple[Event, ResourceKey]:
        """Return the event and the key that an id stands for.

        :param subject: the word for the resource in the error.
        :raises ApiError: 404 when no resource of ``kind`` has the id, 403 when the key may not see it.
        """
        key = self.ids.decode(identifier)
        if key is None or key.kind is not kind:
            raise not_found(subject)
        event = self._accessible(self._by_number.get(key.parent), subject)
        if kind in COUNTS and not (event.content and key.index < COUNTS[kind]):
            raise not_found(subject)
        return event, key

    def registration(self, identifier: str) -> tuple[Event, int]:
        """Return the event and the index of a registration.

        :raises ApiError: 404, 403.
        """
        event, key = self.resolve(identifier, ResourceType.REGISTRATION, "registration")
        if not event.registrations.exists(key.index):
            raise not_found("registration")
        return event, key.index

    def add_registrations(self, event_id: str, number: int) -> list[str]:
        """Register ``number`` people for an event now and return the ids of their registrations.

        :raises KeyError: the event does not exist.
        """
        with self.lock:
            registrations = self.events[event_id].registrations
            return [registrations.id(index) for index in registrations.add(number, self.now())]

    def update_registration(self, registration_id: str, metadata: dict[str, Any]) -> None:
        """Replace the metadata of a registration now.

        :raises ApiError: the registration does not exist.
        """
        with self.lock:
            event, index = self.registration(registration_id)
            event.registrations.patch(index, {"metadata": metadata}, self.now())

    def create_registration(self, event: Event, attributes: dict[str, Any]) -> int:
        """Register a person as a request asks for, and return the index; the same address may come twice.

        :raises ApiError: 422 for a ticket of another event, or an answer that fits no question.
        """
        with self.lock:
            shown = self._registration_changes(event, attributes)
            return event.registrations.create({"timezone": event.timezone, **shown}, self.now())

    def change_registration(self, event: Event, index: int, attributes: dict[str, Any]) -> None:
        """Change a registration as a request asks for.

        :raises ApiError: 422 for a ticket of another event, or an answer that fits no question.
        """
        with self.lock:
            shown = self._registration_changes(event, attributes)
            if "metadata" in shown and self.settings.patch_metadata == "merge":
                kept = event.registrations.attributes(index)["metadata"]
                shown["metadata"] = {**kept, **shown["metadata"]}
            event.registrations.patch(index, shown, self.now())

    def _registration_changes(self, event: Event, attributes: dict[str, Any]) -> dict[str, Any]:
        shown = dict(attributes)
        if shown.get("ticketId", next(iter(event.tickets), None)) not in event.tickets:
            raise invalid("/data/attributes/ticketId", "is not a ticket of the event")
        if "answers" in shown:
            answers = shown.pop("answers")
            shown["customRegistrationFields"] = registration_answers(bank_questions(self.ids, event.number), answers)
        return shown

    def delete_registration(self, registration_id: str) -> None:
        """Delete a registration; all pages after it move.

        :raises ApiError: the registration does not exist.
        """
        with self.lock:
            event, index = self.registration(registration_id)
            event.registrations.delete(index)

    def ticket(self, identifier: str) -> Ticket:
        """Return a ticket.

        :raises ApiError: 404, 403.
        """
        event, _ = self.resolve(identifier, ResourceType.TICKET, "ticket")
        if identifier not in event.tickets:
            raise not_found("ticket")
        return event.tickets[identifier]

    def create_ticket(self, event: Event, attributes: dict[str, Any]) -> Ticket:
        """Add a ticket to an event."""
        with self.lock:
            index = next(self._indexes)
            identifier = self.ids.encode(ResourceType.TICKET, event.number, index)
            slug = f"{slug_of(attributes.get('name') or 'Ticket')}-{index}"
            event.tickets[identifier] = Ticket.create(identifier, index, event, slug, self.now(), attributes)
            return event.tickets[identifier]

    def magic_link(self, identifier: str) -> MagicLink:
        """Return a magic link.

        :raises ApiError: 404, 403.
        """
        event, _ = self.resolve(identifier, ResourceType.MAGIC_LINK, "magic link")
        if identifier not in event.magic_links:
            raise not_found("magic link")
        return event.magic_links[identifier]

    def ticket_links(self, ticket: Ticket) -> Iterator[MagicLink]:
        """Return the magic links of one ticket, oldest first."""
        return (link for link in ticket.event.magic_links.values() if link.ticket is ticket)

    def create_magic_link(self, ticket: Ticket, attributes: dict[str, Any]) -> MagicLink:
        """Add a magic link to a ticket; two links may have the same address."""
        with self.lock:
            identifier = self.ids.encode(ResourceType.MAGIC_LINK, ticket.event.number, next(self._indexes))
            link = MagicLink.create(identifier, ticket, self.now(), attributes)
            ticket.event.magic_links[identifier] = link
            return link

    def subscribe(self, event: Event, attributes: dict[str, Any]) -> dict[str, Any]:
        """Add a data subscription to an event and return its attributes."""
        with self.lock:
            identifier = self.ids.encode(ResourceType.SUBSCRIPTION, event.number, len(event.subscriptions))
            event.subscriptions.append({**attributes, "eventId": event.id, "id": identifier})
            return event.subscriptions[-1]
