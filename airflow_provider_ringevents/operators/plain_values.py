"""Values as Airflow hands them over: which are known already, and the plain values of those."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Final

JINJA_STARTS: Final = ("{{", "{%", "{#")


def is_literal(value: Any, template_starts: Sequence[str] = JINJA_STARTS) -> bool:
    """Return True if a value holds no template and nothing that Airflow resolves when the task runs."""
    if isinstance(value, str):
        return not any(start in value for start in template_starts)
    if isinstance(value, Mapping):
        return all(is_literal(item, template_starts) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return all(is_literal(item, template_starts) for item in value)
    return not _is_resolved_later(value)


def to_plain(value: Any) -> Any:
    """Return the plain value of what Airflow or a template has handed over.

    Lists for lazy sequences and tuples, dicts for mappings, numbers for ``Decimal`` and NumPy scalars; other values,
    and those that are not resolved yet, are returned as they are.
    """
    if value is None or type(value) in (str, bool, int, float) or _is_resolved_later(value):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # `str()` of a member of an enumeration is its name
    if isinstance(value, Mapping):
        # A tuple as a key stays one: lists cannot be keys.
        return {key if isinstance(key, tuple) else to_plain(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [to_plain(item) for item in _items(value)]
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return to_plain(value.tolist())
    if isinstance(value, Decimal):
        if value.is_snan():
            return math.nan  # `float()` refuses it
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return value


def _items(sequence: Sequence[Any]) -> Sequence[Any]:
    # The slice of a lazy sequence is one request. Its iterator sends one for each item, and another at the end, which
    # Airflow logs as an error.
    try:
        return sequence[:]
    except TypeError:  # a deque has no slices
        return sequence


def _is_resolved_later(value: Any) -> bool:
    # XComArgs, mapped values, parameters of a DAG: what Airflow resolves when the task runs.
    return hasattr(value, "resolve") or hasattr(value, "iter_references")
