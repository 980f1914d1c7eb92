"""What the sensors share: Airflow's own vocabulary in both modes, and how errors reach Airflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
)

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client.defaults import POLL_FAILURES
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsWaitTimeoutError,
)
from airflow_provider_ringevents.operators.base import translate_errors

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.observability.progress_log import WaitProgressLogger

_FAILED = "ringevents_failed_pokes"


class RingEventsBaseSensor(BaseSensorOperator):
    """Base of the sensors.

    :param ringevents_conn_id: the Airflow connection, of type ``ringevents`` (templated).
    """

    ui_color = "#ffd9b3"

    def __init__(self, *, ringevents_conn_id: str = "ringevents_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ringevents_conn_id = ringevents_conn_id
        self._failed = 0
        self._wait_notes: WaitProgressLogger | None = None

    @property
    def awaited(self) -> str:
        """What is waited for, as in "Waiting for ..."."""
        raise NotImplementedError

    @property
    def notes(self) -> WaitProgressLogger:
        """What this wait says; rescheduled, each poke is a wait of its own."""
        if self._wait_notes is None:
            from airflow_provider_ringevents.observability.progress_log import WaitProgressLogger

            deadline = None if self.reschedule else clock.now() + self.timeout
            self._wait_notes = WaitProgressLogger(self.awaited, deadline, self.log.info)
        return self._wait_notes

    @property
    def hook(self) -> RingEventsHook:
        """A new hook for the connection."""
        from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

        return RingEventsHook(self.ringevents_conn_id)

    def tolerate(self, error: RingEventsError, context: Context) -> None:
        """Take a poke that failed; returns when that is to be lived with.

        Rescheduled, each poke is a process of its own: how many have failed is kept in Airflow's task state store, so
        that before Airflow 3.3 only the timeout ends such a wait.

        :raises RingEventsError: the key was refused, or too many pokes failed in a row.
        """
        store = task_state_store(context) if self.reschedule else None
        self._failed = 1 + (store.get(_FAILED, 0) if store else self._failed)
        if isinstance(error, (RingEventsAuthError, RingEventsConfigError)) or self._failed >= POLL_FAILURES:
            self.poked(context)
            raise error
        if store:
            store.set(_FAILED, self._failed)
        self.notes.unfinished(f"a poke failed ({self._failed} in a row so far): {error}")

    def poked(self, context: Context) -> None:
        """Take a poke that was answered."""
        self._failed = 0
        store = task_state_store(context) if self.reschedule else None
        if store:
            store.delete(_FAILED)

    @contextmanager
    def deferred_outcome(self) -> Iterator[None]:
        """Raise what went wrong in the trigger as the same thing that a poke would have raised."""
        try:
            with translate_errors():
                yield
        except RingEventsWaitTimeoutError as error:
            if self.soft_fail:
                raise AirflowSkipException("Skipping due to soft_fail is set to True.") from error
            raise AirflowSensorTimeout(str(error)) from error
        except AirflowFailException as error:
            if self.soft_fail or self.never_fail:
                raise AirflowSkipException(f"Skipping although it failed: {error}") from error
            raise
        except RingEventsError as error:
            if self.never_fail:
                raise AirflowSkipException("Skipping due to never_fail is set to True.") from error
            raise
