"""The pokes of a sensor on the worker, and the failures that they survive; imported when a sensor runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.observability.progress_log import WaitProgressLogger
from airflow_provider_ringevents.polling.schedule import FailurePolicy
from airflow_provider_ringevents.polling.waiter import poll_budget
from airflow_provider_ringevents.state.entry import StateEntry

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.client.transport.time_budget import TimeBudget
    from airflow_provider_ringevents.sensors.base import RingEventsBaseSensor

_STATE_KEY = "ringevents_failed_pokes"


class Pokes:
    """The pokes of one wait: their failures in a row, their deadline and the log of their progress.

    Rescheduled, each poke is a process of its own, and a wait of its own in the log. The failures in a row are kept in
    Airflow's task state store, so that before Airflow 3.3 only a refused key and the timeout end such a wait.

    :ivar progress_log: the log lines of the wait.
    :param deadline: seconds since the epoch; None: each poke has all the time that it takes.
    """

    def __init__(self, sensor: RingEventsBaseSensor, context: Context, deadline: float | None) -> None:
        def decode(value: Any) -> FailurePolicy:
            failures, paused_until = int(value["failures"]), float(value["paused_until"])
            return FailurePolicy(sensor.poke_interval, failures=failures, paused_until=paused_until)

        self._deadline = deadline
        self._entry = StateEntry(task_state_store(context) if sensor.reschedule else None, _STATE_KEY, decode)
        self._failures = self._entry.load() or FailurePolicy(sensor.poke_interval)
        shown_deadline = None if sensor.reschedule else clock.now() + sensor.timeout
        self.progress_log = WaitProgressLogger(sensor.description, shown_deadline, sensor.log.info)

    @property
    def are_paused(self) -> bool:
        """Return True while a ``Retry-After`` of an earlier poke lasts, so that no poke sends anything."""
        return self._failures.remaining_pause(clock.now()) > 0

    def budget(self) -> TimeBudget | None:
        """Return the time of a poke that begins now."""
        return poll_budget(self._deadline)

    def on_error(self, error: RingEventsError) -> None:
        """Take the error of a failed poke, and return if the wait goes on.

        :raises RingEventsError: the error ends the wait; see
            :class:`~airflow_provider_ringevents.polling.schedule.FailurePolicy`.
        """
        failures = self._failures
        try:
            failures.on_error(error, clock.now())
        except RingEventsError:
            self._entry.clear()
            raise
        self._entry.save({"failures": failures.failures, "paused_until": failures.paused_until})
        self.progress_log.log_pending(f"a poke failed ({failures.failures} in a row so far): {error}")

    def on_success(self) -> None:
        """Forget the failures in a row, since a poke was answered."""
        self._failures.on_success()
        self._entry.clear()
