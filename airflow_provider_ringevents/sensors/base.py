"""The base of the sensors: Airflow's own vocabulary in both modes, and the failures that a wait survives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
)

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import first_reschedule_date, task_state_store
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsWaitTimeoutError
from airflow_provider_ringevents.observability.progress_log import WaitProgressLogger
from airflow_provider_ringevents.operators.arguments import ArgumentsMixin
from airflow_provider_ringevents.operators.base import DEFAULT_DEFERRABLE, translate_errors
from airflow_provider_ringevents.polling.schedule import FailurePolicy
from airflow_provider_ringevents.state.entry import StateEntry

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.client.transport.time_budget import TimeBudget
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

_STATE_KEY = "ringevents_failed_pokes"


class RingEventsBaseSensor(ArgumentsMixin, BaseSensorOperator):
    """Base of the sensors; each of them describes the arguments."""

    template_fields: Sequence[str] = ("ringevents_conn_id",)
    literal_switches: Sequence[str] = ("deferrable",)
    ui_color = "#ffd9b3"

    def __init__(
        self,
        *,
        deferrable: bool = DEFAULT_DEFERRABLE,
        ringevents_conn_id: str = "ringevents_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.ringevents_conn_id = ringevents_conn_id
        self._failures: FailurePolicy | None = None
        self._deadline: float | None = None
        self._progress_log: WaitProgressLogger | None = None

    @property
    def description(self) -> str:
        """Return what is waited for, as in "Waiting for ..."."""
        raise NotImplementedError

    @property
    def progress_log(self) -> WaitProgressLogger:
        """Return the log of this wait; rescheduled, each poke is a wait of its own."""
        if self._progress_log is None:
            deadline = None if self.reschedule else clock.now() + self.timeout
            self._progress_log = WaitProgressLogger(self.description, deadline, self.log.info)
        return self._progress_log

    def wait_on_worker(self, context: Context) -> None:
        """Poke until the condition is met.

        Airflow skips a deferred sensor with ``never_fail`` at its timeout and fails one that pokes; here both skip.

        :raises AirflowSensorTimeout: the condition was not met in time.
        """
        started = first_reschedule_date(context) if self.reschedule else None
        self._deadline = (clock.now() if started is None else started.timestamp()) + self.timeout
        try:
            super().execute(context)
        except AirflowSensorTimeout as error:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise

    def poke_budget(self) -> TimeBudget | None:
        """Return the time of a poke that begins now; rescheduled before Airflow 3, each has the whole timeout."""
        from airflow_provider_ringevents.polling.waiter import poll_budget

        return poll_budget(self._deadline)

    @property
    def hook(self) -> RingEventsHook:
        """Return a new hook for the connection."""
        from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

        return RingEventsHook(self.ringevents_conn_id)

    def is_paused(self, context: Context) -> bool:
        """Return True while a ``Retry-After`` of an earlier poke lasts, so that this poke sends nothing."""
        return self._load_failures(context).remaining_pause(clock.now()) > 0

    def on_poke_error(self, error: RingEventsError, context: Context) -> None:
        """Take the error of a failed poke, and return if the wait goes on.

        Rescheduled, each poke is a process of its own: the failures in a row are kept in Airflow's task state store,
        so that before Airflow 3.3 only a refused key and the timeout end such a wait.

        :raises RingEventsError: the error ends the wait; see
            :class:`~airflow_provider_ringevents.polling.schedule.FailurePolicy`.
        """
        failures = self._load_failures(context)
        try:
            failures.on_error(error, clock.now())
        except RingEventsError:
            self._failure_entry(context).clear()
            raise
        self._failure_entry(context).save({"failures": failures.failures, "paused_until": failures.paused_until})
        self.progress_log.log_pending(f"a poke failed ({failures.failures} in a row so far): {error}")

    def on_poke_success(self, context: Context) -> None:
        """Forget the failures in a row, since a poke was answered."""
        self._load_failures(context).on_success()
        self._failure_entry(context).clear()

    def _load_failures(self, context: Context) -> FailurePolicy:
        if self._failures is None:
            self._failures = self._failure_entry(context).load() or FailurePolicy(self.poke_interval)
        return self._failures

    def _failure_entry(self, context: Context) -> StateEntry[FailurePolicy]:
        def decode(value: Any) -> FailurePolicy:
            failures, paused_until = int(value["failures"]), float(value["paused_until"])
            return FailurePolicy(self.poke_interval, failures=failures, paused_until=paused_until)

        return StateEntry(task_state_store(context) if self.reschedule else None, _STATE_KEY, decode)

    @contextmanager
    def translate_trigger_errors(self) -> Iterator[None]:
        """Raise an error of the trigger as the exception that a poke would have raised."""
        try:
            with translate_errors():
                yield
        except RingEventsWaitTimeoutError as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipping although it timed out: {error}") from error
            raise AirflowSensorTimeout(str(error)) from error
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipping although it failed: {error}") from error
            raise
        except RingEventsError as error:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise
