"""Waiting for an event, on the worker and in the triggerer: the same table for both."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from airflow.providers.common.compat.sdk import BaseSensorOperator
from airflow_harness import Result, Run
from clocks import FakeClock
from outcomes import run_of
from raw_server import RawServer, json_response

from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.observability.links import EventLink
from airflow_provider_ringevents.sensors.events import RingEventsEventSensor

HOUR = 3600.0
ZONE = "Pacific Time (US & Canada)"  # a documented name that is not one of the tz database
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["triggerer", "worker"])
POKE = 600.0
TIMEOUT = 36 * HOUR


@pytest.fixture(autouse=True)
def _pauses_of_airflow(fake_clock: FakeClock) -> Iterator[None]:
    sensor = __import__(BaseSensorOperator.__module__, fromlist=["time"])
    with patch.object(sensor, "time", SimpleNamespace(sleep=fake_clock.sleep, monotonic=fake_clock.now)):
        yield


@pytest.fixture
def emulator(fake_clock: FakeClock) -> Iterator[Emulator]:
    with Emulator(seed=1, clock=fake_clock.now, registrations=3) as emulator:
        yield emulator


@pytest.fixture
def event(emulator: Emulator) -> Any:
    """A draft that begins in 20 hours and ends in 22."""
    now = emulator.state.now()
    event = emulator.state.create_event(emulator.state.organizations[0], {"name": "Data Hour", "timezone": ZONE})
    event.start, event.end = now + round(20 * HOUR * 1000), now + round(22 * HOUR * 1000)
    return event


def task(emulator: Emulator, event_id: str, **arguments: Any) -> Run:
    usual = {"timeout": TIMEOUT, "poke_interval": POKE}
    return run_of(RingEventsEventSensor, emulator, event_id=event_id, **{**usual, **arguments})


def polls(emulator: Emulator) -> int:
    return emulator.count("GET", "/v1/events/*")


def ended(result: Result, state: str, exception: str | None = None) -> str:
    """How the task ended; gives what it said."""
    assert result.state == state, result.log_text
    classes = [each.__name__ for each in type(result.exception).__mro__] if result.exception else [None]
    assert exception in classes
    return str(result.exception)


@both_modes
class TestConditions:
    def test_an_event_that_is_there_exists(self, emulator: Emulator, event: Any, deferrable: bool) -> None:
        result = task(emulator, event.id, deferrable=deferrable).to_end()
        ended(result, "success")
        assert result.xcom == event.id
        assert polls(emulator) == 1

    def test_a_404_is_waited_for(self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool) -> None:
        event.visible_at = emulator.state.now() + 900_000
        started = fake_clock.now()
        ended(task(emulator, event.id, deferrable=deferrable).to_end(), "success")
        assert 900 <= fake_clock.now() - started <= 900 + POKE

    def test_published(self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool) -> None:
        fake_clock.after(600, lambda: setattr(event, "published", True))
        started = fake_clock.now()
        result = task(emulator, event.id, condition="published", deferrable=deferrable).to_end()
        ended(result, "success")
        assert 600 <= fake_clock.now() - started <= 600 + POKE
        assert "its status is 'draft', published: False" in result.log_text

    def test_a_status_in_whatever_case(
        self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool
    ) -> None:
        fake_clock.after(600, lambda: setattr(event, "status", "Archived"))
        started = fake_clock.now()
        sensor = task(emulator, event.id, condition="status", status=" archived", deferrable=deferrable)
        ended(sensor.to_end(), "success")
        assert 600 <= fake_clock.now() - started <= 600 + POKE

    @pytest.mark.parametrize("naive", [False, True], ids=["with offset", "in the event's own zone"])
    @pytest.mark.parametrize(
        ("condition", "offset", "moment"),
        [
            ("started", timedelta(0), 20 * HOUR),
            ("ended", timedelta(0), 22 * HOUR),
            ("ended", timedelta(hours=2), 24 * HOUR),
            ("started", timedelta(minutes=-30), 19.5 * HOUR),
        ],
        ids=["started", "ended", "two hours after the end", "half an hour before the start"],
    )
    def test_times(
        self,
        emulator: Emulator,
        fake_clock: FakeClock,
        event: Any,
        deferrable: bool,
        condition: str,
        offset: timedelta,
        moment: float,
        naive: bool,
    ) -> None:
        emulator.settings.change(naive_event_times=naive)
        started = fake_clock.now()
        sensor = task(emulator, event.id, condition=condition, offset=offset, deferrable=deferrable)
        ended(sensor.to_end(), "success")
        assert moment <= fake_clock.now() - started <= moment + POKE

    def test_what_is_past_is_met_at_once(
        self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool
    ) -> None:
        started = fake_clock.now()
        sensor = task(emulator, event.id, condition="started", offset=timedelta(days=-1), deferrable=deferrable)
        ended(sensor.to_end(), "success")
        assert fake_clock.now() == started

    def test_an_event_that_is_moved_back_is_waited_for(
        self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool
    ) -> None:
        fake_clock.after(21 * HOUR, lambda: setattr(event, "end", event.end + round(3 * HOUR * 1000)))
        started = fake_clock.now()
        ended(task(emulator, event.id, condition="ended", deferrable=deferrable).to_end(), "success")
        assert 25 * HOUR <= fake_clock.now() - started <= 25 * HOUR + POKE

    def test_an_event_that_is_moved_forward_is_noticed(
        self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool
    ) -> None:
        fake_clock.after(1 * HOUR, lambda: setattr(event, "end", event.end - round(20 * HOUR * 1000)))
        started = fake_clock.now()
        ended(task(emulator, event.id, condition="ended", deferrable=deferrable).to_end(), "success")
        assert 2 * HOUR <= fake_clock.now() - started <= 6 * HOUR + POKE

    def test_an_end_that_is_not_known_is_waited_for_until_it_is(
        self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool
    ) -> None:
        end, event.end = event.end, None
        fake_clock.after(5 * HOUR, lambda: setattr(event, "end", end))
        started = fake_clock.now()
        ended(task(emulator, event.id, condition="ended", deferrable=deferrable).to_end(), "success")
        assert 22 * HOUR <= fake_clock.now() - started <= 22 * HOUR + POKE


@both_modes
class TestTheEndOfWaiting:
    @pytest.mark.parametrize("zone", ["Mars/Olympus", None])
    def test_a_local_time_in_a_zone_that_is_not_known_is_waited_for_to_the_deadline(
        self, fake_clock: FakeClock, deferrable: bool, zone: str | None
    ) -> None:
        past = {"timeStart": "2001-01-01T09:00:00", "timezone": zone}
        with RawServer(lambda seen: json_response({"data": {"id": "e1", "attributes": past}})) as server:
            run = Run(
                lambda: RingEventsEventSensor(
                    task_id="s", event_id="e1", condition="started", deferrable=deferrable, timeout=HOUR
                ),
                connections={"ringevents_default": {"conn_type": "ringevents", "host": server.url, "password": "k"}},
            )
            result = run.to_end()
        ended(result, "failed", "AirflowSensorTimeout")
        assert "without an offset, and its time zone" in result.log_text

    def test_an_end_that_nobody_knows_is_waited_for_to_the_deadline(
        self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool
    ) -> None:
        event.end = None
        started = fake_clock.now()
        sensor = task(emulator, event.id, condition="ended", deferrable=deferrable, timeout=6 * HOUR)
        result = sensor.to_end()
        ended(result, "failed", "AirflowSensorTimeout")
        assert "it has no timeEnd" in result.log_text
        assert 6 * HOUR <= fake_clock.now() - started <= 6 * HOUR + POKE

    def test_a_timeout_is_airflow_s_own_and_not_tried_again(
        self, emulator: Emulator, event: Any, deferrable: bool
    ) -> None:
        sensor = task(emulator, event.id, condition="published", deferrable=deferrable, timeout=HOUR, retries=3)
        result = sensor.to_end()
        ended(result, "failed", "AirflowSensorTimeout")
        assert result.tries == 1

    def test_a_timeout_with_soft_fail_is_a_skip(self, emulator: Emulator, event: Any, deferrable: bool) -> None:
        sensor = task(emulator, event.id, condition="published", deferrable=deferrable, timeout=HOUR, soft_fail=True)
        ended(sensor.to_end(), "skipped")

    def test_a_refused_key_fails_at_once(self, emulator: Emulator, event: Any, deferrable: bool) -> None:
        emulator.fault("status", status=401, times=None)
        result = task(emulator, event.id, deferrable=deferrable, retries=3).to_end()
        assert "401" in ended(result, "failed", "AirflowFailException")
        assert result.tries == 1

    @pytest.mark.parametrize("how", ["soft_fail", "never_fail"])
    def test_a_refused_key_may_be_a_skip(self, emulator: Emulator, event: Any, deferrable: bool, how: str) -> None:
        emulator.fault("status", status=401, times=None)
        result = task(emulator, event.id, deferrable=deferrable, **{how: True}).to_end()
        ended(result, "skipped")

    @pytest.mark.parametrize("condition", ["exists", "started"])
    def test_an_outage_ends_the_wait_after_ten_failures_in_a_row(
        self, emulator: Emulator, event: Any, deferrable: bool, condition: str
    ) -> None:
        emulator.fault("reset", times=None)
        sensor = task(emulator, event.id, condition=condition, deferrable=deferrable, retries=1)
        result = sensor.attempt()
        if deferrable:
            sensor.trigger()
            result = sensor.attempt()
        ended(result, "up_for_retry", "RingEventsTransportError")

    def test_an_outage_may_be_a_skip_with_never_fail(self, emulator: Emulator, event: Any, deferrable: bool) -> None:
        emulator.fault("reset", times=None)
        result = task(emulator, event.id, deferrable=deferrable, never_fail=True).to_end()
        ended(result, "skipped")

    def test_nine_failures_are_lived_with(self, emulator: Emulator, event: Any, deferrable: bool) -> None:
        event.published = True
        emulator.fault("status", status=503, times=9 if deferrable else 9 * 5)
        ended(task(emulator, event.id, condition="published", deferrable=deferrable).to_end(), "success")

    def test_an_event_that_is_deleted_meanwhile_is_an_error(
        self, emulator: Emulator, fake_clock: FakeClock, event: Any, deferrable: bool
    ) -> None:
        fake_clock.after(600, lambda: emulator.state.delete_event(event.id))
        result = task(emulator, event.id, condition="published", deferrable=deferrable).to_end()
        assert "404" in ended(result, "failed", "AirflowFailException")


@both_modes
class TestPage:
    def test_the_event_s_page_is_linked_and_costs_no_request(
        self, emulator: Emulator, event: Any, deferrable: bool
    ) -> None:
        result = task(emulator, event.id, deferrable=deferrable).to_end()
        ended(result, "success")
        assert result.links == {"RingCentral Events": f"{emulator.url}/#{event.slug}"}
        assert emulator.count() == 1

    def test_it_is_linked_when_the_wait_has_failed(self, emulator: Emulator, event: Any, deferrable: bool) -> None:
        result = task(emulator, event.id, condition="published", deferrable=deferrable, timeout=HOUR).to_end()
        ended(result, "failed", "AirflowSensorTimeout")
        assert result.links == {"RingCentral Events": f"{emulator.url}/#{event.slug}"}

    @pytest.mark.parametrize("status", [403, 404])
    def test_without_an_event_there_is_none(
        self, emulator: Emulator, event: Any, deferrable: bool, status: int
    ) -> None:
        emulator.fault("status", status=status, times=None)
        result = task(emulator, event.id, condition="ended", deferrable=deferrable).to_end()
        ended(result, "failed", "AirflowFailException")
        assert result.links == {}
        assert "ringevents_event_page" not in result.log_text  # nobody looked for what was never kept


def test_the_event_s_page_is_kept_once_a_session(emulator: Emulator, fake_clock: FakeClock, event: Any) -> None:
    """It needs a call of Airflow: none for every poke."""
    fake_clock.after(6 * POKE, lambda: setattr(event, "published", True))
    with patch.object(EventLink, "persist", side_effect=EventLink.persist) as keep:
        ended(task(emulator, event.id, condition="published", deferrable=False).to_end(), "success")
    assert polls(emulator) >= 6
    assert keep.call_count == 1


def test_the_event_s_page_is_linked_while_the_worker_is_free(emulator: Emulator, event: Any) -> None:
    sensor = task(emulator, event.id, condition="published", mode="reschedule", poke_interval=0, deferrable=False)
    for _ in range(2):
        result = sensor.attempt()
        ended(result, "up_for_reschedule")
        assert result.links == {"RingCentral Events": f"{emulator.url}/#{event.slug}"}


def test_a_known_end_is_slept_towards_in_the_triggerer(emulator: Emulator, fake_clock: FakeClock, event: Any) -> None:
    """At once, every six hours since events get moved, and at the end."""
    ended(task(emulator, event.id, condition="ended", deferrable=True).to_end(), "success")
    assert polls(emulator) == 5
    assert [round(pause / HOUR, 2) for pause in fake_clock.pauses] == [0, 6, 6, 6, 4]


def test_a_moment_after_the_deadline_is_not_slept_for(emulator: Emulator, fake_clock: FakeClock, event: Any) -> None:
    started = fake_clock.now()
    result = task(emulator, event.id, condition="ended", deferrable=True, timeout=HOUR).to_end()
    ended(result, "failed", "AirflowSensorTimeout")
    assert fake_clock.now() - started == pytest.approx(HOUR)
    assert "its timeEnd is" in str(result.exception)


def test_in_reschedule_mode_the_worker_is_free_between_pokes(emulator: Emulator, event: Any) -> None:
    sensor = task(emulator, event.id, condition="published", mode="reschedule", poke_interval=0, deferrable=False)
    assert sensor.attempt().state == "up_for_reschedule"
    assert sensor.attempt().state == "up_for_reschedule"
    event.published = True
    result = sensor.attempt()
    ended(result, "success")
    assert result.xcom == event.id


def test_in_reschedule_mode_a_timeout_is_the_same(emulator: Emulator, event: Any) -> None:
    sensor = task(
        emulator, event.id, condition="published", mode="reschedule", poke_interval=0, timeout=0, deferrable=False
    )
    ended(sensor.to_end(), "failed", "AirflowSensorTimeout")


def test_the_trigger_carries_what_the_sensor_waits_for_and_no_more(emulator: Emulator, event: Any) -> None:
    sensor = task(
        emulator,
        event.id,
        condition="{{ 'ended' }}",
        offset=timedelta(hours=2),
        deferrable=True,
        poke_interval=30,
        timeout=HOUR,
    )
    result = sensor.attempt()
    ended(result, "deferred")
    row = result.trigger_rows[0]
    assert row.classpath == "airflow_provider_ringevents.triggers.events.RingEventsEventTrigger"
    assert row.next_method == "execute_complete"
    assert emulator.api_key not in str(row)


def test_templated_arguments_are_rendered(emulator: Emulator, event: Any) -> None:
    event.status = "live"
    sensor = Run(
        lambda: RingEventsEventSensor(
            task_id="wait",
            event_id="{{ params.id }}",
            condition="{{ 'status' }}",
            status="{{ 'live' }}",
            ringevents_conn_id="{{ 'ringevents_default' }}",
        ),
        connections={"ringevents_default": emulator.connection()},
        params={"id": event.id},
    )
    assert sensor.to_end().xcom == event.id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition": "publshed"}, "`condition` must be an allowed value, got 'publshed'"),
        ({"condition": "status"}, "`status` must be a status for the condition 'status', got None"),
        ({"condition": "status", "status": " "}, "`status` must be a status for the condition 'status', got ' '"),
        ({"status": "live"}, "`status` must be left out for the condition 'exists', got 'live'"),
        (
            {"condition": "published", "offset": timedelta(hours=1)},
            "`offset` must be left out for the condition 'published'",
        ),
        ({"condition": "ended", "offset": 3600}, "`offset` must be a timedelta of at most 36500 days, got 3600"),
        ({"event_id": " "}, "`event_id` must be an id"),
    ],
)
def test_bad_arguments_are_refused_at_parse_time(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RingEventsEventSensor(**{"task_id": "wait", "event_id": "e1", **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition": "{{ 'publshed' }}"}, "`condition` must be an allowed value, got 'publshed'"),
        ({"condition": "status", "status": "{{ '' }}"}, "`status` must be a status for the condition 'status', got ''"),
        ({"event_id": "{{ '' }}"}, "`event_id` must be an id"),
    ],
)
def test_bad_rendered_arguments_fail_without_retries(
    emulator: Emulator, arguments: dict[str, Any], message: str
) -> None:
    arguments = {"event_id": "e1", **arguments}
    sensor = Run(
        lambda: RingEventsEventSensor(task_id="wait", **arguments),
        connections={"ringevents_default": emulator.connection()},
        retries=3,
    )
    assert message in ended(sensor.to_end(), "failed", "AirflowFailException")
    assert emulator.count() == 0
