"""What a `Run` needs from an Airflow version: one task instance, driven step by step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from airflow_harness.result import TriggerRow


class WorkerKilled(BaseException):
    """Raise it inside a worker session to play a worker that dies there.

    From that moment on nothing that the worker still does (`finally` blocks, callbacks) reaches Airflow 3. On Airflow 2
    the task's state is kept from changing.
    """

    on_raise: ClassVar[list[Callable[[], None]]] = []

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        for act in self.on_raise:
            act()


class Engine(Protocol):
    """One task instance of one Airflow version."""

    @property
    def state(self) -> str: ...

    @property
    def tries(self) -> int: ...

    def work(self) -> BaseException | None:
        """One worker session: from queued to whatever the task ends as. Returns what it raised."""

    def work_in_child(self, log: Callable[[str], None]) -> BaseException | None:
        """The same in a process of its own; `log` gets its log lines. Returns WorkerKilled when SIGKILL ended it."""

    def start_in_triggerer(self) -> bool:
        """Defer a task that is to start in the triggerer. Returns whether this is such a task."""

    def fail_over(self) -> None:
        """The worker died: decide between retry and failure as the scheduler does."""

    def next_try(self) -> None:
        """A failed try may be repeated: queue the next one."""

    def clear(self) -> None:
        """What the Clear button does: the same task instance runs again, with all its retries."""

    def deferral(self) -> TriggerRow:
        """The current deferral, as stored."""

    def trigger(self) -> Any:
        """The trigger, rebuilt from what is stored."""

    def triggerer(self) -> AbstractContextManager[None]:
        """What surrounds a trigger in a triggerer: the way to connections and variables."""

    def submit_event(self, event: Any) -> Any:
        """Hand a trigger's event to the task instance, through JSON. Returns the payload as the task will get it."""

    def submit_failure(self, error: BaseException | None, timed_out: bool) -> None:
        """The trigger raised, ended without an event, or was too late."""

    def reschedule_seconds(self) -> float:
        """How long from now a sensor in reschedule mode asked to wait (never below 0)."""

    def xcoms(self) -> dict[str, Any]: ...

    def links(self) -> dict[str, str]: ...

    def rendered_fields(self) -> dict[str, Any]: ...

    def store(self) -> dict[str, Any]: ...

    def outlet_events(self) -> list[dict[str, Any]]: ...

    def retry_delays(self) -> list[float | None]: ...
