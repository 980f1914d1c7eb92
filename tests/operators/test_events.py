"""What the operators that create events take, send, wait for, show and keep to themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator
from airflow_harness import Result, Run
from airflow_harness.versions import AIRFLOW_VERSION, HAS_TASK_SDK
from clocks import FakeClock
from outcomes import succeeded
from provisioning.harness import KINDS, OPERATORS, Harness

from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.operators import _event_creation
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY

every_kind = pytest.mark.parametrize("kind", KINDS)
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["triggerer", "worker"])
PASSWORD = "canary-pa$$word-4711"
KNOWN_ATTRIBUTES = {
    "create": {"color": "#ff8800", "eventType": "hidden_event", "suppressEmails": True, "timerLength": 5},
    "template": {"auto_publish": True, "type": "private_event"},
    "duplicate": {"auto_publish": True, "type": "private_event"},
}


@pytest.fixture
def harness(fake_clock: FakeClock) -> Iterator[Harness]:
    with Emulator(seed=1, clock=fake_clock.now, registrations=3) as emulator:
        yield Harness(emulator, fake_clock)


def refused_at_parse(kind: str, harness: Harness, **arguments: Any) -> str:
    """What the operator says while the DAG is parsed."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller looks at the words
        OPERATORS[kind](**harness.arguments(kind, **arguments))
    assert isinstance(caught.value, AirflowFailException)
    return str(caught.value)


def refused_at_run(run: Run, harness: Harness) -> str:
    """What the task says when it runs; it has sent nothing and is not tried again."""
    result = run.to_end()
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert isinstance(result.exception, AirflowFailException)
    assert harness.requests() == []
    return str(result.exception)


# --- what is sent


SWITCHES = {"create": "hidePeopleArea", "template": "auto_publish", "duplicate": "auto_publish"}


@every_kind
@pytest.mark.parametrize(("value", "sent"), [("True", True), ("{{ params.switch }}", False)])
def test_switches_among_the_attributes_may_be_templated(harness: Harness, kind: str, value: str, sent: bool) -> None:
    succeeded(harness.run(kind, attributes={SWITCHES[kind]: value}, params={"switch": False}).to_end())
    (made,) = harness.made()
    assert made.request[SWITCHES[kind]] is sent


@every_kind
def test_another_word_is_no_switch(harness: Harness, kind: str) -> None:
    assert "must be true or false, got 'yes'" in refused_at_parse(kind, harness, attributes={SWITCHES[kind]: "yes"})


@every_kind
def test_what_is_sent(harness: Harness, kind: str) -> None:
    attributes = KNOWN_ATTRIBUTES[kind] | ({} if kind == "create" else {"metadata": {"campaign": "spring"}})
    event = succeeded(harness.run(kind, idempotency_key="row-1", attributes=attributes).to_end())
    (made,) = harness.made()
    expected = {
        "name": "Data Hour",
        "timeStart": "2027-03-01T09:00:00Z",
        "timeEnd": "2027-03-01T10:30:00Z",
        "timezone": "Europe/Berlin",
        **attributes,
    }
    if kind == "create":
        expected |= {"currency": "EUR", "slug": event["slug"]}
    else:
        expected["metadata"] = {"campaign": "spring", MARKER_METADATA_KEY: "row-1"}
    if kind == "template":
        expected["organizationId"] = harness.emulator.organization_id
    assert made.request == expected
    assert event["id"] == made.id


@every_kind
@pytest.mark.parametrize(
    "start",
    [
        "2027-03-01T10:00:00",
        "2027-03-01 10:00",
        "2027-03-01T10:00:00+01:00",
        "2027-03-01T09:00:00Z",
        datetime(2027, 3, 1, 10),
        datetime(2027, 3, 1, 9, tzinfo=UTC),
        datetime(2027, 3, 1, 4, tzinfo=timezone(timedelta(hours=-5))),
        pendulum.datetime(2027, 3, 1, 10, tz="Europe/Berlin"),
    ],
    ids=repr,
)
def test_times_of_all_sorts_are_the_same_instant(harness: Harness, kind: str, start: Any) -> None:
    succeeded(harness.run(kind, time_start=start).to_end())
    assert harness.made()[0].request["timeStart"] == "2027-03-01T09:00:00Z"


def test_a_zone_that_is_no_name_of_the_tz_database(harness: Harness) -> None:
    zone = "Eastern Time (US & Canada)"
    succeeded(harness.run("create", timezone=zone).to_end())
    request = harness.made()[0].request
    assert (request["timezone"], request["timeStart"]) == (zone, "2027-03-01T15:00:00Z")


def test_a_copy_without_a_wish_is_asked_for_with_its_mark_alone(harness: Harness) -> None:
    nothing = {"name": None, "time_start": None, "time_end": None, "timezone": None}
    event = succeeded(harness.run("duplicate", idempotency_key="row-1", **nothing).to_end())
    assert harness.made()[0].request == {"metadata": {MARKER_METADATA_KEY: "row-1"}}
    assert event["name"] == "Data Engineering Summit (copy)"


@every_kind
def test_everything_may_be_a_template(harness: Harness, kind: str) -> None:
    params = {
        "name": "Data Hour",
        "start": "2027-03-01T10:00:00",
        "end": "2027-03-01T11:30:00",
        "zone": "Europe/Berlin",
        "currency": "EUR",
        "template": harness.emulator.template_id,
        "source": harness.emulator.event_id,
        "organization": harness.emulator.organization_id,
        "key": "row-1",
        "type": "private_event",
        "conn": "ringevents_default",
        "state": "draft",
    }
    rendered = {name: f"{{{{ params.{name} }}}}" for name in params}
    own: dict[str, dict[str, Any]] = {
        "create": {"currency": rendered["currency"], "attributes": {"eventType": rendered["type"]}},
        "template": {
            "template_id": rendered["template"],
            "wait_for": rendered["state"],
            "attributes": {"type": rendered["type"]},
        },
        "duplicate": {"event_id": rendered["source"], "attributes": {"type": rendered["type"]}},
    }
    arguments = {
        "task_id": "provision",
        "name": rendered["name"],
        "time_start": rendered["start"],
        "time_end": rendered["end"],
        "timezone": rendered["zone"],
        "organization_id": rendered["organization"],
        "idempotency_key": rendered["key"],
        "ringevents_conn_id": rendered["conn"],
        **own[kind],
    }
    run = Run(
        lambda: OPERATORS[kind](**arguments),
        connections={"ringevents_default": harness.connection()},
        params=params,
    )
    succeeded(run.to_end())
    request = harness.made()[0].request
    assert request["timeStart"] == "2027-03-01T09:00:00Z"
    assert request.get("type", request.get("eventType")) == "private_event"


# --- what is refused

BAD: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a zone of another spelling": (
        {"timezone": "Europe/Berln"},
        ("`timezone` must be", "got 'Europe/Berln'", "Europe/Berlin"),
    ),
    "a zone of the tz database that is not documented": (
        {"timezone": "US/Pacific-New"},
        ("`timezone` must be", "got 'US/Pacific-New'"),
    ),
    "an end before the start": ({"time_end": "2027-03-01T09:00:00"}, ("`time_end` must be after the start",)),
    "an end at the start": ({"time_end": "2027-03-01T10:00:00+01:00"}, ("`time_end` must be after the start",)),
    "a time that the clocks skip": (
        {"time_start": "2027-03-28T02:30:00", "time_end": "2027-03-28T05:00:00"},
        ("`time_start` must be", "'Europe/Berlin' do not skip, got '2027-03-28 02:30:00'"),
    ),
    "a time that happens twice": (
        {"time_start": "2027-10-31T02:30:00", "time_end": "2027-10-31T05:00:00"},
        ("`time_start` must be 2027-10-31T02:30:00+02:00 or 2027-10-31T02:30:00+01:00", "occurs twice"),
    ),
    "a date alone": ({"time_start": "2027-03-01"}, ("`time_start` must be a time in ISO 8601", "got '2027-03-01'")),
    "no time": ({"time_start": "next Monday"}, ("`time_start` must be a time in ISO 8601", "got 'next Monday'")),
    "an unknown attribute": ({"attributes": {"sluk": "a", "autopublish": True}}, ("must be a documented attribute",)),
    "something given twice": ({"attributes": {"name": "Another"}}, ("`attributes['name']` must be left out",)),
}
BAD_OF_CREATE: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "a colour": (
        {"attributes": {"color": "orange"}},
        ('`color` must be a colour in HEX format ("#fff" or "#ffffff"), got \'orange\'',),
    ),
    "a near miss": (
        {"attributes": {"colour": "#fff"}},
        ("`colour` must be a documented attribute. Did you mean color",),
    ),
    "an event type": (
        {"attributes": {"eventType": "hidden"}},
        ("`eventType` must be a documented value, got 'hidden'", "hidden_event"),
    ),
    "a currency given twice": ({"attributes": {"currency": "USD"}}, ("`attributes['currency']` must be left out",)),
    "no name": ({"name": ""}, ("`name` must be a non-empty string",)),
    "no currency": ({"currency": None}, ("`currency` must be given",)),
    "metadata, which a plain event has not": (
        {"attributes": {"metadata": {}}},
        ("`metadata` must be a documented attribute",),
    ),
}


def _templated(value: Any) -> Any:
    """The same value, known only when the task runs."""
    if isinstance(value, dict):
        return {name: _templated(item) for name, item in value.items()}
    return f"{{{{ '{value}' }}}}" if isinstance(value, str) else value


@every_kind
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_while_the_dag_is_parsed(harness: Harness, kind: str, case: str) -> None:
    arguments, words = BAD[case]
    said = refused_at_parse(kind, harness, **arguments)
    assert all(word in said for word in words), said


@pytest.mark.parametrize("case", BAD_OF_CREATE)
def test_bad_input_for_a_plain_event_is_refused_while_the_dag_is_parsed(harness: Harness, case: str) -> None:
    arguments, words = BAD_OF_CREATE[case]
    said = refused_at_parse("create", harness, **arguments)
    assert all(word in said for word in words), said


KNOWN_AT_ONCE = ("an unknown attribute", "something given twice")
"""Cases that are refused whatever the values are."""


@every_kind
@pytest.mark.parametrize("case", KNOWN_AT_ONCE)
def test_bad_names_are_refused_although_their_values_are_templates(harness: Harness, kind: str, case: str) -> None:
    arguments, words = BAD[case]
    said = refused_at_parse(kind, harness, **_templated(arguments))
    assert all(word in said for word in words), said


@every_kind
@pytest.mark.parametrize("case", [case for case in BAD if case not in KNOWN_AT_ONCE])
def test_bad_rendered_input_fails_without_a_request(harness: Harness, kind: str, case: str) -> None:
    arguments, words = BAD[case]
    said = refused_at_run(harness.run(kind, **_templated(arguments)), harness)
    assert all(word in said for word in words), said


@every_kind
def test_all_problems_of_a_row_are_told_at_once(harness: Harness, kind: str) -> None:
    """The row of a spreadsheet needs mending only once."""
    said = refused_at_parse(
        kind,
        harness,
        timezone="Berlin/Europe",
        time_start="soon",
        attributes={"nmae": "x", "password": 7},
    )
    for words in ("got 'Berlin/Europe'", "got 'soon'", "`nmae` must be", "`password` must be"):
        assert words in said, said


@every_kind
@pytest.mark.skipif(HAS_TASK_SDK and AIRFLOW_VERSION < (3, 1), reason="Airflow 3.0 itself stumbles over such a failure")
def test_a_bad_row_of_a_mapped_task_fails_alone(harness: Harness, kind: str) -> None:
    good, bad = harness.mapped(kind, [{"timezone": "Europe/Berlin"}, {"timezone": "Europe/Berln"}])
    assert "Europe/Berlin" in refused_at_run(bad, harness)
    succeeded(good.to_end())


@every_kind
def test_what_other_tasks_give_is_left_alone_while_a_dag_is_parsed_and_checked_at_run_time(
    harness: Harness, kind: str
) -> None:
    def make() -> Any:
        given = BaseOperator(task_id="row").output
        return OPERATORS[kind](
            **harness.arguments(kind, timezone=given["zone"], attributes=given["more"], idempotency_key=given["key"])
        )

    def run(**row: Any) -> Run:
        return Run(
            make,
            task_id="provision",
            connections={"ringevents_default": harness.connection()},
            xcoms={("row", name): value for name, value in {**usual, **row}.items()},
        )

    usual = {"zone": "Europe/Berlin", "more": {}, "key": "row-1"}
    assert "Did you mean 'Europe/Berlin'" in refused_at_run(run(zone="Europe/Berln"), harness)
    assert "`attributes` must be a mapping, not str" in refused_at_run(run(more="much"), harness)
    assert "must be a documented attribute" in refused_at_run(run(more={"nmae": "x"}), harness)
    assert "`attributes['name']` must be left out" in refused_at_run(run(more={"name": "x"}), harness)
    assert "`idempotency_key` must be a printable string" in refused_at_run(run(key=7), harness)
    succeeded(run(more=KNOWN_ATTRIBUTES[kind]).to_end())


def test_a_copy_s_local_time_needs_a_zone(harness: Harness) -> None:
    said = refused_at_parse("duplicate", harness, timezone=None)
    assert "`time_start` must be a time with an offset" in said
    aware = {"time_start": "2027-03-01T10:00:00+01:00", "time_end": "2027-03-01T11:00:00+01:00"}
    OPERATORS["duplicate"](**harness.arguments("duplicate", timezone=None, **aware))


@pytest.mark.parametrize("kind", ["template", "duplicate"])
def test_an_organization_given_twice(harness: Harness, kind: str) -> None:
    both = {"organization_id": "o1", "attributes": {"organizationId": "o2"}}
    assert "`attributes['organizationId']` must be left out" in refused_at_parse(kind, harness, **both)


@pytest.mark.parametrize("kind", ["template", "duplicate"])
def test_an_organization_among_the_attributes(harness: Harness, kind: str) -> None:
    owner = harness.emulator.state.visible_organizations()[1].id
    succeeded(harness.run(kind, attributes={"organizationId": owner}).to_end())
    assert harness.made()[0].organization.id == owner


@pytest.mark.parametrize(("kind", "name"), [("template", "template_id"), ("duplicate", "event_id")])
@pytest.mark.parametrize("value", ["", " ", "..", "a/b", "https://events.example/e1", None])
def test_an_id_that_cannot_be(harness: Harness, kind: str, name: str, value: Any) -> None:
    assert name in refused_at_parse(kind, harness, **{name: value})


@pytest.mark.parametrize("word", ["", "  ", 7])
def test_a_state_to_wait_for_is_a_word(harness: Harness, word: Any) -> None:
    assert "`wait_for` must be 'published', a status word or None" in refused_at_parse(
        "template", harness, wait_for=word
    )


@pytest.mark.parametrize("name", ["settle_timeout", "poll_interval", "wait_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), 10**400, 1e308, 3_153_600_001, "60", True, None])
def test_seconds_can_be_waited_for(harness: Harness, name: str, value: Any) -> None:
    said = refused_at_parse("duplicate", harness, **{name: value})
    bounds = "from 0.01 to" if name == "poll_interval" else "greater than 0 and at most"
    assert f"`{name}` must be a number of seconds {bounds} 3153600000, got " in said


@every_kind
def test_undocumented_attributes_pass_when_they_are_allowed(harness: Harness, kind: str) -> None:
    operator = OPERATORS[kind](**harness.arguments(kind, attributes={"newThing": 1}, allow_undocumented=True))
    assert _event_creation.request_attributes(operator)["newThing"] == 1


# --- waiting for a template


@both_modes
def test_wait_for_published(harness: Harness, fake_clock: FakeClock, deferrable: bool) -> None:
    harness.emulator.settings.change(template_seconds=300.0)
    run = harness.run("template", wait_for="published", attributes={"auto_publish": True}, deferrable=deferrable)
    started = fake_clock.now()
    event = succeeded(run.to_end())
    assert event["published"] is True
    assert 300 <= fake_clock.now() - started < 400
    assert list(run.result.sessions) == (["deferred", "success"] if deferrable else ["success"])
    assert harness.posts() == 1


@both_modes
def test_wait_for_a_status_word(harness: Harness, fake_clock: FakeClock, deferrable: bool) -> None:
    harness.emulator.settings.change(template_seconds=300.0)
    started = fake_clock.now()
    assert succeeded(harness.run("template", wait_for="Draft", deferrable=deferrable).to_end())["status"] == "draft"
    assert fake_clock.now() - started >= 300


@both_modes
def test_what_is_there_already_is_not_waited_for(harness: Harness, deferrable: bool) -> None:
    run = harness.run("template", wait_for="templating", deferrable=deferrable)
    assert succeeded(run.to_end())["status"] == "templating"
    assert list(run.result.sessions) == ["success"]


def test_without_wait_for_the_event_is_returned_as_it_was_made(harness: Harness) -> None:
    assert succeeded(harness.run("template", deferrable=True).to_end())["status"] == "templating"


@both_modes
def test_a_state_that_never_comes_is_a_timeout_and_the_retry_waits_for_the_same_event(
    harness: Harness, fake_clock: FakeClock, deferrable: bool
) -> None:
    run = harness.run("template", wait_for="published", deferrable=deferrable, wait_timeout=3600, retries=1)
    started = fake_clock.now()
    run.attempt()
    if deferrable:
        run.trigger()
        run.attempt()
    assert run.result.state == "up_for_retry"
    assert "its status is 'draft', published: False" in str(run.result.exception)
    assert fake_clock.now() - started == pytest.approx(3600, abs=1)
    harness.made()[0].published = True
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        *[("template", name) for name in ("template_id", "organization_id", "idempotency_key")],
        *[("duplicate", name) for name in ("event_id", "organization_id", "idempotency_key")],
    ],
)
def test_arguments_that_change_during_the_wait_return_no_event_as_another_one(
    harness: Harness, kind: str, changed: str
) -> None:
    waits = {"wait_for": "published"} if kind == "template" else {}
    arguments = harness.arguments(kind, deferrable=True, idempotency_key="row-1", **waits)
    run = Run(lambda: OPERATORS[kind](**arguments), connections={"ringevents_default": harness.connection()}, retries=1)
    assert run.attempt().state == "deferred"
    harness.made()[0].published = True
    run.trigger()
    arguments[changed] = "other"
    result = run.attempt()
    assert result.state == "up_for_retry"
    assert f"`{changed}` was" in str(result.exception)


# --- the event's page


@every_kind
@both_modes
def test_the_event_s_page_is_linked(harness: Harness, kind: str, deferrable: bool) -> None:
    result = harness.run(kind, **({} if kind == "create" else {"deferrable": deferrable})).to_end()
    slug = succeeded(result)["slug"]
    assert result.links == {"RingCentral Events": f"{harness.emulator.url}/#{slug}"}


def test_the_event_s_page_is_linked_while_its_template_is_filled(harness: Harness) -> None:
    run = harness.run("template", wait_for="published", deferrable=True, attributes={"auto_publish": True})
    assert run.attempt().state == "deferred"
    page = run.result.links["RingCentral Events"]
    assert page.endswith(harness.made()[0].slug)
    assert run.to_end().links["RingCentral Events"] == page


@every_kind
def test_without_an_event_there_is_no_page(harness: Harness, kind: str) -> None:
    harness.emulator.fault("status", status=403, times=None)
    result = harness.run(kind).to_end()
    assert result.state == "failed"
    assert result.links == {}
    assert "ringevents_event_page" not in result.log_text  # nobody looked for what was never kept


# --- secrets


def _all_that_is_kept(result: Result) -> str:
    return json.dumps(
        {
            "log": result.log_text,
            "xcoms": result.xcoms,
            "rendered": result.rendered_fields,
            "rows": [(row.kwargs, row.next_kwargs) for row in result.trigger_rows],
            "events": list(result.events),
            "store": result.store,
            "exception": str(result.exception),
        },
        default=str,
    )


@every_kind
@both_modes
@pytest.mark.parametrize("fails", [False, True], ids=["success", "failure"])
def test_an_event_s_password_and_the_key_are_kept_nowhere(
    harness: Harness, kind: str, deferrable: bool, fails: bool
) -> None:
    if fails:
        harness.emulator.fault("status", method="POST", status=422, times=None)
    more: dict[str, Any] = {} if kind == "create" else {"deferrable": deferrable}
    if kind == "template":
        more["wait_for"] = "draft"
    result = harness.run(kind, attributes={"password": PASSWORD}, **more).to_end()
    assert result.state == ("failed" if fails else "success")
    kept = _all_that_is_kept(result)
    assert PASSWORD not in kept
    assert harness.emulator.api_key not in kept
    if not fails:
        assert harness.made()[0].request["password"] == PASSWORD


@every_kind
def test_a_bad_password_is_not_shown(harness: Harness, kind: str) -> None:
    said = refused_at_parse(kind, harness, attributes={"password": [PASSWORD], "nmae": "x"})
    assert "`password` must be a string, not list" in said
    assert PASSWORD not in said
