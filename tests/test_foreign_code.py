"""The package and the libraries it stands on: one module imports httpx, and none relies on private names of others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_ringevents
from airflow_provider_ringevents._compat import AIRFLOW_V_3_3_PLUS

PACKAGE = Path(airflow_provider_ringevents.__file__).parent
TREES = {
    str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
HTTP_MODULE = "client/transport/http.py"
HTTP_LIBRARIES = {"httpx", "httpcore", "h11", "aiohttp", "requests", "urllib3"}
DOCUMENTED = {"_replace", "_asdict", "_fields"}
"""Public names of :func:`collections.namedtuple`, in spite of their underscores."""
# A head that drips can be bounded below httpx alone, which has no public way to the network of its pool;
# `test_time_limits.py` fails where these are gone.
ALLOWED = {
    ("_compat.py", "_by_name"),
    ("_compat.py", "_by_uri"),
    (HTTP_MODULE, "_transport"),
    (HTTP_MODULE, "_mounts"),
    (HTTP_MODULE, "_pool"),
    (HTTP_MODULE, "_network_backend"),
}


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


def own_names(tree: ast.AST) -> Iterator[str]:
    """Every private name that a module defines: functions, classes, variables, attributes of ``self`` and ``cls``."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                yield name


def used_names(tree: ast.AST) -> Iterator[str]:
    """Every attribute that a module reads or sets, also by ``getattr`` and its like with a literal name."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name):
                yield name
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                yield name


def test_one_module_imports_the_http_library() -> None:
    importing = {
        (place, module.partition(".")[0])
        for place, tree in TREES.items()
        for module in imported_modules(tree)
        if module.partition(".")[0] in HTTP_LIBRARIES
    }
    assert importing == {(HTTP_MODULE, "httpx"), (HTTP_MODULE, "httpcore")}


def test_no_private_module_or_name_of_another_library_is_imported() -> None:
    foreign = [
        (place, module)
        for place, tree in TREES.items()
        for module in imported_modules(tree)
        if not module.startswith("airflow_provider_ringevents") and any(map(is_private, module.split(".")))
    ]
    assert foreign == []


def test_no_private_attribute_of_another_library_is_used() -> None:
    own = {name for tree in TREES.values() for name in own_names(tree)} | DOCUMENTED
    foreign = {
        (place, name)
        for place, tree in TREES.items()
        for name in used_names(tree)
        if is_private(name) and name not in own
    }
    assert foreign == ALLOWED


@pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="Airflow has no asset state stores before 3.3")
def test_airflow_has_the_private_attributes_that_are_used() -> None:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    stores = AssetStateStoreAccessors([])
    assert isinstance(stores._by_name, dict)
    assert isinstance(stores._by_uri, dict)
