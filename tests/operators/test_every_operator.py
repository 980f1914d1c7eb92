"""What holds for every operator and sensor of all rooms, by signature, and the values that Airflow hands to them."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, Asset, BaseOperator, BaseSensorOperator
from airflow_harness import AIRFLOW_VERSION, HAS_START_FROM_TRIGGER, HAS_TASK_SDK, Run
from operator_arguments import ARGUMENTS, OPERATORS, make, own_parameters, working_arguments

from airflow_provider_ringevents.client import Client, RingEventsNotFoundError, endpoints
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.operators.arguments import ArgumentsMixin
from airflow_provider_ringevents.operators.events import RingEventsCreateEventOperator
from airflow_provider_ringevents.operators.gathered_arguments import InvalidArgumentError
from airflow_provider_ringevents.operators.literals import literal_arguments
from airflow_provider_ringevents.operators.registrations import RingEventsCreateRegistrationOperator
from airflow_provider_ringevents.operators.reports import RingEventsCreateReportOperator
from airflow_provider_ringevents.sensors.events import RingEventsEventSensor
from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor
from airflow_provider_ringevents.transfers.collection_to_object_storage import (
    RingEventsCollectionToObjectStorageOperator,
)
from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

LITERAL = {"deferrable", "start_from_trigger"}


def test_all_are_found() -> None:
    assert {operator.__name__ for operator in OPERATORS} == ARGUMENTS.keys()
    assert any(issubclass(operator, BaseSensorOperator) for operator in OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_every_switch_is_checked(operator: type[Any]) -> None:
    switches = {name for name, parameter in own_parameters(operator).items() if parameter.annotation == "bool"}
    assert issubclass(operator, ArgumentsMixin)
    checked = {*operator.switches, *operator.literal_switches}
    assert switches == {operator.renamed_arguments.get(name, name) for name in checked}
    assert set(operator.literal_switches) <= LITERAL
    assert set(operator.switches) <= set(operator.template_fields)
    assert not set(operator.literal_switches) & set(operator.template_fields)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_every_template_field_is_an_argument(operator: type[Any]) -> None:
    assert len(set(operator.template_fields)) == len(operator.template_fields)
    arguments = {operator.renamed_arguments.get(field, field) for field in operator.template_fields}
    assert arguments <= own_parameters(operator).keys()


NOT_TEMPLATED = [
    (operator, name)
    for operator in OPERATORS
    for name in own_parameters(operator)
    if name not in operator.template_fields
    and name not in operator.renamed_arguments.values()
    and name not in operator.literal_switches
]


@pytest.mark.parametrize("text", ["{{ params.x }}", "{% if x %}5{% endif %}"])
@pytest.mark.parametrize(
    ("operator", "name"), NOT_TEMPLATED, ids=[f"{cls.__name__}-{name}" for cls, name in NOT_TEMPLATED]
)
def test_jinja_in_an_argument_that_is_not_templated_is_refused_while_the_dag_is_parsed(
    operator: type[Any], name: str, text: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        make(operator, **{name: text})
    assert raised.value.parameter == name
    assert str(raised.value).startswith(f"`{name}` must be given as a plain value, since it is not templated, got ")


def test_the_result_of_a_task_in_an_argument_that_is_not_templated_is_refused() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        before = make(RingEventsCreateReportOperator, task_id="before")
        with pytest.raises(InvalidArgumentError, match="`wait_timeout` must be given as a plain value"):
            make(RingEventsReportToObjectStorageOperator, wait_timeout=before.output)
        with pytest.raises(InvalidArgumentError, match="`timeout` must be given as a plain value"):
            make(RingEventsReportSensor, timeout=before.output)


def test_a_mapped_task_takes_them_from_its_map(emulator: Emulator, tmp_path: Path) -> None:
    arguments = working_arguments(emulator, tmp_path)["RingEventsReportToObjectStorageOperator"]
    del arguments["poll_interval"]

    def mapped() -> Any:
        fixed = RingEventsReportToObjectStorageOperator.partial(task_id="task", **arguments)
        return fixed.expand(poll_interval=[0.1])

    result = run(emulator, mapped, map_index=0).to_end()
    assert (result.state, str(result.exception)) == ("success", "None")


OF_BASES = {"ringevents_conn_id", "allow_undocumented", "settle_timeout", "poll_interval", "wait_timeout"}
"""Arguments of all operators, of all that create events, or of all that wait."""


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_the_signature_has_every_argument_that_the_docstring_describes(operator: type[Any]) -> None:
    described = re.findall(r":param (\w+):", operator.__doc__)
    assert described
    assert set(described) - OF_BASES <= inspect.signature(operator.__init__).parameters.keys()


OF_AIRFLOW = {"start_from_trigger", "start_trigger_args"}
"""Attributes of Airflow that a sensor sets for what they are there for."""


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_no_attribute_shadows_one_of_airflow(operator: type[Any]) -> None:
    with DAG("d", schedule=None):
        base = BaseSensorOperator if issubclass(operator, BaseSensorOperator) else BaseOperator
        plain, task = base(task_id="plain"), make(operator)
    named = {*own_parameters(operator)} - {*operator.renamed_arguments.values()}
    own = named | {*operator.template_fields} | (vars(task).keys() - vars(plain).keys())
    assert [name for name in sorted(own - OF_AIRFLOW) if hasattr(plain, name)] == []
    for attribute, argument in operator.renamed_arguments.items():
        assert hasattr(plain, argument) or AIRFLOW_VERSION < (3, 3)
        assert hasattr(task, attribute)


# --- text that only a mistake of a template can have made

IDS = {"event_id", "ticket_id", "registration_id", "magic_link_id", "report_id", "template_id", "organization_id"}
KINDS = {
    "an id": IDS | {"parent_id", "parent_ids"},
    "a key": {"idempotency_key", "partition_key"},
    "a connection": {"ringevents_conn_id", "object_storage_conn_id", "source_conn_id", "results_conn_id"},
    "a path": {"destination", "source", "results", "failed_rows"},
    "a filter": {"filter"},
    "a status": {"status", "wait_for"},
    "a choice": {
        *("collection", "condition", "format", "identity", "if_exists", "mode", "on_incomplete"),
        *("on_invalid", "report_type", "report_version", "timezone", "window_field"),
    },
    "a number or a time": {
        *("concurrency", "count", "max_deletions", "max_failures", "price", "settle_timeout", "time_end", "time_start"),
        "window",
    },
    "data": {
        *("answers", "attendee_email", "attendees", "attributes", "columns", "configuration", "currency", "delimiter"),
        *("encoding", "first_name", "last_name", "metadata", "name", "object_options", "required_columns", "signals"),
    },
}
NEVER_TEXT_OF_A_MISTAKE = ("an id", "a key", "a connection", "a path", "a status", "a choice", "a number or a time")
MISTAKES = ("None", " ", "{{ ds }}", "{% x %}", "{# x #}")
"""What a template has rendered: None, nothing, or Jinja again."""
WINDOW = {"window_field": "updatedAt", "window": ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")}
MORE: dict[str, dict[str, Any]] = {
    "parent_ids": {"parent_id": None, "parent_ids": ["e1"], "destination": "file:///tmp/{parent_id}.jsonl"},
    "partition_key": {"outlets": [Asset("file:///tmp/x")]},
    "status": {"condition": "status", "status": "live"},
    "window": WINDOW,
    "window_field": WINDOW,
}
"""Arguments without which a field may not be given."""


def test_every_template_field_is_of_one_kind() -> None:
    fields = {field for operator in OPERATORS for field in operator.template_fields}
    switches = {name for operator in OPERATORS for name in operator.switches}
    assert sorted(name for kind in KINDS.values() for name in kind) == sorted(fields - switches)


FIELDS = [
    (operator, field)
    for operator in OPERATORS
    for kind in NEVER_TEXT_OF_A_MISTAKE
    for field in sorted({*operator.template_fields} & KINDS[kind])
]


def with_text(operator: type[Any], field: str, text: str) -> Any:
    if field in KINDS["a path"]:
        usual = ARGUMENTS[operator.__name__].get(field, "file:///tmp/failed.csv")
        return f"file:///tmp/{text}/{Path(usual).name}"
    return (text, "2026-01-01T00:00:00Z") if field == "window" else text


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize(("operator", "field"), FIELDS, ids=[f"{cls.__name__}-{field}" for cls, field in FIELDS])
def test_a_mistake_of_a_template_is_refused(operator: type[Any], field: str, mistake: str) -> None:
    with DAG("d", schedule=None):
        task = make(operator, **MORE.get(field, {}))
    setattr(task, field, with_text(operator, field, mistake))
    with pytest.raises(InvalidArgumentError, match=rf"`{field}\b"):
        task.validate_rendered()


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_nothing_is_sent_where_a_template_has_rendered_none(emulator: Emulator, operator: type[Any]) -> None:
    field = next(field for cls, field in FIELDS if cls is operator)
    result = run(
        emulator, lambda: make(operator, **{field: with_text(operator, field, "{{ none }}")}), retries=2
    ).to_end()
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert isinstance(result.exception, InvalidArgumentError)
    assert field in str(result.exception)
    assert emulator.count() == 0


# --- exports


@pytest.mark.parametrize("mistake", ["None", " ", "{{ ds }}"])
def test_a_mistake_in_a_filter_is_one_problem(mistake: str) -> None:
    with DAG("d", schedule=None):
        task = export()
    task.filter = {"email": {"in": ["ada@example.org", mistake]}}
    with pytest.raises(InvalidArgumentError) as caught:
        task.validate_rendered()
    assert caught.value.parameter == "filter[email][in]"


def export(**arguments: Any) -> RingEventsCollectionToObjectStorageOperator:
    usual = {"collection": "registrations", "parent_id": "e1", "destination": "file:///tmp/x.jsonl"}
    return RingEventsCollectionToObjectStorageOperator(task_id="export", **{**usual, **arguments})


def report(**arguments: Any) -> RingEventsReportToObjectStorageOperator:
    usual = {"event_id": "e1", "report_type": "registrations", "destination": "file:///tmp/x.csv"}
    return RingEventsReportToObjectStorageOperator(task_id="export", **{**usual, **arguments})


@pytest.fixture
def emulator() -> Any:
    with Emulator(seed=1, registrations=3, report_seconds=0) as emulator:
        yield emulator


def run(emulator: Emulator, make: Any, **more: Any) -> Run:
    return Run(make, connections={"ringevents_default": emulator.connection()}, **more)


BAD_TEXTS = ["{{ none }}", "{{ ' ' }}", "{{ '{' ~ '{ ds }' ~ '}' }}", "{{ '{' ~ '# x #' ~ '}' }}"]


PLACES = ["file:///tmp/%s/x.csv", "/tmp/a/%s/b/x.csv", "file:///tmp/day=%s/x.csv"]


@pytest.mark.parametrize(
    ("place", "text"),
    # A part `day= ` is a name.
    [(place, text) for place in PLACES for text in BAD_TEXTS if "day=" not in place or text != BAD_TEXTS[1]],
)
@pytest.mark.parametrize("make", [export, report])
def test_a_part_of_a_path_that_a_template_has_spoilt(emulator: Emulator, make: Any, text: str, place: str) -> None:
    result = run(emulator, lambda: make(destination=place % text), retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1)
    assert result.exception.parameter == "destination"  # type: ignore[union-attr]
    assert emulator.count() == 0


@pytest.mark.parametrize(
    "name",
    ["NoneNone.csv", "a None b.csv", "x_None_y.csv", "None2026-01-01.csv", "2026None.csv", "a,None.csv", "(None).csv"],
)
@pytest.mark.parametrize("make", [export, report])
def test_none_as_a_word_of_a_path_is_refused_while_the_dag_is_parsed(make: Any, name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="`destination` must be a path without a part None") as caught:
        make(destination=f"file:///tmp/{name}")
    assert caught.value.parameter == "destination"


@pytest.mark.parametrize(
    "destination",
    [
        "file:///tmp/Nonesuch/x.csv",
        "file:///tmp/AndThenThereWereNone.csv",
        "/tmp/Nonetheless None\u00e9/none.csv",
        "/tmp/None of the above/x.csv",
        "file:///tmp/day=2026-01-01/x.csv",
        "/tmp/a/",
    ],
)
def test_paths_that_are_no_mistake(destination: str) -> None:
    report(destination=destination)


@pytest.mark.parametrize("filter", ["", [], 0, False, "{{ '' }}"])
def test_a_filter_that_is_no_mapping_never_exports_everything(emulator: Emulator, filter: Any) -> None:
    if isinstance(filter, str) and filter:
        result = run(emulator, lambda: export(filter=filter), retries=2).to_end()
        assert (result.state, result.tries) == ("failed", 1)
        assert result.exception.parameter == "filter"  # type: ignore[union-attr]
    else:
        with pytest.raises(InvalidArgumentError) as caught:
            export(filter=filter)
        assert caught.value.parameter == "filter"
    assert emulator.count() == 0


@pytest.mark.parametrize("text", BAD_TEXTS[:1] + BAD_TEXTS[2:])
@pytest.mark.parametrize("filter", [{"email": "%s"}, {"email": {"in": ["a@example.org", "%s"]}}])
def test_values_of_a_filter(emulator: Emulator, filter: Any, text: str) -> None:
    def make() -> Any:
        written = {"email": text} if filter["email"] == "%s" else {"email": {"in": ["a@example.org", text]}}
        return export(filter=written)

    result = run(emulator, make, retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1)
    assert "filter[email]" in str(result.exception)
    assert emulator.count() == 0


@pytest.mark.parametrize(
    "condition", [" ", {"eq": "\t"}, {"in": [" "]}, {"in": "a@example.org,None"}, {"in": "a@example.org, "}]
)
def test_a_filter_by_blanks_or_by_none_is_refused(condition: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"filter\[email\]"):
        export(filter={"email": condition})


def test_a_single_parent_of_a_mapped_group_is_a_list_of_one(emulator: Emulator, tmp_path: Path) -> None:
    made = run(
        emulator,
        lambda: export(
            parent_id=None,
            parent_ids="{{ params.event }}",
            destination=f"file://{tmp_path}/{{parent_id}}.jsonl",
        ),
        params={"event": emulator.event_id},
    ).to_end()
    assert made.state == "success", made.log_text
    assert [manifest["parent_id"] for manifest in made.xcom] == [emulator.event_id]


@pytest.mark.parametrize(("word", "escaped"), [("{{ true }}", True), ("False", False), ("{{ 'true' }}", True)])
def test_switches_of_an_export_are_read_from_templates(
    emulator: Emulator, tmp_path: Path, word: str, escaped: bool
) -> None:
    def make() -> Any:
        return export(
            parent_id=emulator.event_id,
            destination=f"file://{tmp_path}/x.csv",
            escape_formulas=word,
            strict="{{ 'false' }}",
        )

    result = run(emulator, make).to_end()
    assert result.state == "success", result.log_text
    assert result.rendered_fields["escape_formulas"] in (escaped, str(escaped), str(escaped).lower())


@pytest.mark.parametrize("name", ["strict", "include_credentials", "escape_formulas", "watermark"])
@pytest.mark.parametrize("value", ["no", 1, None, ""])
def test_words_that_are_no_switch(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        export(**{name: value})
    assert name in {problem.parameter for problem in caught.value.problems}


@pytest.mark.skipif(not HAS_TASK_SDK, reason="on Airflow 2 the web server looks links up")
@pytest.mark.parametrize(
    "make",
    [
        lambda: export(destination="file:///tmp/{{ nothing.at.all }}.jsonl"),
        lambda: RingEventsEventSensor(task_id="wait", event_id="{{ nothing.at.all }}"),
    ],
    ids=["export", "sensor"],
)
def test_a_task_that_fails_while_it_is_rendered_looks_for_no_link(emulator: Emulator, make: Any) -> None:
    result = run(emulator, make).to_end()
    assert result.state == "failed"
    assert "'nothing' is undefined" in result.log_text
    assert "ringevents_object" not in result.log_text
    assert "ringevents_event_page" not in result.log_text
    assert "XCom not found" not in result.log_text
    assert not any(result.links.values())


# --- mapped rows are data


def test_literal_arguments_are_not_rendered_and_checked_when_the_task_runs(emulator: Emulator, tmp_path: Path) -> None:
    destination = f"file://{tmp_path}/{{{{ params.x }}}}.csv"
    result = run(emulator, lambda: report(**literal_arguments({"destination": destination})), retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1)
    assert result.exception.parameter == "destination"  # type: ignore[union-attr]
    assert emulator.count() == 0


# --- sensors


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize(
    ("mode", "ends"), [({}, "failed"), ({"soft_fail": True}, "skipped"), ({"never_fail": True}, "skipped")]
)
def test_a_sensor_that_times_out_ends_alike_poked_and_deferred(
    emulator: Emulator, deferrable: bool, mode: dict[str, bool], ends: str
) -> None:
    def make() -> Any:
        return RingEventsEventSensor(
            task_id="wait",
            event_id=emulator.event_id,
            condition="status",
            status="never",
            poke_interval=0.05,
            timeout=0.2,
            deferrable=deferrable,
            **mode,
        )

    result = run(emulator, make, retries=2).to_end()
    assert (result.state, result.tries) == (ends, 1)


@pytest.mark.skipif(not HAS_START_FROM_TRIGGER, reason="Airflow 3.3 and later")
@pytest.mark.parametrize(
    ("template", "refused"),
    [
        ("{{ ti.xcom_pull('create')['id'] }}", True),
        ("{{ task_instance.xcom_pull(task_ids='create', key='id') }}", True),
        ("{{ (ti.xcom_pull('create') or {}).get('id') }}", True),
        ("{{ ti['xcom_pull']('create')['id'] }}", True),
        ("{{ (ti | attr('xcom_pull'))('create')['id'] }}", True),
        ("{% set pull = ti.xcom_pull %}{{ pull('create')['id'] }}", True),
        ("{{ ti['xcom_pull']('create', map_indexes=-1)['id'] }}", False),
        ("{{ prev_start_date_success }}", True),
        ("{{ ti.xcom_pull('create', map_indexes=-1)['id'] }}", False),
        ("{{ params.report }}", False),
        ("report-1", False),
    ],
)
def test_what_the_triggerer_cannot_fetch_is_refused_at_parse(template: str, refused: bool) -> None:
    def make() -> Any:
        return RingEventsReportSensor(task_id="wait", report_id=template, deferrable=True, start_from_trigger=True)

    with DAG("d", schedule=None):
        if not refused:
            assert make().start_trigger_args.trigger_kwargs["report_id"] == template
            return
        with pytest.raises(InvalidArgumentError, match="map_indexes=-1") as caught:
            make()
    assert caught.value.parameter == "report_id"


@pytest.mark.skipif(not HAS_START_FROM_TRIGGER, reason="Airflow 3.3 and later")
def test_the_triggerer_knows_no_delimiters_of_a_dag() -> None:
    delimiters = {"variable_start_string": "[[", "variable_end_string": "]]"}
    with (
        DAG("d", schedule=None, jinja_environment_kwargs=delimiters),
        pytest.raises(InvalidArgumentError, match="standard delimiters") as caught,
    ):
        RingEventsReportSensor(task_id="wait", report_id="[[params.r]]", deferrable=True, start_from_trigger=True)
    assert caught.value.parameter == "report_id"


@pytest.mark.skipif(not HAS_START_FROM_TRIGGER, reason="Airflow 3.3 and later")
def test_none_that_the_triggerer_has_rendered_is_no_id(emulator: Emulator) -> None:
    def make() -> Any:
        return RingEventsReportSensor(
            task_id="wait", report_id="{{ params.r }}", deferrable=True, start_from_trigger=True, timeout=30
        )

    result = run(emulator, make, params={"r": None}, retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert "`report_id` must be an id, got 'None'" in str(result.exception)
    assert emulator.count() == 0


# --- errors cross processes


def not_found(url: str, key: str) -> None:
    with Client(url, key) as client:
        client.send(endpoints.get_event("nobody"))


def test_a_404_comes_out_of_a_process_pool(emulator: Emulator) -> None:
    with ProcessPoolExecutor(1) as pool, pytest.raises(RingEventsNotFoundError) as caught:
        pool.submit(not_found, emulator.url, emulator.api_key).result(60)
    assert caught.value.status == 404
    assert pickle.loads(pickle.dumps(caught.value)).errors == caught.value.errors


def test_errors_name_the_argument_that_was_written() -> None:
    """Not the attribute of the API that it becomes, unless that was written in `attributes`."""
    arguments = ARGUMENTS["RingEventsCreateEventOperator"]
    for given, said in (
        ({"time_start": None}, "`time_start` must be given"),
        ({"time_start": "soon"}, "`time_start` must be a time in ISO 8601"),
        ({"time_end": arguments["time_start"]}, "`time_end` must be after the start"),
        ({"time_end": None, "attributes": {"timeEnd": "soon"}}, "`timeEnd` must be a time in ISO 8601"),
    ):
        with pytest.raises(InvalidArgumentError, match=said):
            make(RingEventsCreateEventOperator, **given)
    for name in ("ticket_id", "email", "first_name", "last_name"):
        with pytest.raises(InvalidArgumentError) as raised:
            make(RingEventsCreateRegistrationOperator, **{name: None})
        assert raised.value.parameter == name


def cycle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["name"] = [made]
    return made


TEMPLATED = [(operator, field) for operator in OPERATORS for field in operator.template_fields]
ARGUMENT_OF = {field: name for operator in OPERATORS for field, name in operator.renamed_arguments.items()}


@pytest.mark.parametrize("value", [lambda: "a\ud800", lambda: [{"a\ud800": 1}], cycle], ids=["text", "key", "cycle"])
@pytest.mark.parametrize(("operator", "field"), TEMPLATED, ids=[f"{cls.__name__}-{field}" for cls, field in TEMPLATED])
def test_what_can_be_neither_stored_nor_sent_is_refused_while_the_dag_is_parsed(
    operator: type[Any], field: str, value: Callable[[], Any]
) -> None:
    name = ARGUMENT_OF.get(field, field)
    with pytest.raises(InvalidArgumentError, match=rf"`{name}\b.*` must be (text without halves of|free of cycles)"):
        make(operator, **{name: value()})


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_what_a_template_has_rendered_and_cannot_be_stored_fails_without_a_retry(
    emulator: Emulator, operator: type[Any]
) -> None:
    field = operator.template_fields[0]
    broken = with_text(operator, field, "{{ '\\ud800' }}")
    result = run(emulator, lambda: make(operator, **{ARGUMENT_OF.get(field, field): broken}), retries=2).to_end()
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert isinstance(result.exception, InvalidArgumentError)
    assert emulator.count() == 0
