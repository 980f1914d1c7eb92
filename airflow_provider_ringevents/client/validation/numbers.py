"""Numbers: read from text, and within bounds. Cheap to import, since operators use it while a DAG is parsed."""

from __future__ import annotations

import math
import re
import sys
from typing import Any, Final

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import invalid_argument

# int() and float() would take "1_000", "nan" and digits of other scripts, too.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def parse_number(text: str) -> int | float | None:
    """Return a finite number in decimal notation with ASCII digits; None for any other text."""
    digits = text.strip()
    if not _NUMBER.fullmatch(digits):
        return None
    try:
        return int(digits)
    except ValueError:  # It has a fraction or an exponent, or more digits than Python converts.
        number = float(digits)
    return number if math.isfinite(number) else None


def check_number(
    parameter: str,
    value: Any,
    *,
    integer: bool = False,
    unit: str | None = None,
    greater_than: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> None:
    """Require a finite number within bounds.

    :param unit: the unit, for the message.
    :raises RingEventsConfigError: it is not one; the message names the parameter, its value and the bounds.
    """
    numeric = not isinstance(value, bool) and isinstance(value, int if integer else (int, float))
    if (
        numeric
        and abs(value) <= sys.float_info.max
        and (greater_than is None or value > greater_than)
        and (minimum is None or value >= minimum)
        and (maximum is None or value <= maximum)
    ):
        return
    bounds = {"greater than": greater_than, "at least": minimum, "at most": maximum}
    if minimum is not None and maximum is not None:
        constraint = f" from {minimum} to {maximum}"
    else:
        named = [f"{name} {bound}" for name, bound in bounds.items() if bound is not None]
        constraint = f" {' and '.join(named)}" if named else ""
    kind = "an integer" if integer else "a number"
    raise invalid_argument(parameter, f"{kind}{f' of {unit}' if unit else ''}{constraint}", value)


def check_duration(parameter: str, value: Any, *, minimum: float | None = None) -> None:
    """Require a number of seconds that is greater than 0, or at least ``minimum``, and at most a century.

    :raises RingEventsConfigError: it is not one.
    """
    check_number(
        parameter,
        value,
        unit="seconds",
        greater_than=0 if minimum is None else None,
        minimum=minimum,
        maximum=defaults.MAX_DURATION,
    )


def check_poll_interval(parameter: str, value: Any) -> None:
    """Require a number of seconds that may lie between two polls.

    :raises RingEventsConfigError: it is not one.
    """
    check_duration(parameter, value, minimum=defaults.MIN_POLL_INTERVAL)
