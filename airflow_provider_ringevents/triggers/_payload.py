"""The values of triggers that cross a process: their arguments, and the payload of their event."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_ringevents.client.errors import RingEventsError, error_from_payload

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger


def serialize_trigger(trigger: BaseTrigger) -> tuple[str, dict[str, Any]]:
    """Return the class path and the arguments of a trigger, whose attributes have the names of its arguments."""
    cls = type(trigger)
    names = [name for name in inspect.signature(cls.__init__).parameters if name != "self"]
    return f"{cls.__module__}.{cls.__qualname__}", {name: getattr(trigger, name) for name in names}


def parse_payload(payload: Mapping[str, Any] | None, required_field: str = "report_id") -> Mapping[str, Any]:
    """Return the payload of a wait that ended well.

    :param required_field: the field that the payload must hold.
    :raises RingEventsError: the error that the payload carries, or the payload is malformed.
    """
    if not isinstance(payload, Mapping) or not isinstance(payload.get(required_field), str):
        raise RingEventsError(f"the trigger's event holds no {required_field!r}: {payload!r}", retryable=True)
    status = payload.get("status")
    if status == "error":
        error = payload.get("error")
        raise error_from_payload(error if isinstance(error, Mapping) else {})
    if status != "ready":
        raise RingEventsError(f"the trigger's event has an unknown status: {status!r}", retryable=True)
    return payload
