"""The lines between supervisor and task, where those of a single process are not true to life."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from airflow.sdk.api.client import TaskInstanceOperations
from airflow.sdk.execution_time import supervisor
from airflow.sdk.execution_time.comms import MaskSecret

_untyped_reschedule_start = TaskInstanceOperations.get_reschedule_start_date


def reschedule_start(self: TaskInstanceOperations, id: Any, try_number: int = 1) -> Any:
    """Make the time a time: between processes it is parsed, and Airflow 3.0 does not do so inside one."""
    answer = _untyped_reschedule_start(self, id, try_number)
    return type(answer).model_validate(answer.model_dump(warnings=False))


class TriggererComms(supervisor.InProcessSupervisorComms):
    """The way from a trigger to the API: awaited from the event loop, or called from another thread.

    A plain call from the event loop's own thread raises, as it does in the triggerers of Airflow 3.0 to 3.2.
    """

    _lock = threading.Lock()

    def send(self, msg: Any) -> Any:
        if not isinstance(msg, MaskSecret) and _in_event_loop():
            raise RuntimeError(f"{type(msg).__name__} was asked for with a blocking call inside the event loop")
        return self._ask(msg)

    async def asend(self, msg: Any) -> Any:
        return self._ask(msg)

    def _ask(self, msg: Any) -> Any:
        with self._lock:
            return super().send(msg)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
