"""What all operators share: the connection, the hook, and how an error reaches Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_ringevents import _compat
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsError

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

P = ParamSpec("P")
R = TypeVar("R")
Self = TypeVar("Self")


@contextmanager
def translate_errors() -> Iterator[None]:
    """Errors that a retry cannot mend fail the task at once; the others are left to Airflow's retries."""
    try:
        yield
    except RingEventsError as error:
        if error.retryable:
            raise
        raise AirflowFailException(str(error)) from error


def translate_errors_decorator(method: Callable[Concatenate[Self, P], R]) -> Callable[Concatenate[Self, P], R]:
    """:func:`task_errors` around a method that Airflow calls."""

    @wraps(method)
    def guarded(self: Self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with translate_errors():
            return method(self, *args, **kwargs)

    return guarded


class InvalidArgumentError(RingEventsConfigError, AirflowFailException):
    """An argument is wrong. Airflow does not retry it, also where a mapped task meets it when it is put together."""


def reject_invalid_arguments(method: Callable[P, R]) -> Callable[P, R]:
    """Around a method that checks arguments, while a DAG is parsed or a task runs."""

    @wraps(method)
    def checking(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except RingEventsConfigError as error:
            raise InvalidArgumentError(
                str(error),
                parameter=error.parameter,
                expected=error.expected,
                got=error.got,
                problems=error.problems,
            ) from error

    return checking


def is_literal(value: Any) -> bool:
    """Whether an argument can be checked at parse time: it holds no Jinja and comes from no other task."""
    if isinstance(value, str):
        return "{{" not in value and "{%" not in value
    if isinstance(value, dict):
        return all(is_literal(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return all(is_literal(item) for item in value)
    # An XComArg, a mapped value: anything that Airflow resolves when the task runs.
    return not hasattr(value, "resolve") and not hasattr(value, "iter_references")


def is_known(value: Any) -> bool:
    """Whether an argument can be checked when the task runs: always."""
    return True


def as_mapping(parameter: str, value: Any) -> dict[str, Any]:
    """A mapping argument as a dict; None: empty."""
    if value is not None and not isinstance(value, Mapping):
        raise RingEventsConfigError(f"{parameter}: a mapping is wanted, got {type(value).__name__}")
    return dict(value or {})


def require(**arguments: Any) -> None:
    """Refuse None, by name: the API makes optional what an operator is there for."""
    if missing := [name for name, value in arguments.items() if value is None]:
        raise RingEventsConfigError("\n".join(f"{name}: is required and missing" for name in missing))


def validate_duration(parameter: str, value: Any) -> None:
    """Refuse what is no positive number of seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise RingEventsConfigError(f"{parameter}: a number of seconds above 0 is wanted, got {value!r}")


class RingEventsBaseOperator(BaseOperator):
    """Base of the operators.

    :param ringevents_conn_id: the Airflow connection, of type ``ringevents`` (templated).
    """

    template_fields: Sequence[str] = ("ringevents_conn_id",)
    ui_color = "#ff7a00"
    ui_fgcolor = "#ffffff"

    def __init__(self, *, ringevents_conn_id: str = "ringevents_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ringevents_conn_id = ringevents_conn_id
        _compat.install_retry_policy(self)

    @property
    def hook(self) -> RingEventsHook:
        """A new hook for the connection; close it, or use it in a ``with`` statement.

        Imported here, since importing it costs more than parsing a DAG.
        """
        from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

        return RingEventsHook(self.ringevents_conn_id)
