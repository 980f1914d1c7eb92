"""Every block of code in the documentation does what it is shown for."""

from __future__ import annotations

import ast
import importlib
import json
import os
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow_harness.versions import HAS_STATE_STORE

import airflow_provider_ringevents
from docs import DOCS, ROOT, Block, blocks, quoted_blocks

PYTHON = blocks("python")
# The address that the pages show; a test's emulator has a port of its own.
SHOWN = "http://127.0.0.1:8765"


def names_of_the_package() -> dict[str, Any]:
    """What a reader would import, for blocks that leave the imports out."""
    names: dict[str, Any] = {}
    for room in ("operators", "sensors", "transfers"):
        package = importlib.import_module(f"airflow_provider_ringevents.{room}")
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            names |= {name: value for name, value in vars(module).items() if name.startswith("RingEvents")}
    return names


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_runs(block: Block, emulator: Any, ringevents_conn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "s3://" in block.text:
        pytest.importorskip("s3fs", reason="needs the extra amazon")
    if "AssetWatcher" in block.text:
        pytest.importorskip("airflow.sdk", reason="Airflow 2 has no asset watchers")
    if re.search(r"(watermark|start_from_trigger)=True", block.text) and not HAS_STATE_STORE:
        pytest.skip("Airflow 3.3 and later")
    dags = list[DAG]()
    enter = DAG.__enter__
    monkeypatch.setattr(DAG, "__enter__", lambda dag: dags.append(dag) or enter(dag))
    namespace = {**names_of_the_package(), "__name__": "documentation"}
    source = compile(block.text.replace(SHOWN, emulator.url), str(block), "exec")
    with DAG("documentation"):
        exec(source, namespace)
    made = [task.task_id for dag in dags for task in dag.tasks]
    assert sorted(made) == sorted(re.findall(r'\btask_id="(\w+)"', block.text))


@pytest.mark.parametrize("block", quoted_blocks(), ids=str)
def test_a_part_of_an_example_is_shown_as_it_is(block: Block) -> None:
    assert block.quoted is not None
    file, section = block.quoted
    code = (ROOT / file).read_text(encoding="utf-8")
    part = re.search(rf"^ *# \[START {section}\]\n(.*?)^ *# \[END {section}\]$", code, re.DOTALL | re.MULTILINE)
    assert part, f"{file} has no section {section}"
    assert _code_lines(block.text) == _code_lines(textwrap.dedent(part[1]))


def _code_lines(code: str) -> list[str]:
    # ruff formats the pages as well, with other empty lines.
    return [line for line in code.splitlines() if line]


def test_every_part_of_an_example_is_shown() -> None:
    sections = {
        (f"example_dags/{file.name}", section)
        for file in (ROOT / "example_dags").glob("*.py")
        for section in re.findall(r"\[START (\w+)\]", file.read_text(encoding="utf-8"))
    }
    assert {block.quoted for block in quoted_blocks()} == sections


@pytest.mark.parametrize("block", [block for block in PYTHON if "with DAG(" in block.text], ids=str)
def test_a_whole_dag_has_the_params_that_it_uses(block: Block) -> None:
    params = re.search(r"params=\{(.*?)\}", block.text, re.DOTALL)
    defined = re.findall(r'"(\w+)":', params[1]) if params else []
    assert set(re.findall(r"params\.(\w+)", block.text)) <= set(defined)


# What needs a fixture is run in a project of its own, by the tests of the fixtures.
@pytest.mark.integration
@pytest.mark.parametrize("block", [block for block in PYTHON if re.search(r"def test_\w+\(\)", block.text)], ids=str)
def test_a_test_that_is_shown_passes(block: Block) -> None:
    namespace: dict[str, Any] = {"__name__": "documentation"}
    exec(compile(block.text, str(block), "exec"), namespace)
    tests = [value for name, value in namespace.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_block_that_needs_a_logical_date_says_so(block: Block) -> None:
    """Runs that an asset or, on Airflow 3, a person starts have none, and Jinja calls its names undefined there."""
    for line in block.text.splitlines():
        for template in re.findall(r"\{\{.*?\}\}", line):
            if re.search(r"\b(ds|ds_nodash|ts|ts_nodash|logical_date|execution_date)\b", re.sub(r"\|.*", "", template)):
                assert "needs a logical date" in line
            if "data_interval" in template:
                assert "needs a data interval" in line
            if "run_after" in template and not re.search("AssetWatcher|watermark=True", block.text):
                assert line.endswith("# Airflow 3")


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_imports_nothing_it_does_not_use(block: Block) -> None:
    tree = ast.parse(block.text)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for alias in node.names
        if getattr(node, "module", None) != "__future__"
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert imported <= used


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


def shown_connections() -> Iterator[tuple[str, str]]:
    """Each connection that a page tells the reader to export, with the place."""
    for block in blocks("bash"):
        for match in re.finditer(r"AIRFLOW_CONN_RINGEVENTS_DEFAULT='([^']*)'|--conn-json '([^']*)'", block.text):
            yield str(block), match[1] or match[2]
    for block in blocks("text"):
        for match in re.finditer(
            r"^(?:AIRFLOW_CONN_RINGEVENTS_DEFAULT=)?(\{\"conn_type.*|ringevents://.*)$", block.text, re.M
        ):
            yield str(block), match[1]


CONNECTIONS = list(shown_connections())


def test_there_are_connections() -> None:
    assert len(CONNECTIONS) >= 6


@pytest.mark.parametrize(("place", "text"), CONNECTIONS, ids=[place for place, _ in CONNECTIONS])
def test_a_connection_that_is_shown_can_be_used(place: str, text: str) -> None:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    os.environ["AIRFLOW_CONN_SHOWN"] = text.replace("YOUR API KEY", "your-api-key")
    with RingEventsHook("shown") as hook:
        assert hook.client.settings.base_url in ("https://api.events.ringcentral.com", SHOWN)


def test_what_the_emulator_is_said_to_print_is_what_it_prints(emulator: Any) -> None:
    connection = emulator.connection()
    page = (DOCS / "quick-start.md").read_text()
    assert json.dumps({**connection, "host": SHOWN}) in page
    for identifier in (emulator.organization_id, emulator.event_id, emulator.template_id):
        assert identifier in page


@pytest.mark.parametrize("image", sorted((DOCS / "images").glob("*.svg")), ids=lambda image: image.name)
def test_a_diagram_can_be_read_without_seeing_it(image: Any) -> None:
    root = ElementTree.parse(image).getroot()
    for name in ("title", "desc"):
        assert root.findtext(f"{{http://www.w3.org/2000/svg}}{name}")


def test_examples_that_are_named_exist() -> None:
    named = {
        name
        for page in DOCS.rglob("*.md")
        if "_build" not in page.parts
        for name in re.findall(r"example_dags/(\w+\.py)", page.read_text())
    }
    assert named == {path.name for path in (ROOT / "example_dags").glob("*.py")}


def test_the_package_is_what_is_documented() -> None:
    assert airflow_provider_ringevents.__file__.startswith(str(ROOT))
