"""The files of reports: their rows, and their bytes, which are read from any offset without holding a large file."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import tempfile
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from airflow_provider_ringevents.emulator.backend.registrations import Matches, Registrations

BLOCK: Final = 256 * 1024
"""Largest number of bytes read at once."""
_LINE: Final = 128
_STAMP: Final = 16
_MEMBER: Final = 4096


class FileContent(Protocol):
    """The bytes of a file, readable from any offset."""

    @property
    def size(self) -> int:
        """The number of bytes."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``stop``, in pieces of at most :data:`BLOCK`."""


class SpooledContent:
    """A file that was generated once, kept in memory while it is small and in a temporary file otherwise.

    :param pieces: the bytes, in order.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        # The event loop and threads of tests read it; a seek and its read belong together.
        self._lock = threading.Lock()
        self._file = tempfile.SpooledTemporaryFile(max_size=8 * 1024 * 1024)  # noqa: SIM115 - kept open to be read
        weakref.finalize(self, self._file.close)
        for piece in pieces:
            self._file.write(piece)
        self.size = self._file.tell()

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``stop``."""
        while start < stop:
            with self._lock:
                self._file.seek(start)
                piece = self._file.read(min(BLOCK, stop - start))
            start += len(piece)
            yield piece


class SyntheticContent:
    """A CSV file of a given size that repeats one numbered block.

    :param size: bytes; a file below about 512 bytes is too short to be a CSV file.
    :param label: text that distinguishes the file from others.
    """

    def __init__(self, size: int, label: str) -> None:
        self.size = size
        columns = b"Block,Row,Name,Email,Report,"
        # The header is padded to the bytes that whole rows leave over.
        spare = (size - len(columns) - 2) % _LINE
        self._header = (columns + b"x" * spare + b"\r\n")[:size]
        rows = []
        for row in range(BLOCK // _LINE):
            start = f"{0:0{_STAMP - 1}d},{row:05d},Person {row},person.{row}@example.org,{label},"
            rows.append(start.encode().ljust(_LINE - 2, b".")[: _LINE - 2] + b"\r\n")
        self._block = b"".join(rows)
        self._rest = memoryview(self._block)[_STAMP:]

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from ``start`` up to ``stop``."""
        if start < len(self._header):
            yield self._header[start:stop]
            start = len(self._header)
        offset = len(self._header)
        while start < stop:
            number, place = divmod(start - offset, BLOCK)
            block = b"".join((b"%015d," % number, self._rest))
            end = min(BLOCK, place + stop - start)
            piece = block if place == 0 and end == BLOCK else block[place:end]
            start += len(piece)
            yield piece


def compressed(content: FileContent, encoding: str) -> FileContent:
    """Return a file compressed by ``gzip`` in one member, or by ``gzip_members`` in a member for each 4 KiB."""

    def one_member() -> Iterator[bytes]:
        compressor = zlib.compressobj(wbits=31)
        for piece in content.read(0, content.size):
            yield compressor.compress(piece)
        yield compressor.flush()

    def many_members() -> Iterator[bytes]:
        for piece in content.read(0, content.size):
            for start in range(0, len(piece), _MEMBER):
                yield gzip.compress(piece[start : start + _MEMBER], mtime=0)

    return SpooledContent(one_member() if encoding == "gzip" else many_members())


def digest(content: FileContent, algorithm: str) -> bytes:
    """Return a digest of all bytes, in constant memory; ``algorithm`` is a name of :mod:`hashlib`."""
    result = hashlib.new(algorithm)
    for piece in content.read(0, content.size):
        result.update(piece)
    return result.digest()


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
"""The columns of the CSV files. All of them are made up, since no public source shows one."""
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
    """Return the header of a report."""
    return _COLUMNS.get(report_type, _OTHER)


def iter_csv(report_type: str, book: Registrations, people: Matches) -> Iterator[bytes]:
    """Yield the file of a report: UTF-8, a header, one row for each of its registrations.

    :param people: the registrations that existed when the report was created.
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
