"""The package and the libraries it stands on: one module imports httpx, and private names of others are two."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_ringevents
from airflow_provider_ringevents._compat import AIRFLOW_V_3_3_PLUS

PACKAGE = Path(airflow_provider_ringevents.__file__).parent
HTTP_MODULE = "client/transport/http.py"
CONNECTION_MODULES = ("client/transport/connections.py", "client/transport/network.py")
HTTP_LIBRARIES = {"httpx", "httpcore", "h11", "aiohttp", "requests", "urllib3"}
DOCUMENTED = {"_replace", "_asdict", "_fields"}
"""Public names of :func:`collections.namedtuple`, in spite of their underscores."""
ALLOWED = {("_compat.py", "_by_name"), ("_compat.py", "_by_uri")}


@functools.cache
def package_trees() -> dict[str, ast.Module]:
    """Return the syntax tree of each module of the package, by its path."""
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
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


def foreign_private_names(trees: dict[str, ast.Module]) -> set[tuple[str, str]]:
    """Every private attribute that a module reads or sets, also by ``getattr`` and its like, and that is not ours.

    One of ``self`` or ``cls`` may come from a base class in another module, any other is defined in its own module.
    """
    ours = {name for tree in trees.values() for name in own_names(tree)}
    found = set()
    for place, tree in trees.items():
        own = set(own_names(tree)) | DOCUMENTED
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                    known = own | ours
                case ast.Attribute(attr=name):
                    known = own
                case ast.Call(
                    func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]
                ):
                    known = own
                case _:
                    continue
            if is_private(name) and name not in known:
                found.add((place, name))
    return found


def test_one_module_imports_the_http_library() -> None:
    importing = {
        (place, module.partition(".")[0])
        for place, tree in package_trees().items()
        for module in imported_modules(tree)
        if module.partition(".")[0] in HTTP_LIBRARIES
    }
    assert importing == {(HTTP_MODULE, "httpx"), *((place, "httpcore") for place in (HTTP_MODULE, *CONNECTION_MODULES))}


def test_no_private_module_or_name_of_another_library_is_imported() -> None:
    foreign = [
        (place, module)
        for place, tree in package_trees().items()
        for module in imported_modules(tree)
        if not module.startswith("airflow_provider_ringevents") and any(map(is_private, module.split(".")))
    ]
    assert foreign == []


def test_no_private_attribute_of_another_library_is_used() -> None:
    assert foreign_private_names(package_trees()) == ALLOWED


@pytest.mark.parametrize(
    "statement",
    [
        "client._mounts",
        "client._transport._pool = None",
        "getattr(client, '_mounts')",
        "self._loop_of_the_base = 1 + self._base",
    ],
)
def test_a_private_attribute_of_another_library_would_be_found(statement: str) -> None:
    trees = {
        "a.py": ast.parse(f"def use(self, client):\n    {statement}"),
        "b.py": ast.parse("class A:\n    _mounts = 1"),
    }
    assert {place for place, _ in foreign_private_names(trees)} == {"a.py"}


@pytest.mark.skipif(not AIRFLOW_V_3_3_PLUS, reason="Airflow has no asset state stores before 3.3")
def test_airflow_has_the_private_attributes_that_are_used() -> None:
    from airflow.sdk.execution_time.context import AssetStateStoreAccessors

    stores = AssetStateStoreAccessors([])
    assert isinstance(stores._by_name, dict)
    assert isinstance(stores._by_uri, dict)
