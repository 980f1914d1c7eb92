"""What the emulator keeps in memory. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_ringevents.emulator.backend.clock import iso_seconds
from airflow_provider_ringevents.emulator.backend.registration_json import TICKETS
from airflow_provider_ringevents.emulator.backend.registrations import Registrations


@dataclass(slots=True)
class Organization:
    """An account.

    :ivar visible: whether the API key may see it.
    """

    number: int
    visible: bool
    attributes: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.attributes["id"])


@dataclass(slots=True)
class Template:
    id: str
    organization: Organization
    name: str


@dataclass(slots=True)
class Ticket:
    """A ticket; the seeded ones have the indexes from 0, those made through the API larger ones."""

    id: str
    index: int
    event: Event
    name: str
    slug: str
    description: str | None
    price: float
    discount: float | None
    private: bool
    count: int
    created: int

    def attributes(self) -> dict[str, Any]:
        claimed = self.event.claimed(self)
        return {
            "claimed": claimed,
            "count": self.count,
            "createdAt": iso_seconds(self.created / 1000),
            "description": self.description,
            "discount": self.discount,
            "eventId": self.event.id,
            "id": self.id,
            "name": self.name,
            "price": self.price,
            "private": self.private,
            "remaining": max(0, self.count - claimed),
            "slug": self.slug,
        }


@dataclass(slots=True)
class MagicLink:
    """A personal link to an event.

    :ivar confirm_and_join: made by the service's own "confirm and join" mails, hidden from lists unless asked for.
    """

    id: str
    ticket: Ticket
    email: str
    first_name: str
    last_name: str
    headline: str | None
    status: str | None
    registration_id: str | None
    extra_fields: dict[str, str]
    metadata: dict[str, str]
    created: int
    updated: int
    confirm_and_join: bool = False

    def attributes(self) -> dict[str, Any]:
        return {
            "createdAt": iso_seconds(self.created / 1000),
            "email": self.email,
            "extraFields": self.extra_fields,
            "firstName": self.first_name,
            "headline": self.headline,
            "id": self.id,
            "lastName": self.last_name,
            "magicLink": f"https://events.example/{self.ticket.event.slug}/join?code=secret-{self.id}",
            "metadata": self.metadata,
            "registrationId": self.registration_id,
            "status": self.status,
            "updatedAt": iso_seconds(self.updated / 1000),
        }


@dataclass(slots=True)
class Event:
    """An event.

    :ivar appears: from when on it is there at all (a copy takes its time).
    :ivar listed: from when on the list of its organization has it.
    :ivar ready: until then its status is ``templating``.
    :ivar content: whether it has booths, stages and so on.
    :ivar stock: makes the seeded tickets and magic links; called once, when they are first asked for.
    :ivar request: the attributes that it was made with; empty for a seeded one.
    """

    number: int
    id: str
    organization: Organization
    name: str
    description: str
    slug: str
    type: str
    timezone: str
    zone: str
    start: int | None
    end: int | None
    created: int
    published: bool
    metadata: dict[str, Any]
    registrations: Registrations
    appears: int = 0
    listed: int = 0
    ready: int = 0
    content: bool = False
    status: str | None = None
    stock: Callable[[Event], None] | None = None
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)
    _tickets: dict[str, Ticket] = field(default_factory=dict)
    _magic_links: dict[str, MagicLink] = field(default_factory=dict)

    @property
    def tickets(self) -> dict[str, Ticket]:
        """By id, in the order in which they were made."""
        self._fill()
        return self._tickets

    @property
    def magic_links(self) -> dict[str, MagicLink]:
        """By id, in the order in which they were made."""
        self._fill()
        return self._magic_links

    def _fill(self) -> None:
        # Thousands of events are cheap as long as nobody asks for what each of them sells.
        stock, self.stock = self.stock, None
        if stock is not None:
            stock(self)

    def status_at(self, now: int) -> str:
        """The status word: ``templating``, ``published`` or ``draft``, unless one was set."""
        if self.status is not None:
            return self.status
        if now < self.ready:
            return "templating"
        return "published" if self.published else "draft"

    def claimed(self, ticket: Ticket) -> int:
        """How many registrations have this ticket (close, not exact, once some were deleted)."""
        if ticket.index >= TICKETS:
            return 0
        return (len(self.registrations) + TICKETS - 1 - ticket.index) // TICKETS

    def attributes(self, now: int, *, echo_metadata: bool, naive_times: bool) -> dict[str, Any]:
        return {
            "createdAt": iso_seconds(self.created / 1000),
            "description": self.description,
            "id": self.id,
            "metadata": self.metadata if echo_metadata else {},
            "name": self.name,
            "published": self.published and now >= self.ready,
            "slug": self.slug,
            "status": self.status_at(now),
            "timeEnd": self._time(self.end, naive_times),
            "timeStart": self._time(self.start, naive_times),
            "timezone": self.timezone,
            "type": self.type,
        }

    def _time(self, moment: int | None, naive: bool) -> str | None:
        if moment is None:
            return None
        if not naive:
            return iso_seconds(moment / 1000)
        local = datetime.fromtimestamp(moment / 1000, UTC).astimezone(ZoneInfo(self.zone))
        return local.strftime("%Y-%m-%dT%H:%M:%S")
