"""Reasons of rows that were not written: in full for the results, without personal data for logs."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from airflow_provider_ringevents.client.errors import RingEventsApiError, RingEventsConfigError, RingEventsError

_ATTRIBUTE: Final = re.compile(r"\w*")
"""The attribute in a parameter such as ``metadata['seat']``."""


def describe_failure(error: RingEventsError) -> str:
    """Return the reason of a failed row: parameter, status and title of the service, or the message."""
    if not isinstance(error, RingEventsApiError):
        return _one_line(str(error))
    details = [
        ": ".join(filter(None, [_last_segment(each.pointer or each.parameter), each.title, each.detail]))
        for each in error.errors
    ]
    return _one_line(f"{error.status}{': ' if any(details) else ''}{'; '.join(filter(None, details))}")


def failure_kind(error: RingEventsError) -> str:
    """Return the reason of a failure in a form that holds nothing of what the service or the source says."""
    if isinstance(error, RingEventsApiError):
        return f"HTTP {error.status}"
    if isinstance(error, RingEventsConfigError):
        return "response without a usable id"
    return "no usable response" if error.ambiguous or getattr(error, "sent", True) else "not reached"


def describe_problems(error: RingEventsConfigError) -> str:
    """Return what is wrong with the values of a row, on one line."""
    return "; ".join(_one_line(str(problem)) for problem in error.problems or (error,))


def problem_kind(error: RingEventsConfigError, attributes: Collection[str]) -> str:
    """Return the attributes that are wrong in a row; names that are not the API's may come from the row itself."""
    names = {_ATTRIBUTE.findall(problem.parameter or "")[0] for problem in error.problems or (error,)}
    return f"invalid {', '.join(sorted(names))}" if names <= set(attributes) else "invalid value"


def _last_segment(pointer: str) -> str:
    return pointer.rpartition("/")[2]


def _one_line(text: str) -> str:
    return " ".join(text.split())
