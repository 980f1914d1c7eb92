"""What the documentation lists is what there is."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from dataclasses import fields
from typing import Any, get_args

import pytest

from airflow_provider_ringevents.client import types
from airflow_provider_ringevents.client.filters import MAGIC_LINKS_FILTER, REGISTRATIONS_FILTER
from airflow_provider_ringevents.client.validation.requests import REQUEST_SCHEMAS
from airflow_provider_ringevents.client.validation.timezones import TIME_ZONES
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.hooks.connection import EXTRA_KEYS
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.polling.events import EventConditionName
from docs import DOCS, ROOT, code, rows

PACKAGE = ROOT / "airflow_provider_ringevents"


def test_every_operation_is_listed_with_its_arguments() -> None:
    listed = {
        code(method)[0]: code(operation)[0] for method, operation in rows("hook-and-client.md", "## All operations")
    }
    there = {f"{name}({_arguments(getattr(RingEventsHook, name))})": each for each, name in operations().items()}
    assert len(there) == 34
    assert listed == there


def operations() -> dict[str, str]:
    """The hook's methods by what they ask the API for, as the API writes it."""
    return {
        found[1]: name
        for name, method in inspect.getmembers(RingEventsHook, inspect.isfunction)
        if (found := re.search(r"``((?:GET|POST|PATCH|DELETE) /v1/[^`]*)``", inspect.getdoc(method) or ""))
    }


def _arguments(method: Any) -> str:
    parameters = [each for each in inspect.signature(method).parameters.values() if each.kind is not each.KEYWORD_ONLY]
    return ", ".join(
        each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in parameters[1:]
    )


def test_every_filter_is_listed() -> None:
    listed: dict[str, dict[str, tuple[str, ...]]] = {}
    name = ""
    for collection, names, operators in rows("hook-and-client.md", "## Filters"):
        name = collection or name
        for field in code(names):
            listed.setdefault(name, {})[field] = tuple(code(operators))
    there = {
        "registrations": {field: operators for field, (_, operators) in REGISTRATIONS_FILTER.fields.items()},
        "magic links": {field: operators for field, (_, operators) in MAGIC_LINKS_FILTER.fields.items()},
    }
    assert listed == there


def test_every_key_of_the_connection_is_listed() -> None:
    assert [code(row[0])[0] for row in rows("connection.md", "### Extra")] == list(EXTRA_KEYS)


def test_every_request_that_a_key_is_needed_for_is_one_that_the_api_has() -> None:
    listed = {
        re.sub(r"\{\w+}", "{}", request)
        for _, *cells in rows("connection.md", "## What the API key must be allowed to do")
        for request in code(" ".join(cells))
        if "/v1/" in request
    }
    there = {re.sub(r"\{\w+}|\[.*]", lambda found: "{}" * found[0].startswith("{"), each) for each in operations()}
    assert listed <= there
    # Redeem codes are made by the hook alone.
    assert {each for each in there if not each.startswith("GET ")} - listed == {"POST /v1/magic_link"}


def test_every_list_is_listed_with_its_parent() -> None:
    listed = {code(row[0])[0]: row[1] for row in rows("guides/export-a-list.md", "## Lists")}
    assert list(listed) == list(COLLECTIONS)
    for name, parent in listed.items():
        word = (COLLECTIONS[name].parent or "none").replace("_", " ")
        assert word in parent, name


def test_every_field_of_windows_is_listed() -> None:
    listed = {code(row[0])[0]: tuple(code(row[1])) for row in rows("guides/incremental.md", "## Fields")}
    assert listed == {name: each.window_fields for name, each in COLLECTIONS.items() if each.window_fields}


def test_every_attribute_of_events_is_listed() -> None:
    listed = {
        operator: set(code(names))
        for operator, names in rows(
            "guides/provision-events.md", "If arguments are invalid, one error lists all of them, and nothing is sent."
        )
    }
    own = {"name", "timeStart", "timeEnd", "timezone", "currency"}
    deprecated = {"attendeesVisiblity"}
    plain, series = listed.values()
    assert plain == REQUEST_SCHEMAS["create_event"].keys() - own - deprecated
    assert series == REQUEST_SCHEMAS["duplicate_event"].keys() - own
    assert series == REQUEST_SCHEMAS["create_event_from_template"].keys() - own


def test_every_condition_is_listed() -> None:
    listed = [code(row[0])[0] for row in rows("guides/wait-for-events.md", "## Conditions")]
    assert listed == list(get_args(EventConditionName))


def test_every_switch_of_the_emulator_is_listed() -> None:
    from airflow_provider_ringevents.emulator import Settings
    from airflow_provider_ringevents.emulator.__main__ import _parser

    there = {
        action.option_strings[0]: action.default
        for action in _parser()._actions
        if action.option_strings[0] not in ("-h", "--host")
    }
    listed = {code(row[0])[0]: (code(row[1]) or [row[1]])[0] for row in rows("emulator.md", "## Command line")}
    assert listed == {option: "none" if value is None else str(value) for option, value in there.items()}

    on_the_command_line = {option.removeprefix("--").replace("-", "_") for option in listed} - {"port"}
    settings = {name for row in rows("emulator.md", "### Settings") for name in code(row[0])}
    assert settings | on_the_command_line == {field.name for field in fields(Settings)}
    assert not settings & on_the_command_line


def test_every_fault_of_the_emulator_is_listed() -> None:
    from airflow_provider_ringevents.emulator import Fault
    from airflow_provider_ringevents.emulator.faults.registry import KINDS

    headings = (
        "These faults replace the response. The request is not applied:",
        "These faults lose the response. The request is applied:",
        "These faults change the response:",
    )
    table = [row for heading in headings for row in rows("emulator.md", heading)]
    assert sorted(name for row in table for name in code(row[0])) == sorted(KINDS)
    assert {name for row in table for name in code(row[2])} <= {field.name for field in fields(Fault)}


def test_every_public_class_is_in_the_reference() -> None:
    reference = "".join(path.read_text() for path in (DOCS / "reference").glob("*.rst"))
    for room in ("operators", "sensors", "transfers", "triggers", "hooks"):
        package = importlib.import_module(f"airflow_provider_ringevents.{room}")
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if inspect.isclass(value) and value.__module__ == found.name and re.match("RingEvents(?!Base)", name):
                    assert re.search(rf"autoclass:: {name}$", reference, re.MULTILINE), name


def test_numbers_are_right() -> None:
    text = "".join(path.read_text() for path in DOCS.rglob("*.md") if "_build" not in path.parts)
    for number, what in (
        (len(types.REPORT_TYPES), "names that the API documents"),
        (len(TIME_ZONES), "names that the API documents"),
        (len(types.SIGNALS), "that the API documents"),
    ):
        assert f"{number} {what}" in text


def spoken() -> list[str]:
    """Every piece of text in the package's code; of a text with values in it, the pieces between them."""
    pieces = []
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        # What stands alone is documentation, and said to nobody.
        silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in silent)
        pieces += [node.value for node in texts if isinstance(node.value, str)]
    return pieces


HEADINGS = ("## Installing and connecting", "## Arguments", "## Exports", "## Events")


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_message_that_is_explained_is_one_that_is_said(heading: str) -> None:
    said = spoken()
    for row in rows("troubleshooting.md", heading):
        for message in code(row[0]):
            assert any(message in piece for piece in said), message
