"""The columns of the tables are what the API's reference documents, and what the documentation shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from contract import contract, operation

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.columns import OTHER, ColumnKind, columns_for
from docs import code, rows

# Documented as plain text; what they are is in their names.
TIMES = {"createdAt", "timeStart", "timeEnd", "firstCheckIn"}
IN_PARQUET = {
    "string": "string",
    "integer": "int64",
    "number": "double",
    "boolean": "bool",
    "timestamp": "timestamp[us, tz=UTC]",
    "json": "string",
}


def documented(collection: str) -> Iterator[tuple[str, ColumnKind]]:
    """The fields of a list's rows, as the reference has them."""
    answer = operation(f"list_{collection}")["responses"]["200"]["content"]["application/json"]["schema"]
    reference = answer["properties"]["data"]["items"]["$ref"]
    schema = contract()["components"]["schemas"][reference.rpartition("/")[2]]
    yield from flattened(schema["properties"]["attributes"]["properties"])


def flattened(properties: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, ColumnKind]]:
    for name, schema in properties.items():
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        (kind,) = set(types) - {"null"}
        if kind == "object" and "properties" in schema:
            yield from flattened(schema["properties"], f"{prefix}{name}.")
        elif kind in ("object", "array"):
            yield prefix + name, "json"
        elif schema.get("format") == "date-time" or name in TIMES:
            yield prefix + name, "timestamp"
        else:
            yield prefix + name, kind


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_documented_field_has_its_column(collection: str) -> None:
    expected = {name: kind for name, kind in documented(collection) if name not in COLLECTIONS[collection].dropped}
    columns = columns_for(collection)
    assert {column.name: column.kind for column in columns} == expected
    assert len(columns) == len(expected)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_id_is_first_and_the_rest_is_in_the_order_of_the_reference(collection: str) -> None:
    names = [column.name for column in columns_for(collection)]
    assert names[0] == "id"
    own = [name.partition(".")[0] for name in names[1:]]
    # The reference goes by the alphabet, but for reports.
    assert own == (["title", "status"] if collection == "reports" else sorted(own))
    assert OTHER not in names


def test_a_signed_link_has_no_column_and_a_credential_has_one() -> None:
    assert "url" not in {column.name for column in columns_for("reports")}
    for name in ("registrations", "magic_links"):
        there = {column.name for column in columns_for(name)}
        fields = {field for field, _ in documented(name)}
        assert COLLECTIONS[name].credentials & fields <= there


def test_an_unknown_list_is_refused_by_name() -> None:
    with pytest.raises(RingEventsConfigError, match=r"`collection` must .*'registration'.*'registrations'"):
        columns_for("registration")


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_documentation_shows_the_columns(collection: str) -> None:
    shown = [tuple(code(cell)[0] for cell in row) for row in rows("formats/index.md", f"### {collection}")]
    assert shown == [(column.name, column.kind, IN_PARQUET[column.kind]) for column in columns_for(collection)]
