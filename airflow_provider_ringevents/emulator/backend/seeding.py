"""The resources at the start: organizations, templates and events of every sort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_provider_ringevents.contract.timezone_names import IANA_NAMES
from airflow_provider_ringevents.emulator.backend import sample_data
from airflow_provider_ringevents.emulator.backend.clock import iso_seconds
from airflow_provider_ringevents.emulator.backend.ids import Ids, ResourceType, SeededValues
from airflow_provider_ringevents.emulator.backend.models import Event, MagicLink, Organization, Template, Ticket
from airflow_provider_ringevents.emulator.backend.registration_json import MAGIC_LINKS
from airflow_provider_ringevents.emulator.backend.registrations import Registrations

_DAY: Final = 86_400_000
_HOUR: Final = 3_600_000
ORGANIZATION_STEP: Final = 1_000_000
"""Distance between the event numbers of two organizations."""
_NAMES: Final = (
    ("Northwind Events", True),
    ("Société Générale d'Événements", True),
    ("Somebody Else's Company", False),
)
LINK_STATES: Final = ("invited", "not yet invited", "declined", None)
"""The states of a link that nobody has used, in the words of the web application; those of the API are not known."""
_TEMPLATES: Final = ("Webinar", "Two-day summit", "Salon · marché 🎪", "Hybrid conference")


@dataclass(frozen=True, slots=True)
class _EventSpec:
    """A seeded event, with days relative to the start of the emulator."""

    name: str
    timezone: str
    start: float
    days: float | None
    published: bool = True
    type: str = "public_event"


# The command line shows the first one, which has ended and has registrations.
EVENT_SPECS: Final = (
    _EventSpec("Data Engineering Summit", "Europe/Berlin", -2, 1.4),
    _EventSpec("Winter Meetup", "Eastern Time (US & Canada)", -21, 0.3),
    _EventSpec("Last Year's Gala · 夜会", "Abu Dhabi", -300, 0.2, type="private_event"),
    _EventSpec("Week of Code (running now)", "Asia/Tokyo", -1, 3),
    _EventSpec("Spring Conference", "America/New_York", 45, 2),
    _EventSpec("Unfinished Draft", "Kathmandu", 90, 1, published=False, type="hidden_event"),
    _EventSpec("Open-ended Community Space", "UTC", -10, None),
    _EventSpec("Partner Day", "Pacific Time (US & Canada)", 14, 0.4, type="private_event"),
)
_WEEKLY_ZONES: Final = ("Europe/London", "Central Time (US & Canada)", "Asia/Kolkata", "America/Sao_Paulo")


class Seeder:
    """A factory of the seeded resources.

    :param today: the midnight that all times are relative to, in milliseconds since the epoch.
    :param registrations: number of registrations of each published event.
    """

    def __init__(self, ids: Ids, values: SeededValues, today: int, registrations: int) -> None:
        self._ids = ids
        self._values = values
        self._today = today
        self._registrations = registrations

    def organizations(self) -> list[Organization]:
        """Return two organizations that the key may see, and one that it may not."""
        return [
            Organization(
                number,
                visible,
                {
                    "createdAt": iso_seconds((self._today - (900 - number) * _DAY) / 1000),
                    "email": f"events{number}@example.org",
                    "facebook": None if number else "https://facebook.example/northwind",
                    "id": self._ids.encode(ResourceType.ORGANIZATION, 0, number),
                    "name": name,
                    "twitter": None,
                    "website": "https://example.org" if number == 0 else None,
                },
            )
            for number, (name, visible) in enumerate(_NAMES)
        ]

    def templates(self, organization: Organization) -> list[Template]:
        """Return the templates of an organization."""
        return [
            Template(self._ids.encode(ResourceType.TEMPLATE, organization.number, index), organization, name)
            for index, name in enumerate(_TEMPLATES[: 4 - organization.number])
        ]

    def event(self, organization: Organization, index: int) -> Event:
        """Return the ``index``-th event of an organization: first one of every kind, then past weekly webinars."""
        offset = 0 if organization.number == 0 else 3 * organization.number
        if index + offset < len(EVENT_SPECS):
            spec = EVENT_SPECS[index + offset]
        else:
            zone = _WEEKLY_ZONES[index % len(_WEEKLY_ZONES)]
            spec = _EventSpec(f"Weekly Webinar {index + 1}", zone, -7 * (index + 1) + 0.6, 0.05)
        return self._event(organization, index, spec)

    def _event(self, organization: Organization, index: int, spec: _EventSpec) -> Event:
        number = organization.number * ORGANIZATION_STEP + index
        start = self._today + round(spec.start * _DAY) + 9 * _HOUR
        end = None if spec.days is None else start + round(spec.days * _DAY)
        created = min(start, self._today) - 60 * _DAY
        closed = self._today if end is None else min(end, self._today)
        return Event(
            number=number,
            id=self._ids.encode(ResourceType.EVENT, 0, number),
            organization=organization,
            name=spec.name,
            description=f"{spec.name}, shown by the emulator. Welcome, bienvenue, ようこそ!",
            slug=f"{slug_of(spec.name)}-{organization.number}-{index}",
            type=spec.type,
            timezone=spec.timezone,
            zone=IANA_NAMES[spec.timezone],
            start=start,
            end=end,
            created=created,
            published=spec.published,
            metadata={},
            registrations=Registrations(
                self._ids,
                self._values,
                number,
                self._registrations if spec.published else 0,
                opened=created,
                closed=closed,
                attended=start < self._today,
            ),
            content=True,
            populate=self._populate if spec.published else None,
        )

    def _populate(self, event: Event) -> None:
        claimed = len(event.registrations)
        for index, (name, price, private) in enumerate(
            (("General admission", 0.0, False), ("VIP: café & lunch", 149.5, False), ("Speaker", 0.0, True))
        ):
            ticket = Ticket(
                id=self._ids.encode(ResourceType.TICKET, event.number, index),
                index=index,
                event=event,
                name=name,
                slug=f"{slug_of(name)}-{event.number}",
                description=None if index == 0 else f"{name}, while seats last",
                price=price,
                discount=10.5 if index == 1 else None,
                private=private,
                count=max(100, claimed),
                created=event.created,
            )
            event.tickets[ticket.id] = ticket
        tickets = list(event.tickets.values())
        for index in range(MAGIC_LINKS):
            link = self._magic_link(event, tickets, index)
            event.magic_links[link.id] = link

    def _magic_link(self, event: Event, tickets: list[Ticket], index: int) -> MagicLink:
        guest = index * 7 + 2
        used = guest < len(event.registrations)
        person = self._values.value(ResourceType.USER, 0, guest)
        created = event.created + index * _HOUR
        return MagicLink(
            id=self._ids.encode(ResourceType.MAGIC_LINK, event.number, index),
            ticket=tickets[guest % len(tickets)],
            email=event.registrations.email(guest),
            first_name=sample_data.FIRST_NAMES[person % len(sample_data.FIRST_NAMES)][0],
            last_name=sample_data.LAST_NAMES[(person >> 8) % len(sample_data.LAST_NAMES)][0],
            headline=sample_data.TITLES[index % len(sample_data.TITLES)] if index % 2 else None,
            status="registered" if used else LINK_STATES[index % len(LINK_STATES)],
            registration_id=event.registrations.id(guest) if used else None,
            extra_fields={"company": sample_data.COMPANIES[index % len(sample_data.COMPANIES)]}
            if index % 3 == 0
            else {},
            metadata={"row": str(index)} if index % 4 == 0 else {},
            created=created,
            updated=created + (index % 3) * _DAY,
            confirm_and_join=index % 10 == 9,
        )


def slug_of(name: str) -> str:
    """Return a name as a part of a URL: letters, digits and single hyphens."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
    return "-".join(plain.split()) or "event"
