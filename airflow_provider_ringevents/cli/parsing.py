"""Arguments of the command line: parsed into those of the package, and named by their flags in errors."""

from __future__ import annotations

import functools
import json
import os.path
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_ringevents.cli.commands import get_ringevents_cli_commands
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsError, invalid_argument

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


def describe_error(error: RingEventsError) -> str:
    """Return the message of an error, with each parameter named as it is typed."""
    message = str(error)
    if not isinstance(error, RingEventsConfigError):
        return message
    if error.problems:
        summary = message.partition("\n")[0]
        return " - ".join([summary, *map(describe_error, error.problems)])
    # The value is quoted as it was given.
    parts = message.partition(error.got) if error.got else (message, "", "")
    return f"{_name_flags(parts[0])}{parts[1]}{_name_flags(parts[2])}"


def _name_flags(text: str) -> str:
    flags = _flags()
    return _PARAMETER.sub(
        lambda found: f"{flags[found[1]]}{_condition(found[2])}" if found[1] in flags else found[0], text
    )


def _condition(brackets: str) -> str:
    """Return ``[updatedAt][gte]`` as it is typed, without ``eq``, the default operator."""
    names = [name for name in re.findall(r"\[([^\]]*)\]", brackets) if name != "eq"]
    return f" {'.'.join(names)}" if names else ""


@functools.cache
def _flags() -> Mapping[str, str]:
    """Return the flag or the placeholder of each parameter of the commands."""
    (group,) = get_ringevents_cli_commands()
    flags = {
        argument.flags[-1]: argument.kwargs.get("metavar")
        for command in group.subcommands
        if command.name != "emulator"
        for argument in command.args
    }
    return _OTHER_NAMES | {
        flag.lstrip("-").replace("-", "_"): flag if flag.startswith("-") else str(metavar)
        for flag, metavar in flags.items()
    }
