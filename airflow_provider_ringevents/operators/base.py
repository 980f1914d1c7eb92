"""The base of the operators: the connection, the hook, and the translation of errors for Airflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator, conf

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.operators.arguments import Arguments, ArgumentsMixin
from airflow_provider_ringevents.operators.retry_policy import install_retry_policy

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

DEFAULT_DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Fail the task at once on errors that a retry cannot fix; leave the others to Airflow's retries.

    A context manager that is a decorator of ``execute``, too.

    :raises AirflowFailException: instead of an error that is not retryable.
    """
    try:
        yield
    except RingEventsError as error:
        if error.retryable or isinstance(error, AirflowFailException):
            raise
        raise AirflowFailException(str(error)) from error


class RingEventsBaseOperator(ArgumentsMixin, BaseOperator):
    """Base of the operators."""

    template_fields: Sequence[str] = ("ringevents_conn_id",)
    ui_color = "#ff7a00"
    ui_fgcolor = "#ffffff"

    def __init__(self, *, ringevents_conn_id: str = "ringevents_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ringevents_conn_id = ringevents_conn_id
        install_retry_policy(self)

    @property
    def hook(self) -> RingEventsHook:
        """A new hook for the connection; close it, or use it in a ``with`` statement."""
        # Costs more to import than the operators, and no DAG needs it while it is parsed.
        from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

        return RingEventsHook(self.ringevents_conn_id)


class DeferrableWaitMixin(RingEventsBaseOperator):
    """A mixin of operators that wait for what the service does in the background; each describes the arguments."""

    literal_switches: Sequence[str] = ("deferrable",)
    awaited_arguments: Sequence[str] = ()
    """The arguments that determine what the wait is for."""

    def __init__(
        self,
        *,
        poll_interval: float = defaults.POLL_INTERVAL,
        wait_timeout: float = defaults.WAIT_TIMEOUT,
        deferrable: bool = DEFAULT_DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout
        self.deferrable = deferrable

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the durations, and what the next class checks."""
        arguments.poll_interval("poll_interval")
        arguments.duration("wait_timeout")
        super().check_arguments(arguments)

    def deadline(self) -> float:
        """Return the end of a wait that starts now, in seconds since the epoch."""
        return clock.now() + self.wait_timeout

    def awaited(self) -> dict[str, str]:
        """Return the arguments that determine what the wait is for, as texts, for :meth:`require_awaited`."""
        return {name: str(getattr(self, name)) for name in self.awaited_arguments}

    def require_awaited(self, awaited: Mapping[str, str] | None) -> None:
        """Refuse arguments that render to other values after a deferred wait: the result would be taken for theirs.

        :param awaited: what :meth:`awaited` returned before the wait.
        :raises RingEventsError: an argument has another value now.
        """
        for name, value in (awaited or {}).items():
            if (now := str(getattr(self, name))) != value:
                raise RingEventsError(
                    f"`{name}` was {value!r:.200} before the wait, and is {now!r:.200} after it. The result of the wait"
                    " is not used. A retry begins with the new value.",
                    retryable=True,
                )
