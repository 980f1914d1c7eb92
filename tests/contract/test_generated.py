"""The generated modules are those of the contract, and nothing of the contract is listed a second time."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from airflow_provider_ringevents.contract import _generated, openapi, overlay
from airflow_provider_ringevents.contract.timezone_names import IANA_NAMES
from docs import ROOT

PACKAGE = ROOT / "airflow_provider_ringevents"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "contract")


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_contract", ROOT / "scripts" / "generate_contract.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_modules_are_up_to_date() -> None:
    generated = load_generator().modules()
    assert len(generated) == 2
    for path, text in generated.items():
        assert path.read_text(encoding="utf-8") == text, f"run: python scripts/generate_contract.py ({path.name})"


def test_the_page_on_open_points_has_the_notes() -> None:
    path, text = load_generator().notes_page()
    assert path.read_text(encoding="utf-8") == text, "run: python scripts/generate_contract.py"
    assert text.count("\n| ") == len(openapi.document()["x-notes"]) + 1


def test_every_note_has_a_source_and_names_code_that_exists() -> None:
    for name, note in openapi.document()["x-notes"].items():
        assert note.keys() == {"question", "assumption", "source", "certainty", "code", "probe"}, name
        assert note["source"] in load_generator().SOURCES, name
        assert all((PACKAGE / module).is_file() for module in note["code"]), name


def enums(schema: object) -> Iterator[tuple[str, ...]]:
    if isinstance(schema, dict):
        if "enum" in schema:
            yield tuple(schema["enum"])
        for value in schema.values():
            yield from enums(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from enums(value)


def enumerations() -> dict[str, frozenset[str]]:
    names = load_generator().ENUMERATIONS
    return {name: frozenset(getattr(_generated, name)) for name in names}


def test_every_enumeration_of_the_contract_has_its_constant() -> None:
    # A single value is the type of a resource, but for the version of reports.
    documented = {frozenset(values) for values in enums(openapi.document()) if len(values) > 1}
    assert documented == {values for values in enumerations().values() if len(values) > 1}


def test_every_operation_names_its_source() -> None:
    operations = [each for methods in openapi.document()["paths"].values() for each in methods.values()]
    assert {each.get("x-operation", each["operationId"]) for each in operations} == set(_generated.OPERATIONS)
    # OpenAPI demands that no two operations share an id.
    assert len({each["operationId"] for each in operations}) == len(operations)
    assert {each["x-source"] for each in operations} == {"reference", "vendor-collection"}


def strings_of(node: ast.expr) -> frozenset[str]:
    """Return the strings of a literal: of a tuple, list or set, the keys of a dict, or the arguments of ``Literal``."""
    elements: list[ast.expr | None] = []
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        elements = list(node.elts)
    elif isinstance(node, ast.Dict):
        elements = list(node.keys)
    return frozenset(each.value for each in elements if isinstance(each, ast.Constant) and isinstance(each.value, str))


@functools.cache
def literals(path: Path) -> list[tuple[int, frozenset[str]]]:
    """Return the line and the strings of every literal of a module."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = ((node.lineno, strings_of(node)) for node in nodes if isinstance(node, ast.expr))
    return [(line, strings) for line, strings in found if strings]


@pytest.mark.parametrize("name", [name for name, values in enumerations().items() if len(values) > 1])
def test_no_enumeration_is_listed_twice(name: str) -> None:
    values = enumerations()[name]
    # Most of an enumeration is a second list, too.
    enough = max(2, len(values) * 2 // 3)
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        for line, strings in literals(path)
        if len(strings & values) >= enough and strings <= values
    ]
    assert not found


def test_no_list_of_request_attributes_is_written_twice() -> None:
    # A method with two arguments names both.
    attributes = [frozenset(each) for each in _generated.REQUESTS.values() if len(each) > 2]
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in MODULES
        for line, strings in literals(path)
        for each in attributes
        if strings == each
    ]
    assert not found


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes that are docstrings, of modules, classes, functions and attributes."""
    bodies = [node.body for node in ast.walk(tree) if hasattr(node, "body") and isinstance(node.body, list)]
    return {id(each.value) for body in bodies for each in body if isinstance(each, ast.Expr)}


@functools.cache
def paths_in(path: Path) -> list[int]:
    """Return the line of every path of the API that a module writes, outside docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = docstrings(tree)
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped
        if re.search(r"/v1/\w", node.value)
    ]


def test_no_path_is_written_twice() -> None:
    assert [f"{path.relative_to(ROOT)}:{line}" for path in MODULES for line in paths_in(path)] == []


def test_a_second_path_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""About /v1/health."""\nEVENT = "e"\nA = f"/v1/events/{EVENT}"\nB = "/v1/"\nC = "/v1/health"\n')
    assert sorted(paths_in(module)) == [3, 5]


def test_a_second_list_would_be_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('A = ("show_all", "show_list", "show_none")\nB: Literal["everyone", "ticket_holder"]\n')
    assert [strings for _, strings in literals(module)] == [
        {"show_all", "show_list", "show_none"},
        {"everyone", "ticket_holder"},
    ]


def test_the_overlay_is_about_what_the_contract_has() -> None:
    requested = {name for attributes in _generated.REQUESTS.values() for name in attributes}
    listed = {name for columns in _generated.COLUMNS.values() for name, _ in columns}
    assert requested >= overlay.SECRET_ATTRIBUTES
    assert requested >= {*overlay.DEPRECATED_ATTRIBUTES, *overlay.DEPRECATED_ATTRIBUTES.values()}
    assert requested >= set(overlay.ATTRIBUTE_PATTERNS)
    assert requested >= set(overlay.PATTERN_DESCRIPTIONS)
    assert listed >= overlay.TIMESTAMP_FIELDS
    # The reference has no password among the fields of an event, and a service may answer with it all the same.
    assert listed | overlay.SECRET_ATTRIBUTES >= overlay.CREDENTIAL_FIELDS
    assert set(overlay.SIGNED_LINK_FIELDS) <= set(_generated.PARENTS)
    assert set(IANA_NAMES) == set(_generated.TIME_ZONES)


def test_operators_do_not_read_the_description() -> None:
    code = (
        "import sys; from airflow_provider_ringevents.operators import events, magic_links, reports, tickets;"
        "from airflow_provider_ringevents.client import types, filters;"
        "from airflow_provider_ringevents.contract import _generated;"
        "assert 'airflow_provider_ringevents.contract.openapi' not in sys.modules;"
        "assert 'airflow_provider_ringevents.contract._generated_resources' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
