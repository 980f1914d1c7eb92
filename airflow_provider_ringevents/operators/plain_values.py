"""Values as Airflow hands them over: which are known already, and the plain values of those."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any, Final

from airflow_provider_ringevents.client.validation.nesting import MAX_DEPTH

_LAZY_SEQUENCES: Final = ("LazyXComSequence", "LazySelectSequence")
"""The results of a mapped task, by the name of the class, which lives in a private module of Airflow."""
JINJA_STARTS: Final = ("{{", "{%", "{#")


def is_literal(value: Any, template_starts: Sequence[str] = JINJA_STARTS, depth: int = 0) -> bool:
    """Return True if a value holds no template and nothing that Airflow resolves when the task runs.

    :param depth: the level of nesting; what is nested too deeply is not looked into.
    """
    if depth > MAX_DEPTH:
        return True
    if isinstance(value, str):
        return not any(start in value for start in template_starts)
    if isinstance(value, Mapping):
        return all(is_literal(item, template_starts, depth + 1) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return all(is_literal(item, template_starts, depth + 1) for item in value)
    return not _is_resolved_later(value)


def to_plain(value: Any, depth: int = 0) -> Any:
    """Return the plain value of what Airflow or a template has handed over.

    Lists for lazy sequences and tuples, dicts for mappings, numbers for ``Decimal`` and NumPy scalars; other values,
    and those that are not resolved yet, are returned as they are.

    :param depth: the level of nesting; what is nested too deeply is returned as it is.
    """
    if depth > MAX_DEPTH or value is None or type(value) in (str, bool, int, float) or _is_resolved_later(value):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # `str()` of a member of an enumeration is its name
    if isinstance(value, Mapping):
        # A tuple as a key stays one: lists cannot be keys.
        return {
            key if isinstance(key, tuple) else to_plain(key): to_plain(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [to_plain(item, depth + 1) for item in _items(value)]
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


def _items(sequence: Sequence[Any]) -> Iterable[Any]:
    if isinstance(sequence, (list, tuple)):
        return sequence
    if any(cls.__name__ in _LAZY_SEQUENCES for cls in type(sequence).__mro__):
        # The slice is one request. The iterator sends one for each item, and another at the end, which Airflow logs as
        # an error.
        return sequence[:]
    functions, values = getattr(sequence, "callables", None), getattr(sequence, "value", None)
    if functions is not None and isinstance(values, Sequence):
        # Of `XComArg.map()`; its slice would give the functions the whole list, as if that were one item.
        return [functools.reduce(_call, functions, item) for item in _items(values)]
    return sequence


def _call(value: Any, function: Callable[[Any], Any]) -> Any:
    return function(value)


def _is_resolved_later(value: Any) -> bool:
    # XComArgs, mapped values, parameters of a DAG: what Airflow resolves when the task runs.
    return hasattr(value, "resolve") or hasattr(value, "iter_references")
