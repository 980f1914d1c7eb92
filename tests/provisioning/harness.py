"""A service, a clock that pauses move, and tasks that create events: what the tests of provisioning share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from airflow_harness import Run
from clocks import FakeClock

from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.operators.events import (
    RingEventsCreateEventFromTemplateOperator,
    RingEventsCreateEventOperator,
    RingEventsDuplicateEventOperator,
)

KINDS = ("create", "template", "duplicate")
OPERATORS: dict[str, Any] = {
    "create": RingEventsCreateEventOperator,
    "template": RingEventsCreateEventFromTemplateOperator,
    "duplicate": RingEventsDuplicateEventOperator,
}
WHEN = {"time_start": "2027-03-01T10:00:00", "time_end": "2027-03-01T11:30:00", "timezone": "Europe/Berlin"}


class Harness:
    """An emulated service and tasks that use it.

    :param clock: the clock of both.
    """

    def __init__(self, emulator: Emulator, clock: FakeClock) -> None:
        self.emulator = emulator
        self.clock = clock

    def connection(self, **extra: Any) -> dict[str, Any]:
        connection = self.emulator.connection()
        return {**connection, "extra": {**connection["extra"], **extra}}

    def arguments(self, kind: str, **more: Any) -> dict[str, Any]:
        """What an operator of this kind needs."""
        own: dict[str, dict[str, Any]] = {
            "create": {"currency": "EUR"},
            "template": {"template_id": self.emulator.template_id},
            "duplicate": {"event_id": self.emulator.event_id},
        }
        return {"task_id": "provision", "name": "Data Hour", **WHEN, **own[kind], **more}

    def run(self, kind: str, *, day: int = 1, retries: int = 3, **more: Any) -> Run:
        """One task; ``day``: of which DAG run."""
        arguments = self.arguments(kind, **more)
        return self._run(lambda: OPERATORS[kind](**arguments), day, retries)

    def mapped(
        self, kind: str, rows: list[dict[str, Any]], *, day: int = 1, retries: int = 3, **more: Any
    ) -> list[Run]:
        """One mapped task for each row."""
        common = {name: value for name, value in self.arguments(kind, **more).items() if name not in rows[0]}

        def make() -> Any:
            return OPERATORS[kind].partial(**common).expand_kwargs(rows)

        return [self._run(make, day, retries, map_index=index) for index in range(len(rows))]

    def _run(self, make: Callable[[], Any], day: int, retries: int, **more: Any) -> Run:
        return Run(
            make,
            connections={"ringevents_default": self.connection(timeout=0.5)},
            retries=retries,
            run_id=f"manual__{day}",
            logical_date=datetime(2026, 1, day, tzinfo=UTC),
            **more,
        )

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    def made(self) -> list[Any]:
        """The events that were made through the API, visible or not."""
        return [event for event in self.emulator.state.events.values() if event.request]

    def posts(self) -> int:
        """Creating requests that reached the service."""
        return self.emulator.count("POST")

    def looks(self) -> int:
        """Requests for a list of events."""
        return self.emulator.count("GET", "/v1/organizations/*/events")

    def requests(self) -> list[str]:
        """Method and path of each request, in order."""
        return [f"{seen.method} {seen.path}" for seen in self.emulator.requests.entries]
