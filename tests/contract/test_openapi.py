"""The description is a valid one of OpenAPI 3.1, and can be had from the command line and from the emulator."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_ringevents.cli.main import main
from airflow_provider_ringevents.contract import openapi
from airflow_provider_ringevents.emulator import Emulator


def schemas(node: Any) -> list[dict[str, Any]]:
    """Return every schema of the description."""
    if isinstance(node, list):
        return [schema for item in node for schema in schemas(item)]
    if not isinstance(node, dict):
        return []
    own = [node["schema"]] if "schema" in node else []
    return own + [schema for value in node.values() for schema in schemas(value)]


def test_every_schema_is_valid() -> None:
    described = openapi.document()
    found = [*schemas(described["paths"]), *described["components"]["schemas"].values()]
    assert len(found) > 100
    for schema in found:
        Draft202012Validator.check_schema(schema)


def test_every_path_parameter_is_declared() -> None:
    for path, methods in openapi.document()["paths"].items():
        for described in methods.values():
            declared = [each["name"] for each in described.get("parameters", ()) if each["in"] == "path"]
            assert declared == [part[1:-1] for part in path.split("/") if part.startswith("{")], path


def test_references_are_resolved() -> None:
    schema = openapi.request_body_schema("create_event")
    assert "$ref" not in json.dumps(schema)
    assert len(openapi.attributes_schema(schema)["properties"]["timezone"]["enum"]) == 746
    assert openapi.attributes_schema(openapi.request_body_schema("create_redeem_code"))["required"]


@pytest.mark.parametrize("operation", ["get_event", "create_stage"])
def test_an_operation_without_a_body_has_no_schema(operation: str) -> None:
    with pytest.raises(KeyError, match=operation):
        openapi.request_body_schema(operation)


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    assert json.loads(capsys.readouterr().out) == openapi.document()


def test_the_emulator_serves_it_without_a_key() -> None:
    with Emulator() as emulator, urllib.request.urlopen(f"{emulator.url}/openapi.json") as response:
        assert response.headers["content-type"] == "application/json"
        assert response.read().decode() == openapi.document_text()
