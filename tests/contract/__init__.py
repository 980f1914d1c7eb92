"""The documented API as data, and checks of requests and responses against it.

The contract (OpenAPI 3.1, so that its schemas are plain JSON Schema) was derived from the API's reference.
Three places there are incomplete and were completed from the paths themselves: the path parameters of
``create_event_from_template``, ``list_reports`` and ``list_schedule_item_tags``.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from airflow_provider_ringevents.contract.openapi import document

Query = str | Mapping[str, Any] | Iterable[tuple[str, Any]]

_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_FILTER_KEY = re.compile(r"(\w+)\[(\w+)\]\[(\w+)\]")
_URI = "urn:contract"
_FORMATS = FormatChecker(formats=())


def contract() -> dict[str, Any]:
    """Return the whole description, which callers must not change."""
    return document()


@functools.cache
def operations() -> dict[str, dict[str, Any]]:
    """All operations by ``operationId``, each with its ``method`` (upper case) and its ``paths``, longest first."""
    found: dict[str, dict[str, Any]] = {}
    for path, methods in sorted(contract()["paths"].items(), key=lambda entry: -len(entry[0])):
        for method, described in methods.items():
            name = described.get("x-operation", described["operationId"])
            known = found.setdefault(name, {**described, "method": method.upper(), "paths": []})
            known["paths"].append(path)
    return found


def operation(operation_id: str) -> dict[str, Any]:
    """One operation; ``create_report`` has two paths, and the parameters of the longer."""
    return operations()[operation_id]


def request_attributes(operation_id: str) -> dict[str, Any]:
    """The schema of an operation's own attributes: ``data.attributes``, or the body where it has no envelope."""
    schema: dict[str, Any] = operation(operation_id)["requestBody"]["content"]["application/json"]["schema"]
    data = schema["properties"].get("data")
    return data["properties"]["attributes"] if data else schema


def enumeration(name: str) -> list[str]:
    """The values of an enumeration that is a component: ``timezone``, ``reportType`` or ``reportVersion``."""
    values: list[str] = contract()["components"]["schemas"][name]["enum"]
    return values


def check_request(method: str, path: str, query: Query = (), body: Any = None) -> str:
    """Check a request against the reference.

    :param path: the raw path, still percent-quoted, without the query.
    :param query: the raw query string, a mapping, or pairs.
    :param body: bytes or text as sent, or the parsed JSON; ``None`` or empty bytes for no body.
    :return: the ``operationId``.
    :raises AssertionError: with every problem on a line of its own.
    """
    template, values = _match(path)
    described = contract()["paths"][template].get(method.lower())
    if described is None:
        raise AssertionError(f"{method} {path}: {template} is documented with other methods only")
    parameters = {(entry["in"], entry["name"]): entry for entry in described.get("parameters", ())}
    problems = [
        problem
        for name, value in values.items()
        for problem in _violations(parameters["path", name]["schema"], value, f"path {name}")
    ]
    problems += _query_problems(parameters, query)
    problems += _body_problems(described, body)
    _raise(f"{method} {path}", problems)
    operation_id: str = described.get("x-operation", described["operationId"])
    return operation_id


def check_response(operation_id: str, status: int, body: Any = None) -> None:
    """Check an answer against the reference.

    :param body: bytes or text as received, or the parsed JSON; ``None`` or empty bytes for no body.
    :raises AssertionError: with every problem on a line of its own.
    """
    described = operation(operation_id)["responses"].get(str(status))
    if described is None:
        raise AssertionError(f"{operation_id}: status {status} is not documented")
    where = f"{operation_id} {status}"
    content = described.get("content", {})
    if "*/*" in content:
        return
    if not content:
        # An error whose body is not documented may still carry the documented errors.
        if body not in (None, b"", "") and status < 400:
            raise AssertionError(f"{where}: a body where none is documented")
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/errors"}}}
        if body in (None, b"", ""):
            return
    try:
        parsed = _parsed(body)
    except ValueError as error:
        raise AssertionError(f"{where}: body is not JSON: {error}") from None
    _raise(where, _violations(content["application/json"]["schema"], parsed, "body"))


def _match(path: str) -> tuple[str, dict[str, str]]:
    segments = path.split("/")
    for template in contract()["paths"]:
        parts = template.split("/")
        if len(parts) == len(segments) and all(map(_segment_matches, parts, segments)):
            names = (part[1:-1] for part in parts if part.startswith("{"))
            filled = (unquote(seg) for part, seg in zip(parts, segments, strict=True) if part.startswith("{"))
            return template, dict(zip(names, filled, strict=True))
    raise AssertionError(f"path {path!r} is not documented")


def _segment_matches(part: str, segment: str) -> bool:
    if not part.startswith("{"):
        return part == segment
    # Servers and proxies resolve dot segments, quoted ones too, before they look at the path.
    return bool(segment) and unquote(segment) not in (".", "..") and "?" not in segment and "#" not in segment


def _query_problems(parameters: Mapping[tuple[str, str], Mapping[str, Any]], query: Query) -> list[str]:
    problems: list[str] = []
    filters: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for key, text in _pairs(query):
        nested = _FILTER_KEY.fullmatch(key)
        name = nested[1] if nested else key
        described = parameters.get(("query", name))
        if described is None or (described.get("style") == "deepObject") != bool(nested):
            problems.append(f"query {key}: not documented")
        elif key in seen:
            problems.append(f"query {key}: given more than once")
        elif nested:
            schema = _resolved(described["schema"])["properties"].get(nested[2], {})
            operator = _resolved(schema).get("properties", {}).get(nested[3], {})
            filters.setdefault(name, {}).setdefault(nested[2], {})[nested[3]] = _typed(operator, text)
        else:
            problems += _violations(described["schema"], _typed(described["schema"], text), f"query {key}")
        seen.add(key)
    for name, value in filters.items():
        problems += _violations(parameters["query", name]["schema"], value, f"query {name}")
    for (where, name), described in parameters.items():
        if where == "query" and described["required"] and name not in seen:
            problems.append(f"query {name}: missing")
    return problems


def _pairs(query: Query) -> list[tuple[str, str]]:
    if isinstance(query, str):
        return parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    pairs = query.items() if isinstance(query, Mapping) else query
    return [(key, str(value).lower() if isinstance(value, bool) else str(value)) for key, value in pairs]


def _typed(schema: Mapping[str, Any], text: str) -> Any:
    """Read a query value as its schema's type; what cannot be read stays text, which the schema then refuses."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "array":
        return text.split(",")
    return text


def _body_problems(described: Mapping[str, Any], body: Any) -> list[str]:
    documented = described.get("requestBody")
    if body is None or body == b"":
        return (
            ["body: missing"]
            if documented and _needs_body(described.get("x-operation", described["operationId"]))
            else []
        )
    if not documented:
        return ["body: not documented"]
    try:
        parsed = _parsed(body)
    except ValueError as error:
        return [f"body: not JSON: {error}"]
    return _violations(documented["content"]["application/json"]["schema"], parsed, "body")


def _needs_body(operation_id: str) -> bool:
    """The reference calls every body optional; one with required attributes cannot be left out all the same."""
    return bool(request_attributes(operation_id).get("required"))


def _parsed(body: Any) -> Any:
    return json.loads(body) if isinstance(body, bytes | str) else body


@functools.cache
def _registry() -> Registry[Any]:
    empty: Registry[Any] = Registry()
    return empty.with_resource(_URI, DRAFT202012.create_resource(contract()))


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return _registry().resolver(_URI).lookup(schema["$ref"]).contents if "$ref" in schema else schema


def _violations(schema: Mapping[str, Any], value: Any, where: str) -> list[str]:
    validator = Draft202012Validator(_absolute(schema), registry=_registry(), format_checker=_FORMATS)
    return [f"{where}{error.json_path[1:]}: {error.message[:300]}" for error in validator.iter_errors(value)]


def _absolute(schema: Any) -> Any:
    """Make "#/components/..." point into the whole description, from a schema that was cut out of it."""
    if isinstance(schema, dict):
        return {key: f"{_URI}{item}" if key == "$ref" else _absolute(item) for key, item in schema.items()}
    return schema


def _raise(where: str, problems: list[str]) -> None:
    if problems:
        raise AssertionError("\n  ".join([f"{where}:", *problems]))


def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _DATE_TIME.fullmatch(value):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_FORMATS.checks("date-time")(_is_date_time)
