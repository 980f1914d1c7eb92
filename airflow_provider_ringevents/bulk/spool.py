"""The working set of one bulk run: on disk, so that memory does not grow with the number of rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, Self

import msgspec

_BATCH: Final = 500
_SCHEMA: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE rows (
    number INTEGER PRIMARY KEY, identity TEXT, cells BLOB, attributes BLOB,
    status TEXT, id TEXT, link TEXT, reason TEXT
);
CREATE INDEX rows_identity ON rows (identity);
CREATE INDEX rows_status ON rows (status);
CREATE TABLE existing (identity TEXT PRIMARY KEY, id TEXT, link TEXT, attributes BLOB, copies INTEGER) WITHOUT ROWID;
"""


class SpooledRow(NamedTuple):
    """A row of the source and what is known of it.

    :ivar number: its number in the source, from 1.
    :ivar identity: the value that the person is known by; None where the row has none.
    :ivar cells: the row as the source has it.
    :ivar attributes: what is sent; None for an invalid row.
    """

    number: int
    identity: str | None
    cells: Any
    attributes: dict[str, Any] | None
    status: str | None
    id: str | None
    link: str | None
    reason: str | None


class ExistingRecord(NamedTuple):
    """A person whom the service has already.

    :ivar identity: normalized, as :class:`SpooledRow` has it.
    :ivar attributes: what an update is compared with; None where nothing is.
    """

    identity: str
    id: str | None
    link: str | None
    attributes: dict[str, Any] | None = None


class Spool:
    """A temporary SQLite database that the operating system removes when the process ends, however it ends.

    SQLite unlinks the file as soon as it is open, so that nothing is left after SIGKILL. It lies in ``SQLITE_TMPDIR``,
    else ``TMPDIR``, and is written only once its pages no longer fit SQLite's cache of 2 MiB.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_SCHEMA)
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self._decode = msgspec.json.Decoder().decode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def add_rows(self, rows: Iterable[SpooledRow]) -> None:
        """Add rows of the source."""
        encode = self._encode
        self._insert(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    row.number,
                    row.identity,
                    encode(row.cells),
                    None if row.attributes is None else encode(row.attributes),
                    row.status,
                    row.id,
                    row.link,
                    row.reason,
                )
                for row in rows
            ),
        )

    def replace_existing(self, records: Iterable[ExistingRecord]) -> int:
        """Replace the known people by those of a new reading and return how many there are.

        Of several records with one identity the first is kept, and their number with it.
        """
        self._database.execute("DELETE FROM existing")
        encode = self._encode
        return self._insert(
            "INSERT INTO existing VALUES (?, ?, ?, ?, 1) ON CONFLICT (identity) DO UPDATE SET copies = copies + 1",
            (
                (
                    record.identity,
                    record.id,
                    record.link,
                    None if record.attributes is None else encode(record.attributes),
                )
                for record in records
            ),
        )

    def find_existing(self, identity: str) -> tuple[ExistingRecord, int] | None:
        """Return the person with this identity and the number of records that share it; None: there is nobody."""
        found = self._database.execute("SELECT * FROM existing WHERE identity = ?", (identity,)).fetchone()
        if found is None:
            return None
        known, id, link, attributes, copies = found
        return ExistingRecord(known, id, link, None if attributes is None else self._decode(attributes)), copies

    def first_row_of(self, identity: str) -> int | None:
        """Return the number of the first row with this identity."""
        found = self._database.execute("SELECT min(number) FROM rows WHERE identity = ?", (identity,)).fetchone()
        return None if found is None else found[0]

    def absent_from_source(self) -> Iterator[ExistingRecord]:
        """Yield the people that the service has and the source has not, by identity."""
        last = ""
        while True:
            found = self._database.execute(
                "SELECT identity, id, link FROM existing WHERE identity > ? AND identity NOT IN"
                " (SELECT identity FROM rows WHERE identity IS NOT NULL) ORDER BY identity LIMIT ?",
                (last, _BATCH),
            ).fetchall()
            yield from (ExistingRecord(*record) for record in found)
            if len(found) < _BATCH:
                return
            last = found[-1][0]

    def rows(self, *statuses: str | None) -> Iterator[SpooledRow]:
        """Yield rows in the order of the source: all, or those of some statuses.

        Their status may be changed while this iterates.
        """
        condition, values = "", list[Any]()
        if statuses:
            # IS, not IN: a row that nothing is known of yet has no status.
            condition = f" AND ({' OR '.join(['status IS ?'] * len(statuses))})"
            values = list(statuses)
        last = 0
        while True:
            found = self._database.execute(
                f"SELECT * FROM rows WHERE number > ?{condition} ORDER BY number LIMIT ?",  # noqa: S608
                (last, *values, _BATCH),
            ).fetchall()
            for number, identity, cells, attributes, *rest in found:
                decoded = None if attributes is None else self._decode(attributes)
                yield SpooledRow(number, identity, self._decode(cells), decoded, *rest)
            if len(found) < _BATCH:
                return
            last = found[-1][0]

    def update(
        self, number: int, status: str, *, id: str | None = None, link: str | None = None, reason: str | None = None
    ) -> None:
        """Record the outcome of a row."""
        self._database.execute(
            "UPDATE rows SET status = ?, id = coalesce(?, id), link = coalesce(?, link), reason = ? WHERE number = ?",
            (status, id, link, reason, number),
        )

    def set_attributes(self, number: int, attributes: dict[str, Any]) -> None:
        """Record what is to be sent for a row."""
        self._database.execute("UPDATE rows SET attributes = ? WHERE number = ?", (self._encode(attributes), number))

    def mark_rest(self, status: str, reason: str | None = None) -> None:
        """Record one outcome for all rows that have none."""
        self._database.execute("UPDATE rows SET status = ?, reason = ? WHERE status IS NULL", (status, reason))

    def counts(self) -> dict[str, int]:
        """Return the number of rows by status; of those that have none under ``""``."""
        found = self._database.execute("SELECT coalesce(status, ''), count(*) FROM rows GROUP BY status").fetchall()
        return dict(found)

    def _insert(self, statement: str, values: Iterable[Sequence[Any]]) -> int:
        count = 0

        def counted() -> Iterator[Sequence[Any]]:
            nonlocal count
            for count, value in enumerate(values, start=1):  # noqa: B007
                yield value

        self._database.execute("BEGIN")
        try:
            self._database.executemany(statement, counted())
        finally:
            self._database.execute("COMMIT")
        return count
