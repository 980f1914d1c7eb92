"""The checks of the arguments of operators and sensors. Cheap to import: DAGs are parsed often."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.secrets import conceal_attributes
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.client.validation.numbers import (
    check_duration,
    check_number,
    check_poll_interval,
    parse_number,
)
from airflow_provider_ringevents.operators.gathered_arguments import (
    GatheredArguments,
    InvalidArgumentError,
    find_unusable_fields,
)
from airflow_provider_ringevents.operators.plain_values import JINJA_STARTS, to_plain

_LEFT_OVER: Final = (*JINJA_STARTS, "}}", "%}", "#}")
# None as a word, between anything but letters: `day=None`, `report-None.csv`, `None2026`, `NoneNone`, `a None b`.
# Not `Nonesuch`, nor the English "None of".
_NONE_IN_A_NAME: Final = re.compile(r"(?<![^\W\d_])(?:None)+(?![^\W\d_]| of )")
_SWITCH_WORDS: Final = {"true": True, "false": False}


class Arguments(GatheredArguments):
    """The checks of the arguments of one operator or sensor: what is invalid is refused, all of it at once."""

    def require(self, *names: str) -> None:
        """Refuse None for arguments that the API makes optional and the operator does not."""
        for name in names:
            if self[name] is None:
                self.refuse(name, "given", None)

    def identifier(self, name: str, *, required: bool = True) -> None:
        """Refuse what is not an id: a URL, a path, blank text, "None", or Jinja that was left over."""
        value = self[name]
        if (value is None and not required) or not self.is_known(value):
            return
        value = self._as_text(name, value)
        if self.is_plain_text(name, "an id", value):
            with self.gather(name):
                validate_identifier(name, value)

    def identifiers(self, name: str, *, required: bool = True) -> None:
        """Refuse what is not a list of ids; one id, which a mapped task group hands over, is a list of one.

        :param required: refuse None and an empty list, too.
        """
        value = self[name]
        if (value is None and not required) or not self.is_known(value):
            return
        if isinstance(value, str):
            value = [value]
            self._replace(name, value)
        if not isinstance(value, list) or (required and not value):
            self.refuse(name, "a list of at least one id" if required else "a list of ids", value)
            return
        if self._rendered and self._is_native:
            value = [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
            self._replace(name, value)
        for index, item in enumerate(value):
            if self.is_plain_text(f"{name}[{index}]", "an id", item):
                with self.gather(f"{name}[{index}]"):
                    validate_identifier(f"{name}[{index}]", item)

    def filter(self, name: str) -> bool:
        """Refuse what is not a mapping of conditions, and values that only a mistake of a template can have made.

        :returns: True if the filter is None or a known mapping without such values, whose fields can be checked.
        """
        value = self[name]
        if value is None:
            return True
        if not self.is_known(value):
            return False
        if not isinstance(value, Mapping):
            self.refuse(name, "a mapping of fields to conditions", value)
            return False
        is_plain = True
        for field, conditions in value.items():
            operators = conditions if isinstance(conditions, Mapping) else {"eq": conditions}
            for operator, operand in operators.items():
                written = operand.split(",") if operator == "in" and isinstance(operand, str) else operand
                for item in written if isinstance(written, list) else [written]:
                    is_plain &= self.is_plain_text(f"{name}[{field}][{operator}]", "a value", item)
        return is_plain

    def connection(self, name: str, *, required: bool = True) -> None:
        """Refuse what is not the id of a connection."""
        value = self[name]
        if (value is None and not required) or not self.is_known(value):
            return
        value = self._as_text(name, value)
        if not isinstance(value, str) or not value.strip():
            self.refuse(name, "the id of a connection", value)
        else:
            self.is_plain_text(name, "the id of a connection", value)

    def key(self, name: str, validate: Callable[[Any], None]) -> None:
        """Refuse what is not a key, such as an idempotency key: as ids, but of any printable characters.

        :param validate: raises the error for any other constraint.
        """
        value = self[name]
        if value is None or not self.is_known(value):
            return
        value = self._as_text(name, value)
        if not self.is_plain_text(name, "a key", value):
            return
        if isinstance(value, str) and _NONE_IN_A_NAME.search(value):
            self.refuse(name, "a key without a part None", value, hint="A template has rendered None as text.")
            return
        with self.gather(name):
            validate(value)

    def path(self, name: str) -> bool:
        """Refuse a URI or path in which a template has left out a part, rendered None as text, or left Jinja over.

        :returns: False if the value was refused; True for other text, and for values that are no text.
        """
        value = self[name]
        if not self.is_plain_text(name, "a path or URI", value):
            return False
        if not isinstance(value, str):
            return True
        authority, *folders = value.partition("://")[2].split("/") if "://" in value else value.split("/")
        if folders and not folders[-1]:
            folders.pop()  # the place of a folder ends in a slash
        if any(_NONE_IN_A_NAME.search(part) for part in (*re.split("[@:]", authority), *folders)):
            self.refuse(name, "a path without a part None", value, hint="A template has rendered None as text.")
        elif not all(part.strip() for part in folders):
            self.refuse(name, "a path without blank parts", value, hint="Perhaps a template has rendered nothing.")
        else:
            return True
        return False

    def is_plain_text(self, parameter: str, expected: str, value: Any) -> bool:
        """Refuse the text "None", and Jinja that was left over, where they can only be a mistake of a template.

        :param expected: the constraint, for the message.
        :returns: False if the value was refused; True for other text, and for values that are no text.
        """
        if not isinstance(value, str):
            return True
        if value.strip() == "None":
            self.refuse(parameter, expected, value, hint="A template has rendered None as text.")
            return False
        if self._rendered and any(part in value for part in (*_LEFT_OVER, *self._own_starts)):
            self.refuse(parameter, expected, value, hint="It still holds Jinja, which is rendered once only.")
            return False
        return True

    def text(self, name: str) -> Any:
        """Return text, also where native rendering made a number of it; other values are returned as they are."""
        return self._as_text(name, self[name])

    def number(self, name: str) -> Any:
        """Return a number that may be given as text, as templates render it; other values are returned as they are."""
        value = self[name]
        if isinstance(value, str) and (number := parse_number(value)) is not None:
            self._replace(name, number)
            return number
        return value

    def number_within(self, name: str, minimum: float, maximum: float, *, integer: bool = False) -> None:
        """Refuse what is not a number in a range, both ends included."""
        value = self.number(name)
        if self.is_known(value):
            with self.gather():
                check_number(name, value, integer=integer, minimum=minimum, maximum=maximum)

    def choice(self, name: str, allowed: Sequence[str]) -> None:
        """Refuse what is not one of the values that this package offers."""
        from airflow_provider_ringevents.client.types import validate_choice

        if self.knows(name):
            with self.gather():
                validate_choice(name, self[name], allowed, closed=True)

    def duration(self, name: str) -> None:
        """Refuse what is not a number of seconds that can be waited for."""
        if self.knows(name):
            with self.gather():
                check_duration(name, self[name])

    def poll_interval(self, name: str) -> None:
        """Refuse what is not a number of seconds that may lie between two polls."""
        if self.knows(name):
            with self.gather():
                check_poll_interval(name, self[name])

    def switch(self, name: str) -> None:
        """Refuse what is not True or False, nor the words of it that a template renders."""
        value = self[name]
        if isinstance(value, bool) or not self.is_known(value):
            return
        switch = _read_switch(value)
        if switch is None:
            self.refuse(name, 'True or False, or a template of "true" or "false"', value)
        else:
            self._replace(name, switch)

    def literal_switch(self, name: str) -> None:
        """Refuse what is not True or False, templates included: it is read before anything is rendered."""
        value = self[name]
        if not isinstance(value, bool):
            self.refuse(name, "True or False, which cannot be templated", value)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a mapping argument, empty where it is None or not known yet; refuse anything else."""
        value = self[name]
        if value is None or (not isinstance(value, Mapping) and not self.is_known(value)):
            return {}
        if isinstance(value, Mapping):
            return dict(value)
        self.refuse(name, f"a mapping, not {type(value).__name__}")  # the value may hold a password
        return {}

    def request(
        self,
        operation: str,
        own: Any,
        *,
        attributes: str | None = None,
        prefix: str = "",
        allow_undocumented: Any = False,
    ) -> dict[str, Any]:
        """Check the attributes of a request, and return them in the form in which they are sent.

        :param operation: the name of the endpoint.
        :param own: the arguments that are attributes of the request, under the API's names; None: not given.
        :param attributes: the name of the argument that holds further attributes.
        :param prefix: the place of the attributes in an argument, for the messages.
        :param allow_undocumented: accept attributes and values that the API does not document.
        :returns: the attributes; empty if they are invalid or not known yet.
        """
        # 30 ms, more than all of the operators, and a DAG may have none of those that need it.
        from airflow_provider_ringevents.client.validation.requests import boolean_attributes, validate_request

        given, further = to_plain(own), dict[str, Any]()
        if attributes:
            if not isinstance(self[attributes], Mapping) and not self.is_known(self[attributes]):
                return {}
            # A traceback from below holds no password in a variable.
            further = conceal_attributes(self._read_switches(attributes, boolean_attributes(operation)))
            given = {name: value for name, value in given.items() if value is not None}
            for name in sorted(given.keys() & further.keys()):
                self.refuse(f"{attributes}[{name!r}]", "left out where the argument of this attribute is given")
            self._check_ids(further, f"{attributes}[{{!r}}]")
            given = {**given, **further}
        elif prefix and isinstance(given, Mapping):
            self._check_ids(given, f"{prefix}.{{}}")
        try:
            return validate_request(
                operation,
                given,
                allow_undocumented=bool(allow_undocumented),
                is_resolved=self.is_known,
                names={} if prefix else {name: _argument_name(name) for name in own if name not in further},
            )
        except RingEventsConfigError as error:
            refused = {problem.parameter for problem in self._problems}
            for problem in error.problems or (error,):
                attribute = problem.parameter or ""
                placed = _prefixed(problem, prefix) if prefix else problem
                names = {placed.parameter, _argument_name(attribute), f"{attributes}[{attribute!r}]"}
                if refused.isdisjoint(names):
                    self._problems.append(placed)
            return {}

    def _read_switches(self, name: str, switches: Collection[str]) -> dict[str, Any]:
        """Return a mapping argument with booleans for the words that templates have rendered for its switches."""
        given = self.mapping(name)
        words = {key: switch for key in switches if (switch := _read_switch(given.get(key))) is not None}
        if words:
            given |= words
            self._replace(name, given)
        return given

    def _check_ids(self, attributes: Mapping[str, Any], place: str) -> None:
        for name, value in attributes.items():
            if name == "slug" or str(name).endswith("Id"):
                self.is_plain_text(place.format(name), "an id", value)
            # An empty slug is none: the event gets one that its key makes.
            if name == "slug" and isinstance(value, str) and value and not value.strip():
                self.refuse(place.format(name), "a slug that is not blank", value)


class ArgumentsMixin:
    """A mixin of operators and sensors that check their arguments when a DAG is parsed and when a task runs."""

    switches: Sequence[str] = ()
    """The arguments that are True or False and may be templated."""
    literal_switches: Sequence[str] = ()
    """The arguments that are True or False and may not."""
    renamed_arguments: Mapping[str, str] = {}
    """Attribute -> its argument, where the name of the argument means something else to Airflow."""

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known; overridden by each class."""

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render the templates, and refuse results that Airflow could not store, which it would try to do first.

        :raises InvalidArgumentError: there is one.
        """
        super().render_template_fields(context, jinja_env)  # type: ignore[misc] # of the operator
        if problems := find_unusable_fields(self):  # type: ignore[arg-type] # mixed into an operator
            raise InvalidArgumentError.combine(self.task_id, problems)  # type: ignore[attr-defined]

    def validate_literals(self) -> None:
        """Check the arguments at the end of ``__init__``.

        :raises InvalidArgumentError: with everything that is wrong and can be known while the DAG is parsed.
        """
        self._validate(rendered=False)

    def validate_rendered(self) -> None:
        """Check the arguments at the start of ``execute`` and make them plain values.

        :raises InvalidArgumentError: with everything that is wrong.
        """
        self._validate(rendered=True)

    def _validate(self, *, rendered: bool) -> None:
        with Arguments(self, rendered=rendered) as arguments:  # type: ignore[arg-type] # mixed into an operator
            for name in self.switches:
                arguments.switch(name)
            for name in self.literal_switches:
                arguments.literal_switch(name)
            arguments.connection("ringevents_conn_id")
            self.check_arguments(arguments)


def _argument_name(attribute: str) -> str:
    """Return the name of the argument for an attribute of the API: ``organization_id`` for ``organizationId``."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", attribute)


def _read_switch(value: Any) -> bool | None:
    """Return the boolean that a word stands for; None: it is no such word."""
    return _SWITCH_WORDS.get(value.strip().lower()) if isinstance(value, str) else None


def _prefixed(problem: RingEventsConfigError, prefix: str) -> RingEventsConfigError:
    parameter = f"{prefix}.{problem.parameter}" if problem.parameter else prefix
    return RingEventsConfigError(
        f"{prefix}: {problem}", parameter=parameter, expected=problem.expected, got=problem.got
    )
