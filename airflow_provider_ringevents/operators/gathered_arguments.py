"""The arguments of one operator as plain values, and the problems that are found in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_ringevents.client.errors import RingEventsConfigError, combine_errors, invalid_argument
from airflow_provider_ringevents.client.validation.nesting import find_unusable
from airflow_provider_ringevents.operators.plain_values import JINJA_STARTS, is_literal, to_plain

if TYPE_CHECKING:
    from types import TracebackType

    from airflow.providers.common.compat.sdk import BaseOperator

_START_STRINGS: Final = ("variable_start_string", "block_start_string", "comment_start_string")
_LINE_PREFIXES: Final = ("line_statement_prefix", "line_comment_prefix")


class InvalidArgumentError(RingEventsConfigError, AirflowFailException):
    """An invalid argument. Airflow does not retry the task, even if it fails while a mapped task is expanded."""

    @classmethod
    def combine(cls, task_id: str, problems: Sequence[RingEventsConfigError], note: str = "") -> Self:
        """Return one error for all problems of a task.

        :param problems: at least one.
        :param note: a text for the end of the message.
        """
        combined = combine_errors(f"{task_id}: the arguments are invalid, nothing was sent", problems)
        return cls(
            f"{combined}{note}",
            parameter=combined.parameter,
            expected=combined.expected,
            got=combined.got,
            problems=combined.problems or (combined,),
        )


def not_templated(parameter: str, value: Any) -> RingEventsConfigError:
    """Return the error for a template, or the result of a task, in an argument that Airflow does not render."""
    return invalid_argument(
        parameter,
        "given as a plain value, since it is not templated",
        value,
        hint="A mapped task can take it from `expand()`.",
    )


class GatheredArguments:
    """The arguments of one operator or sensor as plain values, and the problems that were found in them.

    While a DAG is parsed, arguments that Airflow has yet to resolve (Jinja, XComArgs, mapped values) are not known.
    When the task runs, all are, and plain values replace what Airflow has handed over: lists for lazy sequences,
    numbers for ``Decimal`` and NumPy scalars, booleans for the words that a template has rendered.

    Leaving the ``with`` block raises one :class:`InvalidArgumentError` for all problems that were found in it.

    :param operator: the operator or sensor; its attributes have the names of its arguments.
    :param rendered: True when the task runs, False while its DAG is parsed.
    """

    def __init__(self, operator: BaseOperator, *, rendered: bool) -> None:
        self._operator = operator
        self._renamed = operator.renamed_arguments  # type: ignore[attr-defined] # mixed into an operator
        self._rendered = rendered
        self._own_starts = _own_delimiters(operator, _START_STRINGS)
        self._template_starts = (*JINJA_STARTS, *self._own_starts, *_own_delimiters(operator, _LINE_PREFIXES))
        self._is_native = _renders_native_objects(operator)
        self._problems: list[RingEventsConfigError] = []
        if rendered:
            for name in operator.template_fields:
                setattr(operator, name, to_plain(getattr(operator, name, None)))

    def __enter__(self) -> Self:
        self._problems = find_unusable_fields(self._operator)
        if self._problems:  # no check below looks into such values
            raise InvalidArgumentError.combine(self._operator.task_id, self._problems)
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, RingEventsConfigError):
            self._add(error)
        elif error is not None:
            return
        if self._problems:
            note = ""
            if self._rendered and self._is_native:
                note = (
                    "\nThe DAG renders native objects (render_template_as_native_obj): Jinja makes a number of text"
                    " that consists of digits; write '\"{{ ... }}\"', with quotes around it, to keep it text."
                )
            raise InvalidArgumentError.combine(self._operator.task_id, self._problems, note) from error

    def __getitem__(self, name: str) -> Any:
        """Return the value of an argument as a plain value; it may hold what is not resolved yet."""
        value = getattr(self._operator, name)
        if name in self._operator.template_fields:
            return value if self._rendered else to_plain(value)
        switches = self._operator.literal_switches  # type: ignore[attr-defined] # mixed into an operator
        if not self._rendered and name not in switches and not is_literal(value, self._template_starts):
            # Airflow neither renders nor resolves it: the task would get it as it is.
            self._problems.append(not_templated(self._renamed.get(name, name), value))
            return value
        plain = to_plain(value)
        if plain is not value:  # nothing is rendered later that this could hide
            setattr(self._operator, name, plain)
        return plain

    def is_known(self, value: Any) -> bool:
        """Return True if a value can be checked now: the task runs, or nothing in it is left to resolve."""
        return self._rendered or is_literal(value, self._template_starts)

    def knows(self, *names: str) -> bool:
        """Return True if all of the named arguments can be checked now."""
        return all(self.is_known(self[name]) for name in names)

    def refuse(self, parameter: str, expected: str, *got: Any, hint: str | None = None) -> None:
        """Add a problem: "`parameter` must be <expected>, got <value>."; arguments as of :func:`invalid_argument`."""
        parameter = self._renamed.get(parameter, parameter)
        self._problems.append(invalid_argument(parameter, expected, *got, hint=hint))

    @contextmanager
    def gather(self, parameter: str | None = None) -> Iterator[None]:
        """Add the problems that a check of another module raises, and go on after the ``with`` block.

        :param parameter: the argument that is checked, for problems that name none.
        """
        try:
            yield
        except RingEventsConfigError as error:
            error.parameter = error.parameter or (None if error.problems else parameter)
            self._add(error)

    def _add(self, error: RingEventsConfigError) -> None:
        self._problems.extend(error.problems or (error,))

    def _as_text(self, name: str, value: Any) -> Any:
        if self._rendered and self._is_native and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
            self._replace(name, value)
        return value

    def _replace(self, name: str, value: Any) -> None:
        if self._rendered:
            setattr(self._operator, name, value)


def find_unusable_fields(operator: BaseOperator) -> list[RingEventsConfigError]:
    """Return the errors for values of templated arguments that can be neither stored nor sent, whatever they mean."""
    renamed = operator.renamed_arguments  # type: ignore[attr-defined] # mixed into an operator
    found = (find_unusable(renamed.get(name, name), getattr(operator, name, None)) for name in operator.template_fields)
    return [error for error in found if error]


def _own_delimiters(operator: BaseOperator, names: Sequence[str]) -> tuple[str, ...]:
    dag = operator.get_dag() if operator.has_dag() else None
    custom = getattr(dag, "jinja_environment_kwargs", None) or {}
    return tuple(custom[name] for name in names if custom.get(name))


def _renders_native_objects(operator: BaseOperator) -> bool:
    own = getattr(operator, "render_template_as_native_obj", None)
    if own is not None:
        return bool(own)
    dag = operator.get_dag() if operator.has_dag() else None
    return bool(getattr(dag, "render_template_as_native_obj", False))
