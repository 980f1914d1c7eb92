"""Parquet, read back by pyarrow."""

from __future__ import annotations

import gc
import io
import json
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_rows import Row, file_of, listed_rows

from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.columns import ColumnKind, columns_for
from airflow_provider_ringevents.exports.formats import FileFormat, open_row_writer

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")

PARQUET = FileFormat("parquet")
BERLIN = ZoneInfo("Europe/Berlin")
TEXT = st.text(max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.datetimes().map(datetime.isoformat)
    | st.integers().map(str),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
TICKETS = st.lists(
    st.fixed_dictionaries(
        {"id": VALUES},
        optional=dict.fromkeys(("claimed", "price", "private", "createdAt", "name", "new"), VALUES),
    ),
    max_size=4,
)


def read(data: bytes) -> list[Row]:
    rows: list[Row] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


def of_one(collection: str, **fields: Any) -> Row:
    """What comes back of a row with these fields: what is null is left out."""
    (row,) = read(file_of(PARQUET, collection, [[{"id": "1", **fields}]], zone=BERLIN))
    return {name: value for name, value in row.items() if value is not None and name != "id"}


def test_a_time_without_an_offset_is_kept_as_it_came_if_its_zone_is_not_known() -> None:
    rows = [{"id": "1", "createdAt": "2026-05-01T09:00:00"}, {"id": "2", "createdAt": "2026-05-01T09:00:00Z"}]
    local, with_offset = read(file_of(PARQUET, "tickets", [rows], zone=None))
    assert (local["createdAt"], json.loads(local["_other"])) == (None, {"createdAt": "2026-05-01T09:00:00"})
    assert (with_offset["createdAt"], with_offset["_other"]) == (datetime(2026, 5, 1, 9, tzinfo=UTC), None)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_rows_of_every_list(collection: str, caplog: pytest.LogCaptureFixture) -> None:
    rows = listed_rows()[collection]
    table = read(file_of(PARQUET, collection, [rows[:1], rows[1:]]))
    assert len(table) == len(rows)
    for got, row in zip(table, rows, strict=True):
        expected = {**row, **{f"utm.{name}": value for name, value in row.get("utm", {}).items()}}
        expected.pop("utm", None)
        for column in columns_for(collection):
            value = expected.pop(column.name, None)
            if column.kind == "timestamp" and value is not None:
                value = datetime.fromisoformat(value)
                assert value.utcoffset() is not None
            if column.kind == "json" and value is not None:
                assert json.loads(got[column.name]) == value
            else:
                assert got[column.name] == value
        assert not expected
        assert got["_other"] is None
    assert "documented type" not in caplog.text


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_no_rows_are_a_file_with_the_schema(collection: str) -> None:
    for pages in ([], [[]]):
        table = pq.read_table(io.BytesIO(file_of(PARQUET, collection, pages)))
        assert table.num_rows == 0
        assert table.column_names == [*(column.name for column in columns_for(collection)), "_other"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("claimed", 2**63 - 1, 2**63 - 1),
        ("claimed", 5.0, 5),
        ("claimed", "42", 42),
        ("price", 10, 10.0),
        ("price", "12.50", 12.5),
        ("price", "-1e3", -1000.0),
        ("private", True, True),
        ("name", 7, "7"),
        ("name", True, "true"),
        ("name", 1.5, "1.5"),
        ("name", 'nul\0 \n" , 😀', 'nul\0 \n" , 😀'),
        ("createdAt", "2026-05-01T09:00:00+02:00", datetime(2026, 5, 1, 7, tzinfo=UTC)),
        ("createdAt", "2026-05-01 09:00:00 +0200", datetime(2026, 5, 1, 7, tzinfo=UTC)),
        ("createdAt", "2026-05-01 09:00:00 UTC", datetime(2026, 5, 1, 9, tzinfo=UTC)),
        ("createdAt", "2026-05-01T09:00:00.123456Z", datetime(2026, 5, 1, 9, 0, 0, 123456, UTC)),
        ("createdAt", "2026-05-01T09:00:00.123456789Z", datetime(2026, 5, 1, 9, 0, 0, 123456, UTC)),
        # Without an offset: in the zone that is given, here +02:00 in summer.
        ("createdAt", "2026-05-01T09:00:00", datetime(2026, 5, 1, 7, tzinfo=UTC)),
        ("createdAt", "2026-05-01", datetime(2026, 4, 30, 22, tzinfo=UTC)),
        # Twice on the day that the clocks go back: the first.
        ("createdAt", "2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        # Never on the day that they go forward: by the offset before.
        ("createdAt", "2026-03-29T02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_what_fits(field: str, value: Any, expected: Any) -> None:
    assert of_one("tickets", **{field: value}) == {field: expected}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("claimed", 2**63),
        ("claimed", "9" * 30),
        ("claimed", 1.5),
        ("claimed", True),
        ("claimed", "many"),
        ("claimed", ""),
        ("price", "ten"),
        ("price", "1e999"),
        ("price", 2**53 + 1),
        ("price", False),
        ("private", "true"),
        ("private", 1),
        ("name", {"en": "General"}),
        ("name", ["General"]),
        ("createdAt", "soon"),
        ("createdAt", ""),
        ("createdAt", 1_790_000_000),
        ("createdAt", "0001-01-01T00:00:00+02:00"),
        ("createdAt", "9999-12-31T23:00:00-02:00"),
        ("createdAt", "0001-01-01T00:00:00"),
        ("createdAt", "20260501123456Z"),
        ("createdAt", "1764012312345"),
        ("createdAt", "2026-05-01X00:00:00Z"),
        ("createdAt", {"at": "soon"}),
    ],
)
def test_what_does_not_fit_is_null_and_kept(field: str, value: Any) -> None:
    got = of_one("tickets", **{field: value})
    assert json.loads(got.pop("_other")) == {field: value}
    assert got == {}


def test_what_did_not_fit_is_said_once_without_the_values(caplog: pytest.LogCaptureFixture) -> None:
    pages = [[{"id": "1", "claimed": "canary", "price": "canary"}], [{"id": "2", "claimed": "canary"}]] * 2
    with caplog.at_level(logging.WARNING):
        file_of(PARQUET, "tickets", pages)
    (said,) = [record.getMessage() for record in caplog.records if "formats" in record.name]
    assert said.startswith("6 values of tickets")
    assert said.endswith("claimed (4), price (2)")
    assert "canary" not in said


def test_what_is_not_documented_is_kept() -> None:
    got = of_one("registrations", utm={"utmTerm": "x", "utmId": 5}, new={"deep": [1, None]}, metadata={}, _other="own")
    assert json.loads(got.pop("_other")) == {"utm.utmId": 5, "new": {"deep": [1, None]}, "_other": "own"}
    assert got == {"utm.utmTerm": "x", "metadata": "{}"}


def test_half_of_a_pair_does_not_end_an_export() -> None:
    assert of_one("stages", name="cut \ud83d", new="\ude00") == {"name": "cut \ufffd", "_other": '{"new":"\ufffd"}'}


def same(kind: ColumnKind, got: Any, value: Any) -> bool:
    """Whether a typed cell says what the row said."""
    if kind == "timestamp":
        moment = datetime.fromisoformat(value)
        return bool(got == (moment if moment.tzinfo else moment.replace(tzinfo=timezone(timedelta(hours=1)))))
    if kind == "string":
        return bool(got == value if isinstance(value, str) else json.loads(got) == value)
    return bool(got == (json.loads(value) if isinstance(value, str) else value))


@given(rows=TICKETS)
@settings(max_examples=60)
def test_anything_is_in_its_column_or_kept(rows: list[Row]) -> None:
    table = read(file_of(PARQUET, "tickets", [rows], zone=timezone(timedelta(hours=1))))
    assert len(table) == len(rows)
    for got, row in zip(table, rows, strict=True):
        other = json.loads(got["_other"] or "{}")
        for column in columns_for("tickets"):
            value = row.get(column.name)
            if column.name in other:
                assert got[column.name] is None
                assert other.pop(column.name) == value
            elif value is None:
                assert got[column.name] is None
            else:
                assert same(column.kind, got[column.name], value), (column, got[column.name], value)
        assert other == ({"new": row["new"]} if "new" in row else {})


# --- the file


def metadata(data: bytes) -> Any:
    return pq.ParquetFile(io.BytesIO(data)).metadata


def rows_of_groups(data: bytes) -> list[int]:
    found = metadata(data)
    return [found.row_group(number).num_rows for number in range(found.num_row_groups)]


def test_row_groups_are_written_as_rows_come() -> None:
    parts: list[bytes] = []
    writer = open_row_writer(PARQUET, "stages", parts.append, lambda _row: UTC)
    sizes = []
    for page in range(250):
        writer.write([{"id": f"{page}-{number}", "name": "Main"} for number in range(100)])
        sizes.append(sum(map(len, parts)))
    writer.finish()
    assert rows_of_groups(b"".join(parts)) == [10_000, 10_000, 5_000]
    assert sizes[98] < 10
    assert sizes[98] < sizes[99] == sizes[198] < sizes[199] == sizes[-1]


def test_wide_rows_and_single_rows_make_smaller_groups() -> None:
    wide = [[{"id": str(number), "name": f"{number:05}" * 20_000} for number in range(10)] for _ in range(10)]
    assert rows_of_groups(file_of(PARQUET, "stages", wide)) == [50, 50]
    single = [[{"id": str(number), "name": "Main"}] for number in range(2_500)]
    assert rows_of_groups(file_of(PARQUET, "stages", single)) == [1_000, 1_000, 500]


def test_the_file_says_what_is_declared() -> None:
    schema = pq.read_schema(io.BytesIO(file_of(PARQUET, "tickets", [])))
    types = {name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)}
    assert types["id"] == types["_other"] == "string"
    assert types["claimed"] == "int64"
    assert types["price"] == "double"
    assert types["private"] == "bool"
    assert types["createdAt"] == "timestamp[us, tz=UTC]"
    stored = metadata(file_of(PARQUET, "tickets", [[{"id": "1"}]]))
    assert stored.row_group(0).column(0).compression == "ZSTD"
    assert "isAdjustedToUTC=true, timeUnit=microseconds" in str(stored.schema.column(3).logical_type)


def test_what_write_raises_comes_out_and_no_end_is_written_then() -> None:
    parts: list[bytes] = []
    broken = False

    def write(data: bytes) -> None:
        if broken:
            raise OSError(28, "No space left on device")
        parts.append(data)

    writer = open_row_writer(PARQUET, "stages", write, lambda _row: UTC)
    writer.write([{"id": "1", "name": "Main"}])
    broken = True
    with pytest.raises(OSError, match="No space left"):
        writer.finish()
    broken = False
    del writer
    gc.collect()
    assert b"".join(parts) == b"PAR1"


def test_a_file_that_is_given_up_has_no_end() -> None:
    parts: list[bytes] = []
    writer = open_row_writer(PARQUET, "stages", parts.append, lambda _row: UTC)
    writer.write([{"id": str(number), "name": "Main"} for number in range(10_000)])
    assert len(b"".join(parts)) > 1000
    del writer
    gc.collect()
    assert not b"".join(parts).endswith(b"PAR1")
