"""What was typed -> what the package takes. Pure, but for the working folder."""

from __future__ import annotations

import os.path
from collections.abc import Sequence

from airflow_provider_ringevents.client.errors import RingEventsConfigError


def parse_key_values(parameter: str, given: Sequence[str] | None, form: str = "NAME=VALUE") -> dict[str, str]:
    """Read ``NAME=VALUE``, given any number of times.

    :param form: what an error says is wanted.
    :raises RingEventsConfigError: one has no name or no ``=``, or a name comes twice.
    """
    read: dict[str, str] = {}
    for text in given or ():
        name, is_pair, value = text.partition("=")
        if not is_pair or not name:
            raise RingEventsConfigError(f"{parameter}: {form} is wanted, got {text!r}")
        if name in read:
            raise RingEventsConfigError(f"{parameter}: {name} is given twice")
        read[name] = value
    return read


def parse_filters(parameter: str, given: Sequence[str] | None) -> dict[str, dict[str, str]]:
    """Read ``FIELD=VALUE`` and ``FIELD.OPERATOR=VALUE`` as a filter.

    :raises RingEventsConfigError: as :func:`pairs`, or nothing stands before or after a dot.
    """
    form = "FIELD=VALUE or FIELD.OPERATOR=VALUE"
    read: dict[str, dict[str, str]] = {}
    for name, value in parse_key_values(parameter, given, form).items():
        field, dot, operator = name.partition(".")
        if not field or (dot and not operator):
            raise RingEventsConfigError(f"{parameter}: {form} is wanted, got {f'{name}={value}'!r}")
        read.setdefault(field, {})[operator or "eq"] = value
    return read


def resolve_destination(destination: str) -> str:
    """A destination as the transfers take it: a path is made absolute, a URI stays as it is."""
    if "://" in destination or not destination.strip():
        return destination
    absolute = os.path.abspath(os.path.expanduser(destination))
    is_folder = destination.endswith("/") or os.path.isdir(absolute)
    return f"{absolute.rstrip('/')}/" if is_folder else absolute
