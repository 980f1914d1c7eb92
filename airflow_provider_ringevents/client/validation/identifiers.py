"""Ids as path segments. Cheap to import, since operators validate ids while a DAG is parsed."""

from __future__ import annotations

from urllib.parse import quote

from airflow_provider_ringevents.client.errors import invalid_argument


def quote_segment(parameter: str, value: str) -> str:
    """Quote an id as one path segment.

    :raises RingEventsConfigError: it is not a string, empty, ``.`` or ``..``, or holds control characters.
    """
    if not isinstance(value, str) or not value.strip():
        raise invalid_argument(parameter, "an id, a non-empty string", value)
    if value in (".", "..") or not value.isprintable():
        raise invalid_argument(parameter, "an id, of printable characters and not a relative path", value)
    return quote(value, safe="")


def validate_identifier(parameter: str, value: str) -> None:
    """Require an id of this API, not a URL or a path pasted in its place.

    :raises RingEventsConfigError: it cannot be a path segment, or holds a slash.
    """
    quote_segment(parameter, value)
    if "/" in value or "\\" in value:
        raise invalid_argument(parameter, "an id without a slash", value)
