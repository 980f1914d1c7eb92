"""``CREATE TABLE`` statements, run by DuckDB and PostgreSQL, and parsed for BigQuery and Snowflake."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cluster.servers import Postgres
from sample_rows import Row, file_of, listed_rows

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.columns import OTHER, columns_for
from airflow_provider_ringevents.exports.ddl import DIALECTS, create_table
from airflow_provider_ringevents.exports.formats import FileFormat
from docs import DOCS, blocks

PAGE = DOCS / "guides" / "load-into-a-warehouse.md"
CHANGED: Row = {"id": "r1", "firstName": "Zoë", "attended": True, "metadata": {"crmId": 7}, "later": [1]}


def names(collection: str) -> list[str]:
    return [*(column.name for column in columns_for(collection)), OTHER]


def sql(language_line: str) -> str:
    """Return the block of the guide that begins with this line."""
    every = (*blocks("sql"), *blocks("text"))  # `psql` has commands that are not SQL
    (found,) = [block.text for block in every if block.page == PAGE and block.text.startswith(language_line)]
    return found


@pytest.fixture(scope="module")
def postgres() -> Iterator[Any]:
    psycopg2 = pytest.importorskip("psycopg2", reason="psycopg2 is not installed (make readers)")
    if not list(Path("/usr/lib/postgresql").glob("*/bin")):
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with Postgres() as server:
        connection = psycopg2.connect(f"postgresql://{server.address}")
        yield connection
        connection.close()


@pytest.fixture
def duckdb() -> Iterator[Any]:
    library = pytest.importorskip("duckdb", reason="duckdb is not installed (make readers)")
    with library.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_duckdb_loads_the_files_of_every_list(duckdb: Any, tmp_path: Path, collection: str, suffix: str) -> None:
    rows = listed_rows()[collection]
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(file_of(FileFormat(suffix), collection, [rows]))  # type: ignore[arg-type]
    duckdb.execute(create_table(collection, "duckdb"))
    duckdb.execute(f"COPY {collection} FROM '{path}' (FORMAT {suffix})")
    loaded = duckdb.execute(f"SELECT * FROM {collection} ORDER BY id")
    assert [column[0] for column in loaded.description] == names(collection)
    assert [row[0] for row in loaded.fetchall()] == sorted(row["id"] for row in rows)


@pytest.mark.system
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_postgresql_loads_the_csv_of_every_list(postgres: Any, tmp_path: Path, collection: str) -> None:
    rows = listed_rows()[collection]
    with postgres.cursor() as cursor:
        cursor.execute(create_table(collection, "postgres", f"{collection}_all"))
        path = tmp_path / "rows.csv"
        path.write_bytes(file_of(FileFormat("csv"), collection, [rows]))
        with path.open() as file:
            cursor.copy_expert(f"COPY {collection}_all FROM STDIN WITH (FORMAT csv, HEADER match)", file)
        cursor.execute(f"SELECT id FROM {collection}_all")
        assert sorted(row[0] for row in cursor.fetchall()) == sorted(row["id"] for row in rows)
    postgres.rollback()


@pytest.mark.system
def test_postgresql_merges_a_later_file_by_id(postgres: Any, tmp_path: Path) -> None:
    statements = sql("CREATE TEMPORARY TABLE")
    before, copy, after = re.split(r"(\\copy .*\n)", statements)
    with postgres.cursor() as cursor:
        cursor.execute(create_table("registrations", "postgres"))
        for rows in ([{"id": "r1", "firstName": "Ada"}, {"id": "r2"}], [CHANGED]):
            path = tmp_path / "rows.csv"
            path.write_bytes(file_of(FileFormat("csv"), "registrations", [rows]))
            cursor.execute(before)
            with path.open() as file:
                cursor.copy_expert(copy.removeprefix("\\").strip().replace("'registrations.csv'", "STDIN"), file)
            cursor.execute(after)
            postgres.commit()
        cursor.execute('SELECT id, "firstName", attended, metadata, _other FROM registrations ORDER BY id')
        assert cursor.fetchall() == [
            ("r1", "Zoë", True, {"crmId": 7}, {"later": [1]}),
            ("r2", None, None, None, None),
        ]


def test_duckdb_keeps_types_and_merges_a_later_file_by_id(duckdb: Any, tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": "r1", "createdAt": "2026-05-01T12:00:00.5+02:00", "utm": {"utmSource": "x"}},
        {"id": "r2"},
    ]
    for number, content in enumerate((rows, [{**rows[0], **CHANGED}])):
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(file_of(FileFormat("parquet"), "registrations", [content]))
        duckdb.execute(create_table("registrations", "duckdb"))
        duckdb.execute(f"INSERT OR REPLACE INTO registrations BY NAME SELECT * FROM '{path}'")
    found = duckdb.execute(
        'SELECT id, "createdAt", "utm.utmSource", metadata->>\'crmId\' FROM registrations ORDER BY id'
    ).fetchall()
    assert found[0][1].astimezone(UTC) == datetime(2026, 5, 1, 10, 0, 0, 500000, UTC)
    assert [(row[0], *row[2:]) for row in found] == [("r1", "x", "7"), ("r2", None, None)]


@pytest.mark.parametrize("collection", COLLECTIONS)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_parses_with_every_column_in_order(dialect: str, collection: str) -> None:
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot is not installed (make readers)")
    (statement,) = sqlglot.parse(create_table(collection, dialect, "raw.people"), read=dialect)
    assert isinstance(statement, sqlglot.exp.Create)
    columns = [column.name for column in statement.find_all(sqlglot.exp.ColumnDef)]
    assert columns == [name.replace(".", "_") if dialect == "bigquery" else name for name in names(collection)]
    assert len({column.lower() for column in columns}) == len(columns)
    table = statement.find(sqlglot.exp.Table)
    assert (table.db, table.name) == ("raw", "people")
    (key,) = statement.find_all(sqlglot.exp.PrimaryKey)
    assert [each.name for each in key.expressions] == ["id"]


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake"])
def test_the_merges_of_the_guide_parse(dialect: str) -> None:
    sqlglot = pytest.importorskip("sqlglot", reason="sqlglot is not installed (make readers)")
    assert sqlglot.parse(sql(f"-- {dialect}"), read=dialect, error_level=sqlglot.ErrorLevel.RAISE)


def test_a_quote_in_the_name_of_a_table_is_doubled(duckdb: Any) -> None:
    duckdb.execute(create_table("templates", "duckdb", 'a"; DROP TABLE b; --'))
    assert duckdb.execute("SELECT table_name FROM information_schema.tables").fetchall() == [('a"; DROP TABLE b; --',)]


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        (("registration", "duckdb"), "collection"),
        (("registrations", "mysql"), "dialect"),
        (("registrations", "duckdb", ""), "table"),
        (("registrations", "duckdb", "raw."), "table"),
        (("registrations", "bigquery", "a`b"), "table"),
        (("registrations", "duckdb", "a\nb"), "table"),
    ],
)
def test_what_cannot_be_a_table_is_refused_by_name(arguments: tuple[str, ...], parameter: str) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        create_table(*arguments)
    assert caught.value.parameter == parameter


def test_the_guide_shows_the_statement_as_it_is() -> None:
    shown = sql("CREATE TABLE")
    assert shown.strip() == create_table("tickets", "postgres", "raw.tickets").strip()
    assert json.dumps(OTHER)[1:-1] in shown
