"""Reads what a trigger's event says, on the worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_ringevents.client.errors import RingEventsError, error_from_payload


def parse_payload(event: Mapping[str, Any] | None, wanted: str = "report_id") -> Mapping[str, Any]:
    """Return the event of a wait that ended well.

    :param wanted: what the event must hold.
    :raises RingEventsError: the error that the event says, or that it makes no sense.
    """
    if not isinstance(event, Mapping) or not isinstance(event.get(wanted), str):
        raise RingEventsError(f"the trigger's event holds no {wanted!r}: {event!r}", retryable=True)
    status = event.get("status")
    if status == "error":
        said = event.get("error")
        raise error_from_payload(said if isinstance(said, Mapping) else {})
    if status != "ready":
        raise RingEventsError(f"the trigger's event has an unknown status: {status!r}", retryable=True)
    return event
