"""The working set of one bulk run: on disk, so that memory does not grow with the number of rows."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Self

import msgspec

from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.secrets import Secret, conceal, reveal_all

_BATCH: Final = 500
_RAW: Final = b"\0"
"""First byte of cells that are stored as they are; no JSON text begins with it."""
_SCHEMA: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE rows (
    number INTEGER PRIMARY KEY, identity TEXT, cells BLOB, attributes BLOB,
    status TEXT, id TEXT, link TEXT, reason TEXT
);
CREATE INDEX rows_identity ON rows (identity);
CREATE TABLE existing (
    identity TEXT, id TEXT, link TEXT, attributes BLOB, PRIMARY KEY (identity, id)
) WITHOUT ROWID;
CREATE TABLE deletions (number INTEGER PRIMARY KEY, identity TEXT, id TEXT, status TEXT, reason TEXT);
"""


class SpooledRow(NamedTuple):
    """A row of the source with its outcome.

    :ivar number: its number in the source, from 1.
    :ivar identity: the value that identifies the person; None where the row has none.
    :ivar cells: the row as the source has it.
    :ivar attributes: the attributes of the request; None for a row that cannot be sent.
    """

    number: int
    identity: str | None
    cells: Any
    attributes: dict[str, Any] | None
    status: str | None
    id: str | None
    link: Secret | None
    reason: str | None


class ExistingRecord(NamedTuple):
    """A record that the service has already.

    :ivar identity: normalized, as :class:`SpooledRow` has it; empty where the record does not show whose it is.
    :ivar attributes: the values that an update is compared with; None where nothing is compared.
    """

    identity: str
    id: str
    link: Secret | None
    attributes: dict[str, Any] | None = None


class Deletion(NamedTuple):
    """A record of the service that is not in the source, and what became of it."""

    number: int
    identity: str
    id: str
    status: str | None
    reason: str | None


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
                    _RAW + row.cells if isinstance(row.cells, bytes) else encode(row.cells),
                    None if row.attributes is None else encode(row.attributes),
                    row.status,
                    row.id,
                    reveal_all(row.link),
                    row.reason,
                )
                for row in rows
            ),
        )

    def replace_existing(self, records: Iterable[ExistingRecord]) -> int:
        """Replace the known records by those of a new reading and return their number.

        One that comes twice, since the list changed while it was read, counts once.
        """
        self._execute("DELETE FROM existing")
        encode = self._encode
        self._insert(
            "INSERT INTO existing VALUES (?, ?, ?, ?) ON CONFLICT (identity, id) DO NOTHING",
            (
                (
                    record.identity,
                    record.id,
                    reveal_all(record.link),
                    None if record.attributes is None else encode(record.attributes),
                )
                for record in records
            ),
        )
        return int(self._execute("SELECT count(*) FROM existing").fetchone()[0])

    def find_existing(self, identity: str) -> tuple[ExistingRecord, int] | None:
        """Return the first record with this identity and the number of records that share it; None if there is none."""
        found = self._execute("SELECT * FROM existing WHERE identity = ? ORDER BY id", (identity,)).fetchall()
        if not found:
            return None
        known, id, link, attributes = found[0]
        record = ExistingRecord(known, id, conceal(link), None if attributes is None else self._decode(attributes))
        return record, len(found)

    def first_row_of(self, identity: str) -> int | None:
        """Return the number of the first row with this identity that can be sent."""
        found = self._execute(
            "SELECT min(number) FROM rows WHERE identity = ? AND attributes IS NOT NULL", (identity,)
        ).fetchone()
        return None if found is None else found[0]

    def rows(self, *statuses: str | None) -> Iterator[SpooledRow]:
        """Yield rows in the order of the source: all, or those of some statuses.

        Their status may be changed while this iterates.
        """
        condition, values = "", list[Any]()
        if statuses:
            # IS, not IN: a row without an outcome has no status.
            condition = f" AND ({' OR '.join(['status IS ?'] * len(statuses))})"
            values = list(statuses)
        last = 0
        while True:
            cursor = self._execute(
                f"SELECT * FROM rows WHERE number > ?{condition} ORDER BY number LIMIT ?",  # noqa: S608
                (last, *values, _BATCH),
            )
            found = [self._spooled_row(*row) for row in cursor.fetchall()]
            yield from found
            if len(found) < _BATCH:
                return
            last = found[-1].number

    def _spooled_row(
        self, number: int, identity: str, cells: bytes, attributes: bytes | None, *outcome: str | None
    ) -> SpooledRow:
        status, id, link, reason = outcome
        return SpooledRow(
            number,
            identity,
            cells[1:] if cells[:1] == _RAW else self._decode(cells),
            None if attributes is None else self._decode(attributes),
            status,
            id,
            conceal(link),
            reason,
        )

    def update(
        self,
        number: int,
        status: str,
        *,
        id: str | None = None,
        link: Secret | None = None,
        reason: str | None = None,
    ) -> None:
        """Record the outcome of a row."""
        self._execute(
            "UPDATE rows SET status = ?, id = coalesce(?, id), link = coalesce(?, link), reason = ? WHERE number = ?",
            (status, id, reveal_all(link), reason, number),
        )

    def set_request(self, number: int, attributes: dict[str, Any], id: str | None) -> None:
        """Record the request of a row that is to be sent.

        :param id: the id of the record that is updated.
        """
        self._execute("UPDATE rows SET attributes = ?, id = ? WHERE number = ?", (self._encode(attributes), id, number))

    def mark_rest(self, status: str, reason: str | None = None) -> None:
        """Record one outcome for all rows that have none."""
        self._execute("UPDATE rows SET status = ?, reason = ? WHERE status IS NULL", (status, reason))

    def counts(self) -> dict[str, int]:
        """Return the number of rows by status; that of rows without one under ``""``."""
        return dict(self._execute("SELECT coalesce(status, ''), count(*) FROM rows GROUP BY status").fetchall())

    # --- deletions

    def plan_deletions(self) -> int:
        """Plan the deletion of all records that are not in the source and return their number."""
        self._execute(
            "INSERT INTO deletions (identity, id) SELECT identity, id FROM existing WHERE identity NOT IN"
            " (SELECT identity FROM rows WHERE identity IS NOT NULL) ORDER BY identity, id"
        )
        return int(self._execute("SELECT count(*) FROM deletions").fetchone()[0])

    def deletions(self) -> Iterator[Deletion]:
        """Yield the planned deletions. Their status may be changed while this iterates."""
        last = 0
        while True:
            found = self._execute(
                "SELECT * FROM deletions WHERE number > ? ORDER BY number LIMIT ?", (last, _BATCH)
            ).fetchall()
            yield from (Deletion(*deletion) for deletion in found)
            if len(found) < _BATCH:
                return
            last = found[-1][0]

    def update_deletion(self, number: int, status: str, reason: str | None = None) -> None:
        """Record the outcome of a deletion."""
        self._execute("UPDATE deletions SET status = ?, reason = ? WHERE number = ?", (status, reason, number))

    def mark_deletions(self, status: str, reason: str | None = None) -> None:
        """Record one outcome for all deletions that have none."""
        self._execute("UPDATE deletions SET status = ?, reason = ? WHERE status IS NULL", (status, reason))

    def deletion_counts(self) -> dict[str, int]:
        """Return the number of deletions by status."""
        return dict(self._execute("SELECT coalesce(status, ''), count(*) FROM deletions GROUP BY status").fetchall())

    # --- the database

    def _execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        with _translate_errors():
            return self._database.execute(statement, values)

    def _insert(self, statement: str, values: Iterable[Sequence[Any]]) -> None:
        self._execute("BEGIN")
        try:
            with _translate_errors():
                self._database.executemany(statement, values)
        finally:
            self._execute("COMMIT")


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RingEventsTransferError(
            f"The working set of the rows could not be written to {tempfile.gettempdir()}: {error}. Free some space"
            " there, or set TMPDIR to another folder."
        ) from error
