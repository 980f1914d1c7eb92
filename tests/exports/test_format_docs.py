"""The samples in the documentation are files as they are written."""

from __future__ import annotations

import io

import pytest
from sample_rows import Row, file_of, listed_rows

from airflow_provider_ringevents.exports.formats import FileFormat
from airflow_provider_ringevents.exports.formats.compression import GZIP_LEVEL
from docs import DOCS, blocks


def shown_rows() -> list[Row]:
    """A short registration and one that has everything."""
    rows = listed_rows()["registrations"]
    return [rows[0], next(row for row in rows if row["bio"] and row["metadata"] and row["utm"])]


def as_parquet() -> str:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    table = pq.read_table(io.BytesIO(file_of(FileFormat("parquet"), "registrations", [shown_rows()[1:]])))
    (row,) = table.to_pylist()
    types = [f"{name}: {kind}" for name, kind in zip(table.schema.names, table.schema.types, strict=True)]
    values = [
        f"{name} = {value!r}" if isinstance(value, str) else f"{name} = {value}"
        for name, value in row.items()
        if value is not None
    ]
    return "\n".join([*types, "", *values, ""])


def sample(page: str) -> str:
    """What the page's block of text has to be."""
    if page == "parquet":
        return as_parquet()
    kind = FileFormat("csv" if page == "csv" else "jsonl")
    return file_of(kind, "registrations", [shown_rows()]).decode()


@pytest.mark.parametrize("page", ["json-lines", "csv", "parquet"])
def test_the_sample_is_real(page: str) -> None:
    (shown,) = [block.text for block in blocks("text") if block.page == DOCS / "formats" / f"{page}.md"]
    assert shown == sample(page)


def test_the_level_of_gzip_is_the_one_that_is_named() -> None:
    assert f"The level is {GZIP_LEVEL}." in (DOCS / "formats" / "json-lines.md").read_text(encoding="utf-8")
