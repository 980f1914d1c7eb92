"""Ids as path segments. Cheap to import, since operators validate ids while a DAG is parsed."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

from airflow_provider_ringevents.client.errors import invalid_argument

MAX_ID_LENGTH: Final = 255
"""Characters of an id: those of this API have 25, and a URL, a log line and a trigger row must hold it."""
_FORBIDDEN: Final = re.compile(r"[\s/\\?#%]")


def is_valid_identifier(value: Any) -> bool:
    """Return whether a value can be an id of this API, whether it comes from a user or from the service."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_ID_LENGTH
        and value.isprintable()
        and not _FORBIDDEN.search(value)
        and value not in (".", "..")
    )


def validate_identifier(parameter: str, value: str) -> None:
    """Require an id of this API, not a URL or a path pasted in its place.

    :raises RingEventsConfigError: it is not one.
    """
    if not is_valid_identifier(value):
        raise invalid_argument(
            parameter,
            f"an id of 1 to {MAX_ID_LENGTH} printable characters without white space, '/', '\\', '?', '#' and '%'",
            value if not isinstance(value, str) else value[:MAX_ID_LENGTH],
        )
    if value == "None":
        raise invalid_argument(parameter, "an id", value, hint="This is how Python writes a missing value.")


def quote_segment(parameter: str, value: str) -> str:
    """Quote a text as one path segment; an id is validated before.

    :raises RingEventsConfigError: it cannot be a path segment, or a parameter that ends in ``_id`` is not an id.
    """
    if parameter.endswith("_id"):
        validate_identifier(parameter, value)
    elif not isinstance(value, str) or not value.strip() or value in (".", "..") or not value.isprintable():
        raise invalid_argument(parameter, "a printable text that is no relative path", value)
    return quote(value, safe="")
