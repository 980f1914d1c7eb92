"""Files of exports, opened by the readers that the documentation names, as it says: DuckDB, polars, pandas, pyarrow.

``make readers`` installs them. Where one is missing its tests are skipped, unless ``RINGEVENTS_NO_SKIP=1``.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from sample_rows import Row, file_of

from airflow_provider_ringevents.exports.formats import FileFormat
from docs import DOCS

ROWS: list[Row] = [
    {"id": "007", "name": "", "new": None},
    {"id": "008", "name": None},
    {"id": "9", "name": 'a "b"\nc\u2028d, e'},
]
NAMES = ["", None, 'a "b"\nc\u2028d, e']
IDS = ["007", "008", "9"]


def written(directory: Path, suffix: str, rows: list[Row] = ROWS) -> Path:
    path = directory / f"rows.{suffix}"
    path.write_bytes(file_of(FileFormat(suffix), "stages", [rows]))  # type: ignore[arg-type]
    return path


def page(name: str) -> str:
    return " ".join((DOCS / "formats" / f"{name}.md").read_text(encoding="utf-8").split())


def duckdb_rows(query: str) -> list[tuple[Any, ...]]:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed (make readers)")
    rows: list[tuple[Any, ...]] = duckdb.sql(query).fetchall()
    return rows


def test_duckdb_reads_csv_with_an_empty_text_as_null_unless_told_otherwise(tmp_path: Path) -> None:
    path = written(tmp_path, "csv")
    query = "select id, name from read_csv('{}'{})"
    assert duckdb_rows(query.format(path, "")) == list(zip(IDS, [None, *NAMES[1:]], strict=True))
    assert duckdb_rows(query.format(path, ", allow_quoted_nulls=false")) == list(zip(IDS, NAMES, strict=True))
    assert "allow_quoted_nulls=false" in page("csv")


def test_polars_tells_an_empty_text_from_null_and_needs_no_inference_for_leading_zeros(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed (make readers)")
    path = written(tmp_path, "csv")
    assert polars.read_csv(path)["name"].to_list() == NAMES
    assert polars.read_csv(path)["id"].to_list() == [7, 8, 9]
    assert polars.read_csv(path, infer_schema=False)["id"].to_list() == IDS
    assert "infer_schema=False" in page("csv")


def test_pandas_takes_an_empty_text_for_missing_and_keeps_zeros_of_text(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (make readers)")
    path = written(tmp_path, "csv")
    table = pandas.read_csv(path, dtype=str)
    assert table["id"].tolist() == IDS
    assert table["name"].isna().tolist() == [True, True, False]
    assert pandas.read_csv(path)["id"].tolist() == [7, 8, 9]


def test_pyarrow_reads_csv_with_the_options_that_are_named(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (make readers)")
    csv = pytest.importorskip("pyarrow.csv", reason="pyarrow is not installed (make readers)")
    table = csv.read_csv(
        written(tmp_path, "csv"),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            column_types={"id": arrow.string()},
        ),
    )
    assert (table["id"].to_pylist(), table["name"].to_pylist()) == (IDS, NAMES)
    for option in ("newlines_in_values=True", "strings_can_be_null=True", "quoted_strings_can_be_null=False"):
        assert option in page("csv")


# --- JSON Lines


def test_u2028_within_a_text_ends_no_line_but_for_splitlines(tmp_path: Path) -> None:
    path = written(tmp_path, "jsonl")
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) == 4
    assert len(text.split("\n")[:-1]) == 3
    with path.open(encoding="utf-8") as lines:
        assert len(list(lines)) == 3
    assert "`splitlines`" in page("json-lines")
    assert "U+2028" in page("json-lines")


def test_duckdb_reads_json_lines_and_an_empty_file(tmp_path: Path) -> None:
    query = "select {} from read_json('{}', format='newline_delimited'{})"
    assert duckdb_rows(query.format("id, name", written(tmp_path, "jsonl"), "")) == list(zip(IDS, NAMES, strict=True))
    empty = written(tmp_path, "jsonl", [])
    assert duckdb_rows(query.format("*", empty, "")) == []
    assert duckdb_rows(query.format("id", empty, ", columns={id: 'VARCHAR'}")) == []


def test_polars_reads_json_lines_and_an_empty_file_with_a_schema_alone(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed (make readers)")
    assert polars.read_ndjson(written(tmp_path, "jsonl"))["name"].to_list() == NAMES
    empty = written(tmp_path, "jsonl", [])
    with pytest.raises(polars.exceptions.ComputeError):
        polars.read_ndjson(empty)
    assert polars.read_ndjson(empty, schema={"id": polars.String}).is_empty()


def test_pandas_reads_json_lines_and_an_empty_file(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (make readers)")
    table = pandas.read_json(written(tmp_path, "jsonl"), lines=True, dtype=False)
    assert table["id"].tolist() == IDS
    assert table["name"].tolist()[::2] == NAMES[::2]
    assert pandas.read_json(written(tmp_path, "jsonl", []), lines=True).empty


def test_pyarrow_reads_json_lines_but_no_empty_file(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (make readers)")
    json = pytest.importorskip("pyarrow.json", reason="pyarrow is not installed (make readers)")
    assert json.read_json(written(tmp_path, "jsonl"))["name"].to_pylist() == NAMES
    with pytest.raises(arrow.ArrowInvalid, match="Empty JSON"):
        json.read_json(written(tmp_path, "jsonl", []))
    assert "Empty JSON file" in page("json-lines")


def test_readers_round_numbers_of_json_lines_that_are_no_double(tmp_path: Path) -> None:
    path = tmp_path / "numbers.jsonl"
    path.write_bytes(b'{"n":1e400}\n{"n":12345678901234567.89}\n')
    (large,), (long,) = duckdb_rows(f"select n from read_json('{path}', format='newline_delimited')")
    assert math.isinf(large)
    assert long == 12345678901234568
    polars = pytest.importorskip("polars", reason="polars is not installed (make readers)")
    with pytest.raises(polars.exceptions.ComputeError):
        polars.read_ndjson(path)


# --- empty tables, Parquet


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_without_rows_have_their_columns(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix, [])
    names = ["id", "createdAt", "name", "updatedAt", "_other"]
    assert duckdb_rows(f"select * from '{path}'") == []
    polars = pytest.importorskip("polars", reason="polars is not installed (make readers)")
    assert getattr(polars, f"read_{suffix}")(path).columns == names
    pandas = pytest.importorskip("pandas", reason="pandas is not installed (make readers)")
    assert list(getattr(pandas, f"read_{suffix}")(path).columns) == names


def test_all_readers_agree_on_parquet(tmp_path: Path) -> None:
    path = written(tmp_path, "parquet")
    expected = list(zip(IDS, NAMES, ['{"new":null}', None, None], strict=True))
    assert duckdb_rows(f"select id, name, _other from '{path}'") == expected
    polars = pytest.importorskip("polars", reason="polars is not installed (make readers)")
    assert polars.read_parquet(path).select("id", "name", "_other").rows() == expected
