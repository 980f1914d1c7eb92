"""The connection form, as the web pages of each Airflow are given it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

import pytest
from airflow_harness.versions import AIRFLOW_VERSION

from airflow_provider_ringevents.get_provider_info import get_provider_info

DECLARED_BY = get_provider_info()["package-name"]
(DECLARED,) = get_provider_info()["connection-types"]
BEHAVIOUR = DECLARED["ui-field-behaviour"]
FIELDS = DECLARED["conn-fields"]
# In a process of its own: where WTForms is missing, Airflow 3 puts stand-ins for it among the modules.
OF_AIRFLOW_3 = """
import json
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
found = [meta for meta in HookMetaService.hook_meta_data() if meta.connection_type == "ringevents"]
print("FORM", json.dumps([meta.model_dump() for meta in found], default=dict))
"""
OF_AIRFLOW_2 = """
import json
from airflow.providers_manager import ProvidersManager
from airflow.www.forms import create_connection_form_class
made = {name: field for name, field in vars(create_connection_form_class()).items() if name.startswith("extra__ringev")}
fields = {name: [*field.args, field.kwargs["description"], field.field_class.__name__] for name, field in made.items()}
print("FORM", json.dumps([fields, ProvidersManager().field_behaviours["ringevents"]]))
"""


def what_airflow_makes_of_it(code: str) -> Any:
    """What a fresh interpreter prints after the word FORM, as JSON; Airflow 3 prints its log there too."""
    if not any(entry.dist.name == DECLARED_BY for entry in entry_points(group="apache_airflow_provider")):
        pytest.skip(f"{DECLARED_BY} is not installed in this environment")
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.rpartition("FORM ")[2].splitlines()[0])


def test_the_form_has_labels_placeholders_hidden_fields_and_help() -> None:
    if AIRFLOW_VERSION[:2] == (3, 0) and find_spec("flask_appbuilder") is None:
        pytest.skip("a plain Airflow 3.0 draws the form of no provider; it does with flask-appbuilder")
    if AIRFLOW_VERSION >= (3, 0):
        check_form_of_airflow_3()
    else:
        check_form_of_airflow_2()


def check_form_of_airflow_3() -> None:
    (form,) = what_airflow_makes_of_it(OF_AIRFLOW_3)
    assert form["hook_name"] == "RingCentral Events"
    standard = {name.removeprefix("url_"): field or {} for name, field in form["standard_fields"].items()}
    assert [name for name, field in standard.items() if field.get("hidden")] == BEHAVIOUR["hidden-fields"]
    assert {name: field["title"] for name, field in standard.items() if field.get("title")} == BEHAVIOUR["relabeling"]
    shown = {name: field["placeholder"] for name, field in standard.items() if field.get("placeholder")}
    assert shown == BEHAVIOUR["placeholders"]
    extra = form["extra_fields"]
    assert list(extra) == list(FIELDS)
    for name, field in FIELDS.items():
        assert extra[name]["schema"]["title"] == field["label"]
        assert extra[name]["description"] == field["description"]
        assert extra[name]["value"] is None
        assert "null" in extra[name]["schema"]["type"]
        assert extra[name]["schema"].get("format") == field["schema"].get("format")


def check_form_of_airflow_2() -> None:
    fields, behaviour = what_airflow_makes_of_it(OF_AIRFLOW_2)
    kinds = {None: "StringField", "password": "PasswordField"}
    assert fields == {
        f"extra__ringevents__{name}": [field["label"], field["description"], kinds[field["schema"].get("format")]]
        for name, field in FIELDS.items()
    }
    for name in ("relabeling", "placeholders"):
        assert behaviour[name].items() >= BEHAVIOUR[name].items()
    assert behaviour["hidden_fields"] == BEHAVIOUR["hidden-fields"]
