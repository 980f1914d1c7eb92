"""The outcome of each row as a file, and the failed rows in the form of the source."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

import msgspec

from airflow_provider_ringevents.bulk.source import Source
from airflow_provider_ringevents.bulk.spool import Spool
from airflow_provider_ringevents.client.secrets import reveal_all
from airflow_provider_ringevents.exports.formats.compression import GzipStream, OutputStream, PlainStream
from airflow_provider_ringevents.storage.writer import ObjectWriter

_BATCH: Final = 1_000


class _TableWriter(Protocol):
    def write(self, rows: Sequence[Mapping[str, Any]]) -> None: ...

    def finish(self) -> None: ...


class _CsvTable:
    def __init__(self, stream: OutputStream, columns: Sequence[str], delimiter: str, encoding: str) -> None:
        self._stream = stream
        self._columns = columns
        # One for the whole file: UTF-16 begins with a byte order mark, and has it once.
        self._encode = codecs.getincrementalencoder(encoding)().encode
        self._buffer = io.StringIO()
        # Some versions of Python quote the characters of the end of a line alone: with "\n" no cell with a "\r" in it.
        self._writer = csv.writer(self._buffer, delimiter=delimiter, lineterminator="\n")
        self._quoting_writer = csv.writer(self._buffer, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self._write_row(columns)

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.write_cells([reveal_all(row.get(name)) for name in self._columns] for row in rows)

    def write_cells(self, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            self._write_row(row)
        self._flush()

    def _write_row(self, row: Sequence[Any]) -> None:
        has_return = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (self._quoting_writer if has_return else self._writer).writerow(row)

    def _flush(self) -> None:
        self._stream.write(self._encode(self._buffer.getvalue()))
        self._buffer.seek(0)
        self._buffer.truncate()

    def finish(self) -> None:
        self._flush()
        self._stream.finish()


class _JsonLinesTable:
    def __init__(self, stream: OutputStream) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder(enc_hook=reveal_all)

    def write(self, rows: Sequence[Any]) -> None:
        self._stream.write(self._encoder.encode_lines(rows))

    def finish(self) -> None:
        self._stream.finish()


class _ParquetTable:
    def __init__(self, writer: ObjectWriter, schema: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._schema = schema
        self._table = pa.Table
        self._writer = pq.ParquetWriter(pa.PythonFile(_WriteOnly(writer), mode="w"), schema, compression="zstd")

    def write_batch(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._writer.write_table(self._table.from_pylist(reveal_all(list(rows)), self._schema))

    def finish(self) -> None:
        self._writer.close()


class _WriteOnly:
    """The part of a file that Arrow's writer needs."""

    closed = False

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer

    def write(self, data: Any) -> int:
        self._writer.write(bytes(memoryview(data)))
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def result_columns(*, include_links: bool) -> tuple[str, ...]:
    """Return the columns of the results, in order."""
    return ("number", "identity", "status", "id", *(("magicLink",) if include_links else ()), "reason")


def write_results(
    publishing: AbstractContextManager[ObjectWriter],
    spool: Spool,
    *,
    format: str,
    gzip: bool,
    include_links: bool,
) -> ObjectWriter:
    """Publish one row for each row of the source, in its order, and one for each deletion after them.

    :param publishing: the result of :meth:`Destination.publish`.
    :param format: ``csv``, ``jsonl`` or ``parquet``.
    :returns: the writer, for its size and digest.
    """
    columns = result_columns(include_links=include_links)
    with publishing as writer:
        stream: OutputStream = GzipStream(writer.write) if gzip else PlainStream(writer.write)
        table: _TableWriter
        if format == "csv":
            table = _CsvTable(stream, columns, ",", "utf-8")
        elif format == "jsonl":
            table = _JsonLinesTable(stream)
        else:
            table = _ParquetTable(writer, _result_schema(columns))
        for batch in _batches(_results(spool, columns)):
            table.write(batch)
        table.finish()
    return writer


def write_failed_rows(
    publishing: AbstractContextManager[ObjectWriter],
    spool: Spool,
    source: Source,
    *,
    gzip: bool,
    statuses: Sequence[str],
) -> ObjectWriter:
    """Publish the rows with some statuses as the source has them, so that the file can be a source itself.

    :returns: the writer, for its size and digest.
    """
    rows = spool.rows(*statuses)
    with publishing as writer:
        if source.format == "parquet":
            table = _ParquetTable(writer, source.schema)
            for record_batch in source.batches_of(row.number for row in rows):
                table.write_batch(record_batch)
            table.finish()
            return writer
        stream: OutputStream = GzipStream(writer.write) if gzip else PlainStream(writer.write)
        if source.format == "csv":
            cells = _CsvTable(stream, source.header or [], source.delimiter, source.encoding)
            for batch in _batches(rows):
                cells.write_cells(row.cells for row in batch)
            cells.finish()
            return writer
        line_break = "\n".encode(source.encoding)
        for batch in _batches(rows):
            stream.write(b"".join(row.cells + line_break for row in batch))
        stream.finish()
    return writer


def _results(spool: Spool, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for row in spool.rows():
        result = {**row._asdict(), "magicLink": row.link}
        yield {name: result[name] for name in columns}
    for deletion in spool.deletions():
        yield {**dict.fromkeys(columns), **deletion._asdict(), "number": None}


def _result_schema(columns: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.schema([(name, pa.int64() if name == "number" else pa.string()) for name in columns])


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
