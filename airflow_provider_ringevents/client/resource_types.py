"""The spelling of ``data.type`` in requests, where the sources of the contract disagree."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsValidationError

_SEPARATORS: Final = re.compile(r"[#/.]+")


class AcceptedTypes:
    """The spellings of ``data.type`` that the service accepted in place of the first one, by operation."""

    def __init__(self) -> None:
        self._accepted: dict[str, str] = {}

    def apply(self, call: Call) -> Call:
        """Return the call with the spelling that the service is known to accept."""
        accepted = self._accepted.get(call.operation)
        return call if accepted is None else _with_type(call, accepted)

    def alternative(self, call: Call, error: RingEventsValidationError) -> Call | None:
        """Return the call with another spelling, or None where the error has another reason or there is none."""
        if not any(_points_at_type(detail.pointer or detail.parameter) for detail in error.errors):
            return None
        current = (call.body or {}).get("data", {}).get("type")
        other = next((spelling for spelling in call.type_spellings if spelling != current), None)
        return None if other is None else _with_type(call, other)

    def record(self, call: Call) -> None:
        """Remember the spelling of a call that the service accepted."""
        self._accepted[call.operation] = (call.body or {})["data"]["type"]


def _with_type(call: Call, type_: str) -> Call:
    body: dict[str, Any] = dict(call.body or {})
    return replace(call, body={**body, "data": {**body["data"], "type": type_}})


def _points_at_type(pointer: str) -> bool:
    return _SEPARATORS.sub(".", pointer).strip(".") == "data.type"
