"""The arguments of the triggers that wait: what cannot be is an event with the error.

Airflow's triggerer, with all of its triggers, would end by an error of a constructor.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger, RingEventsEventTrigger
from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

WAITS: dict[type[Any], dict[str, Any]] = {
    RingEventsReportTrigger: {"report_id": "r1"},
    RingEventsEventTrigger: {"event_id": "e1"},
    RingEventsDuplicationTrigger: {"organization_id": "o1", "source_id": "e1", "key": "row-1", "requested_at": 5.0},
}
NO_IDS = (None, "", " ", "None", "a/b", "..", 5, True, ["a"], "\ud800")
JINJA = ("{{params.x}}", "{%if 1%}a{%endif%}")
NO_NUMBERS = ("5", True, math.nan, math.inf, 10**400, ["a"])

CASES = [
    *[
        (trigger, name, value)
        for trigger, arguments in WAITS.items()
        for name in arguments
        if name.endswith("_id")
        for value in (*NO_IDS, *JINJA)
    ],
    *[(trigger, "ringevents_conn_id", value) for trigger in WAITS for value in (None, "", " ", "None", 5, *JINJA)],
    *[(trigger, "poll_interval", value) for trigger in WAITS for value in (None, 0, -1, 0.009, *NO_NUMBERS)],
    *[(trigger, "deadline", value) for trigger in WAITS for value in (-1, *NO_NUMBERS)],
    *[(RingEventsReportTrigger, "not_found_until", value) for value in NO_NUMBERS],
    *[(RingEventsEventTrigger, "offset", value) for value in (None, *NO_NUMBERS)],
    *[(RingEventsEventTrigger, "condition", value) for value in ("publshed", None)],
    *[(RingEventsEventTrigger, "status", value) for value in ("live", 5)],
    *[(RingEventsDuplicationTrigger, "requested_at", value) for value in (None, *NO_NUMBERS)],
    *[(RingEventsDuplicationTrigger, "key", value) for value in (None, "", " ", 5)],
    *[(RingEventsDuplicationTrigger, name, "tomorrow") for name in ("time_start", "time_end")],
]


@pytest.mark.parametrize(
    ("trigger", "name", "value"), CASES, ids=lambda value: getattr(value, "__name__", ascii(value))
)
def test_what_cannot_be_is_an_event_and_no_crash(trigger: type[Any], name: str, value: Any) -> None:
    async def run() -> Any:
        waiting = trigger(**{**WAITS[trigger], name: value})
        return [event.payload async for event in waiting.run()]

    (payload,) = asyncio.run(run())
    assert payload["status"] == "error"
    assert payload["error"]["kind"] == "RingEventsConfigError"
    assert payload["error"]["parameter"] == {"key": "idempotency_key"}.get(name, name)
