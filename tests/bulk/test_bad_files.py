"""Files that cannot be used, and rows that cannot be sent: named before the first request."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow_harness import Run
from bulk.conftest import GUEST_COLUMNS, guests, read_results, statuses, write_csv
from outcomes import failed, refused, succeeded

Load = Callable[..., Run]
HEADER = "email,firstName,lastName\n"


BAD_CSV_ROWS = {
    "no address": (",A,B", "`email` must be given"),
    "an address that is none": ("ada at example,A,B", "`email` must be an e-mail address"),
    "no first name": ("ada@people.example,,B", "`firstName` must be given"),
    "too few cells": ("ada@people.example,A", "the row has 2 cells, the header 3"),
    "too many cells": ("ada@people.example,A,B,C", "the row has 4 cells, the header 3"),
    "rows within the first name": (
        'a@people.example,"A,B\nb@people.example,C,D\nc@people.example,E",F',
        "a cell holds lines that look like rows: a quote may be missing",
    ),
    "rows within the last name": (
        'a@people.example,A,"B\nb@people.example,C,D\nc@people.example,E,F"',
        "a cell holds lines that look like rows: a quote may be missing",
    ),
    "a person twice": ("GUEST1@people.example,A,B", "the same person as row 1"),
}


@pytest.mark.parametrize("kind", BAD_CSV_ROWS)
@pytest.mark.parametrize("on_invalid", ["fail", "skip"])
def test_a_bad_row_of_csv(load: Load, emulator: Any, tmp_path: Path, kind: str, on_invalid: str) -> None:
    row, reason = BAD_CSV_ROWS[kind]
    good = "".join(",".join(guest) + "\n" for guest in guests(3))
    (tmp_path / "guests.csv").write_text(f"{HEADER}{good}{row}\n", encoding="utf-8")
    result = load(on_invalid=on_invalid, retries=2).to_end()
    rows = read_results(tmp_path / "results.csv")
    assert rows[3]["status"] == "invalid"
    assert reason in rows[3]["reason"]
    if on_invalid == "fail":
        failed(result, "1 row of", "nothing was sent")
        assert result.tries == 1
        assert emulator.count("POST") == 0
        assert [row["status"] for row in rows] == [*["not_tried"] * 3, "invalid"]
    else:
        assert succeeded(result)["counts"] == {"created": 3, "invalid": 1}
        assert emulator.count("POST") == 3


def test_a_cell_of_several_lines_is_a_cell(load: Load, emulator: Any, tmp_path: Path) -> None:
    row = 'ada@people.example,"Ada,\nCountess","Lovelace\nada@people.example, London"'
    (tmp_path / "guests.csv").write_text(f"{HEADER}{row}\n", encoding="utf-8")
    assert succeeded(load().to_end())["counts"] == {"created": 1}


BAD_LINES = {
    "broken JSON": ('{"email": "ada@people.example", ', "the line is not valid JSON"),
    "not UTF-8": (
        b'{"email": "ada@people.example", "firstName": "\xff", "lastName": "B"}',
        "the line is not valid JSON",
    ),
    "arrays nested too deeply": (
        f'{{"email": "ada@people.example", "firstName": {"[" * 100_000}{"]" * 100_000}, "lastName": "B"}}',
        "the line is not valid JSON",
    ),
    "an array": ('["ada@people.example"]', "the line must be a JSON object, got an array"),
    "a string": ('"ada@people.example"', "the line must be a JSON object, got a string"),
    "a number with a point": (
        '{"email": "ada@people.example", "firstName": 1.5, "lastName": "B"}',
        "`firstName` must be a text, a whole number or a time, got float",
    ),
    "a truth value": (
        '{"email": "ada@people.example", "firstName": true, "lastName": "B"}',
        "`firstName` must be a text, a whole number or a time, got bool",
    ),
    "metadata that is no object": (
        '{"email": "ada@people.example", "firstName": "A", "lastName": "B", "metadata": "x"}',
        "`metadata` must be an object, got str",
    ),
    "metadata with an object in it": (
        '{"email": "ada@people.example", "firstName": "A", "lastName": "B", "metadata": {"x": {}}}',
        "`metadata.x` must be a text, a whole number or a time, got dict",
    ),
    "a key twice": (
        '{"email": "ada@people.example", "firstName": "A", "lastName": "B", "email": "bob@people.example"}',
        "the line has the key 'email' more than once",
    ),
    "a key twice, spelt in two ways, beside a colon in a text": (
        '{"email": "ada@people.example", "firstName": "A", "lastName": "B: C", "\\u0065mail": "bob@people.example"}',
        "the line has the key 'email' more than once",
    ),
    "a member twice": (
        '{"email": "ada@people.example", "firstName": "A", "lastName": "B", "metadata": {"x": "1", "x": "2"}}',
        "the line has the key 'x' more than once",
    ),
    "a member by itself and in its object": (
        '{"email": "ada@people.example", "firstName": "A", "lastName": "B", "metadata.x": "1", "metadata": {"x": "2"}}',
        "`metadata` must be left out beside `metadata.x`, or have it as a member",
    ),
    "a member by itself and an empty object": (
        '{"email": "ada@people.example", "firstName": "A", "lastName": "B", "metadata": {}, "metadata.x": "1"}',
        "`metadata` must be left out beside `metadata.x`, or have it as a member",
    ),
    "null for a required attribute": (
        '{"email": "ada@people.example", "firstName": null, "lastName": "B"}',
        "`firstName` must be given",
    ),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_bad_line_of_json(load: Load, tmp_path: Path, kind: str) -> None:
    line, reason = BAD_LINES[kind]
    good = "".join(json.dumps(dict(zip(GUEST_COLUMNS, guest, strict=True))) + "\n" for guest in guests(2))
    (tmp_path / "guests.jsonl").write_bytes(
        good.encode() + b"\n" + (line if isinstance(line, bytes) else line.encode()) + b"\r\n"
    )
    result = load(source=f"file://{tmp_path}/guests.jsonl", on_invalid="skip").to_end()
    assert succeeded(result)["counts"] == {"created": 2, "invalid": 1}
    rows = read_results(tmp_path / "results.csv")
    assert (rows[2]["number"], rows[2]["status"]) == ("3", "invalid")
    assert reason in rows[2]["reason"]


def test_failed_lines_are_fed_again_byte_for_byte(load: Load, emulator: Any, tmp_path: Path) -> None:
    lines = [b'{"email":"a@people.example",  "firstName":"\\u00c4","lastName":"B","metadata":{"n":1e2}}']
    lines = [line.replace(b"1e2", b"12") for line in lines]
    (tmp_path / "guests.jsonl").write_bytes(b"\xef\xbb\xbf" + lines[0] + b"\r\n")
    emulator.fault("status", status=422, method="POST")
    source = f"file://{tmp_path}/guests.jsonl"
    assert load(source=source, failed_rows=f"file://{tmp_path}/failed.jsonl").to_end().state == "failed"
    assert (tmp_path / "failed.jsonl").read_bytes() == lines[0] + b"\n"


def test_colons_in_values_repeat_no_key(load: Load, tmp_path: Path) -> None:
    line = {**dict(zip(GUEST_COLUMNS, next(iter(guests(1))), strict=True)), "metadata": {"at": "10:30", "e": "a:b"}}
    (tmp_path / "guests.jsonl").write_text(json.dumps(line) + "\n")
    assert succeeded(load(source=f"file://{tmp_path}/guests.jsonl").to_end())["counts"] == {"created": 1}


def test_a_parquet_file_names_each_column_once(load: Load, emulator: Any, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    names = [*GUEST_COLUMNS, "email"]
    pq.write_table(pa.table([["a@people.example"]] * len(names), names=names), tmp_path / "guests.parquet")
    result = load(source=f"file://{tmp_path}/guests.parquet").to_end()
    failed(result, "`source` must be a file that names each column once, got ['email']")
    assert emulator.count("POST") == 0


def test_failed_rows_of_parquet_keep_their_types(load: Load, emulator: Any, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import datetime

    import pyarrow.parquet as pq

    people = [
        {**dict(zip(GUEST_COLUMNS, guest, strict=True)), "metadata.since": datetime.datetime(2026, 1, number)}
        for number, guest in enumerate(guests(20), start=1)
    ]
    pq.write_table(pa.Table.from_pylist(people), tmp_path / "guests.parquet")
    emulator.fault("status", status=422, skip=3, times=2, method="POST")
    result = load(source=f"file://{tmp_path}/guests.parquet", failed_rows=f"file://{tmp_path}/failed.parquet").to_end()
    assert result.state == "failed"
    found = [row["identity"] for row in read_results(tmp_path / "results.csv") if row["status"] == "failed"]
    again = pq.read_table(tmp_path / "failed.parquet").to_pylist()
    assert again == [person for person in people if person["email"] in found]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_other_encodings_are_read_and_written(
    load: Load, emulator: Any, links: Any, tmp_path: Path, encoding: str
) -> None:
    write_csv(tmp_path / "guests.csv", [("ada@people.example", "Ädä", "Lövelace")], encoding=encoding)
    emulator.fault("status", status=422, method="POST")
    failed_rows = f"file://{tmp_path}/failed.csv"
    assert load(encoding=encoding, failed_rows=failed_rows).to_end().state == "failed"
    succeeded(load(encoding=encoding, source=failed_rows).to_end())
    assert links()["ada@people.example"].first_name == "Ädä"


@pytest.mark.parametrize("name", ["guests.csv", "guests.csv.gz", "guests.jsonl", "guests.jsonl.gz"])
def test_a_byte_order_mark_contradicts_another_encoding(load: Load, emulator: Any, tmp_path: Path, name: str) -> None:
    """In cp1252 the mark and each letter with an accent would be two or three other letters."""
    person = {"Id": "1", "email": "j\u00f6rg@people.example", "firstName": "J\u00f6rg", "lastName": "B"}
    lines = [",".join(person), ",".join(person.values())] if ".csv" in name else [json.dumps(person)]
    content = "".join(f"{line}\n" for line in lines).encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    arguments = {"source": f"file://{tmp_path}/{name}", "columns": {column: column for column in GUEST_COLUMNS}}
    failed(load(encoding="cp1252", **arguments).to_end(), "`encoding` must be utf-8", "byte order mark")
    assert emulator.count("POST") == 0
    assert succeeded(load(encoding="utf-8", **arguments).to_end())["counts"] == {"created": 1}


def test_failed_rows_keep_their_carriage_returns(load: Load, emulator: Any, links: Any, tmp_path: Path) -> None:
    row = b'ada@people.example,"A\rda",B\n"bob\r@people.example",B,C\n'
    (tmp_path / "guests.csv").write_bytes(HEADER.encode() + row)
    emulator.fault("status", status=422, method="POST")
    failed_rows = f"file://{tmp_path}/failed.csv"
    assert load(failed_rows=failed_rows, on_invalid="skip").to_end().state == "failed"
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        results = list(csv.DictReader(file))
    assert [(result["identity"], result["status"]) for result in results] == [
        ("ada@people.example", "failed"),
        ("bob\r@people.example", "invalid"),
    ]
    assert succeeded(load(source=failed_rows).to_end())["counts"] == {"created": 1}
    assert links()["ada@people.example"].first_name == "A\rda"


def test_a_column_of_nulls_is_a_column(load: Load, emulator: Any, tmp_path: Path) -> None:
    person = {"email": "ada@people.example", "firstName": "A", "lastName": "B", "Title": None}
    (tmp_path / "guests.jsonl").write_text(json.dumps(person))
    source = f"file://{tmp_path}/guests.jsonl"
    failed(load(source=source).to_end(), "got 'Title'")
    columns = {**{column: column for column in GUEST_COLUMNS}, "headline": "Title"}
    assert succeeded(load(source=source, columns=columns).to_end())["counts"] == {"created": 1}


def test_decimals_and_times_of_parquet_are_texts_of_one_form(load: Load, links: Any, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import datetime
    from decimal import Decimal

    import pyarrow.parquet as pq

    values = {
        "zero": pa.array([Decimal("0")], pa.decimal128(18, 8)),
        "price": pa.array([Decimal("12.50")], pa.decimal128(10, 2)),
        "time": pa.array([datetime.time(9, 30)]),
    }
    person = dict(zip(GUEST_COLUMNS, (["ada@people.example"], ["A"], ["B"]), strict=True))
    table = pa.table({**person, **{f"metadata.{name}": value for name, value in values.items()}})
    pq.write_table(table, tmp_path / "guests.parquet")
    succeeded(load(source=f"file://{tmp_path}/guests.parquet").to_end())
    assert links()["ada@people.example"].metadata == {"zero": "0.00000000", "price": "12.50", "time": "09:30:00"}


BAD_FILES = {
    "an empty file": (b"", {}, "`source` must be a file with a header"),
    "an unknown column": (b"email,firstName,lastName,colour\n", {}, "got 'colour'"),
    "a misspelt column": (b"email,firstname,lastName\n", {}, "Did you mean 'firstName'?"),
    "a missing column": (b"email,firstName\n", {}, "`source` must be a file with the columns lastName"),
    "a column twice": (b"email,firstName,lastName,email\n", {}, "names each column once, got ['email']"),
    "no such mapped column": (
        HEADER.encode(),
        {"columns": {"email": "E-Mail", "firstName": "firstName", "lastName": "lastName"}},
        "`columns` must be made of columns of the source, got 'E-Mail'",
    ),
    "no header": (b"ada@people.example,Ada,Lovelace\n", {}, "One of the names it has is an e-mail address."),
    "another encoding": (HEADER.encode() + b"\xe4da@people.example,A,B\n", {}, "`encoding` must be the encoding of"),
    "a quote that is not closed": (HEADER.encode() + b'ada@people.example,"A,B\n', {}, "readable as CSV"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_cannot_be_used(load: Load, emulator: Any, tmp_path: Path, kind: str) -> None:
    content, arguments, message = BAD_FILES[kind]
    (tmp_path / "guests.csv").write_bytes(content)
    result = load(retries=2, **arguments).to_end()
    failed(result, message)
    assert "Lovelace" not in result.log_text
    assert result.tries == 1
    assert emulator.count("POST") == 0
    assert not (tmp_path / "results.csv").exists()


def test_an_object_with_an_unknown_attribute(load: Load, emulator: Any, tmp_path: Path) -> None:
    person = {**dict(zip(GUEST_COLUMNS, guests(1)[0], strict=True)), "colour": "red"}
    (tmp_path / "guests.jsonl").write_text(json.dumps(person))
    failed(load(source=f"file://{tmp_path}/guests.jsonl").to_end(), "got 'colour'")
    assert emulator.count("POST") == 0
    succeeded(load(source=f"file://{tmp_path}/guests.jsonl", allow_undocumented=True, dry_run=True).to_end())


def test_a_damaged_gzip_file(load: Load, emulator: Any, tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "".join(",".join(guest) + "\n" for guest in guests(500))).encode())
    for damaged in (whole[:-100], whole[:200] + b"\0\0\0\0" + whole[204:], b"not gzip"):
        (tmp_path / "guests.csv.gz").write_bytes(damaged)
        result = load(source=f"file://{tmp_path}/guests.csv.gz", retries=1).attempt()
        assert result.state == "up_for_retry"
        assert "is damaged or ends early" in str(result.exception)
    assert emulator.count("POST") == 0


@pytest.mark.parametrize("name", ["guests.csv.gz", "guests.jsonl.gz"])
def test_a_gzip_file_without_a_byte_is_damaged(load: Load, emulator: Any, tmp_path: Path, name: str) -> None:
    """An upload that failed, not a list without people, whose links would be deleted."""
    write_csv(tmp_path / "guests.csv", guests(1))
    succeeded(load().to_end())
    (tmp_path / name).touch()
    arguments = {"source": f"file://{tmp_path}/{name}", "delete_missing": True, "max_deletions": 5}
    result = load(**arguments, retries=1).attempt()
    assert result.state == "up_for_retry"
    assert "is damaged or ends early" in str(result.exception)
    assert emulator.count("DELETE") == 0


def test_a_file_that_changes_while_it_is_read(load: Load, emulator: Any, tmp_path: Path) -> None:
    from airflow_provider_ringevents.bulk.loading import RowLoader

    write_csv(tmp_path / "guests.csv", guests(3))
    check = RowLoader._check

    def changing(loader: RowLoader, row: Any) -> Any:
        if row.number == 3:
            with (tmp_path / "guests.csv").open("a") as file:
                file.write("late@people.example,A,B\n")
        return check(loader, row)

    with patch.object(RowLoader, "_check", changing):
        result = load(retries=1).attempt()
    assert result.state == "up_for_retry"
    assert "changed while it was read" in str(result.exception)
    assert emulator.count("POST") == 0


def test_an_object_that_changes_at_equal_size_while_it_is_read(load: Load, emulator: Any, tmp_path: Path) -> None:
    """Its ETag says so."""
    from s3_server import S3Server

    from airflow_provider_ringevents.bulk.loading import RowLoader

    check = RowLoader._check
    with S3Server(tmp_path) as server:
        server.make_bucket("crm")
        source = write_csv(server.data_dir / "crm" / "guests.csv", guests(300))
        before = source.read_text()

        def changing(loader: RowLoader, row: Any) -> Any:
            if row.number == 200:
                source.write_text(before.replace("Given250,", "Other250,"))
            return check(loader, row)

        store = {"changing_s3": server.airflow_connection()}
        arguments = {"source": "s3://changing_s3@crm/guests.csv", "retries": 1, "run": {"connections": store}}
        with patch.object(RowLoader, "_check", changing):
            result = load(**arguments).attempt()
        assert len(source.read_text()) == len(before)
        assert result.state == "up_for_retry"
        assert "changed while it was read" in str(result.exception)
        assert emulator.count("POST") == 0
        assert succeeded(load(**arguments).to_end())["counts"] == {"created": 300}


@pytest.mark.parametrize(
    ("begin", "kind"),
    [
        pytest.param(gzip.compress(b"email"), "gzip", id="gzip"),
        pytest.param(b"PK\x03\x04rest", "ZIP or Excel", id="zip"),
        pytest.param(b"PAR1rest", "Parquet", id="parquet"),
    ],
)
@pytest.mark.parametrize("name", ["guests.csv", "guests.jsonl"])
def test_a_file_that_is_something_else_than_its_suffix_says(
    load: Load, tmp_path: Path, name: str, begin: bytes, kind: str
) -> None:
    (tmp_path / name).write_bytes(begin)
    failed(load(source=f"file://{tmp_path}/{name}").to_end(), "`source` must be a file of", kind)


def test_a_file_that_does_not_exist(load: Load, emulator: Any) -> None:
    failed(load().to_end(), "`source` must be the place of an object that exists")


def test_a_header_alone_is_no_error(load: Load, tmp_path: Path) -> None:
    (tmp_path / "guests.csv").write_text(HEADER)
    assert succeeded(load().to_end())["counts"] == {}
    assert statuses(tmp_path / "results.csv") == []


BAD_ARGUMENTS = {
    "ticket_id": ("a/b", "`ticket_id`"),
    "source": ("file:///guests.txt", "`source` must be a place that ends in .csv"),
    "results": ("file:///results.txt", "`results` must be a place that ends in .csv"),
    "failed_rows": ("file:///failed.jsonl", "`failed_rows` must be a file in the format of the source, csv"),
    "identity": ("name", "identity"),
    "format": ("xml", "`format` must be one of csv, jsonl, parquet, got 'xml'"),
    "delimiter": (";;", "`delimiter` must be one character"),
    "encoding": ("utf-99", "`encoding` must be the name of an encoding"),
    "on_invalid": ("ignore", "on_invalid"),
    "max_failures": (-1, "`max_failures` must be an integer"),
    "max_deletions": ("few", "`max_deletions` must be an integer"),
    "concurrency": (17, "`concurrency` must be an integer from 1 to 16, got 17"),
    "settle_timeout": (-1, "`settle_timeout` must be a number"),
    "if_exists": ("append", "if_exists"),
    "dry_run": ("perhaps", "`dry_run` must be True or False"),
    "columns": ({"email": "E-Mail", "colour": "Colour"}, "`columns` must be made of attributes among"),
    "object_options": ({"ACL": "private"}, "object_options"),
}


@pytest.mark.parametrize(
    "encoding", ["utf-99", "utf\0", "undefined", "rot13", "idna", "punycode", "unicode_escape", "", None, 8]
)
def test_what_is_no_encoding_of_text_is_named(load: Load, encoding: Any) -> None:
    with pytest.raises(AirflowFailException, match="`encoding` must be the name of an encoding of text"):
        load(encoding=encoding)


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_a_bad_argument_is_named_while_the_dag_is_parsed_and_when_it_runs(load: Load, name: str) -> None:
    value, message = BAD_ARGUMENTS[name]
    with pytest.raises(AirflowFailException) as raised:
        load(**{name: value}).to_end()
    assert message in str(raised.value)
    if isinstance(value, dict):
        return
    result = load(**{name: "{{ dag_run.conf['value'] }}"}, run={"conf": {"value": value}}).to_end()
    failed(result, message)


@pytest.mark.parametrize("name", ["results", "failed_rows"])
def test_the_source_is_never_overwritten(load: Load, tmp_path: Path, name: str) -> None:
    with pytest.raises(AirflowFailException, match="another object than the source"):
        load(**{name: f"file://{tmp_path}/guests.csv"}).to_end()


@pytest.mark.parametrize("name", ["results", "failed_rows"])
@pytest.mark.parametrize("spelling", ["{folder}/./guests.csv", "{folder}/x/../guests.csv", "{folder}/link.csv"])
def test_the_source_is_never_overwritten_by_another_of_its_names(
    load: Load, tmp_path: Path, name: str, spelling: str
) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "guests.csv")
    with pytest.raises(AirflowFailException, match="another object than the source"):
        load(**{name: f"file://{spelling.format(folder=tmp_path)}"}).to_end()


def test_a_bucket_has_one_object_whatever_the_scheme_is_called(load: Load) -> None:
    with pytest.raises(AirflowFailException, match="another object than the source"):
        load(source="s3://crm/guests.csv", results="s3a://crm/guests.csv").to_end()


def test_results_in_parquet_need_pyarrow_before_anything_is_sent(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_ringevents.bulk import source

    monkeypatch.setattr(source, "find_spec", lambda name: None)
    with pytest.raises(AirflowFailException, match="`results` must be CSV or JSON Lines where pyarrow is not"):
        load(results="file:///results.parquet").to_end()


@pytest.mark.parametrize("name", ["results", "failed_rows"])
def test_results_that_cannot_be_written_say_what_was_sent(
    load: Load, emulator: Any, links: Any, tmp_path: Path, name: str
) -> None:
    from s3_server import S3Server

    write_csv(tmp_path / "guests.csv", guests(2))
    with S3Server(tmp_path) as server:
        store = {"results_s3": server.airflow_connection()}
        place = {name: "s3://results_s3@nowhere/results.csv", "run": {"connections": store}}
        result = load(**place, retries=1).attempt()
    assert result.state == "up_for_retry"
    assert "The results of the load (2 created) could not be written: " in str(result.exception)
    assert len(links()) == 2


def test_a_mapping_without_a_required_attribute(load: Load) -> None:
    with pytest.raises(AirflowFailException, match=r"`columns` must be a mapping that has firstName, lastName"):
        load(columns={"email": "E-Mail"}).to_end()


@pytest.mark.parametrize("name", ["results", "failed_rows"])
@pytest.mark.parametrize("place", ["{folder}/file/x.csv", "{folder}/folder.csv", "/proc/ringevents/x.csv"])
def test_nothing_is_sent_where_a_file_of_the_results_cannot_be(
    load: Callable[..., Run], emulator: Any, tmp_path: Path, name: str, place: str
) -> None:
    write_csv(tmp_path / "guests.csv", guests(1))
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    result = load(**{name: f"file://{place.format(folder=tmp_path)}"}, retries=2).to_end()
    assert f"`{name}` must be " in refused(result)
    assert emulator.count() == 0
