"""Checks of what users choose: settings, faults and ports."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Collection
from typing import Any, Final

_REPR: Final = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 200
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""What HTTP allows as the name of a header."""


def invalid(name: str, expected: str, got: Any) -> ValueError:
    """Return the error of one value, whatever it is: of an integer of 5,000 digits Python makes no text."""
    try:
        shown = _REPR.repr(got)
    except Exception:
        shown = object.__repr__(got)
    return ValueError(f"`{name}` must be {expected}, got {shown}.")


def check_number(name: str, value: Any, low: float, high: float, *, integer: bool = False, unit: str = "") -> None:
    """Require a number in a range, both ends included.

    :param unit: the unit, for the message.
    :raises ValueError: it is not one.
    """
    # In Python True is an integer.
    is_number = isinstance(value, int if integer else (int, float)) and not isinstance(value, bool)
    if not (is_number and low <= value <= high):
        kind = "an integer" if integer else "a number"
        raise invalid(name, f"{kind} from {low} to {high}{f' {unit}' if unit else ''}", value)


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Require one of some values.

    :raises ValueError: it is none of them.
    """
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise invalid(name, f"one of {', '.join(map(repr, choices))}", value)


def check_switch(name: str, value: Any) -> None:
    """Require True or False.

    :raises ValueError: it is neither.
    """
    if not isinstance(value, bool):
        raise invalid(name, "True or False", value)


def check_text(name: str, value: Any) -> None:
    """Require a text that a response can hold.

    :raises ValueError: it is none, or holds surrogates.
    """
    try:
        if isinstance(value, str) and value.encode() is not None:
            return
    except UnicodeEncodeError:
        pass
    raise invalid(name, "a string that UTF-8 can encode", value)


def check_header_value(name: str, value: Any) -> None:
    """Require the value of a header.

    :raises ValueError: it is no string, or would end the header.
    """
    if not isinstance(value, str) or not value.replace("\t", " ").isprintable():
        raise invalid(name, "the value of a header, without line ends and other control characters", value)


def check_headers(name: str, value: Any) -> None:
    """Require a mapping of names to values of headers.

    :raises ValueError: it is none, or a name or a value cannot be sent.
    """
    if not isinstance(value, dict):
        raise invalid(name, "a mapping of names to values of headers", value)
    for header, content in value.items():
        if not isinstance(header, str) or not _TOKEN.fullmatch(header):
            raise invalid(name, "a mapping whose keys are names of headers", header)
        check_header_value(f"{name}[{header}]", content)
