"""Parquet: the documented columns with their types."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from airflow_provider_ringevents.client.transport.json_decoding import replace_lone_surrogates
from airflow_provider_ringevents.client.validation.datetimes import parse_iso_8601
from airflow_provider_ringevents.exports.columns import OTHER, Column, ColumnKind
from airflow_provider_ringevents.exports.formats.base import Row, Write, ZoneOf
from airflow_provider_ringevents.exports.formats.coercion import CoercionError, coerce
from airflow_provider_ringevents.exports.formats.flattening import RowFlattener, json_bytes, put_aside

ROW_GROUP_ROWS: Final = 10_000
ROW_GROUP_BYTES: Final = 4 * 1024 * 1024
"""Bytes in Arrow's memory. With rows of 5 KB the process grows by 38 MiB in all; with 8 MiB here it would be 80."""
ROW_GROUP_PARTS: Final = 1_000
"""Of how many calls of ``write`` rows are gathered: what Arrow needs for each is more than a few short rows are."""
COMPRESSION: Final = "zstd"
"""A quarter smaller than snappy on registrations at the same CPU; all current readers know it."""

_TYPES: Final[dict[ColumnKind, pa.DataType]] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", "UTC"),
    "json": pa.string(),
}
_NULL: Final = type(None)
# Columns of nothing else go into Arrow as they are, without a look at each value.
_CLEAN: Final[dict[ColumnKind, frozenset[type]]] = {
    "string": frozenset({str, _NULL}),
    "integer": frozenset({int, _NULL}),
    "number": frozenset({float, _NULL}),
    "boolean": frozenset({bool, _NULL}),
    "timestamp": frozenset({str, _NULL}),
}

logger = logging.getLogger(__name__)


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """Return the schema of the file; every column is nullable, since the documentation is no guarantee."""
    return pa.schema([*((column.name, _TYPES[column.kind]) for column in columns), (OTHER, pa.string())])


class ParquetWriter:
    """A writer of row groups of about :data:`ROW_GROUP_ROWS` rows or :data:`ROW_GROUP_BYTES` bytes.

    A value that does not fit its column is null there and kept under the column's name in the last one.
    """

    def __init__(self, write: Write, collection: str, zone_of: ZoneOf) -> None:
        self._collection = collection
        self._flattening = RowFlattener(collection)
        self._zone_of = zone_of
        self._schema = arrow_schema(self._flattening.columns)
        self._gathered: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0
        self._misfits: Counter[str] = Counter()
        self._stream = _Stream(write)
        with self._stream:
            self._writer = pq.ParquetWriter(
                pa.PythonFile(self._stream, mode="w"), self._schema, compression=COMPRESSION
            )

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        if not rows:
            return
        try:
            batch, misfits = self._batch(rows)
        except UnicodeEncodeError:
            batch, misfits = self._batch(replace_lone_surrogates(rows))
        self._misfits += misfits
        self._gathered.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.get_total_buffer_size()
        if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES or len(self._gathered) >= ROW_GROUP_PARTS:
            self._write_row_group()

    def finish(self) -> None:
        """Write the end of the file."""
        self._write_row_group()
        with self._stream:
            self._writer.close()
        if self._misfits:
            # Names and numbers alone: the values are people's.
            logger.warning(
                "%d values of %s are not of their column's documented type; they are null there and kept in %r: %s",
                self._misfits.total(),
                self._collection,
                OTHER,
                ", ".join(f"{name} ({number})" for name, number in self._misfits.most_common()),
            )

    def _write_row_group(self) -> None:
        if not self._gathered:
            return
        table = pa.Table.from_batches(self._gathered, self._schema)
        self._gathered = []
        with self._stream:
            self._writer.write_table(table, row_group_size=self._rows)
        self._rows = self._bytes = 0

    def _batch(self, rows: Sequence[Row]) -> tuple[pa.RecordBatch, Counter[str]]:
        turned, others = self._flattening.to_columns(rows)
        misfits: Counter[str] = Counter()
        arrays = []
        for column, values in zip(self._flattening.columns, turned, strict=True):
            array = _convert_batch(column.kind, values)
            if array is None:
                array = pa.array(self._fitted(column, values, rows, others, misfits), type=_TYPES[column.kind])
            arrays.append(array)
        arrays.append(pa.array([json_bytes(other) if other else None for other in others], type=pa.string()))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema), misfits

    def _fitted(
        self,
        column: Column,
        values: Sequence[Any],
        rows: Sequence[Row],
        others: Sequence[dict[str, Any]],
        misfits: Counter[str],
    ) -> list[Any]:
        fitted = []
        for value, row, other in zip(values, rows, others, strict=True):
            try:
                fitted.append(coerce(column.kind, value, row, self._zone_of))
            except CoercionError:
                fitted.append(None)
                put_aside(other, column.name, value)
                misfits[column.name] += 1
        return fitted


def _convert_batch(kind: ColumnKind, values: Sequence[Any]) -> pa.Array | None:
    """All values at once, several times as fast as one by one; None where they need a closer look."""
    if kind == "json":
        return pa.array([None if value is None else json_bytes(value) for value in values], type=_TYPES[kind])
    if not _CLEAN[kind].issuperset(map(type, values)):
        return None
    try:
        return pa.array(_moments(values) if kind == "timestamp" else values, type=_TYPES[kind])
    except (ValueError, OverflowError):
        # A time in another spelling or without an offset, an integer beyond 64 bits.
        return None


def _moments(values: Sequence[str | None]) -> list[datetime | None]:
    # Not by Arrow: for a page it is no faster, and the first use of its functions costs 10 MiB for good.
    moments = [None if value is None else parse_iso_8601(value) for value in values]
    for moment in moments:
        if moment is not None and (moment.tzinfo is None or not MINYEAR < moment.year < MAXYEAR):
            raise ValueError("needs a closer look")
    return moments


class _Stream:
    """A file that can only be written, and only while the writer is active.

    A Parquet writer that is discarded unfinished writes a footer on its own, which would make a truncated file look
    whole.
    """

    def __init__(self, write: Write) -> None:
        self._write: Callable[[bytes], None] = write
        self._at_work = False
        self.closed = False

    def __enter__(self) -> None:
        self._at_work = True

    def __exit__(self, *_: object) -> None:
        self._at_work = False

    def write(self, data: Any) -> int:
        if self._at_work:
            self._write(data if isinstance(data, bytes) else bytes(memoryview(data)))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True
