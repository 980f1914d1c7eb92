"""The content of reports: gzip, error documents, columns and rows."""

from __future__ import annotations

import csv
import gzip
import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.transfers._report_content import (
    MAX_HEADER_BYTES,
    CsvInspector,
    ReportPipeline,
)
from airflow_provider_ringevents.transfers._report_name import true_name, validate_report_suffix
from benchmarks.machine import memory

PLAIN = b'id,"name"\r\n1,"a ""b""\n,c"\r\n2,d\r\n'


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=1)


def inspected(content: bytes, step: int = 1 << 20) -> CsvInspector:
    inspector = CsvInspector()
    for start in range(0, len(content), step):
        inspector.feed(content[start : start + step])
    inspector.finish()
    return inspector


def piped(
    name: str, content: bytes, step: int = 1 << 20, *, allow_empty: bool = False, columns: tuple[str, ...] = ()
) -> tuple[bytes, ReportPipeline]:
    written: list[bytes] = []
    pipeline = ReportPipeline(name, content[:step], columns)
    pipeline.open(written.append)
    for start in range(0, len(content), step):
        pipeline.write(content[start : start + step])
    pipeline.finish(allow_empty=allow_empty)
    return b"".join(written), pipeline


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (PLAIN, ("id", "name"), 2),
        (b"\xef\xbb\xbfid;name\n1;2", ("id", "name"), 1),
        (b"id\tname\n", ("id", "name"), 0),
        (b"id,name", ("id", "name"), 0),
        (b"\r\nid,name\n\n1,2\n\n\n3,4\n\n", ("id", "name"), 2),
        (b'"a,b;c";"d\ne"\n1;2\n', ("a,b;c", "d\ne"), 1),
        (b'a,b\n"x\n\ny",1\n', ("a", "b"), 1),
        (b"caf\xe9,b\n1,2\n", None, 1),
        (b"PK\x03\x04\0\0,\n\n", None, None),
        ("id,name\n1,2\n".encode("utf-16"), None, None),
        (b"", None, 0),
        (b'"never closed,b\n1,2\n', None, None),
        (b'a,b\nx,"never closed\n1,2\n', ("a", "b"), None),
        (b'a,b\n19" rack,1\n21" rack,2\n', ("a", "b"), None),
        (b'a,b\n1,the 19" rack\n"x\ny",2\n3,a 21" one\n', ("a", "b"), None),
        (b'a;b\n"x ""y""\nz";"w"\n"";3\n', ("a", "b"), 2),
        (b'\xef\xbb\xbf"a\nc","b"\n"x\ny",1\n', ("a\nc", "b"), 1),
        (b"a,b\r1,2\r3,4\r", ("a", "b"), None),
        (b'"a\rb",c\r\n1,2\r\n', ("a\rb", "c"), 1),
    ],
)
def test_columns_and_rows(content: bytes, columns: tuple[str, ...] | None, rows: int | None, step: int) -> None:
    inspector = inspected(content, step)
    assert (inspector.columns, inspector.rows) == (columns, rows)


def test_a_header_of_more_than_a_mebibyte_is_not_read() -> None:
    inspector = inspected(b"x" * (MAX_HEADER_BYTES + 1) + b"\n1\n", 1 << 18)
    assert (inspector.columns, inspector.rows) == (None, 1)


@given(
    table=st.lists(
        st.lists(st.text(alphabet='ab,"\n \r;', max_size=5), min_size=2, max_size=4), min_size=1, max_size=8
    ),
    step=st.integers(1, 9),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_rows_are_those_of_the_standard_library(table: list[list[str]], step: int, end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(table)
    assert inspected(text.getvalue().encode(), step).rows == len(table) - 1


@pytest.mark.parametrize("step", [1, 100, 1 << 20])
@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz", "r.CSV.GZ"])
@pytest.mark.parametrize("as_gzip", [False, True])
def test_the_suffix_is_true(name: str, as_gzip: bool, step: int) -> None:
    sent = packed(PLAIN[:10]) + packed(PLAIN[10:]) if as_gzip else PLAIN
    step = max(step, 3)  # the client hands on blocks of 256 KiB: the beginning tells gzip
    content, pipeline = piped(name, sent, step)
    if name.lower().endswith(".gz"):
        assert gzip.decompress(content) == PLAIN
        assert content[4:8] == (sent[4:8] if as_gzip else bytes(4))  # no time of its own
    else:
        assert content == PLAIN
    assert pipeline.passes_through == (as_gzip == name.lower().endswith(".gz"))
    assert (pipeline.inspector.columns, pipeline.inspector.rows) == (("id", "name"), 2)


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(PLAIN)[:-4], "ends in the middle"),
        (packed(PLAIN) + b"<html>", "not a valid gzip file"),
        (packed(PLAIN) + packed(PLAIN)[:5], "ends in the middle"),
    ],
)
def test_nothing_after_the_end_of_gzip_passes_unseen(name: str, content: bytes, message: str) -> None:
    with pytest.raises(RingEventsTransferError, match=message):
        piped(name, content)
    assert piped(name, packed(PLAIN) + bytes(512))[1].inspector.rows == 2


def test_what_is_packed_well_is_unpacked_in_pieces() -> None:
    plain = b"id\n" + b"1\n" * 5_000_000
    content, pipeline = piped("r.csv", packed(plain), 1000)
    assert content == plain
    assert pipeline.inspector.rows == 5_000_000


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b"<!DOCTYPE html><html>", "HTML or XML"),
        (b"\xef\xbb\xbf \r\n<html lang=en>", "HTML or XML"),
        (b'<?xml version="1.0"?><Error/>', "HTML or XML"),
        (b"<Error><Code>AccessDenied</Code></Error>", "HTML or XML"),
        (b'{"errors": []}', "JSON"),
        (b"{}", "JSON"),
        (b'[\n {"a": 1}]', "JSON"),
        (b"[]", "JSON"),
        ("<html>".encode("utf-16"), "HTML or XML"),
        ("<html>".encode("utf-16-le"), "HTML or XML"),
        ((" " * 300 + "<html>").encode("utf-32"), "HTML or XML"),
        ("\ufeff\ufeff\u00a0\u3000<html>".encode(), "HTML or XML"),
        (b"<?php echo 1;", "HTML or XML"),
        ('{"errors": []}'.encode("utf-16-be"), "JSON"),
        (b')]}\',\n{"errors": []}', "JSON"),
        (b"null\n", "JSON"),
        (b"[true]", "JSON"),
        (b"[1, 2, 3]\n", "JSON"),
        (b"[42]", "JSON"),
        (b"[\n  1,\n  -2.5e3\n]", "JSON"),
        (b"[" + b"1, " * 2000 + b"1]", "JSON"),
        (b"[" + b"12345,\n" * 2000, "JSON"),
        (b'[1, {"error": "' + b"x" * 2000 + b'"}]', "JSON"),
        (b'[1, "a", {"b": 2}]', "JSON"),
        ('{"a": 1}'.encode("utf-16"), "JSON"),
        (rb'"{\"error\": \"expired\"}"', "JSON"),
        (b'callback({"error": "expired"});', "JSON"),
        (b'/**/ jQuery.cb_1([{"error": 1}])', "JSON"),
        (b"cb({})", "JSON"),
        (b"+ADw-html+AD4-expired", "HTML or XML"),
        (b"+/v8-+ADwAIQ-DOCTYPE html+AD4-", "HTML or XML"),
        (b'+AHs-"errors": []}', "JSON"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04 ", "ZIP or Excel"),
        (b"PK\x05\x06" + bytes(18), "empty ZIP"),
        (b"PAR1,", "Parquet"),
        (packed(PLAIN) + bytes(9), "gzip within gzip"),
    ],
)
@pytest.mark.parametrize("as_gzip", [False, True])
def test_an_error_document_is_no_report(document: bytes, kind: str, as_gzip: bool) -> None:
    if kind == "gzip within gzip" and not as_gzip:
        assert piped("r.csv", document)[0] == PLAIN
        return
    for name in ("r.csv", "r.csv.gz"):
        with pytest.raises(RingEventsTransferError, match=kind):
            piped(name, packed(document) if as_gzip else document)


@pytest.mark.parametrize(("document", "kind"), [(b"\n<html>", "HTML"), (b"  {} ", "JSON"), (b"PK\x03\x04", "ZIP")])
def test_an_error_document_in_small_pieces_is_no_report(document: bytes, kind: str) -> None:
    with pytest.raises(RingEventsTransferError, match=kind):
        piped("r.csv", document, 1)
    with pytest.raises(RingEventsTransferError, match=kind):
        piped("r.csv", document + b" " * 5000, 1, columns=("id",))
    with pytest.raises(RingEventsTransferError, match=kind):
        piped("r.csv", b"".join(packed(document[at : at + 1]) for at in range(len(document))))


def test_under_a_name_of_the_users_own_any_file_passes() -> None:
    assert piped("r.bin", b"PK\x03\x04 ")[0] == b"PK\x03\x04 "


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        ("r.csv", "", "text/csv"),
        ("r.bin", "", "application/octet-stream"),
        ("r.csv", "text/plain", "text/plain"),
        ("r.csv.gz", "text/csv", "application/gzip"),
    ],
)
def test_the_content_type(name: str, sent: str, kept: str) -> None:
    assert ReportPipeline(name, PLAIN).content_type(sent) == kept


@pytest.mark.parametrize(
    "content",
    [
        *[b"<1,2\n", b"{a},b\n", b"[x],y\n", b"a<b\n", b"null,b\n", b"truest\n", b'"{""a"": 1}",b\n'],
        *[b'"name"\n', b'"name"', b"42\n", b"-1.5", b'"name"\n"Ada"\n', b"[1] Name,[2] Age\n", b"[1],[2]\n3,4\n"],
        *[b"[1,2,3\n4,5,6\n", b"[1] " + b"Name,[2] " * 300, b'"a \\n b"\n', b"Rating(1-5),Name\n", b"f(x),g([y])\n"],
        *[b"+1 555 0100,Ada\n", b"+ADa,b\n", b'"cb({""a"": 1})",b\n'],
    ],
)
def test_a_csv_file_may_begin_in_an_unusual_way(content: bytes) -> None:
    assert piped("r.csv", content)[0] == content


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n \n"])
def test_an_empty_report_is_refused_unless_it_is_allowed(content: bytes) -> None:
    with pytest.raises(RingEventsTransferError, match="empty"):
        piped("r.csv", content)
    assert piped("r.csv", content, allow_empty=True, columns=("id",))[0] == content
    assert gzip.decompress(piped("r.csv.gz", content, allow_empty=True)[0]) == content


def test_a_missing_column_fails_before_the_rest_is_read() -> None:
    pipeline = ReportPipeline("r.csv", PLAIN, ("id", "email", "ticket"))
    pipeline.open(lambda block: None)
    with pytest.raises(RingEventsTransferError, match=r"lacks 'email', 'ticket'; its columns are 'id', 'name'"):
        pipeline.write(PLAIN[:12])
    with pytest.raises(RingEventsTransferError, match="cannot be read"):
        piped("r.csv", b"caf\xe9\n1\n", columns=("id",))


@pytest.mark.parametrize(
    "suffix", ["parquet", "json", "jsonl", "avro", "orc", "xlsx", "xls", "zip", "bz2", "xz", "zst"]
)
def test_a_suffix_that_csv_cannot_be_is_refused(suffix: str) -> None:
    for name in (f"s3://b/r.{suffix}", f"/data/r.csv.{suffix}", f"/data/R.{suffix.upper()}", f"/data/r.{suffix}.gz"):
        with pytest.raises(RingEventsConfigError) as caught:
            validate_report_suffix(name)
        assert caught.value.parameter == "destination"


@pytest.mark.parametrize("name", ["r.csv", "r.csv.gz", "r.txt", "r", "r.2026", "folder.json/", "a.json/r.tsv"])
def test_any_other_suffix_passes(name: str) -> None:
    validate_report_suffix(f"s3://b/{name}")


def test_a_servers_name_tells_the_truth_about_gzip() -> None:
    assert true_name("r.csv.gz", PLAIN) == "r.csv"
    assert true_name("r.csv.GZ", packed(PLAIN)) == "r.csv.GZ"
    assert true_name(".gz", PLAIN) == ".gz"


def test_a_servers_name_tells_the_truth_about_the_format() -> None:
    assert true_name("r.parquet", PLAIN) == "r.parquet.csv"
    assert true_name("r.xlsx.gz", PLAIN) == "r.xlsx.csv"
    assert true_name("r.xlsx", b"PK\x03\x04") == "r.xlsx"
    assert true_name("r.dat", PLAIN) == "r.dat"


def test_a_file_that_begins_with_many_blanks_costs_little_memory() -> None:
    # The peak begins anew: what other tests took before would hide what this one takes.
    Path("/proc/self/clear_refs").write_text("5")
    before = memory("VmRSS")
    with pytest.raises(RingEventsTransferError, match="HTML"):
        piped("r.csv", b" \0" * (1 << 20) + b"<html>")
    assert memory("VmHWM") - before < 32 * 2**20


def test_counting_costs_little_memory() -> None:
    block = bytes(random.Random(1).choices(b'ab,"\n', k=1 << 16))
    inspector = CsvInspector()
    for _ in range(64):
        inspector.feed(block)
    assert len(inspector._start) <= MAX_HEADER_BYTES + len(block)
