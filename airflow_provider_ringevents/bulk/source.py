"""A file of rows, read as a stream: CSV, JSON Lines or Parquet, from any store that Airflow knows."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol, cast

import msgspec

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsError, RingEventsTransferError
from airflow_provider_ringevents.storage.errors import transfer_error
from airflow_provider_ringevents.storage.readable import ReadableObject

MAX_LINE_BYTES: Final = 2**20
"""Bytes in one line of JSON Lines."""
_PARQUET_ROWS: Final = 1_000
_FORMATS: Final = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl", "parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of a source.

    :ivar number: its number among the rows, from 1; a header and blank lines do not count.
    :ivar cells: the row as the file has it: a list of texts (CSV) or an object.
    :ivar values: by column. Empty cells of CSV are left out.
    :ivar problem: the reason why the row could not be read; then there are no values.
    """

    number: int
    cells: Any
    values: Mapping[str, Any]
    problem: str | None = None


class _Format(Protocol):
    @property
    def columns(self) -> Sequence[str] | None: ...

    def rows(self) -> Iterator[SourceRow]: ...


class Source:
    """A file with one person a row.

    :ivar uri: without a connection.
    :ivar format: ``csv``, ``jsonl`` or ``parquet``.
    :ivar gzip: the file is compressed as a whole.
    :ivar header: of CSV, as it stands there; known once the file was opened.
    :ivar schema: of Parquet; known once the file was opened.
    """

    def __init__(
        self, place: ReadableObject, format: str | None = None, *, delimiter: str = ",", encoding: str = "utf-8"
    ) -> None:
        """Take a file, without reading it.

        :param place: where it is.
        :param format: ``csv``, ``jsonl`` or ``parquet``; None: by the suffix.
        :param delimiter: one character between the cells of CSV.
        :param encoding: of CSV and JSON Lines. A byte order mark of UTF-8 is taken off.
        :raises RingEventsConfigError: the format is not known.
        """
        self._place = place
        self.uri = place.uri
        self.format, self.gzip = source_format(place.uri, format)
        self.delimiter = delimiter
        self.encoding = encoding
        self.header: Sequence[str] | None = None
        self.schema: Any = None

    @contextmanager
    def open(self) -> Iterator[_Format]:
        """Open the file for one reading, at whose end it must be the file that it was at the beginning.

        :raises RingEventsConfigError: there is no such file, or its header cannot be used.
        :raises RingEventsTransferError: the store failed, the file is damaged, or it has changed meanwhile.
        """
        before = self._fingerprint()
        try:
            with self._place.open() as raw:
                stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb")) if self.gzip else raw
                if self.format == "csv":
                    rows = _Csv(self._text(stream), self.delimiter)
                    self.header = rows.header
                    yield rows
                elif self.format == "jsonl":
                    yield _JsonLines(stream, self.encoding)
                else:
                    table = _Parquet(raw)
                    self.schema = table.schema
                    yield table
        except RingEventsError:
            raise
        except UnicodeDecodeError as error:
            # The exception holds the bytes, which are people's.
            at = error.start
            raise RingEventsConfigError(
                f"source {self.uri}: a byte is no {self.encoding} (offset {at} in its block); name the encoding of the"
                " file with `encoding`"
            ) from None
        except csv.Error as error:
            raise RingEventsConfigError(f"source {self.uri}: not readable as CSV: {error}") from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RingEventsTransferError(
                f"source {self.uri}: the gzip file is damaged or ends early: {error}"
            ) from None
        except Exception as error:
            failure = transfer_error(f"Reading {self.uri}", error, state="Nothing was sent.")
            raise failure from error.__cause__
        if self._fingerprint() != before:
            raise RingEventsTransferError(f"source {self.uri} changed while it was read; nothing was sent")

    def _text(self, stream: IO[bytes]) -> io.TextIOWrapper:
        encoding = "utf-8-sig" if self.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self.encoding
        return io.TextIOWrapper(stream, encoding, newline="")

    def _fingerprint(self) -> tuple[Any, ...]:
        return self._place.fingerprint()


def source_format(uri: str, format: str | None, *, parameter: str = "source") -> tuple[str, bool]:
    """Return the format of a file, and whether it is compressed, from its suffix or as given.

    :raises RingEventsConfigError: neither tells.
    """
    name = uri.rpartition("/")[2].lower()
    compressed = name.endswith(".gz")
    suffix = name.removesuffix(".gz").rpartition(".")[2]
    known = _FORMATS.get(suffix)
    if format is not None and format not in ("csv", "jsonl", "parquet"):
        raise RingEventsConfigError(f"`format` must be one of csv, jsonl, parquet, got {format!r}.")
    chosen = format or known
    if chosen is None:
        raise RingEventsConfigError(
            f"`{parameter}` must end in .csv, .jsonl or .parquet (.gz after the first two), or `format` must be given,"
            f" got {uri!r}."
        )
    if chosen == "parquet" and compressed:
        raise RingEventsConfigError(f"`{parameter}` must not be Parquet in gzip, which no reader opens, got {uri!r}.")
    return chosen, compressed


class _Csv:
    """Rows of CSV after its header."""

    def __init__(self, text: io.TextIOWrapper, delimiter: str) -> None:
        self._reader = csv.reader(text, delimiter=delimiter, strict=True)
        header = next((row for row in self._reader if row), None)
        if header is None:
            raise RingEventsConfigError("`source` must have a header, got an empty file.")
        names = [name.strip() for name in header]
        twice = sorted({name for name in names if name and names.count(name) > 1})
        if twice:
            raise RingEventsConfigError(f"`source` must name each column once, got {', '.join(twice)} twice.")
        self.header = header
        self.columns: Sequence[str] = names

    def rows(self) -> Iterator[SourceRow]:
        names = self.columns
        number = 0
        for cells in self._reader:
            if not cells:
                continue
            number += 1
            if len(cells) != len(names):
                yield SourceRow(number, cells, {}, f"the row has {len(cells)} cells, the header {len(names)}")
                continue
            yield SourceRow(
                number, cells, {name: cell for name, cell in zip(names, cells, strict=True) if name and cell.strip()}
            )


class _JsonLines:
    """Rows of JSON Lines, each an object."""

    columns: Sequence[str] | None = None

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._decode = msgspec.json.Decoder().decode

    def rows(self) -> Iterator[SourceRow]:
        number = 0
        first = True
        plain = self._encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")
        while line := self._stream.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise RingEventsConfigError(
                    f"`source` must have lines of at most {MAX_LINE_BYTES:,} bytes,"
                    f" got a longer one after row {number}."
                )
            if first:
                line, first = line.removeprefix(b"\xef\xbb\xbf"), False
            if not line.strip():
                continue
            number += 1
            if not plain:
                line = line.decode(self._encoding).encode()
            try:
                row = self._decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                yield SourceRow(number, line.decode(errors="replace"), {}, "the line is not valid JSON")
                continue
            if not isinstance(row, dict):
                yield SourceRow(number, row, {}, f"the line must be a JSON object, got {_json_type(row)}")
                continue
            yield SourceRow(number, row, {name: value for name, value in row.items() if value is not None})


class _Parquet:
    """Rows of Parquet, read a thousand at a time."""

    def __init__(self, raw: IO[bytes]) -> None:
        try:
            import pyarrow.parquet as pq
        except ImportError:
            raise RingEventsConfigError(
                "`source` must be CSV or JSON Lines where pyarrow is not installed:"
                " pip install 'airflow-provider-ringevents[parquet]'"
            ) from None
        self._file = pq.ParquetFile(raw)
        self.schema = self._file.schema_arrow
        self.columns: Sequence[str] = list(self.schema.names)

    def rows(self) -> Iterator[SourceRow]:
        number = 0
        for batch in self._file.iter_batches(batch_size=_PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield SourceRow(number, row, {name: value for name, value in row.items() if value is not None})


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def open_source(
    uri: str,
    conn_id: str | None,
    format: str | None,
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> Source:
    """Look up the store of a source and return the source."""
    return Source(ReadableObject.resolve(uri, conn_id), format, delimiter=delimiter, encoding=encoding)
