"""Arguments of the command line: parsed into those of the package, and named by their flags in errors."""

from __future__ import annotations

import argparse
import functools
import json
import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_ringevents.cli.commands import get_ringevents_cli_commands
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransportError,
    invalid_argument,
)

_KEY_VALUE = "NAME=VALUE"
_FILTER = "FIELD=VALUE or FIELD.OPERATOR=VALUE"
_PARAMETER = re.compile(r"`(\w+)((?:\[[^\]`]*\])*)(?:=True)?`")
"""A parameter as errors mark it: in backticks, for a filter with the field and the operator."""
_OTHER_NAMES = {
    "ringevents_conn_id": "--conn-id",
    "attributes": "--attribute",
    "source": "--from",
    "required_columns": "--required-column",
    "object_options": "--object-option",
}


def check_texts(args: argparse.Namespace) -> None:
    """Refuse arguments that are no text, which could not be sent or compared with anything.

    :raises RingEventsConfigError: The bytes of an argument are not UTF-8.
    """
    for name, value in vars(args).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not _is_unicode(text) and name in _flags(None):
                raise invalid_argument(name, "valid UTF-8", text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # Python keeps such bytes of the command line as surrogates.
        return False
    return True


def parse_key_values(parameter: str, given: Sequence[str] | None, form: str = _KEY_VALUE) -> dict[str, str]:
    """Parse ``NAME=VALUE`` pairs.

    :param form: The form that errors describe.
    :raises RingEventsConfigError: A pair has no name or no ``=``, or a name is repeated.
    """
    values: dict[str, str] = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise invalid_argument(parameter, form, text)
        if name in values:
            raise invalid_argument(parameter, f"given once for each name, here for {name!r}", text)
        values[name] = value
    return values


def parse_filters(parameter: str, given: Sequence[str] | None) -> dict[str, dict[str, str]]:
    """Parse ``FIELD=VALUE`` and ``FIELD.OPERATOR=VALUE`` into a filter.

    :raises RingEventsConfigError: A pair is malformed or repeated.
    """
    conditions: dict[str, dict[str, str]] = {}
    for name, value in parse_key_values(parameter, given, _FILTER).items():
        field, dot, operator = name.partition(".")
        if not field or (dot and not operator):
            raise invalid_argument(parameter, _FILTER, f"{name}={value}")
        operators = conditions.setdefault(field, {})
        if (operator or "eq") in operators:
            raise invalid_argument(parameter, f"given once for each condition, here for {field}.eq", f"{name}={value}")
        operators[operator or "eq"] = value
    return conditions


def parse_object_options(given: Sequence[str] | None) -> dict[str, Any] | None:
    """Parse ``NAME=VALUE`` pairs into options of an object: ``true`` and ``false`` are switches, braces hold JSON.

    :raises RingEventsConfigError: A pair is malformed or repeated.
    """
    options: dict[str, Any] = {}
    for name, value in parse_key_values("object_options", given).items():
        options[name] = {"true": True, "false": False}.get(value, value)
        if value.startswith("{"):
            try:
                options[name] = json.loads(value)
            except ValueError:
                raise invalid_argument(f"object_options[{name}]", "a JSON object", value) from None
    return options or None


def resolve_destination(destination: str) -> str:
    """Return a destination for the transfers: a path is made absolute, a URI is kept."""
    if "://" in destination or not destination.strip():
        return destination
    absolute = os.path.abspath(os.path.expanduser(destination))
    is_folder = destination.endswith("/") or os.path.isdir(absolute)
    return f"{absolute.rstrip('/')}/" if is_folder else absolute


def describe_error(error: RingEventsError, command: str | None = None) -> str:
    """Return the message of an error, with each parameter named as it is typed.

    :param command: The command that was typed: a parameter may be a flag of one, and a placeholder of another.
    """
    message = str(error)
    if isinstance(error, (RingEventsApiError, RingEventsTransportError)):  # The text is the service's.
        return message
    if isinstance(error, RingEventsConfigError) and error.problems:
        summary = message.partition("\n")[0]
        return " - ".join([summary, *(describe_error(problem, command) for problem in error.problems)])
    # The value is quoted as it was given.
    got = error.got if isinstance(error, RingEventsConfigError) else None
    parts = message.partition(got) if got else (message, "", "")
    return f"{_name_flags(parts[0], command)}{parts[1]}{_name_flags(parts[2], command)}"


def _name_flags(text: str, command: str | None) -> str:
    flags = _flags(command)
    return _PARAMETER.sub(
        lambda found: f"{flags[found[1]]}{_condition(found[2])}" if found[1] in flags else found[0], text
    )


def _condition(brackets: str) -> str:
    """Return ``[updatedAt][gte]`` as it is typed, without ``eq``, the default operator."""
    names = [name for name in re.findall(r"\[([^\]]*)\]", brackets) if name != "eq"]
    return f" {'.'.join(names)}" if names else ""


@functools.cache
def _flags(command: str | None) -> Mapping[str, str]:
    """Return the flag or the placeholder of each parameter of the commands; those of one command take precedence."""
    (group,) = get_ringevents_cli_commands()
    arguments = [
        argument
        for each in sorted(group.subcommands, key=lambda each: each.name == command)
        if each.name != "emulator"
        for argument in each.args
    ]
    return _OTHER_NAMES | {
        argument.flags[-1].lstrip("-").replace("-", "_"): argument.flags[-1]
        if argument.flags[-1].startswith("-")
        else argument.kwargs["metavar"]
        for argument in arguments
    }
