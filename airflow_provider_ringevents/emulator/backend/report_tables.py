"""The rows of reports: which columns each type has, and what is in them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from airflow_provider_ringevents.emulator.backend.registration_selection import Matches
from airflow_provider_ringevents.emulator.backend.registrations import Registrations

_Cell = Callable[[Mapping[str, Any], int], Any]
_ROWS_AT_ONCE: Final = 500


def _answer(name: str) -> _Cell:
    def cell(person: Mapping[str, Any], _: int) -> Any:
        for answer in person["customRegistrationFields"] or ():
            if answer["name"] == name:
                value = answer["value"]
                return "; ".join(value) if isinstance(value, list) else value
        return None

    return cell


def _field(name: str) -> _Cell:
    return lambda person, _: person[name]


_CELLS: Final[Mapping[str, _Cell]] = {
    "Registration ID": _field("id"),
    "First name": _field("firstName"),
    "Last name": _field("lastName"),
    "Email": _field("email"),
    "Registered at": _field("createdAt"),
    "Updated at": _field("updatedAt"),
    "Ticket ID": _field("ticketId"),
    "Registered through": _field("registeredThrough"),
    "Refunded": lambda person, _: "yes" if person["refunded"] else "no",
    "Attended": lambda person, _: "yes" if person["attended"] else "no",
    "First check-in": _field("firstCheckIn"),
    "Headline": _field("headline"),
    "Phone": _field("phoneNumber"),
    "Company": _answer("Company"),
    "Interests": _answer("What brings you here?"),
    "UTM source": lambda person, _: person["utm"].get("utmSource"),
    "Minutes": lambda _, index: index * 7 % 240,
    "Score": lambda _, index: index * 13 % 100,
    "Area": lambda _, index: ("stage", "session", "expo", "reception")[index % 4],
    "Action": lambda _, index: ("entered", "left", "clicked", "asked")[index % 4],
    "Message": lambda person, index: f'Hello, this is "{person["firstName"]}"\nmessage {index} 👋',
    "Rating": lambda _, index: index % 5 + 1,
}
_PERSON: Final = ("Registration ID", "First name", "Last name", "Email")
_REGISTRATION: Final = (
    *_PERSON,
    "Registered at",
    "Updated at",
    "Ticket ID",
    "Registered through",
    "Refunded",
    "Attended",
    "First check-in",
    "Headline",
    "Phone",
    "Company",
    "Interests",
    "UTM source",
)
_SURVEY: Final = (*_PERSON, "Rating", "Message")
_TIME: Final = (*_PERSON, "Area", "Minutes")
_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "registrations": _REGISTRATION,
    "registrants": _REGISTRATION,
    "attendees": (*_PERSON, "First check-in", "Company", "Minutes"),
    "noShows": (*_PERSON, "Registered at", "Phone"),
    "attendeeScore": (*_PERSON, "Score"),
    "attendeeFeedback": _SURVEY,
    "postEventSurvey": _SURVEY,
    "feedback": _SURVEY,
    "chat": ("Email", "Area", "Message"),
    "timeSpentOnline": _TIME,
    "participation": _TIME,
    "engagement": (*_PERSON, "Score", "Minutes"),
}
_OTHER: Final = ("Email", "Action", "Area", "Minutes")
_EVERYBODY: Final = ("registrations", "registrants", "all")


def columns_of(report_type: str) -> tuple[str, ...]:
    """The header of a report."""
    return _COLUMNS.get(report_type, _OTHER)


def iter_csv(report_type: str, book: Registrations, people: Matches) -> Iterator[bytes]:
    """The file of a report, piece by piece: UTF-8, a header, one row for each registration that it is about.

    :param people: who had registered when the report was asked for.
    """
    columns = columns_of(report_type)
    cells = [_CELLS[column] for column in columns]
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for start in range(0, people.total, _ROWS_AT_ONCE):
        for index in people.slice(start, start + _ROWS_AT_ONCE):
            person = book.attributes(index)
            if report_type in _EVERYBODY or person["attended"] is (report_type != "noShows"):
                writer.writerow([cell(person, index) for cell in cells])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    if buffer.tell():
        yield buffer.getvalue().encode()
