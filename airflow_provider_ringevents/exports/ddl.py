"""The table of a list in a database: one ``CREATE TABLE`` statement for its CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.types import validate_choice
from airflow_provider_ringevents.exports.columns import OTHER, Column, ColumnKind, columns_for

Dialect = Literal["duckdb", "postgres", "bigquery", "snowflake"]
DIALECTS: Final[tuple[Dialect, ...]] = get_args(Dialect)


@dataclass(frozen=True, slots=True)
class _Grammar:
    """The syntax of the statement in one database.

    :ivar quote: the character around identifiers.
    :ivar types: the type of each kind of column.
    :ivar primary_key: the constraint on ``id``, with ``{}`` for its name.
    :ivar column_name: the name in the table of a column in the file.
    """

    quote: str
    types: dict[ColumnKind, str]
    primary_key: str
    column_name: Callable[[str], str] = str

    def identifier(self, name: str) -> str:
        # GoogleSQL escapes with a backslash instead; _table_parts refuses the names that would need it.
        return f"{self.quote}{name.replace(self.quote, self.quote * 2)}{self.quote}"


def _without_dots(name: str) -> str:
    return name.replace(".", "_")


# JSON has a type of its own only where a load from CSV and from Parquet both fill it. Numbers of a Parquet file are
# doubles, which BigQuery does not put into NUMERIC.
_GRAMMARS: Final[dict[Dialect, _Grammar]] = {
    "duckdb": _Grammar(
        '"',
        {
            "string": "VARCHAR",
            "integer": "BIGINT",
            "number": "DOUBLE",
            "boolean": "BOOLEAN",
            "timestamp": "TIMESTAMP WITH TIME ZONE",
            "json": "JSON",
        },
        "PRIMARY KEY ({})",
    ),
    "postgres": _Grammar(
        '"',
        {
            "string": "text",
            "integer": "bigint",
            "number": "numeric",
            "boolean": "boolean",
            "timestamp": "timestamp with time zone",
            "json": "jsonb",
        },
        "PRIMARY KEY ({})",
    ),
    "bigquery": _Grammar(
        "`",
        {
            "string": "STRING",
            "integer": "INT64",
            "number": "FLOAT64",
            "boolean": "BOOL",
            "timestamp": "TIMESTAMP",
            "json": "STRING",
        },
        "PRIMARY KEY ({}) NOT ENFORCED",
        _without_dots,
    ),
    "snowflake": _Grammar(
        '"',
        {
            "string": "VARCHAR",
            "integer": "BIGINT",
            "number": "DOUBLE",
            "boolean": "BOOLEAN",
            "timestamp": "TIMESTAMP_TZ",
            "json": "VARCHAR",
        },
        "PRIMARY KEY ({})",
    ),
}


def create_table(collection: str, dialect: str, table: str | None = None) -> str:
    """Return the ``CREATE TABLE`` statement of a list, with the columns of its files in their order.

    :param collection: The list, for example ``registrations``.
    :param dialect: ``duckdb``, ``postgres``, ``bigquery`` or ``snowflake``.
    :param table: The name of the table, with dots between its database, schema and name. Default: the list's.
    :return: One statement that ends in a semicolon. Only ``id``, the primary key, may not be null.
    :raises RingEventsConfigError: There is no such list or dialect, or a part of the table's name is blank or holds
        a control character, a backslash or a backquote.
    """
    columns = columns_for(collection)
    grammar = _GRAMMARS[cast("Dialect", validate_choice("dialect", dialect, DIALECTS, closed=True))]
    parts = _table_parts(collection if table is None else table)
    lines = [
        f"{grammar.identifier(grammar.column_name(column.name))} {grammar.types[column.kind]}"
        for column in (*columns, Column(OTHER, "json"))
    ]
    name = ".".join(map(grammar.identifier, parts))
    body = ",\n    ".join((*lines, grammar.primary_key.format(grammar.identifier("id"))))
    return f"CREATE TABLE IF NOT EXISTS {name} (\n    {body}\n);\n"


def _table_parts(table: str) -> list[str]:
    parts = table.split(".")
    if not all(part.strip() and part.isprintable() and not {"\\", "`"} & set(part) for part in parts):
        raise invalid_argument(
            "table", "a name, or names with dots between them, without control characters, \\ and `", table
        )
    return parts
