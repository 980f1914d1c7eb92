"""Errors that speak of an operator's arguments -> of what is typed in a shell."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from airflow_provider_ringevents.cli.commands import get_ringevents_cli_commands
from airflow_provider_ringevents.client.errors import RingEventsApiError, RingEventsError

_SUBJECT = re.compile(r"(\w+)((?:\[[^\]]*\])*)(?=:| '| is )")
"""What a message is about: a name, for a filter with the field and the operator, as ``filter[updatedAt][gte]``."""


def in_the_shell(error: RingEventsError) -> str:
    """The error's message, with each argument as the commands call it: ``report_type`` as ``REPORT_TYPE``,
    ``allow_undocumented=True`` as ``--allow-undocumented``. What the service has said stays as it is.
    """
    message = str(error)
    if isinstance(error, RingEventsApiError):
        return message
    typed = _typed()
    subjects = {**typed, "ringevents_conn_id": "--conn-id", "create_report": "--attribute"}
    subject = _SUBJECT.match(message)
    if subject and subject[1] in subjects:
        message = f"{subjects[subject[1]]}{_condition(subject[2])}{message[subject.end() :]}"
    for name, word in typed.items():
        message = re.sub(_within(name), word, message)
    return message


def _within(name: str) -> str:
    """Finds an argument within a message, not in what was typed for one, which is quoted.

    A name without an underscore may be a word: it is taken for a name only where it is said to be left out.
    """
    return rf"(?<![\w'\"./-]){name}(=True)?(?![\w'\"./-])" if "_" in name else rf"(?<=\bleave ){name}(?= out\b)"


def _condition(brackets: str) -> str:
    """``[updatedAt][gte]`` as it was typed; without ``eq``, which need not be."""
    names = [name for name in re.findall(r"\[([^\]]*)\]", brackets) if name != "eq"]
    return f" {'.'.join(names)}" if names else ""


@functools.cache
def _typed() -> Mapping[str, str]:
    """Name of an argument in Python -> what is typed for it. Not the emulator's: argparse says what they lack."""
    (group,) = get_ringevents_cli_commands()
    flags = {
        argument.flags[-1]: argument.kwargs.get("metavar")
        for command in group.subcommands
        if command.name != "emulator"
        for argument in command.args
    }
    return {
        flag.lstrip("-").replace("-", "_"): flag if flag.startswith("-") else str(metavar)
        for flag, metavar in flags.items()
    }
