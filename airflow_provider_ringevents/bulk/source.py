"""A file of rows, read as a stream: CSV, JSON Lines or Parquet, from any store that Airflow knows."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, Any, Final, Protocol, cast

import msgspec

from airflow_provider_ringevents.bulk.columns import require_header
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsTransferError, invalid_argument
from airflow_provider_ringevents.storage.errors import transfer_error
from airflow_provider_ringevents.storage.readable import ReadableObject

MAX_LINE_BYTES: Final = 2**20
"""Bytes in one line of JSON Lines."""
_PARQUET_ROWS: Final = 1_000
_SHOWN_CHARACTERS: Final = 60
"""Characters of a name of the file in a message."""
_BINARY: Final = {
    b"\x1f\x8b": "gzip (its name must end in .gz)",
    b"PK\x03\x04": "a ZIP or Excel file",
    b"PAR1": "Parquet",
}
"""First bytes of files that are no text -> their kind."""
_FORMATS: Final = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl", "parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of a source.

    :ivar number: its number among the rows, from 1; a header and blank lines do not count.
    :ivar cells: the row as the file has it: a list of texts (CSV) or a line (JSON Lines); None for Parquet.
    :ivar values: by column. Empty cells of CSV are left out; a null of JSON Lines names a column all the same.
    :ivar problem: the reason why the row could not be read; then there are no values.
    """

    number: int
    cells: Any
    values: Mapping[str, Any]
    problem: str | None = None


class OpenRows(Protocol):
    """The rows of an open source.

    :ivar columns: None where each row names its own.
    """

    @property
    def columns(self) -> Sequence[str] | None:
        """Return the names of the columns."""

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows."""


class RowSource(Protocol):
    """A source of rows.

    :ivar uri: its name in messages.
    """

    @property
    def uri(self) -> str:
        """Return the name."""

    def open(self) -> AbstractContextManager[OpenRows]:
        """Open the source for one reading."""


class ListSource:
    """Rows that are in memory already.

    :param name: their name in messages.
    """

    columns: Sequence[str] | None = None

    def __init__(self, name: str, values: Sequence[Mapping[str, Any]]) -> None:
        self.uri = name
        self._values = values

    @contextmanager
    def open(self) -> Iterator[OpenRows]:
        """Return the rows."""
        yield self

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows."""
        return (SourceRow(number, None, values) for number, values in enumerate(self._values, start=1))


class Source:
    """A file with one person a row.

    :ivar uri: without a connection.
    :ivar format: ``csv``, ``jsonl`` or ``parquet``.
    :ivar gzip: the file is compressed as a whole.
    :ivar header: the header of CSV, once the file was opened.
    :ivar schema: the schema of Parquet, once the file was opened.
    """

    def __init__(
        self, place: ReadableObject, format: str | None = None, *, delimiter: str = ",", encoding: str = "utf-8"
    ) -> None:
        """Take a file, without reading it.

        :param place: the object.
        :param format: ``csv``, ``jsonl`` or ``parquet``; None: by the suffix.
        :param delimiter: one character between the cells of CSV.
        :param encoding: the encoding of CSV and JSON Lines. A byte order mark of UTF-8 is taken off.
        :raises RingEventsConfigError: the format is not known.
        """
        self._place = place
        self.uri = place.uri
        self.format, self.gzip = source_format(place.uri, format)
        self.delimiter = delimiter
        self.encoding = encoding
        if self.format == "jsonl" and "\n".encode(encoding) != b"\n":
            raise invalid_argument("encoding", "one that has ASCII in it, for JSON Lines", encoding)
        self.header: Sequence[str] | None = None
        self.schema: Any = None
        self._fingerprint: tuple[Any, ...] | None = None

    @contextmanager
    def open(self) -> Iterator[OpenRows]:
        """Open the file for one reading, at whose end it must be unchanged.

        :raises RingEventsConfigError: there is no such file, or its header cannot be used.
        :raises RingEventsTransferError: the store failed, the file is damaged, or it changed while it was read.
        """
        before = self._fingerprint = self._place.fingerprint()
        with self._translate_errors(), self._place.open() as raw:
            if self.gzip:
                self._require_member(raw)
            elif self.format != "parquet":
                self._require_text(raw)
            stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw, mode="rb")) if self.gzip else raw
            if self.format != "parquet":
                self._require_encoding(stream)
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
        if self._place.fingerprint() != before:
            raise self._changed()

    def _require_text(self, raw: IO[bytes]) -> None:
        """Refuse a file that is something else than its suffix says."""
        begin = raw.read(4)
        raw.seek(0)
        for magic, kind in _BINARY.items():
            if begin.startswith(magic):
                raise invalid_argument("source", f"a file of {self.format} as it is named, not {kind}", self.uri)

    def _require_member(self, raw: IO[bytes]) -> None:
        """Refuse a file without a byte, which the decoder takes for a text without one."""
        if not raw.read(1):
            raise EOFError("it is empty")
        raw.seek(0)

    def _require_encoding(self, stream: IO[bytes]) -> None:
        """Refuse a text in UTF-8, as its byte order mark says, whose letters another encoding would change."""
        begin = stream.read(len(codecs.BOM_UTF8))
        stream.seek(0)
        if begin == codecs.BOM_UTF8 and not is_utf8(self.encoding):
            raise invalid_argument(
                "encoding", f"utf-8 for {self.uri}, which begins with its byte order mark", self.encoding
            )

    def batches_of(self, numbers: Iterator[int]) -> Iterator[Any]:
        """Read a Parquet file again and yield its rows with some numbers, as record batches.

        :param numbers: from 1, ascending.
        :raises RingEventsTransferError: the file has changed since it was read, or the store failed.
        """
        if self._place.fingerprint() != self._fingerprint:
            raise RingEventsTransferError(f"{self.uri} has changed since it was read; its failed rows are lost.")
        with self._translate_errors(), self._place.open() as raw:
            yield from _Parquet(raw).batches_of(numbers)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Translate the errors of a reading. Those of decoders hold what they read, and are not chained."""
        try:
            yield
        except RingEventsError:
            raise
        except UnicodeError:
            raise invalid_argument(
                "encoding", f"the encoding of {self.uri}, which has bytes that it does not allow", self.encoding
            ) from None
        except csv.Error as error:
            raise invalid_argument("source", f"readable as CSV ({error})", self.uri) from None
        except gzip.BadGzipFile:
            # Its message quotes the file.
            raise RingEventsTransferError(
                f"The gzip file {self.uri} is damaged or ends early, or is not gzip as a whole."
            ) from None
        except (EOFError, zlib.error) as error:
            raise RingEventsTransferError(f"The gzip file {self.uri} is damaged or ends early: {error}.") from None
        except Exception as error:
            failure = transfer_error(f"Reading {self.uri}", error, state="Nothing was sent.")
            raise failure from failure.__cause__

    def _changed(self) -> RingEventsTransferError:
        return RingEventsTransferError(f"{self.uri} changed while it was read. Nothing was sent.")

    def _text(self, stream: IO[bytes]) -> io.TextIOWrapper:
        return io.TextIOWrapper(stream, "utf-8-sig" if is_utf8(self.encoding) else self.encoding, newline="")


def is_utf8(encoding: str) -> bool:
    """Return True for the names of UTF-8, with and without a byte order mark."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def source_format(uri: str, format: str | None, *, parameter: str = "source") -> tuple[str, bool]:
    """Return the format of a file, as given or by its suffix, and True if it is compressed.

    :raises RingEventsConfigError: the format is not known.
    """
    name = uri.rpartition("/")[2].lower()
    compressed = name.endswith(".gz")
    suffix = name.removesuffix(".gz").rpartition(".")[2]
    known = _FORMATS.get(suffix)
    if format is not None and format not in ("csv", "jsonl", "parquet"):
        raise invalid_argument("format", "one of csv, jsonl, parquet", format)
    chosen = format or known
    if chosen is None:
        hint = "Another name needs `format`." if parameter == "source" else None
        raise invalid_argument(
            parameter, "a place that ends in .csv, .jsonl or .parquet (.gz after the first two)", uri, hint=hint
        )
    if chosen == "parquet" and compressed:
        raise invalid_argument(parameter, "other than Parquet in gzip, which no reader opens", uri)
    return chosen, compressed


def require_pyarrow(parameter: str) -> None:
    """See, without importing it, that Parquet can be read and written.

    :raises RingEventsConfigError: pyarrow is not installed; the message names the extra that brings it.
    """
    if find_spec("pyarrow") is None:
        raise invalid_argument(
            parameter,
            "CSV or JSON Lines where pyarrow is not installed",
            hint="pip install 'airflow-provider-ringevents[parquet]'",
        )


def _require_distinct_columns(names: Sequence[str]) -> None:
    if repeated := sorted(name for name, times in Counter(names).items() if name and times > 1):
        raise invalid_argument("source", "a file that names each column once", repeated)


class _Csv:
    """Rows of CSV after its header."""

    def __init__(self, text: io.TextIOWrapper, delimiter: str) -> None:
        self._delimiter = delimiter
        self._reader = csv.reader(text, delimiter=delimiter, strict=True)
        header = next((row for row in self._reader if row), None)
        if header is None:
            raise invalid_argument("source", "a file with a header, not an empty one")
        names = [name.strip() for name in header]
        require_header(names)
        _require_distinct_columns(names)
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
            if any("\n" in cell or "\r" in cell for cell in cells) and self._holds_rows(cells):
                yield SourceRow(number, cells, {}, "a cell holds lines that look like rows: a quote may be missing")
                continue
            yield SourceRow(
                number, cells, {name: cell for name, cell in zip(names, cells, strict=True) if name and cell.strip()}
            )

    def _holds_rows(self, cells: Sequence[str]) -> bool:
        """Return True if a cell begins with the rest of one row and ends with the beginning of another one."""
        last = len(cells) - 1
        for place, cell in enumerate(cells):
            lines = cell.splitlines()
            if last and len(lines) > 1 and "@" in cell:
                counts = lines[0].count(self._delimiter), lines[-1].count(self._delimiter)
                if counts == (last - place, place):
                    return True
        return False


class _JsonLines:
    """Rows of JSON Lines, each an object."""

    columns: Sequence[str] | None = None

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._is_utf8 = is_utf8(encoding)
        self._decode = msgspec.json.Decoder().decode

    def rows(self) -> Iterator[SourceRow]:
        number = 0
        for line in self._lines():
            if not line.strip():
                continue
            number += 1
            try:
                text = line if self._is_utf8 else line.decode(self._encoding)
                row = self._decode(text)
                repeated = _repeated_key(text, row)
            except (msgspec.DecodeError, ValueError, RecursionError):  # the last for deep nesting
                yield SourceRow(number, line, {}, "the line is not valid JSON")
                continue
            if repeated is not None:
                shown = "a key" if "@" in repeated else f"the key {repeated[:_SHOWN_CHARACTERS]!r}"
                yield SourceRow(number, line, {}, f"the line has {shown} more than once")
                continue
            if not isinstance(row, dict):
                yield SourceRow(number, line, {}, f"the line must be a JSON object, got {_json_type(row)}")
                continue
            yield SourceRow(number, line, row)

    def _lines(self) -> Iterator[bytes]:
        first = True
        while line := self._stream.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise invalid_argument("source", f"a file with lines of at most {MAX_LINE_BYTES:,} bytes")
            if first:
                line, first = line.removeprefix(codecs.BOM_UTF8), False
            yield line.rstrip(b"\r\n")


class _Parquet:
    """Rows of Parquet, read a thousand at a time."""

    def __init__(self, raw: IO[bytes]) -> None:
        require_pyarrow("source")
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(raw)
        self.schema = self._file.schema_arrow
        self.columns: Sequence[str] = list(self.schema.names)
        _require_distinct_columns(self.columns)

    def rows(self) -> Iterator[SourceRow]:
        number = 0
        for batch in self._file.iter_batches(batch_size=_PARQUET_ROWS):
            for row in batch.to_pylist():
                number += 1
                yield SourceRow(number, None, {name: value for name, value in row.items() if value is not None})

    def batches_of(self, numbers: Iterator[int]) -> Iterator[Any]:
        first = 1
        number = next(numbers, None)
        for batch in self._file.iter_batches(batch_size=_PARQUET_ROWS):
            chosen = []
            while number is not None and number < first + batch.num_rows:
                chosen.append(number - first)
                number = next(numbers, None)
            if chosen:
                yield batch.take(chosen)
            first += batch.num_rows


def _repeated_key(text: str | bytes, decoded: Any) -> str | None:
    """Return a key that an object of a JSON text has twice, of which decoders keep the last."""
    colons = text.count(b":") if isinstance(text, bytes) else text.count(":")
    # Most texts have no more colons than keys, which proves at little cost that each key came once.
    if colons == _count_keys(decoded):
        return None
    try:
        json.loads(text, object_pairs_hook=_require_distinct_keys, parse_int=float)
    except _RepeatedKeyError as error:
        return error.key
    return None


class _RepeatedKeyError(Exception):
    """A JSON object has a key twice."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _require_distinct_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _RepeatedKeyError(key)
        found[key] = value
    return found


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_keys, value.values()))
    return sum(map(_count_keys, value)) if isinstance(value, list) else 0


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
