"""Errors name the flags of the command line, not the parameters of Python."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness.database import ensure_database

from airflow_provider_ringevents.cli.commands import get_ringevents_cli_commands
from airflow_provider_ringevents.cli.parsing import _flags, describe_error
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsTransportError,
    RingEventsValidationError,
    combine_errors,
    invalid_argument,
)

TEXTS = (None, "append", "extend")
VALUE = "the value"
REPORT = ("export-report", "EVENT", "registrations")
LIST = ("export-list", "registrations")
OF = ("--parent-id", "EVENT")
INVALID: dict[tuple[str, ...], str] = {
    (*REPORT, "x.csv", "--report-id", "a/b"): "--report-id",
    (*LIST, "x.csv", "--parent-id", "a/b"): "--parent-id",
    ("export-list", "tickets", "x.csv", *OF, "--filter", "email=a"): "--filter",
    ("tickets", "a/b"): "EVENT_ID",
    ("events", "--organization-id", "a/b"): "--organization-id",
    (*REPORT, "there.csv", "--if-exists", "fail"): "DESTINATION",
    (*REPORT, "s3://b"): "DESTINATION",
    (*REPORT, ""): "DESTINATION",
    ("export-report", "EVENT", "attendance", "x.csv"): "REPORT_TYPE",
    (*REPORT, "x.csv", "--report-version", "9"): "--report-version",
    ("export-list", "guests", "x.csv"): "COLLECTION",
    (*LIST, "x.csv", *OF, "--filter", "a=1"): "--filter",
    (*LIST, "x.csv", *OF, "--filter", "email.gt=1"): "--filter email",
    ("registrations", "EVENT", "--filter", "email="): "--filter email",
    ("events", "--conn-id", "nobody"): "--conn-id",
}
PYTHON = re.compile(r"=True|=None|\b(report_type|report_version|allow_undocumented|if_exists|conn_id|parent_id)\b")


@pytest.fixture
def folder(connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an object in it."""
    ensure_database()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").touch()
    return tmp_path


@pytest.mark.parametrize(("command", "flag"), INVALID.items(), ids=lambda each: each if isinstance(each, str) else None)
def test_an_invalid_argument_is_named_as_it_is_typed(
    emulator: Any, run: Any, folder: Path, command: tuple[str, ...], flag: str
) -> None:
    ran = run(*(emulator.event_id if each == "EVENT" else each for each in command))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"ringevents: {flag} must be ")
    assert not PYTHON.search(ran.err)


def arguments_of(taken: Callable[[Any], bool]) -> list[Any]:
    """A command line for each argument that is taken, without its value, and the name of the argument."""
    (group,) = get_ringevents_cli_commands()
    found = []
    for command in group.subcommands:
        for argument in command.args if command.name != "emulator" else ():
            if not taken(argument.kwargs):
                continue
            others = [each for each in command.args if each is not argument]
            line = [command.name]
            for other in others:
                if other.kwargs.get("required"):
                    line += [other.flags[0], next(iter(other.kwargs.get("choices", ["x"])))]
            positionals = [each for each in command.args if not each.flags[0].startswith("-")]
            line += [VALUE if each is argument else "x" for each in positionals]
            flag = argument.flags[-1]
            is_option = flag.startswith("-")
            name = flag if is_option else argument.kwargs["metavar"]
            found.append(
                pytest.param([*line, *([flag, VALUE] if is_option else [])], name, id=f"{command.name} {name}")
            )
    return found


@pytest.mark.parametrize(
    ("line", "name"), arguments_of(lambda kwargs: not {"type", "choices"} & {*kwargs} and kwargs.get("action") in TEXTS)
)
def test_bytes_that_are_no_text_are_refused_before_anything_else(line: list[str], name: str, run: Any) -> None:
    ran = run(*("a=\udcff" if each is VALUE else each for each in line))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"ringevents: {name} must be valid UTF-8, got 'a=\\udcff'.\n"


@pytest.mark.parametrize(
    "value", ["-1", "", "x", "1.5.2", "1_0", "\u0661", "0x10", "nan", "inf", "1e400", "9" * 5_000, "\udcff"], ids=ascii
)
@pytest.mark.parametrize(("line", "name"), arguments_of(lambda kwargs: "type" in kwargs))
def test_a_number_out_of_range_is_told_with_the_range(line: list[str], name: str, value: str, run: Any) -> None:
    ran = run(*(value if each is VALUE else each for each in line))
    assert (ran.code, ran.out) == (2, "")
    (said,) = re.findall(rf"argument {name}: must be (.*)", ran.err)
    numbers = (
        "a number of seconds (greater than 0 and at most|from 0.01 to) 3153600000|an integer (at least 0|from 1 to 16)"
    )
    assert re.fullmatch(rf"({numbers}), got '?{re.escape(value[:10])}.*", said) or value == "\udcff"
    assert len(said) < 300


def test_the_ends_of_ranges() -> None:
    for option, accepted, refused in (
        ("--limit", ["0", " 3 "], ["-1"]),
        ("--concurrency", ["1", str(defaults.MAX_CONCURRENCY)], ["0", str(defaults.MAX_CONCURRENCY + 1)]),
        ("--wait-timeout", ["0.001", "1e3"], ["0", "-0.0", "1e300"]),
        ("--poll-interval", ["0.01"], ["0.009"]),
    ):
        read = next(
            argument.kwargs["type"]
            for command in get_ringevents_cli_commands()[0].subcommands
            for argument in command.args
            if option in argument.flags
        )
        assert [read(text) for text in accepted] == [float(text) for text in accepted]
        for text in refused:
            with pytest.raises(ArgumentTypeError, match="must be"):
                read(text)


def test_parameters_in_hints_are_named_as_they_are_typed() -> None:
    error = invalid_argument(
        "report_type", "a documented value", "x", hint="Pass `allow_undocumented=True` to send it."
    )
    assert describe_error(error) == (
        "REPORT_TYPE must be a documented value, got 'x'. Pass --allow-undocumented to send it."
    )


def test_conditions_of_a_filter_are_named_as_they_are_typed() -> None:
    assert (
        describe_error(invalid_argument("filter[updatedAt][gte]", "a time")) == "--filter updatedAt.gte must be a time."
    )
    assert describe_error(invalid_argument("filter[email][eq]", "a string")) == "--filter email must be a string."


def test_a_value_is_quoted_as_it_was_typed() -> None:
    error = invalid_argument("collection", "a list of the API", "`parent_id`")
    assert describe_error(error) == "COLLECTION must be a list of the API, got '`parent_id`'."


def test_every_problem_is_on_one_line() -> None:
    problems = [invalid_argument("event_id", "an id", ""), invalid_argument("limit", "a number", "x")]
    assert describe_error(combine_errors("2 problems", problems)) == (
        "2 problems: - EVENT_ID must be an id, got ''. - --limit must be a number, got 'x'."
    )


@pytest.mark.parametrize(
    "error",
    [
        RingEventsValidationError("create_report: 400 Bad Request: `event_id` is wrong.", status=400),
        RingEventsTransportError("create_report: `event_id` (ConnectError)", sent=False),
    ],
)
def test_messages_of_the_service_and_the_network_are_kept(error: Any) -> None:
    assert describe_error(error) == str(error)


def test_every_argument_has_a_flag_or_a_placeholder() -> None:
    flags = _flags(None)
    assert (flags["event_id"], flags["parent_id"], flags["output"]) == ("EVENT_ID", "--parent-id", "--output")
    assert all(re.fullmatch(r"--[a-z-]+|[A-Z_]+", word) for word in flags.values())
