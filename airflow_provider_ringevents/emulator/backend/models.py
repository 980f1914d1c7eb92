"""Resources that the emulator holds in memory. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from airflow_provider_ringevents.contract.timezone_names import IANA_NAMES
from airflow_provider_ringevents.emulator.backend.clock import iso_seconds, parse_instant
from airflow_provider_ringevents.emulator.backend.registration_json import TICKETS
from airflow_provider_ringevents.emulator.backend.registrations import Registrations


@dataclass(slots=True)
class Organization:
    """An account.

    :ivar visible: True when the API key may see it.
    """

    number: int
    visible: bool
    attributes: dict[str, Any]

    @property
    def id(self) -> str:
        """Return the organization's id."""
        return str(self.attributes["id"])


@dataclass(slots=True)
class Template:
    """A template that events can be created from."""

    id: str
    organization: Organization
    name: str


@dataclass(slots=True)
class Ticket:
    """A ticket. Seeded tickets have indexes from 0, tickets created by requests larger ones."""

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

    @classmethod
    def create(cls, identifier: str, index: int, event: Event, slug: str, now: int, given: dict[str, Any]) -> Ticket:
        """Return the ticket that a request asks for."""
        return cls(
            id=identifier,
            index=index,
            event=event,
            name=given.get("name") or "Ticket",
            slug=slug,
            description=given.get("description"),
            price=given.get("price", 0),
            discount=None,
            private=given.get("private", False),
            count=given.get("count", 0),
            created=now,
        )

    def attributes(self) -> dict[str, Any]:
        """Return the attributes that the API shows."""
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

    :ivar confirm_and_join: created by the service's own "confirm and join" mails; lists show it on request only.
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

    @classmethod
    def create(cls, identifier: str, ticket: Ticket, now: int, given: dict[str, Any]) -> MagicLink:
        """Return the magic link that a request asks for."""
        return cls(
            id=identifier,
            ticket=ticket,
            email=given["email"],
            first_name=given["firstName"],
            last_name=given["lastName"],
            headline=given.get("headline"),
            status="not yet invited",
            registration_id=given.get("registrationId"),
            extra_fields=dict(given.get("extraFields") or {}),
            metadata=dict(given.get("metadata") or {}),
            created=now,
            updated=now,
        )

    def attributes(self) -> dict[str, Any]:
        """Return the attributes that the API shows."""
        return {
            "createdAt": iso_seconds(self.created / 1000),
            "email": self.email,
            "extraFields": self.extra_fields,
            "firstName": self.first_name,
            "headline": self.headline,
            "id": self.id,
            "lastName": self.last_name,
            # Made up: no public source shows the address of a magic link.
            "magicLink": f"https://events.example/{self.ticket.event.slug}/join?code=secret-{self.id}",
            "metadata": self.metadata,
            "registrationId": self.registration_id,
            "status": self.status,
            "updatedAt": iso_seconds(self.updated / 1000),
        }


@dataclass(slots=True)
class Event:
    """An event.

    :ivar visible_at: when it begins to exist; a copy takes its time.
    :ivar listed_at: when it begins to appear in its organization's list.
    :ivar ready_at: when its status ceases to be ``templating``.
    :ivar content: True when it has booths, stages and the like.
    :ivar populate: creates the seeded tickets and magic links; called once, at the first access to them.
    :ivar request: the attributes of the request that created it; empty for a seeded event.
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
    visible_at: int = 0
    listed_at: int = 0
    ready_at: int = 0
    content: bool = False
    status: str | None = None
    populate: Callable[[Event], None] | None = None
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    request: dict[str, Any] = field(default_factory=dict)
    _tickets: dict[str, Ticket] = field(default_factory=dict)
    _magic_links: dict[str, MagicLink] = field(default_factory=dict)

    @classmethod
    def create(
        cls,
        number: int,
        identifier: str,
        owner: Organization,
        name: str,
        slug: str,
        timezone: str,
        now: int,
        registrations: Registrations,
        given: dict[str, Any],
    ) -> Event:
        """Return the draft that a request asks for."""
        start, end = given.get("timeStart"), given.get("timeEnd")
        return cls(
            number=number,
            id=identifier,
            organization=owner,
            name=name,
            description=given.get("description") or "",
            slug=slug,
            type=given.get("type") or given.get("eventType") or "public_event",
            timezone=timezone,
            zone=IANA_NAMES[timezone],
            start=None if start is None else parse_instant(start),
            end=None if end is None else parse_instant(end),
            created=now,
            published=False,
            metadata=dict(given.get("metadata") or {}),
            registrations=registrations,
            request=given,
        )

    @property
    def tickets(self) -> dict[str, Ticket]:
        """Return the tickets by id, oldest first."""
        self._fill()
        return self._tickets

    @property
    def magic_links(self) -> dict[str, MagicLink]:
        """Return the magic links by id, oldest first."""
        self._fill()
        return self._magic_links

    def _fill(self) -> None:
        # Thousands of events stay cheap as long as their tickets are not asked for.
        populate, self.populate = self.populate, None
        if populate is not None:
            populate(self)

    def status_at(self, now: int) -> str:
        """Return ``templating``, ``published`` or ``draft``, unless ``status`` is set."""
        if self.status is not None:
            return self.status
        if now < self.ready_at:
            return "templating"
        return "published" if self.published else "draft"

    def claimed(self, ticket: Ticket) -> int:
        """Return the number of registrations with this ticket; an estimate once registrations were deleted."""
        created = self.registrations.claims(ticket.id)
        if ticket.index >= TICKETS:
            return created
        return created + (self.registrations.generated() + TICKETS - 1 - ticket.index) // TICKETS

    def attributes(self, now: int, *, echo_metadata: bool, naive_times: bool) -> dict[str, Any]:
        """Return the attributes that the API shows."""
        return {
            "createdAt": iso_seconds(self.created / 1000),
            "description": self.description,
            "id": self.id,
            "metadata": self.metadata if echo_metadata else {},
            "name": self.name,
            "published": self.published and now >= self.ready_at,
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
        return self.local_time(moment).strftime("%Y-%m-%dT%H:%M:%S")

    def local_time(self, moment: int) -> datetime:
        """Return a time in the event's zone."""
        return datetime.fromtimestamp(moment / 1000, UTC).astimezone(ZoneInfo(self.zone))

    def with_local_times(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return attributes whose times of creation, change and check-in are local, without an offset."""
        shown = dict(attributes)
        for name in ("createdAt", "updatedAt", "firstCheckIn"):
            moment = parse_instant(shown[name]) if shown.get(name) else None
            if moment is not None:
                shown[name] = self.local_time(moment).replace(tzinfo=None).isoformat(timespec="milliseconds")
        return shown
