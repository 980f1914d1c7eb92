"""The base of the sensors: Airflow's own vocabulary in both modes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
)

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import first_reschedule_date
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsError,
    RingEventsWaitTimeoutError,
)
from airflow_provider_ringevents.client.validation.numbers import check_duration
from airflow_provider_ringevents.operators.arguments import ArgumentsMixin
from airflow_provider_ringevents.operators.base import DEFAULT_DEFERRABLE, translate_errors
from airflow_provider_ringevents.operators.gathered_arguments import InvalidArgumentError, not_templated
from airflow_provider_ringevents.operators.plain_values import is_literal

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.sensors._pokes import Pokes


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
        # Before Airflow makes timedeltas of them, which overflow.
        given = {**(kwargs.get("default_args") or {}), **kwargs}
        is_paced = given.get("mode") == "reschedule" and not deferrable  # by Airflow's scheduler
        _check_times(str(kwargs.get("task_id")), given, shortest=0 if is_paced else defaults.MIN_POLL_INTERVAL)
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.ringevents_conn_id = ringevents_conn_id
        self._deadline: float | None = None
        self._pokes: Pokes | None = None

    @property
    def description(self) -> str:
        """Return what is waited for, as in "Waiting for ..."."""
        raise NotImplementedError

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

    def pokes(self, context: Context) -> Pokes:
        """Return the pokes of this wait."""
        # Costs a fifth of the operators to import, and no DAG needs it while it is parsed.
        from airflow_provider_ringevents.sensors._pokes import Pokes

        if self._pokes is None:
            self._pokes = Pokes(self, context, self._deadline)
        return self._pokes

    @property
    def hook(self) -> RingEventsHook:
        """Return a new hook for the connection."""
        from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

        return RingEventsHook(self.ringevents_conn_id)

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


def _check_times(task_id: str, arguments: Mapping[str, Any], *, shortest: float) -> None:
    """Check Airflow's own arguments of a sensor that are times.

    :param shortest: the shortest poke interval, in seconds.
    :raises InvalidArgumentError: a poke interval is too short or too long, or a timeout too long.
    """
    problems = []
    for name, minimum in (("poke_interval", shortest), ("timeout", 0)):
        value = arguments.get(name)
        if value is None:  # Airflow's default
            continue
        if not is_literal(value):
            problems.append(not_templated(name, value))
            continue
        try:
            check_duration(name, value.total_seconds() if isinstance(value, timedelta) else value, minimum=minimum)
        except RingEventsConfigError as error:
            problems.append(error)
    if problems:
        raise InvalidArgumentError.combine(task_id, problems)
