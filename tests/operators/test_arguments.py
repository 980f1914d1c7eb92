"""How operators check their arguments: what is not known yet, all problems at once, plain values, switches."""

from __future__ import annotations

import inspect
import pickle
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, BaseOperator
from airflow_harness import Run

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.operators import (
    data_subscriptions,
    events,
    magic_links,
    registrations,
    reports,
    tickets,
)
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator
from airflow_provider_ringevents.operators.gathered_arguments import InvalidArgumentError
from airflow_provider_ringevents.operators.plain_values import is_literal, to_plain
from airflow_provider_ringevents.operators.registrations import RingEventsUpdateRegistrationOperator
from airflow_provider_ringevents.operators.tickets import RingEventsCreateTicketOperator

OPERATORS = [
    cls
    for module in (data_subscriptions, events, magic_links, registrations, reports, tickets)
    for cls in vars(module).values()
    if inspect.isclass(cls) and issubclass(cls, RingEventsBaseOperator) and cls.__module__ == module.__name__
]


def ticket(**arguments: Any) -> RingEventsCreateTicketOperator:
    return RingEventsCreateTicketOperator(task_id="ticket", **{"event_id": "e1", "name": "VIP", **arguments})


def update(**arguments: Any) -> RingEventsUpdateRegistrationOperator:
    usual = {"registration_id": "r1", "metadata": {"seat": "B2"}}
    return RingEventsUpdateRegistrationOperator(task_id="update", **{**usual, **arguments})


class Lazy(Sequence[Any]):
    """A sequence that fetches its items when they are asked for."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]


# --- errors


def test_all_problems_are_one_error_with_one_entry_each() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        magic_links.RingEventsCreateMagicLinkOperator(
            task_id="links", ticket_id="a/b", attendees="Jane", include_links="perhaps", allow_undocumented=1
        )
    error = caught.value
    assert isinstance(error, AirflowFailException)
    assert not error.retryable
    assert [problem.parameter for problem in error.problems] == [
        "include_links",
        "allow_undocumented",
        "ticket_id",
        "attendees",
    ]
    assert "links: the arguments are invalid, nothing was sent" in str(error)


def test_one_problem_is_the_error_itself_and_survives_pickling() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        update(merge="no")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.parameter, error.got) == ("merge", "'no'")
    assert str(error) == '`merge` must be True or False, or a template of "true" or "false", got \'no\'.'
    assert isinstance(error, InvalidArgumentError)


# --- what is not known yet


@pytest.mark.parametrize("text", ["{{ x }}", "{% if x %}y{% endif %}", "a{# b #}"])
def test_jinja_is_not_a_literal(text: str) -> None:
    assert not is_literal(text)
    assert not is_literal({"a": ["b", text]})
    assert not is_literal({text: "b"})


def test_what_another_task_returns_is_not_a_literal() -> None:
    with DAG("dag", schedule=None):
        output = BaseOperator(task_id="other").output
    assert not is_literal(output)
    assert not is_literal([{"a": output}])
    assert to_plain([output]) == [output]


def test_other_delimiters_of_the_dag_are_not_taken_for_literals() -> None:
    with DAG(
        "dag", schedule=None, jinja_environment_kwargs={"variable_start_string": "<<", "variable_end_string": ">>"}
    ):
        ticket(event_id="<< params.a / 1 >>")
    with DAG("dag", schedule=None, jinja_environment_kwargs={"line_statement_prefix": "##"}):
        update(merge="## if params.a\ntrue\n## endif")
    with DAG("dag", schedule=None), pytest.raises(InvalidArgumentError, match="event_id"):
        ticket(event_id="<< params.a / 1 >>")


# --- plain values


class Kind(str, Enum):  # noqa: UP042 # the form in which `str()` is the name of the member
    CHAT = "chat"


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (Lazy("a", Lazy(1)), ["a", [1]]),
        (("a", {"b": (1, 2)}), ["a", {"b": [1, 2]}]),
        (deque(["a", "b"]), ["a", "b"]),
        (Decimal("49.90"), 49.9),
        (Decimal("50.00"), 50),
        (Fraction(1, 2), 0.5),
        (Kind.CHAT, "chat"),
        ({("a", 1): (2,)}, {("a", 1): [2]}),
        (True, True),
        (None, None),
        (b"raw", b"raw"),
    ],
)
def test_values_are_made_plain(given: Any, plain: Any) -> None:
    made = to_plain(given)
    assert made == plain
    assert type(made) is type(plain)


def test_a_signaling_nan_is_no_number() -> None:
    made = to_plain(Decimal("sNaN"))
    assert isinstance(made, float)
    assert made != made


def test_numpy_values_are_made_plain() -> None:
    numpy = pytest.importorskip("numpy")
    made = to_plain([numpy.int64(7), numpy.float32(0.5), numpy.bool_(True), numpy.str_("a"), numpy.array([1, 2])])
    assert made == [7, 0.5, True, "a", [1, 2]]
    assert [type(value) for value in made] == [int, float, bool, str, list]


def test_arguments_that_are_not_templated_are_plain_values_from_the_start() -> None:
    numpy = pytest.importorskip("numpy")
    given = {"deferrable": numpy.False_, "poll_interval": Decimal("0.5"), "wait_timeout": numpy.int64(9)}
    copy = events.RingEventsDuplicateEventOperator(task_id="copy", event_id="e1", settle_timeout=Decimal(3), **given)
    values = [getattr(copy, name) for name in ("deferrable", "poll_interval", "wait_timeout", "settle_timeout")]
    assert values == [False, 0.5, 9, 3]
    assert [type(value) for value in values] == [bool, float, int, int]
    for name, value in given.items():  # as where only the worker makes the task of a mapped one
        setattr(copy, name, value)
    copy.validate_rendered()
    assert [type(getattr(copy, name)) for name in given] == [bool, float, int]


def test_times_are_left_as_they_are() -> None:
    when = datetime(2027, 3, 1, tzinfo=UTC)
    assert to_plain(when) is when


# --- switches


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_every_switch_of_an_operator_is_checked(operator: type[Any]) -> None:
    """By signature: those that change what is sent or shown may be templated, ``deferrable`` may not."""
    parameters = {
        name
        for cls in operator.__mro__
        if cls.__module__.startswith("airflow_provider_ringevents")
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if parameter.annotation == "bool"
    }
    assert parameters == {*operator.switches, *operator.literal_switches}
    assert set(operator.switches) <= set(operator.template_fields)
    assert not set(operator.literal_switches) & set(operator.template_fields)


@pytest.mark.parametrize("value", ["no", "", "1", 0, 1, None, []])
def test_what_is_no_switch_is_refused_while_the_dag_is_parsed(value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        update(merge=value)
    assert caught.value.parameter == "merge"


@pytest.mark.parametrize("value", ["no", "true", "{{ params.wait }}", None, 1])
def test_deferrable_is_literal(value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        events.RingEventsDuplicateEventOperator(task_id="copy", event_id="e1", deferrable=value)
    assert caught.value.parameter == "deferrable"


@pytest.fixture
def emulator() -> Any:
    with Emulator(seed=1, registrations=3) as emulator:
        yield emulator


def run(emulator: Emulator, make: Any, **more: Any) -> Run:
    return Run(make, connections={"ringevents_default": emulator.connection()}, **more)


@pytest.mark.parametrize(("word", "merges"), [("{{ true }}", True), ("{{ 'false' }}", False), ("False", False)])
def test_a_rendered_switch_is_read(emulator: Emulator, word: str, merges: bool) -> None:
    with Client(emulator.url, emulator.api_key) as client:
        registration_id = next(client.items(endpoints.list_registrations(emulator.event_id)))["id"]
    result = run(emulator, lambda: update(registration_id=registration_id, merge=word)).to_end()
    assert result.state == "success", result.log_text
    assert emulator.count("GET", "/v1/registrations/*") == merges


def test_a_rendered_word_that_is_no_switch_fails_without_a_request(emulator: Emulator) -> None:
    result = run(emulator, lambda: update(merge="{{ 'perhaps' }}"), retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1)
    assert result.exception.parameter == "merge"  # type: ignore[union-attr]
    assert emulator.count() == 0


# --- text that only a template can have made


@pytest.mark.parametrize(
    "text", ["{{ none }}", "{{ '  ' }}", "{{ '{' ~ '{ ds }' ~ '}' }}"], ids=["None", "blank", "braces"]
)
@pytest.mark.parametrize("name", ["event_id", "idempotency_key", "organization_id"])
def test_none_blanks_and_left_over_jinja_are_no_ids_and_no_keys(emulator: Emulator, name: str, text: str) -> None:
    make = lambda: events.RingEventsDuplicateEventOperator(task_id="copy", **{"event_id": "e1", name: text})  # noqa: E731
    result = run(emulator, make, retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert result.exception.parameter == name  # type: ignore[union-attr]
    assert emulator.count() == 0


def test_delimiters_of_the_dag_that_were_left_over_are_refused(emulator: Emulator) -> None:
    def make() -> DAG:
        delimiters = {"variable_start_string": "<<", "variable_end_string": ">>"}
        with DAG("dag", schedule=None, jinja_environment_kwargs=delimiters) as dag:
            events.RingEventsDuplicateEventOperator(
                task_id="copy", event_id="e1", idempotency_key="<< '<' ~ '< ds >' ~ '>' >>"
            )
        return dag

    result = run(emulator, make, task_id="copy", retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert result.exception.parameter == "idempotency_key"  # type: ignore[union-attr]
    assert emulator.count() == 0


@pytest.mark.parametrize("key", ["row-None", "None|2027", "NoneNone"])
def test_none_as_a_part_of_a_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidArgumentError, match="rendered None as text") as caught:
        events.RingEventsDuplicateEventOperator(task_id="copy", event_id="e1", idempotency_key=key)
    assert caught.value.parameter == "idempotency_key"


@pytest.mark.parametrize("key", ["Nonesuch", "none", "row-null", "canon\u00e9None"])
def test_keys_that_are_no_mistake(key: str) -> None:
    events.RingEventsDuplicateEventOperator(task_id="copy", event_id="e1", idempotency_key=key)


@pytest.mark.parametrize("slug", [" ", "\t"])
def test_a_slug_that_is_blank_is_refused(slug: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        events.RingEventsCreateEventOperator(
            task_id="create",
            name="Summit",
            time_start="2027-05-01T09:00",
            time_end="2027-05-01T10:00",
            timezone="Europe/Berlin",
            currency="EUR",
            attributes={"slug": slug},
        )
    assert caught.value.parameter == "attributes['slug']"


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"organization_id": "{{ ds }}"}, "organization_id"),
        ({"attributes": {"organizationId": "{{ ds }}"}}, "attributes['organizationId']"),
    ],
    ids=["an argument", "among the attributes"],
)
def test_an_id_that_is_refused_is_refused_once(given: dict[str, Any], parameter: str) -> None:
    copy = events.RingEventsDuplicateEventOperator(task_id="copy", event_id="e1", **given)
    with pytest.raises(InvalidArgumentError) as caught:
        copy.validate_rendered()
    assert caught.value.parameter == parameter


def test_people_and_events_may_be_called_none() -> None:
    with Arguments(ticket(name="None"), rendered=True) as arguments:
        assert arguments.text("name") == "None"


# --- native rendering


def test_native_numbers_are_text_where_text_is_due() -> None:
    operator = reports.RingEventsCreateReportOperator(
        task_id="report", event_id="{{ 7 }}", report_type="registrations", report_version="{{ '2' }}"
    )
    operator.render_template_as_native_obj = True
    operator.event_id, operator.report_version = 7, 2  # type: ignore[assignment] # as native rendering makes them
    operator.validate_rendered()
    assert (operator.event_id, operator.report_version) == ("7", "2")


def test_what_native_rendering_has_made_ambiguous_is_refused_with_a_hint() -> None:
    operator = reports.RingEventsCreateReportOperator(task_id="report", event_id="{{ '1e3' }}", report_type="all")
    operator.render_template_as_native_obj = True
    operator.event_id = 1000.0  # type: ignore[assignment]
    with pytest.raises(InvalidArgumentError, match="render_template_as_native_obj") as caught:
        operator.validate_rendered()
    assert caught.value.parameter == "event_id"
