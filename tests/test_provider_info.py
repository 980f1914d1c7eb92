"""What Airflow reads about the provider: a mistake here breaks provider discovery for the user's whole Airflow."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow_harness import AIRFLOW_VERSION

import airflow_provider_ringevents
from airflow_provider_ringevents import get_provider_info
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.settings import ClientSettings
from airflow_provider_ringevents.hooks.connection import EXTRA_KEYS
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

DISTRIBUTION = "airflow-provider-ringevents"
AIRFLOW = Path(airflow.__file__).parent
ROOT = Path(airflow_provider_ringevents.__file__).parent


def in_a_new_process(code: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def connection_type() -> dict[str, Any]:
    (described,) = get_provider_info()["connection-types"]
    return dict(described)


def dotted_names(value: Any) -> Iterator[str]:
    """Every string in the metadata that names something of this package."""
    if isinstance(value, str):
        if value.startswith("airflow_provider_ringevents"):
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from dotted_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from dotted_names(item)


def test_airflows_own_schema_accepts_it() -> None:
    schema = json.loads((AIRFLOW / "provider_info.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(get_provider_info(), schema)


def test_it_is_plain_json() -> None:
    assert json.loads(json.dumps(get_provider_info())) == get_provider_info()


def test_the_package_name_is_the_distributions_canonical_name() -> None:
    assert get_provider_info()["package-name"] == DISTRIBUTION
    assert get_provider_info()["versions"] == [airflow_provider_ringevents.__version__]


def test_every_dotted_name_can_be_imported() -> None:
    names = sorted(set(dotted_names(get_provider_info())))
    assert len(names) >= 5
    for name in names:
        try:
            import_module(name)
        except ModuleNotFoundError:
            module, _, member = name.rpartition(".")
            assert hasattr(import_module(module), member), name


@pytest.mark.parametrize("room", ["operators", "sensors", "triggers", "transfers", "hooks"])
def test_every_public_module_is_listed(room: str) -> None:
    """Modules that define what users put into a DAG; helpers beside them are not listed."""
    listed = {name for name in dotted_names(get_provider_info()) if name.startswith(f"{ROOT.name}.{room}.")}
    for module in listed:
        relative = Path(*module.split(".")[1:])
        if not module.endswith("Hook"):
            assert (ROOT / relative).with_suffix(".py").exists(), module
    suffix = "Operator" if room == "transfers" else room.removesuffix("s").capitalize()
    public = []
    for file in (ROOT / room).glob("*.py"):
        defined = [
            line.split()[1].split("(")[0].rstrip(":")
            for line in file.read_text(encoding="utf-8").splitlines()
            if line.startswith("class RingEvents")
        ]
        if any(name.endswith(suffix) and "Base" not in name for name in defined) and file.stem != "base":
            public.append(file.stem)
            assert f"{ROOT.name}.{room}.{file.stem}" in listed, file
    assert public


def test_every_transfer_joins_two_integrations_that_airflow_knows() -> None:
    known = {
        integration["integration-name"]
        for entry in entry_points(group="apache_airflow_provider")
        for integration in entry.load()().get("integrations", [])
    }
    known |= {integration["integration-name"] for integration in get_provider_info()["integrations"]}
    for transfer in get_provider_info()["transfers"]:
        joined = {transfer["source-integration-name"], transfer["target-integration-name"]}
        assert "RingCentral Events" in joined
        assert len(joined) == 2
        assert joined <= known


def test_the_hook_is_what_the_metadata_says() -> None:
    described = connection_type()
    assert described["connection-type"] == RingEventsHook.conn_type == "ringevents"
    assert described["hook-name"] == RingEventsHook.hook_name == "RingCentral Events"
    module, _, name = described["hook-class-name"].rpartition(".")
    assert getattr(import_module(module), name) is RingEventsHook
    assert RingEventsHook.conn_name_attr == "ringevents_conn_id"
    assert RingEventsHook.default_conn_name == "ringevents_default"
    # What Airflow calls to make a hook out of a connection.
    hook = RingEventsHook(**{RingEventsHook.conn_name_attr: "mine"})
    assert hook.ringevents_conn_id == "mine"


# --- the form


def test_the_form_has_exactly_the_extra_keys() -> None:
    fields = connection_type()["conn-fields"]
    assert list(fields) == list(EXTRA_KEYS)
    for name, field in fields.items():
        assert field["label"], name
        assert field["description"], name
        assert "null" in field["schema"]["type"], f"{name} may be left empty"
        jsonschema.Draft202012Validator.check_schema(field["schema"])


def test_the_form_takes_and_refuses_the_numbers_that_the_client_does() -> None:
    for name, field in connection_type()["conn-fields"].items():
        if not set(field["schema"]["type"]) & {"number", "integer"}:
            continue
        for value in (-1, 0, 0.001, 0.5, 1, 16, 17, 20, 21, 100, 86_400, 86_401, 10_001):
            try:
                ClientSettings(api_key="k", **{name: value})
            except ValueError:
                accepted = False
            else:
                accepted = True
            valid = jsonschema.Draft202012Validator(field["schema"]).is_valid(value)
            assert valid == accepted, (name, value)


def test_the_form_says_the_defaults_that_hold() -> None:
    fields = connection_type()["conn-fields"]
    for name, value in {
        "auth_scheme": defaults.AUTH_SCHEME,
        "timeout": f"{defaults.READ_TIMEOUT:g}",
        "max_attempts": str(defaults.MAX_ATTEMPTS),
        "per_page": str(defaults.PER_PAGE),
        "concurrency": str(defaults.CONCURRENCY),
    }.items():
        assert f"default {value}." in fields[name]["description"], name


def test_a_proxy_is_typed_unseen_since_it_may_hold_a_password() -> None:
    assert connection_type()["conn-fields"]["proxy"]["schema"]["format"] == "password"


def test_the_standard_fields_are_labelled_alike_in_every_version() -> None:
    described = connection_type()["ui-field-behaviour"]
    assert described["relabeling"]["password"] == "API key"
    assert described["relabeling"]["host"] == "Base URL"
    assert described["placeholders"]["host"] == defaults.BASE_URL
    assert "password" not in described["hidden-fields"]
    assert RingEventsHook.get_ui_field_behaviour() == {
        "hidden_fields": described["hidden-fields"],
        "relabeling": described["relabeling"],
        "placeholders": described["placeholders"],
    }


def test_older_versions_draw_the_form_from_widgets() -> None:
    if importlib.util.find_spec("flask_appbuilder") is None:
        # A plain Airflow 3: newer versions never ask, 3.0 and 3.1 put stand-ins in its place before they do.
        with pytest.raises(ModuleNotFoundError):
            RingEventsHook.get_connection_form_widgets()
        return
    assert list(RingEventsHook.get_connection_form_widgets()) == list(EXTRA_KEYS)


# --- discovery


def test_the_entry_point_leads_to_the_function() -> None:
    found = [entry for entry in entry_points(group="apache_airflow_provider") if entry.dist.name == DISTRIBUTION]
    if not found:
        pytest.skip(f"{DISTRIBUTION} is not installed in this environment")
    (entry,) = found
    assert entry.load() is get_provider_info
    assert version(DISTRIBUTION) == airflow_provider_ringevents.__version__


def test_airflow_finds_the_provider_its_connection_type_and_its_hook() -> None:
    if not any(entry.dist.name == DISTRIBUTION for entry in entry_points(group="apache_airflow_provider")):
        pytest.skip(f"{DISTRIBUTION} is not installed in this environment")
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    assert manager.providers[DISTRIBUTION].version == airflow_provider_ringevents.__version__
    info = manager.hooks["ringevents"]
    assert info is not None
    assert info.hook_name == "RingCentral Events"
    assert info.connection_id_attribute_name == "ringevents_conn_id"
    assert info.connection_testable
    # Airflow before 3.2 draws forms with Flask-AppBuilder, which a plain Airflow 3 comes without: then it has none.
    if AIRFLOW_VERSION >= (3, 2) or importlib.util.find_spec("flask_appbuilder"):
        assert {name for name in manager.connection_form_widgets if "ringevents" in name} == {
            f"extra__ringevents__{name}" for name in EXTRA_KEYS
        }
        assert manager.field_behaviours["ringevents"]["relabeling"]["password"] == "API key"


def test_airflow_takes_the_commands_and_no_version_minds_them() -> None:
    from airflow.providers_manager import ProvidersManager

    if not any(entry.dist.name == DISTRIBUTION for entry in entry_points(group="apache_airflow_provider")):
        pytest.skip(f"{DISTRIBUTION} is not installed in this environment")
    manager = ProvidersManager()
    assert manager.providers[DISTRIBUTION].data["cli"] == get_provider_info()["cli"]
    if hasattr(manager, "cli_command_functions"):
        groups = [group for get in manager.cli_command_functions for group in get()]
        assert "ringevents" in [group.name for group in groups]


def test_the_wheel_has_the_examples_where_airflow_looks_for_them() -> None:
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {"example_dags": f"{DISTRIBUTION.replace('-', '_')}/example_dags"}
    assert list((ROOT.parent / "example_dags").glob("*.py"))


# --- what an import costs


@pytest.mark.parametrize(
    "statement",
    [
        "import airflow_provider_ringevents",
        "import airflow_provider_ringevents; airflow_provider_ringevents.get_provider_info()",
        "import airflow_provider_ringevents.client",
    ],
)
def test_reading_the_metadata_imports_nothing_heavy(statement: str) -> None:
    loaded = json.loads(in_a_new_process(f"{statement}; import json, sys; print(json.dumps(sorted(sys.modules)))"))
    heavy = {"airflow", "httpx", "httpcore", "tenacity", "msgspec", "starlette", "uvicorn", "fsspec", "asyncio", "ssl"}
    assert {name.partition(".")[0] for name in loaded} & heavy == set()


def test_the_client_needs_no_airflow() -> None:
    code = """
import json, pkgutil, sys
from importlib import import_module
import airflow_provider_ringevents.client as client
for module in pkgutil.iter_modules(client.__path__):
    import_module(f"{client.__name__}.{module.name}")
for name in client.__all__:
    getattr(client, name)
client.Client("http://localhost", "key").close()
print(json.dumps(sorted(name for name in sys.modules if name.partition(".")[0] == "airflow")))
"""
    assert json.loads(in_a_new_process(code)) == []


def test_every_name_of_the_client_package_is_there() -> None:
    from airflow_provider_ringevents import client

    for name in client.__all__:
        assert getattr(client, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        client.nothing  # noqa: B018
