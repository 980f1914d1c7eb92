"""The code map names every room there is, none that is gone, and what it says of imports is true."""

from __future__ import annotations

import ast
import graphlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import ROOT, code, rows

NAME = "airflow_provider_ringevents"
PACKAGE = ROOT / NAME
WITHOUT_AIRFLOW = ("contract/", "client/", "provisioning/", "exports/", "bulk/", "emulator/")
MAP = {code(room)[0]: frozenset(code(allowed)) for room, _, allowed in rows("code-map.md", "## The package")}


def rooms_there() -> set[str]:
    """The folders of the package, and the modules that lie beside them."""
    folders = {f"{path.parent.name}/" for path in PACKAGE.glob("*/*.py")}
    return folders | {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py"}


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, with its full name; names of a ``from`` are added."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(room: str) -> list[Path]:
    return sorted((PACKAGE / room).rglob("*.py")) if room.endswith("/") else [PACKAGE / room]


def room_of(module: str) -> str | None:
    """The room of a module of the package by its full name; None for the package's own names and other packages."""
    first, _, rest = module.partition(".")
    if first != NAME or not rest:
        return None
    name = rest.partition(".")[0]
    if (PACKAGE / name).is_dir():
        return f"{name}/"
    return f"{name}.py" if (PACKAGE / f"{name}.py").is_file() else None


def test_every_room_is_on_the_map_and_none_that_is_gone() -> None:
    assert set(MAP) == rooms_there()


@pytest.mark.parametrize("room", sorted(rooms_there()))
def test_a_room_imports_what_the_map_allows(room: str) -> None:
    used = {found for path in files_of(room) for module in imported(path) if (found := room_of(module))} - {room}
    allowed = MAP.get(room, frozenset())
    assert used <= allowed, f"docs/code-map.md does not let {room} import {sorted(used - allowed)}"
    assert allowed <= used, f"docs/code-map.md lets {room} import {sorted(allowed - used)}, which it does not"


@pytest.mark.parametrize("room", WITHOUT_AIRFLOW)
def test_what_the_map_calls_free_of_airflow_is(room: str) -> None:
    found = {module for path in files_of(room) for module in imported(path) if module.partition(".")[0] == "airflow"}
    assert not found
    shown = next(text for name, text, _ in rows("code-map.md", "## The package") if code(name)[0] == room)
    assert "Imports no Airflow." in shown


def test_every_file_that_answers_a_question_exists() -> None:
    named = [name for _, cell in rows("code-map.md", "## Where is ...?") for name in code(cell)]
    assert len(named) >= 10
    assert not [name for name in named if not (PACKAGE / name).exists()]


def test_every_folder_around_the_package_is_on_the_map() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("no git checkout: files that belong to nobody cannot be told apart")
    folders = {f"{name.partition('/')[0]}/" for name in tracked if "/" in name} - {f"{NAME}/"}
    of_tests = {"/".join(name.split("/")[:2]) + "/" for name in tracked if name.startswith("tests/")}
    of_tests = {name for name in of_tests if not name.endswith(".py/")}
    mirrored = {f"tests/{room}" for room in rooms_there()}
    listed = {code(row[0])[0] for row in rows("code-map.md", "## Around it")}
    assert listed == folders | (of_tests - mirrored)


def test_no_module_of_the_emulator_imports_itself_by_way_of_others() -> None:
    """Imports for type checking count as well."""
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in files_of("emulator/")
    }
    graph = {
        name: {module for module in imported(path) if module in names} - {name}
        | {module.rpartition(".")[0] for module in imported(path) if module.rpartition(".")[0] in names} - {name}
        for name, path in names.items()
        if not path.name.startswith("__")
    }
    assert list(graphlib.TopologicalSorter(graph).static_order())
