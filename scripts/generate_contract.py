"""Write the generated modules of ``airflow_provider_ringevents/contract/``, and the table of its notes in the docs.

    python scripts/generate_contract.py

``tests/contract/test_generated.py`` compares the result with the committed files.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from airflow_provider_ringevents.contract import openapi, overlay

FOLDER = Path(openapi.__file__).parent
WIDTH = 120
NOTES_PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "what-the-api-leaves-open.md"
NOTES_HEAD = """| the reference | our assumption | source | how sure | where | line of the report |
|---|---|---|---|---|---|
"""
NOTES_END = "\n## When a report is ready\n"
SOURCES = {
    "reference": "reference",
    "vendor-collection": "vendor's collection",
    "vendor-sample": "vendor's OAuth sample",
    "working-client": "working clients",
    "help-page": "help pages",
    "guess": "guess",
}
"""Source of a note -> how the page names it."""
HEAD = '''"""{summary}

Written by ``scripts/generate_contract.py``; do not edit.
"""

from __future__ import annotations

{imports}
'''
# Constant -> where the description has the enumeration: a component, or an attribute of a request.
ENUMERATIONS = {
    "REPORT_TYPES": "reportType",
    "REPORT_VERSIONS": "reportVersion",
    "SEGMENT_TYPES": "create_report.segmentType",
    "PARTICIPATION_REPORT_TYPES": "create_report.participationReportType",
    "SIGNALS": "create_data_subscription.signals",
    "EVENT_TYPES": "create_event.eventType",
    "ATTENDEES_VISIBILITIES": "create_event.attendeesVisibility",
    "NETWORK_TYPES": "create_event.networkType",
    "TIME_ZONES": "timezone",
    "REGISTRATION_TYPES": "registrationType",
}


class Name(str):
    """A constant's name, written without quotes."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the path, the HTTP method and the description of every operation."""
    for path, methods in openapi.document()["paths"].items():
        for method, described in methods.items():
            yield path, method.upper(), described


def component(name: str) -> dict[str, Any]:
    """Return a schema of the components."""
    schema: dict[str, Any] = openapi.document()["components"]["schemas"][name]
    return schema


@functools.cache
def enumerations() -> dict[str, tuple[str, ...]]:
    """Return the values of every enumeration by the name of its constant."""
    found = {}
    for constant, place in ENUMERATIONS.items():
        operation, _, attribute = place.rpartition(".")
        if operation:
            body = openapi.request_body_schema(operation)
            schema = openapi.attributes_schema(body)["properties"][attribute]
        else:
            schema = component(attribute)
        found[constant] = tuple(schema.get("items", schema)["enum"])
    return found


def name_of(described: Mapping[str, Any]) -> str:
    """Return the name of an operation: one of two paths has an ``operationId`` of its own, which OpenAPI demands."""
    name: str = described.get("x-operation", described["operationId"])
    return name


def operation_table() -> dict[str, tuple[str, tuple[str, ...], bool]]:
    """Return the method, the paths and whether it takes ``page``, of every operation."""
    found: dict[str, tuple[str, tuple[str, ...], bool]] = {}
    for path, method, described in operations():
        name = name_of(described)
        paged = any(parameter["name"] == "page" for parameter in described.get("parameters", ()))
        known = found.get(name, (method, (), paged))
        found[name] = (method, (*known[1], path), paged)
    return found


def request_attribute(name: str, schema: Mapping[str, Any], required: bool) -> tuple[str, bool, Any]:
    """Return the type of a request attribute, whether it is required, and what the type needs to know."""
    values = tuple(schema.get("items", schema).get("enum", ()))
    # Two enumerations may have the same values: the one whose place ends in the attribute's name is the right one.
    constants = [constant for constant, known in enumerations().items() if known == values]
    named = [constant for constant in constants if ENUMERATIONS[constant].rpartition(".")[2] == name]
    if values:
        constant = Name((named or constants)[0])
        kind = {"TIME_ZONES": "timezone"}.get(constant, "enumeration")
        return f"{kind} list" if schema["type"] == "array" else kind, required, constant
    if pattern := schema.get("pattern") or overlay.ATTRIBUTE_PATTERNS.get(name):
        return "pattern", required, pattern
    if schema["type"] == "array":
        return "struct list", required, request_attributes(schema["items"])
    if isinstance(schema["type"], list):
        return " or ".join(schema["type"]), required, None
    if schema["type"] == "object":
        if "properties" in schema:
            return "struct", required, request_attributes(schema)
        return "map", required, "string" if schema["additionalProperties"] == {"type": "string"} else "any"
    return schema["format"] if schema.get("format") == "date-time" else schema["type"], required, None


def request_attributes(schema: Mapping[str, Any]) -> dict[str, tuple[str, bool, Any]]:
    """Return the attributes of an object of a request."""
    required = schema.get("required", ())
    return {name: request_attribute(name, each, name in required) for name, each in schema["properties"].items()}


def requests() -> dict[str, Any]:
    """Return the attributes of every operation that takes a body."""
    names = dict.fromkeys(name_of(described) for _, _, described in operations() if "requestBody" in described)
    return {name: request_attributes(openapi.attributes_schema(openapi.request_body_schema(name))) for name in names}


def lists() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the name, the path and the description of every list."""
    for path, _, described in operations():
        if described["operationId"].startswith("list_"):
            yield described["operationId"].removeprefix("list_"), path, described


def parents() -> dict[str, str | None]:
    """Return the resource that each list belongs to."""
    found = {}
    for name, path, _ in lists():
        owner = re.match(r"/v1/(\w+)s/\{", path)
        found[name] = re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", owner[1]) if owner else None
    return found


def columns(properties: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the columns of an object's fields, with the fields of nested objects under dotted names."""
    for name, schema in properties.items():
        (kind,) = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"]) - {"null"}
        if kind == "object" and "properties" in schema:
            yield from columns(schema["properties"], f"{prefix}{name}.")
        elif kind in ("object", "array"):
            yield prefix + name, "json"
        elif schema.get("format") == "date-time" or name in overlay.TIMESTAMP_FIELDS:
            yield prefix + name, "timestamp"
        else:
            yield prefix + name, kind


def list_columns() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the columns of every list, ``id`` first, without those of signed links."""
    found = {}
    for name, _, described in lists():
        row = described["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]["items"]
        fields = openapi.resolve(row)["properties"]["attributes"]["properties"]
        dropped = overlay.SIGNED_LINK_FIELDS.get(name, frozenset())
        kept = [column for column in columns(fields) if column[0] not in dropped]
        found[name] = tuple(sorted(kept, key=lambda column: column[0] != "id"))
    return found


def filters() -> tuple[dict[str, dict[str, tuple[str, tuple[str, ...]]]], dict[str, tuple[str, ...]]]:
    """Return the fields that each list can be filtered by, and those that its error for an unknown one names."""
    fields: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
    named = {}
    for name, _, described in lists():
        for parameter in described.get("parameters", ()):
            if parameter["name"] != "filter":
                continue
            schema = openapi.resolve(parameter["schema"])
            fields[name] = {field: _filter_field(each) for field, each in schema["properties"].items()}
            named[name] = tuple(schema.get("x-named-in-errors", fields[name]))
    return fields, named


def _filter_field(schema: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    equal = schema["properties"]["eq"]
    return equal.get("format", equal["type"]), tuple(schema["properties"])


def literal(value: Any, used: int, indent: int = 0) -> str:
    """Return a Python literal in the layout of ruff.

    :param used: the characters of the line before and after the literal.
    :param indent: the spaces before the line.
    """
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        return '"{}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))
    if not isinstance(value, tuple | dict):
        return repr(value)
    opening, closing = "{}" if isinstance(value, dict) else "()"
    items = list(_items(value, 10**9, 0))
    line = opening + ", ".join(items) + ("," if isinstance(value, tuple) and len(value) == 1 else "") + closing
    if used + len(line) <= WIDTH:
        return line
    inner = indent + 4
    lines = [f"{' ' * inner}{item}," for item in _items(value, inner + 1, inner)]
    return "\n".join([opening, *lines, f"{' ' * indent}{closing}"])


def _items(value: tuple[Any, ...] | dict[str, Any], used: int, indent: int) -> Iterator[str]:
    # A width that nothing reaches keeps the items on one line.
    wide = used == 10**9
    if isinstance(value, tuple):
        yield from (literal(item, -(10**9) if wide else used, indent) for item in value)
        return
    for key, item in value.items():
        start = f"{literal(key, 0)}: "
        yield start + literal(item, -(10**9) if wide else used + len(start), indent)


def constant(name: str, annotation: str, value: Any, docstring: str) -> str:
    """Return the definition of a constant."""
    start = f"{name}: Final[{annotation}] = "
    return f'{start}{literal(value, len(start))}\n"""{docstring}"""\n'


def data_module() -> str:
    """Return the text of ``_generated.py``."""
    fields, named = filters()
    parts = [HEAD.format(summary="The API as plain data.", imports="from typing import Any, Final")]
    parts += [
        constant(name, "tuple[str, ...]", values, f"The documented values of ``{ENUMERATIONS[name]}``.")
        for name, values in enumerations().items()
    ]
    parts += [
        constant(
            "OPERATIONS",
            "dict[str, tuple[str, tuple[str, ...], bool]]",
            operation_table(),
            "Operation -> HTTP method, paths (shortest first), whether it takes ``page`` and ``perPage``.",
        ),
        constant(
            "REQUESTS",
            "dict[str, dict[str, tuple[str, bool, Any]]]",
            requests(),
            "Operation -> attribute -> type, whether it is required, and the type's values, pattern or attributes.",
        ),
        constant("PARENTS", "dict[str, str | None]", parents(), "List -> the resource that it belongs to."),
        constant(
            "COLUMNS",
            "dict[str, tuple[tuple[str, str], ...]]",
            list_columns(),
            "List -> name and type of each documented field, ``id`` first.",
        ),
        constant(
            "FILTERS",
            "dict[str, dict[str, tuple[str, tuple[str, ...]]]]",
            fields,
            "List -> field that it can be filtered by -> type and operators.",
        ),
        constant(
            "FILTERS_IN_ERRORS",
            "dict[str, tuple[str, ...]]",
            named,
            "List -> fields that the service's error for an unknown one names.",
        ),
    ]
    return "\n".join(parts)


def class_name(name: str) -> str:
    """Return the name of a resource's class."""
    return name[0].upper() + name[1:]


def annotation(name: str, schema: Mapping[str, Any], nested: dict[str, Mapping[str, Any]]) -> str:
    """Return the annotation of a field, and add the classes that it needs to ``nested``."""
    if "$ref" in schema:
        name = class_name(schema["$ref"].rpartition("/")[2])
        nested[name] = component(schema["$ref"].rpartition("/")[2])
        return name
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    written = []
    for kind in kinds:
        if kind == "object" and "properties" in schema:
            nested[name] = schema
            written.append(name)
        elif kind == "object":
            open_ended = schema.get("additionalProperties") is True
            written.append("dict[str, Any]" if open_ended else "dict[str, str]")
        elif kind == "array":
            items = schema.get("items") or {}
            written.append(f"list[{annotation(name.removesuffix('s'), items, nested) if items else 'Any'}]")
        else:
            written.append(
                {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}[kind]
            )
    return " | ".join(written)


def typed_dicts(name: str, schema: Mapping[str, Any], docstring: str | None) -> Iterator[str]:
    """Yield the class of a resource, after the classes of the objects in it."""
    properties = dict(sorted(schema["properties"].items(), key=lambda entry: entry[0] != "id"))
    required = schema.get("required", ())
    nested: dict[str, Mapping[str, Any]] = {}
    lines = [f'    """{docstring}"""\n'] if docstring else []
    for field, each in properties.items():
        kind = annotation(name + class_name(field), each, nested)
        lines.append(f"    {field}: {kind}" if field in required else f"    {field}: NotRequired[{kind}]")
    for inner, each in nested.items():
        yield from typed_dicts(inner, each, None)
    yield "\n".join([f"class {name}(TypedDict):", *lines])


def resources_module() -> str:
    """Return the text of ``_generated_resources.py``."""
    classes = []
    for name, schema in openapi.document()["components"]["schemas"].items():
        if "attributes" in schema.get("properties", {}) and "attributes" in schema.get("required", ()):
            note = schema.get("description", "").replace("`", "``") or None
            classes += typed_dicts(class_name(name), schema["properties"]["attributes"], note)
    head = HEAD.format(
        summary="The documented fields of each resource; responses may hold more.",
        imports="from typing import Any, NotRequired, TypedDict",
    )
    return "\n\n".join([head, *dict.fromkeys(f"{each}\n" for each in classes)])


def modules() -> dict[Path, str]:
    """Return the text of every generated module by its path."""
    return {FOLDER / "_generated.py": data_module(), FOLDER / "_generated_resources.py": resources_module()}


def notes_page() -> tuple[Path, str]:
    """Return the path of the page on the contract's notes, and its text with their table."""
    lines = [
        f"| {note['question']} | {note['assumption']} | {SOURCES[note['source']]} | {note['certainty']} |"
        f" {', '.join(f'`{module}`' for module in note['code'])} | {f'`{name}`' if note['probe'] else 'no'} |"
        for name, note in openapi.document()["x-notes"].items()
    ]
    before, found, _ = NOTES_PAGE.read_text(encoding="utf-8").partition(NOTES_HEAD)
    _, _, after = NOTES_PAGE.read_text(encoding="utf-8").partition(NOTES_END)
    return NOTES_PAGE, "".join([before, found, *(f"{line}\n" for line in lines), NOTES_END, after])


if __name__ == "__main__":
    for path, text in [*modules().items(), notes_page()]:
        path.write_text(text, encoding="utf-8")
