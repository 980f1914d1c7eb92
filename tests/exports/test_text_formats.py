"""JSON Lines and CSV, read back by readers that are not ours."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import zlib
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_rows import Row, file_of, listed_rows

from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.columns import columns_for
from airflow_provider_ringevents.exports.formats import FileFormat, open_row_writer

JSONL, CSV = FileFormat("jsonl"), FileFormat("csv")
NASTY = [
    "",
    " ",
    "a,b",
    'said "no"',
    '"',
    "one\ntwo",
    "one\r\ntwo",
    "\r",
    "tab\t",
    "nul\0",
    "\ufeffmark",
    "\u2028",
    "😀 夜会 العربية",
    "=1+1",
    "007",
    "null",
    "true",
    "x" * 130_000,
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
"""Anything that JSON can hold."""
ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": VALUES},
        optional=dict.fromkeys(("email", "attended", "metadata", "utm", "createdAt", "_other", "new"), VALUES),
    ),
    max_size=4,
)


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))


def cell(value: Any, *, is_json: bool = False) -> str:
    """What the documentation says a value is written as."""
    if value is None:
        return ""
    if isinstance(value, str) and not is_json:
        return value
    return json.dumps(value)


def check_csv(table: list[dict[str, str]], rows: list[Row], collection: str) -> None:
    """Every value is in its cell or in the last one."""
    columns = columns_for(collection)
    assert len(table) == len(rows)
    for read, row in zip(table, rows, strict=True):
        assert list(read) == [*(column.name for column in columns), "_other"]
        left = dict(row)
        if "utm.utmTerm" in read and (left.get("utm") is None or isinstance(left["utm"], dict)):
            left.update({f"utm.{name}": value for name, value in (left.pop("utm", None) or {}).items()})
        for column in columns:
            value = left.pop(column.name, None)
            if column.kind == "json" or isinstance(value, dict | list | float):
                assert value == (json.loads(read[column.name]) if read[column.name] else None)
            else:
                assert read[column.name] == cell(value)
        if isinstance(own := left.get("_other"), dict) and own:
            # Its members stand beside the rest, but for names that mean something else there.
            known = {"_other", *(column.name.partition(".")[0] for column in columns)}
            nested = {name: value for name, value in own.items() if name in left or name in known}
            del left["_other"]
            left |= {name: value for name, value in own.items() if name not in nested}
            left |= {"_other": nested} if nested else {}
        assert left == (json.loads(read["_other"]) if read["_other"] else {})


@pytest.mark.parametrize("kind", [JSONL, FileFormat("jsonl", gzip=True)], ids=lambda kind: kind.suffix)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_json_lines_of_every_list(collection: str, kind: FileFormat) -> None:
    rows = listed_rows()[collection]
    data = file_of(kind, collection, [rows[:1], rows[1:]])
    text = (gzip.decompress(data) if kind.gzip else data).decode("utf-8")
    assert text.endswith("\n")
    assert [json.loads(line) for line in text.split("\n")[:-1]] == rows


@pytest.mark.parametrize("kind", [CSV, FileFormat("csv", gzip=True)], ids=lambda kind: kind.suffix)
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_csv_of_every_list(collection: str, kind: FileFormat) -> None:
    rows = listed_rows()[collection]
    data = file_of(kind, collection, [rows[:1], rows[1:]])
    check_csv(read_csv(gzip.decompress(data) if kind.gzip else data), list(rows), collection)


@pytest.mark.parametrize("value", NASTY, ids=lambda value: ascii(value[:12]))
def test_nasty_text_comes_back(value: str) -> None:
    rows = [{"id": value, "name": value, "new": value}, {"id": "2", "name": "after"}]
    assert [json.loads(line) for line in file_of(JSONL, "stages", [rows]).decode().split("\n")[:-1]] == rows
    check_csv(read_csv(file_of(CSV, "stages", [rows])), rows, "stages")


@given(rows=ROWS)
def test_json_lines_of_anything(rows: list[Row]) -> None:
    lines = file_of(JSONL, "registrations", [rows]).decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == rows


@given(rows=ROWS)
def test_csv_of_anything_loses_nothing(rows: list[Row]) -> None:
    check_csv(read_csv(file_of(CSV, "registrations", [rows])), rows, "registrations")


@pytest.mark.parametrize("kind", [JSONL, CSV], ids=lambda kind: kind.format)
def test_half_of_a_pair_does_not_end_an_export(kind: FileFormat) -> None:
    rows = [{"id": "1", "name": "cut \ud83d", "new": ["\ude00", {"\ud83d": 1}]}, {"id": "2", "name": "\ud83d\ude00"}]
    text = file_of(kind, "stages", [rows]).decode("utf-8")
    assert text.count("\ufffd") == 3
    assert "😀" in text


@pytest.mark.parametrize(
    "kind", [FileFormat("jsonl", gzip=zipped) for zipped in (False, True)], ids=lambda kind: kind.suffix
)
def test_json_lines_of_no_rows(kind: FileFormat) -> None:
    for pages in ([], [[]]):
        data = file_of(kind, "stages", pages)
        assert (gzip.decompress(data) if kind.gzip else data) == b""


@pytest.mark.parametrize(
    "kind", [FileFormat("csv", gzip=zipped) for zipped in (False, True)], ids=lambda kind: kind.suffix
)
def test_csv_of_no_rows_is_the_header(kind: FileFormat) -> None:
    for pages in ([], [[]], [[], []]):
        data = file_of(kind, "stages", pages)
        assert (gzip.decompress(data) if kind.gzip else data) == b"id,createdAt,name,updatedAt,_other\n"


def test_csv_to_the_byte() -> None:
    rows: list[Row] = [
        {"id": "7", "claimed": 7, "price": 12.5, "private": True, "name": "", "description": None, "discount": "ten"},
        {
            "id": 8,
            "claimed": "7",
            "price": 10,
            "private": False,
            "name": 'a "b"',
            "description": {"de": 1},
            "new": None,
        },
    ]
    assert file_of(CSV, "tickets", [rows[:1], rows[1:]]).decode() == (
        "id,claimed,count,createdAt,description,discount,eventId,name,price,private,remaining,slug,_other\n"
        '"7",7,,,,"ten",,"",12.5,true,,,\n'
        '8,"7",,,"{""de"":1}",,,"a ""b""",10,false,,,"{""new"":null}"\n'
    )


STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]  # noqa: RUF001 - full width


def escaped_csv(rows: list[Row]) -> list[dict[str, str]]:
    written: list[bytes] = []
    writer = open_row_writer(CSV, "tickets", written.append, lambda row: UTC, escape_formulas=True)
    writer.write(rows)
    writer.finish()
    return read_csv(b"".join(written))


@pytest.mark.parametrize("start", STARTS, ids=ascii)
def test_csv_escapes_what_would_start_a_formula(start: str) -> None:
    text = f'{start}cmd|"/c calc"!A0'
    row: Row = {"id": "1", "name": text, "price": start, "claimed": -7, "description": f"a{text}", "new": text}
    (read,) = escaped_csv([row])
    assert (read["name"], read["price"]) == (f"'{text}", f"'{start}")
    assert (read["claimed"], read["description"]) == ("-7", f"a{text}")
    assert json.loads(read["_other"]) == {"new": text}


@given(rows=ROWS)
def test_no_cell_of_an_escaped_csv_starts_a_formula_but_numbers(rows: list[Row]) -> None:
    written: list[bytes] = []
    writer = open_row_writer(CSV, "registrations", written.append, lambda row: UTC, escape_formulas=True)
    writer.write(rows)
    writer.finish()
    for plain, read in zip(read_csv(file_of(CSV, "registrations", [rows])), read_csv(b"".join(written)), strict=True):
        for name, cell in read.items():
            if cell.startswith(tuple(STARTS)):
                assert isinstance(json.loads(cell), int | float), cell
            assert cell.removeprefix("'") == plain[name].removeprefix("'")


def test_csv_tells_an_empty_text_from_null() -> None:
    pyarrow_csv = pytest.importorskip("pyarrow.csv")
    data = file_of(CSV, "stages", [[{"id": "1", "name": ""}, {"id": "2", "name": None}, {"id": "3"}]])
    options = pyarrow_csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""])
    read = pyarrow_csv.read_csv(io.BytesIO(data), convert_options=options)
    assert read["name"].to_pylist() == ["", None, None]


def test_a_field_that_is_no_object_where_one_is_documented_is_kept() -> None:
    rows: list[Row] = [
        {"id": "1", "utm": "none"},
        {"id": "2", "utm": []},
        {"id": "3", "utm": {"utmTerm": {"deep": [1]}, "utmId": 5}},
        {"id": "4", "utm": None},
    ]
    read = read_csv(file_of(CSV, "registrations", [rows]))
    assert [row["_other"] for row in read] == ['{"utm":"none"}', '{"utm":[]}', '{"utm.utmId":5}', ""]
    assert [row["utm.utmTerm"] for row in read] == ["", "", '{"deep":[1]}', ""]


# --- gzip


def test_gzip_is_the_same_every_time_and_one_member_without_a_time() -> None:
    rows = listed_rows()["registrations"]
    first, second = (file_of(FileFormat("jsonl", gzip=True), "registrations", [rows]) for _ in range(2))
    assert first == second
    # The flags and the time: no name, no comment, no extra field, 1970.
    assert first[:8] == b"\x1f\x8b\x08" + bytes(5)
    decompressor = zlib.decompressobj(16 + zlib.MAX_WBITS)
    decompressor.decompress(first)
    assert decompressor.eof
    assert decompressor.unused_data == b""


def test_gzip_flows_while_rows_come() -> None:
    parts: list[bytes] = []
    noise = random.Random(1)
    writer = open_row_writer(FileFormat("jsonl", gzip=True), "stages", parts.append, lambda _row: UTC)
    for number in range(200):
        writer.write([{"id": str(number), "name": noise.randbytes(1500).hex()}])
    written = sum(map(len, parts))
    writer.finish()
    assert written > 100_000
    assert max(map(len, parts)) < 100_000


@pytest.mark.parametrize("kind", [JSONL, CSV, FileFormat("csv", gzip=True)], ids=lambda kind: kind.suffix)
def test_what_write_raises_comes_out(kind: FileFormat) -> None:
    def full(_data: bytes) -> None:
        raise OSError(28, "No space left on device")

    writer = open_row_writer(kind, "stages", full, lambda _row: UTC)

    def export() -> None:
        writer.write([{"id": "1", "name": "x"}])
        writer.finish()

    with pytest.raises(OSError, match="No space left"):
        export()
