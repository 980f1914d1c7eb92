"""The OpenAPI description itself, for the emulator and the command line; nothing else reads it at run time."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any


@functools.cache
def document_text() -> str:
    """Return the OpenAPI description as JSON text."""
    return Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")


@functools.cache
def document() -> dict[str, Any]:
    """Return the parsed OpenAPI description, which callers must not change."""
    parsed: dict[str, Any] = json.loads(document_text())
    return parsed


@functools.cache
def request_body_schema(operation: str) -> dict[str, Any]:
    """Return the JSON Schema of an operation's request body, without references.

    :param operation: the ``operationId``.
    :raises KeyError: the operation is unknown or takes no body.
    """
    for methods in document()["paths"].values():
        for described in methods.values():
            if described["operationId"] == operation and "requestBody" in described:
                schema: dict[str, Any] = resolve(described["requestBody"]["content"]["application/json"]["schema"])
                return schema
    raise KeyError(operation)


def attributes_schema(body: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a request body's schema that describes ``data.attributes``, or all of it without ``data``."""
    data = body["properties"].get("data")
    schema: dict[str, Any] = data["properties"]["attributes"] if data else body
    return schema


def resolve(schema: Any) -> Any:
    """Replace every ``$ref`` in a schema by the component that it names."""
    if isinstance(schema, list):
        return [resolve(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolve(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    return {key: resolve(value) for key, value in schema.items()}
