"""What Airflow loads at each of its calls: light, and the same as what the package does."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import pytest

from airflow_provider_ringevents._compat import AIRFLOW_VERSION
from airflow_provider_ringevents.cli import commands
from airflow_provider_ringevents.cli.list import COLUMNS
from airflow_provider_ringevents.cli.main import main, parser
from airflow_provider_ringevents.cli.runner import ExitCode
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.exports.ddl import DIALECTS
from airflow_provider_ringevents.exports.formats.file_format import FORMATS
from airflow_provider_ringevents.get_provider_info import get_provider_info
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.storage import IfExists

(GROUP,) = commands.get_ringevents_cli_commands()
COMMANDS = {command.name: command for command in GROUP.subcommands}


def options(name: str) -> dict[str, Any]:
    """Option or argument -> how argparse is told of it."""
    return {argument.flags[-1]: argument.kwargs for argument in COMMANDS[name].args}


def test_it_imports_airflows_words_alone() -> None:
    tree = ast.parse(Path(commands.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "argparse", "collections.abc", "typing", "airflow.cli.cli_config"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_the_room_itself_imports_nothing() -> None:
    room = Path(commands.__file__).with_name("__init__.py").read_text(encoding="utf-8")
    assert not [node for node in ast.walk(ast.parse(room)) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_the_metadata_names_it() -> None:
    (name,) = get_provider_info()["cli"]
    module, _, function = name.rpartition(".")
    assert getattr(import_module(module), function) is commands.get_ringevents_cli_commands


def test_every_command_leads_to_its_function() -> None:
    assert list(COMMANDS) == [
        *COLUMNS,
        "export-report",
        "export-list",
        "import-magic-links",
        "import-registrations",
        "check",
        "openapi",
        "schema",
        "emulator",
    ]
    for name, command in COMMANDS.items():
        own = {each: each for each in ("check", "openapi", "schema", "emulator")}
        exports = {"export-report": "export", "export-list": "export"}
        homes = {**exports, "import-magic-links": "load", "import-registrations": "load", **own}
        module = import_module(f"airflow_provider_ringevents.cli.{homes.get(name, 'list')}")
        assert command.func.__name__ == name.replace("-", "_")
        assert callable(getattr(module, command.func.__name__))


def test_what_is_repeated_here_is_what_holds() -> None:
    for name in ("export-report", "export-list"):
        assert options(name)["--if-exists"]["choices"] == get_args(IfExists)
        assert options(name)["--if-exists"]["default"] == "overwrite"
    assert options("export-list")["--format"]["choices"] == FORMATS
    assert options("schema")["--dialect"]["choices"] == DIALECTS
    report = options("export-report")
    assert report["--poll-interval"]["default"] == defaults.POLL_INTERVAL
    assert report["--wait-timeout"]["default"] == defaults.WAIT_TIMEOUT
    for name in set(COMMANDS) - {"emulator", "openapi", "schema"}:
        assert options(name)["--conn-id"]["default"] == RingEventsHook.default_conn_name


def test_the_emulators_options_are_the_emulators() -> None:
    from airflow_provider_ringevents.emulator.__main__ import _parser

    there = {action.option_strings[0]: action.default for action in _parser()._actions}
    del there["-h"], there["--host"]
    told = options("emulator")
    assert list(told) == list(there)
    for option, default in there.items():
        said = told[option]["help"].rpartition("(default: ")[2].rstrip(")")
        assert said == {
            "--allowed-host": "none",
            "--report-bytes": "as their rows make them",
            "--rate-limit": "none",
        }.get(option) or (float(said) == default if isinstance(default, float) else said == str(default))


def test_the_emulators_options_reach_it(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_ringevents.emulator import __main__ as emulator

    given: list[list[str]] = []
    monkeypatch.setattr(emulator, "main", lambda arguments: given.append(arguments) or 2)
    assert run("emulator", "--report-seconds", "0.5", "--api-key=-k", "--port", "0").code == 2
    told = emulator._parser().parse_args(given[0])
    assert (told.report_seconds, told.api_key, told.port, told.seed) == (0.5, "-k", 0, 1)
    assert run("emulator").code == 2
    assert given[1] == []


def test_the_default_of_every_option_is_in_its_help() -> None:
    for name in COMMANDS:
        for option, kwargs in options(name).items():
            default = kwargs.get("default")
            if default is not None and "action" not in kwargs:
                said = f"{default:g}" if isinstance(default, float) else str(default)
                assert f"(default: {said}" in kwargs["help"], (name, option)


def test_help_can_be_read_by_airflows_formatter() -> None:
    for command in COMMANDS.values():
        for text in (
            command.help,
            command.epilog or "",
            *(kwargs["help"] for kwargs in options(command.name).values()),
        ):
            assert not set("[]%") & set(text), text


def test_help_says_that_personal_data_is_shown() -> None:
    assert "personal data" in COMMANDS["registrations"].help


def test_help_explains_the_exit_codes() -> None:
    for code in ExitCode:
        assert f" {int(code)} " in commands.EXIT_CODES
    assert commands.EXIT_CODES in parser().epilog


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert f"usage: ringevents {name}" in capsys.readouterr().out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"airflow-provider-ringevents {get_provider_info()['versions'][0]}\n"


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 2), reason="before 3.2 Airflow takes no commands of providers")
def test_airflow_takes_the_group() -> None:
    from airflow.cli import cli_parser

    taken = cli_parser.ALL_COMMANDS_DICT["ringevents"]
    assert [command.name for command in taken.subcommands] == list(COMMANDS)
