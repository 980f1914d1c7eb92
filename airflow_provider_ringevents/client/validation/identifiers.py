"""Ids as segments of a path. Pure, and cheap to import: operators check ids while a DAG is parsed."""

from __future__ import annotations

from urllib.parse import quote

from airflow_provider_ringevents.client.errors import RingEventsConfigError


def quote_segment(parameter: str, value: str) -> str:
    """Quote an id as one path segment.

    :raises RingEventsConfigError: it is no string, empty, ``.`` or ``..``, or holds control characters.
    """
    if not isinstance(value, str) or not value.strip():
        raise RingEventsConfigError(f"{parameter}: an id is wanted (a non-empty string), got {value!r}")
    if value in (".", "..") or not value.isprintable():
        raise RingEventsConfigError(f"{parameter}: {value!r} cannot be an id")
    return quote(value, safe="")


def validate_identifier(parameter: str, value: str) -> None:
    """Refuse what is no id of this API, before anything is sent: an address or a path, pasted in place of an id.

    :raises RingEventsConfigError: it cannot be a path segment, or holds a slash.
    """
    quote_segment(parameter, value)
    if "/" in value or "\\" in value:
        raise RingEventsConfigError(f"{parameter}: an id is wanted, without a slash in it, got {value!r}")
