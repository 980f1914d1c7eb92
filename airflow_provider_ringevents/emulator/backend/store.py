"""All that the emulated service knows, and what can be done to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from airflow_provider_ringevents.emulator.api.errors import not_found
from airflow_provider_ringevents.emulator.backend.clock import Clock
from airflow_provider_ringevents.emulator.backend.event_resources import COUNTS, EventResources
from airflow_provider_ringevents.emulator.backend.event_store import EventStore
from airflow_provider_ringevents.emulator.backend.models import Event, MagicLink, Ticket
from airflow_provider_ringevents.emulator.backend.registration_ids import ResourceKey, ResourceType
from airflow_provider_ringevents.emulator.backend.seeding import slug_of
from airflow_provider_ringevents.emulator.settings import Settings

_FIRST_INDEX: Final = 1_000_000
"""Indexes of tickets and magic links that were made through the API start here."""


class State(EventStore):
    """Everything: the events, and what belongs to one of them. Safe to use from any thread."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        super().__init__(settings, clock)
        self.content = EventResources(self.ids, self.dice)
        self._indexes = count(_FIRST_INDEX)

    def read(self, identifier: str, kind: ResourceType, what: str) -> tuple[Event, ResourceKey]:
        """Find what an id stands for.

        :param what: the thing, for the error.
        :raises Problem: 404 when the id stands for no thing of ``kind``, 403 when it is somebody else's.
        """
        key = self.ids.read(identifier)
        if key is None or key.kind is not kind:
            raise not_found(what)
        event = self.event_numbered(key.parent, what)
        if kind in COUNTS and not (event.content and key.index < COUNTS[kind]):
            raise not_found(what)
        return event, key

    def registration(self, identifier: str) -> tuple[Event, int]:
        """The event and the index of a registration.

        :raises Problem: 404, 403.
        """
        event, key = self.read(identifier, ResourceType.REGISTRATION, "registration")
        if not event.registrations.exists(key.index):
            raise not_found("registration")
        return event, key.index

    def add_registrations(self, event_id: str, number: int) -> list[str]:
        """Let ``number`` people register for an event now; returns the ids of their registrations.

        :raises KeyError: there is no such event.
        """
        with self.lock:
            book = self.events[event_id].registrations
            return [book.id(index) for index in book.add(number, self.now())]

    def update_registration(self, registration_id: str, metadata: dict[str, Any]) -> None:
        """Give a registration other metadata, now.

        :raises Problem: there is no such registration.
        """
        with self.lock:
            event, index = self.registration(registration_id)
            event.registrations.patch(index, metadata, self.now())

    def delete_registration(self, registration_id: str) -> None:
        """Take a registration away; all pages behind it move.

        :raises Problem: there is no such registration.
        """
        with self.lock:
            event, index = self.registration(registration_id)
            event.registrations.delete(index)

    def ticket(self, identifier: str) -> Ticket:
        """:raises Problem: 404, 403."""
        event, _ = self.read(identifier, ResourceType.TICKET, "ticket")
        ticket = event.tickets.get(identifier)
        if ticket is None:
            raise not_found("ticket")
        return ticket

    def create_ticket(self, event: Event, attributes: dict[str, Any]) -> Ticket:
        """Add a ticket to an event."""
        with self.lock:
            index = next(self._indexes)
            name = attributes.get("name") or "Ticket"
            ticket = Ticket(
                id=self.ids.make(ResourceType.TICKET, event.number, index),
                index=index,
                event=event,
                name=name,
                slug=f"{slug_of(name)}-{index}",
                description=attributes.get("description"),
                price=attributes.get("price", 0),
                discount=None,
                private=attributes.get("private", False),
                count=attributes.get("count", 0),
                created=self.now(),
            )
            event.tickets[ticket.id] = ticket
            return ticket

    def magic_link(self, identifier: str) -> MagicLink:
        """:raises Problem: 404, 403."""
        event, _ = self.read(identifier, ResourceType.MAGIC_LINK, "magic link")
        link = event.magic_links.get(identifier)
        if link is None:
            raise not_found("magic link")
        return link

    def ticket_links(self, ticket: Ticket) -> Iterator[MagicLink]:
        """The magic links of one ticket, in the order in which they were made."""
        return (link for link in ticket.event.magic_links.values() if link.ticket is ticket)

    def create_magic_link(self, ticket: Ticket, attributes: dict[str, Any]) -> MagicLink:
        """Add a magic link to a ticket; nothing keeps two links from having the same address."""
        with self.lock:
            now = self.now()
            index = next(self._indexes)
            link = MagicLink(
                id=self.ids.make(ResourceType.MAGIC_LINK, ticket.event.number, index),
                ticket=ticket,
                email=attributes["email"],
                first_name=attributes["firstName"],
                last_name=attributes["lastName"],
                headline=attributes.get("headline"),
                status="unused",
                registration_id=attributes.get("registrationId"),
                extra_fields=dict(attributes.get("extraFields") or {}),
                metadata=dict(attributes.get("metadata") or {}),
                created=now,
                updated=now,
            )
            ticket.event.magic_links[link.id] = link
            return link

    def subscribe(self, event: Event, attributes: dict[str, Any]) -> dict[str, Any]:
        """Add a data subscription to an event; returns its attributes."""
        with self.lock:
            identifier = self.ids.make(ResourceType.SUBSCRIPTION, event.number, len(event.subscriptions))
            subscription = {**attributes, "eventId": event.id, "id": identifier}
            event.subscriptions.append(subscription)
            return subscription
