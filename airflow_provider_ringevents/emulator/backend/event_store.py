"""Organizations, templates and events: what is there, and what can be done to it."""

from __future__ import annotations

import threading
from itertools import count
from typing import Any, Final

from airflow_provider_ringevents.contract.timezone_names import IANA_NAMES
from airflow_provider_ringevents.emulator.api.errors import forbidden, invalid, not_found
from airflow_provider_ringevents.emulator.backend.clock import DAY, Clock, parse_instant
from airflow_provider_ringevents.emulator.backend.models import Event, Organization, Template
from airflow_provider_ringevents.emulator.backend.registration_ids import ResourceType, SeededValues, ids_of
from airflow_provider_ringevents.emulator.backend.registrations import Registrations
from airflow_provider_ringevents.emulator.backend.seeding import Seeder, slug_of
from airflow_provider_ringevents.emulator.settings import Settings

_RUNTIME_EVENTS: Final = 3_000_000
"""Numbers of events that were made through the API start here."""


class EventStore:
    """Organizations, templates and events. Safe to use from any thread.

    :param clock: says the time in seconds since the epoch; what is seeded is dated relative to its midnight.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.ids = ids_of(settings.seed)
        self.dice = SeededValues(settings.seed)
        self._clock = clock
        today = round(clock() // DAY * DAY * 1000)
        self._numbers = count()
        self._seeder = Seeder(self.ids, self.dice, today, settings.registrations)
        self.organizations = self._seeder.organizations()
        self.templates = {
            template.id: template for owner in self.organizations for template in self._seeder.templates(owner)
        }
        self.events: dict[str, Event] = {}
        self._by_number: dict[int, Event] = {}
        self._slugs: set[str] = set()
        self._seeded = dict.fromkeys(range(len(self.organizations)), 0)
        self._order: list[Event] | None = None
        for owner, size in zip(self.organizations, (settings.events, 3, 1), strict=True):
            self.add_events(owner.id, size)

    def now(self) -> int:
        """The time in milliseconds since the epoch."""
        return round(self._clock() * 1000)

    # --- organizations and templates

    def visible_organizations(self) -> list[Organization]:
        """Those that the API key may see."""
        return [owner for owner in self.organizations if owner.visible]

    def organization(self, identifier: str) -> Organization:
        """:raises Problem: 404, also for one that the key may not see."""
        for owner in self.visible_organizations():
            if owner.id == identifier:
                return owner
        raise not_found("organization")

    def organization_templates(self, owner: Organization) -> list[Template]:
        """The templates of one organization."""
        return [template for template in self.templates.values() if template.organization is owner]

    def template(self, identifier: str) -> Template:
        """:raises Problem: 404, also for one of an organization that the key may not see."""
        template = self.templates.get(identifier)
        if template is None or not template.organization.visible:
            raise not_found("template")
        return template

    # --- events

    def event(self, identifier: str) -> Event:
        """:raises Problem: 404 for none (or one that is not there yet), 403 for one of somebody else."""
        event = self.events.get(identifier)
        if event is None or self.now() < event.appears:
            raise not_found("event")
        if not event.organization.visible:
            raise forbidden()
        return event

    def event_numbered(self, number: int, what: str) -> Event:
        """The event that a thing belongs to, by its number.

        :param what: the thing, for the error.
        """
        event = self._by_number.get(number)
        if event is None:
            raise not_found(what)
        if not event.organization.visible:
            raise forbidden()
        return event

    def organization_events(self, owner: Organization) -> list[Event]:
        """The events that the list shows now, in the order that the settings say."""
        with self.lock:
            if self._order is None:
                self._order = sorted(
                    self.events.values(), key=lambda event: self.dice.throw(ResourceType.EVENT, 0, event.number)
                )
            events = self._order if self.settings.events_order == "shuffled" else self.events.values()
            now = self.now()
            return [event for event in events if event.organization is owner and now >= event.listed]

    def add_events(self, organization_id: str, number: int) -> list[Event]:
        """Let an organization have ``number`` more events, of the past, as if they had been there from the start."""
        with self.lock:
            owner = next(owner for owner in self.organizations if owner.id == organization_id)
            first = self._seeded[owner.number]
            self._seeded[owner.number] += number
            return [self._keep(self._seeder.event(owner, index)) for index in range(first, first + number)]

    def _keep(self, event: Event) -> Event:
        self.events[event.id] = event
        self._by_number[event.number] = event
        self._slugs.add(event.slug)
        self._order = None
        return event

    def _new_event(self, owner: Organization, name: str, zone_name: str, attributes: dict[str, Any]) -> Event:
        number = _RUNTIME_EVENTS + next(self._numbers)
        now = self.now()
        slug = attributes.get("slug") or f"{slug_of(name)}-{number}"
        if slug in self._slugs:
            raise invalid("/data/attributes/slug", "slug has already been taken")
        return Event(
            number=number,
            id=self.ids.make(ResourceType.EVENT, 0, number),
            organization=owner,
            name=name,
            description=attributes.get("description") or "",
            slug=slug,
            type=attributes.get("type") or attributes.get("eventType") or "public_event",
            timezone=zone_name,
            zone=IANA_NAMES[zone_name],
            start=_instant(attributes.get("timeStart")),
            end=_instant(attributes.get("timeEnd")),
            created=now,
            published=False,
            metadata=dict(attributes.get("metadata") or {}),
            registrations=Registrations(self.ids, self.dice, number, 0, opened=now, closed=now, attended=False),
            listed=now + round(self.settings.visible_seconds * 1000),
            request=attributes,
        )

    def create_event(self, owner: Organization, attributes: dict[str, Any]) -> Event:
        """Make an event; it is a draft.

        :raises Problem: 422 when the slug is taken.
        """
        with self.lock:
            return self._keep(self._new_event(owner, attributes["name"], attributes["timezone"], attributes))

    def create_from_template(self, template: Template, attributes: dict[str, Any]) -> Event:
        """Make an event from a template; it stays in the status ``templating`` for a while.

        :raises Problem: 404 when there is no such organization.
        """
        with self.lock:
            owner = self.organization(attributes["organizationId"])
            event = self._new_event(owner, attributes["name"], attributes["timezone"], attributes)
            event.description = f"Made from the template {template.name!r}."
            event.published = attributes.get("auto_publish", False)
            event.ready = event.created + round(self.settings.template_seconds * 1000)
            return self._keep(event)

    def duplicate(self, source: Event, attributes: dict[str, Any]) -> Event:
        """Copy an event; the copy appears after a while.

        :raises Problem: 404 or 403 for an organization that the copy cannot go to.
        """
        with self.lock:
            owner = self._target(attributes.get("organizationId")) or source.organization
            copy = self._new_event(
                owner,
                attributes.get("name") or f"{source.name} (copy)",
                attributes.get("timezone") or source.timezone,
                attributes,
            )
            if copy.start is None:
                copy.start = source.start
            if copy.end is None:
                copy.end = source.end
            copy.type = attributes.get("type") or source.type
            copy.description = source.description
            copy.published = attributes.get("auto_publish", False)
            if self.settings.copy_keeps_metadata:
                copy.metadata = {**source.metadata, **copy.metadata}
            delay = round(self.settings.duplicate_seconds * 1000)
            copy.appears = copy.created + delay
            copy.listed += delay
            return self._keep(copy)

    def _target(self, identifier: str | None) -> Organization | None:
        if identifier is None:
            return None
        for owner in self.organizations:
            if owner.id == identifier:
                if owner.visible:
                    return owner
                raise forbidden()
        raise not_found("organization")

    def delete_event(self, event_id: str) -> None:
        """Take an event away, as somebody in the web interface could.

        :raises KeyError: there is no such event.
        """
        with self.lock:
            event = self.events.pop(event_id)
            del self._by_number[event.number]
            self._slugs.discard(event.slug)
            self._order = None


def _instant(text: str | None) -> int | None:
    return None if text is None else parse_instant(text)
