"""Which format a file has."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.exports.formats import FileFormat, open_row_writer


@pytest.mark.parametrize(
    ("destination", "format", "expected"),
    [
        ("s3://aws@bucket/key.jsonl", None, FileFormat("jsonl")),
        ("s3://bucket/key.ndjson", None, FileFormat("jsonl")),
        ("/data/key.json", "jsonl", FileFormat("jsonl")),
        ("key.JSONL.GZ", None, FileFormat("jsonl", gzip=True)),
        ("file:///data/key.csv", None, FileFormat("csv")),
        ("gs://bucket/2026.01/key.csv.gz", "csv", FileFormat("csv", gzip=True)),
        ("key.parquet", None, FileFormat("parquet")),
        ("s3://bucket/folder/", None, FileFormat("jsonl")),
        ("s3://bucket/folder.csv/", "parquet", FileFormat("parquet")),
        ("s3://bucket/key", None, FileFormat("jsonl")),
        ("s3://bucket/key.txt", "csv", FileFormat("csv")),
        ("s3://bucket/key.gz", "csv", FileFormat("csv", gzip=True)),
        ("s3://bucket.csv/key", None, FileFormat("jsonl")),
        ("s3://bucket/csv", None, FileFormat("jsonl")),
    ],
)
def test_a_kind_is_read(destination: str, format: str | None, expected: FileFormat) -> None:
    assert FileFormat.from_destination(destination, format) == expected


@pytest.mark.parametrize(
    ("destination", "format", "message"),
    [
        ("key.csv", "jsonl", r"`format` must be 'csv' .*'key.csv', got 'jsonl'.*\.jsonl or \.ndjson or \.json\.$"),
        (
            "key.ndjson.gz",
            "csv",
            "`format` must be 'jsonl' .*'key.ndjson.gz', got 'csv'",
        ),
        ("key", "tsv", "`format` must .*'tsv'.*Allowed: jsonl, csv, parquet"),
        ("key", "", "`format` must be a non-empty string, got ''"),
        ("key.parquet.gz", None, "`destination` must be without .gz.*'key.parquet.gz'"),
        ("key.gz", "parquet", "`destination` must be without .gz.*'key.gz'"),
        *(
            (f"key.csv.{other}", None, rf"`destination` must be without compression, or with \.gz.*'key.csv.{other}'")
            for other in ("zip", "zst", "bz2", "xz")
        ),
        *(
            (f"key.{other}", format, rf"`destination` must be one that ends in \.jsonl, .*'key.{other}'")
            for other in ("xlsx", "XLS", "tsv", "avro", "orc", "pdf", "tsv.gz")
            for format in (None, "csv")
        ),
    ],
)
def test_what_cannot_be_written_is_refused(destination: str, format: str | None, message: str) -> None:
    with pytest.raises(RingEventsConfigError, match=message):
        FileFormat.from_destination(destination, format)


@pytest.mark.parametrize(
    ("kind", "suffix", "content_type"),
    [
        (FileFormat("jsonl"), ".jsonl", "application/x-ndjson"),
        (FileFormat("csv"), ".csv", "text/csv; charset=utf-8"),
        (FileFormat("csv", gzip=True), ".csv.gz", "application/gzip"),
        (FileFormat("parquet"), ".parquet", "application/vnd.apache.parquet"),
    ],
)
def test_suffix_and_content_type(kind: FileFormat, suffix: str, content_type: str) -> None:
    assert kind.suffix == suffix
    assert kind.content_type == content_type
    assert FileFormat.from_destination(f"key{suffix}", None) == kind


def test_a_missing_pyarrow_is_said_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_pyarrow(name: str) -> Any:
        return None if name == "pyarrow" else find_spec(name)

    monkeypatch.setattr("airflow_provider_ringevents.exports.formats.file_format.find_spec", without_pyarrow)
    FileFormat("jsonl").check_installed()
    FileFormat("csv", gzip=True).check_installed()
    with pytest.raises(RingEventsConfigError, match=r"airflow-provider-ringevents\[parquet\]"):
        FileFormat("parquet").check_installed()
    with pytest.raises(RingEventsConfigError, match=r"airflow-provider-ringevents\[parquet\]"):
        open_row_writer(FileFormat("parquet"), "stages", lambda _: None, lambda _: None)


def test_reading_a_kind_costs_a_dag_nothing() -> None:
    code = (
        "from airflow_provider_ringevents.exports.formats import FileFormat\n"
        "FileFormat.from_destination('a.parquet', None).check_installed()\n"
        "import sys\n"
        "print(sorted({'pyarrow', 'msgspec', 'airflow', 'httpx'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
