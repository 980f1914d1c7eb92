"""Values of an export are those of the response: the digits of numbers, names that meet, and all members of a row."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from client_drivers import KEY
from raw_server import RawServer, Request, Response
from sample_rows import file_of

from airflow_provider_ringevents.client import Client
from airflow_provider_ringevents.client.endpoints import list_tickets
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.transport.json_decoding import decode_json
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.formats import FileFormat
from airflow_provider_ringevents.storage import Destination
from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection

JSONL, CSV, PARQUET = FileFormat("jsonl"), FileFormat("csv"), FileFormat("parquet")
NUMBERS = [
    "12345678901234567.89",
    "1.10",
    "9007199254740993.0",
    "0.10000000000000001",
    "1E5",
    "-0.0",
    "1e400",
    "1e-400",
    "123456789012345678901234567890",
]
OTHER_AS_DOUBLE = {
    "12345678901234567.89",
    "9007199254740993.0",
    "0.10000000000000001",
    "1e400",
    "1e-400",
    "123456789012345678901234567890",
}
"""Those whose double is another decimal number."""


def decoded(text: str) -> list[dict[str, Any]]:
    """Rows as an export has them."""
    rows = decode_json(text.encode(), exact=True)
    return [flatten_resource(row) for row in rows]


def cells(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))


def parquet_rows(data: bytes) -> list[dict[str, Any]]:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    return rows


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("surrogate", [False, True], ids=["plain", "with half a surrogate pair on the page"])
def test_numbers_keep_their_digits_in_json_lines_and_csv(number: str, surrogate: bool) -> None:
    half = ',"half":"\\ud83d"' if surrogate else ""
    attributes = f'{{"price":{number},"name":{number},"new":[{number}],"description":{{"deep":{number}}}{half}}}'
    rows = decoded(f'[{{"id":"1","attributes":{attributes}}}]')
    line = file_of(JSONL, "tickets", [rows]).decode()
    assert line.count(f":{number}") == 3
    assert f"[{number}]" in line
    (row,) = cells(file_of(CSV, "tickets", [rows]))
    assert (row["price"], row["name"], row["description"]) == (number, number, f'{{"deep":{number}}}')
    assert f'"new":[{number}]' in row["_other"]


@pytest.mark.parametrize("number", NUMBERS)
def test_parquet_keeps_a_number_whose_double_is_another_decimal_number(number: str) -> None:
    (row,) = parquet_rows(file_of(PARQUET, "tickets", [decoded(f'[{{"id":"1","attributes":{{"price":{number}}}}}]')]))
    if number in OTHER_AS_DOUBLE:
        assert row["price"] is None
        assert row["_other"] == f'{{"price":{number}}}'
    else:
        assert row["_other"] is None
        assert Decimal(repr(row["price"])) == Decimal(number)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("7.0", 7),
        ("9007199254740993.0", 9007199254740993),
        ("9223372036854775807.0", 2**63 - 1),
        ("0e999999999", 0),
        ("1e3", 1000),
        ("7.5", None),
        ("9223372036854775808.0", None),
        ("1e999999999", None),
        ("1e-999999999", None),
        ("1e99999999999999999999999", None),
    ],
)
def test_integers_of_parquet_are_exact_at_once(number: str, expected: int | None) -> None:
    started = time.monotonic()
    (row,) = parquet_rows(file_of(PARQUET, "tickets", [decoded(f'[{{"id":"1","attributes":{{"count":{number}}}}}]')]))
    assert row["count"] == expected
    assert row["_other"] == (None if expected is not None else f'{{"count":{number}}}')
    assert time.monotonic() - started < 20


def test_names_that_meet_in_other_lose_nothing() -> None:
    rows = decoded('[{"id":"1","attributes":{"utm.utmId":"top","utm.utmTerm":"flat","utm":{"utmId":5,"utmTerm":{}}}}]')
    (row,) = cells(file_of(CSV, "registrations", [rows]))
    assert json.loads(row["_other"]) == {"utm.utmId": "top", "utm.utmTerm": "flat", "utm": {"utmId": 5}}
    assert row["utm.utmTerm"] == "{}"
    (row,) = parquet_rows(file_of(PARQUET, "registrations", [rows]))
    assert json.loads(row["_other"]) == {
        "utm.utmId": "top",
        "utm.utmTerm": "flat",
        "utm": {"utmId": 5, "utmTerm": {}},
    }
    (line,) = file_of(JSONL, "registrations", [rows]).decode().splitlines()
    assert json.loads(line) == {"id": "1", **rows[0]}


RELATED = """[{"id":"1","type":"ticket","attributes":{"id":"other","name":"A","_other":"own"},
  "relationships":{"event":{"data":{"id":"e"}}},"meta":{"price":1.10}},
 {"id":"2","type":"ticket","attributes":{"name":"B","price":"ten"},"meta":{}}]"""


def test_relationships_meta_and_another_id_are_in_other() -> None:
    rows = decoded(RELATED)
    expected = {
        "relationships": {"event": {"data": {"id": "e"}}},
        "meta": {"price": 1.1},
        "attributes.id": "other",
        "attributes._other": "own",
    }
    first, second = (json.loads(line) for line in file_of(JSONL, "tickets", [rows]).decode().splitlines())
    assert first == {"id": "1", "name": "A", "_other": expected}
    assert second == {"id": "2", "name": "B", "price": "ten"}, "only where there is something"
    first, second = cells(file_of(CSV, "tickets", [rows]))
    assert json.loads(first["_other"]) == expected
    assert '"meta":{"price":1.10}' in first["_other"]
    assert second["_other"] == ""
    first, second = parquet_rows(file_of(PARQUET, "tickets", [rows]))
    assert json.loads(first["_other"]) == expected
    assert json.loads(second["_other"]) == {"price": "ten"}


@pytest.mark.parametrize("name", ["price", "new", "_other", "utm.utmTerm"])
def test_what_a_row_has_in_other_does_not_meet_its_columns_and_fields(name: str) -> None:
    row = {"id": "1", "price": "ten", "new": 1, "_other": {name: "inner"}}
    for kind, read in ((CSV, cells), (PARQUET, parquet_rows)):
        (found,) = read(file_of(kind, "tickets", [[row]]))
        other = json.loads(found["_other"])
        inner = other.pop("_other", other).pop(name)
        assert inner == "inner"
        assert other == {"new": 1} if kind is CSV else {"new": 1, "price": "ten"}


@pytest.mark.parametrize("halves", ["ud83d ud83e", "ud83d ufffd", "ufffd ud83d"])
def test_keys_that_differ_by_half_a_surrogate_pair_stay_two(halves: str) -> None:
    rows = [{"id": "1", **{f"a{chr(int(half[1:], 16))}": number for number, half in enumerate(halves.split(), 1)}}]
    for kind, read in ((CSV, cells), (PARQUET, parquet_rows)):
        (row,) = read(file_of(kind, "stages", [rows]))
        assert sorted(json.loads(row["_other"]).values()) == [1, 2]
    (line,) = file_of(JSONL, "stages", [rows]).decode().splitlines()
    assert len(json.loads(line)) == 3


# --- over HTTP


def tickets(number: int, padding: int = 0) -> Callable[[Request], Response]:
    """Two pages of tickets whose ids and prices are numbers with digits."""

    def answer(request: Request) -> Response:
        page = int(request.query["page"])
        rows = ",".join(
            f'{{"id":{row}.50,"type":"ticket","attributes":{{"price":{row}.10,"name":"{"x" * padding}"}}}}'
            for row in range((page - 1) * number, page * number if page < 3 else 0)
        )
        return Response(200, f'{{"data":[{rows}],"meta":{{"count":{2 * number}}}}}'.encode())

    return answer


@pytest.mark.parametrize("padding", [0, 2000], ids=["small pages", "pages of more than 1 MiB"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_an_export_keeps_digits_and_a_client_gives_numbers(tmp_path: Path, padding: int, concurrency: int) -> None:
    size = 1000
    with RawServer(tickets(size, padding)) as server, Client(server.url, KEY, per_page=size) as client:
        export = CollectionExport(COLLECTIONS["tickets"], JSONL, concurrency=concurrency)
        manifest = upload_collection(client, export, "e", Destination.resolve(f"{tmp_path}/rows.jsonl"))
        lines = (tmp_path / "rows.jsonl").read_text().splitlines()
        items = list(client.items(list_tickets("e")))
    assert manifest["rows"] == len(lines) == len(items) == 2 * size
    assert all(line.startswith(f'{{"id":{row}.50,"price":{row}.10,') for row, line in enumerate(lines))
    assert [(row["id"], row["price"]) for row in items] == [(n + 0.5, float(f"{n}.1")) for n in range(2 * size)]
