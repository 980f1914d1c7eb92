"""Airflow's own arguments of a sensor that are times: what would flood the service, or overflow, is refused."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from operator_arguments import make

from airflow_provider_ringevents.operators.gathered_arguments import InvalidArgumentError
from airflow_provider_ringevents.sensors.events import RingEventsEventSensor
from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor

CENTURY = 3_153_600_000
TOO_LONG = (math.inf, math.nan, 1e308, 10**400, CENTURY + 1, timedelta.max)
NO_NUMBERS = (True, "60", -1, timedelta(seconds=-1), "{{ params.seconds }}")

sensors = pytest.mark.parametrize("sensor", [RingEventsReportSensor, RingEventsEventSensor])
deferrable = pytest.mark.parametrize("deferrable", [False, True])


@sensors
@deferrable
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("poke_interval", value) for value in (0, 0.009, timedelta(0), *TOO_LONG, *NO_NUMBERS)],
        *[("timeout", value) for value in (*TOO_LONG, *NO_NUMBERS)],
    ],
    ids=lambda value: str(value)[:20],
)
def test_times_that_cannot_be_are_refused(sensor: type[Any], deferrable: bool, name: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        make(sensor, deferrable=deferrable, **{name: value})
    assert raised.value.parameter == name


@sensors
def test_the_message_has_the_bounds(sensor: type[Any]) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        make(sensor, poke_interval=0, timeout=math.inf)
    assert str(raised.value).splitlines() == [
        "task: the arguments are invalid, nothing was sent:",
        f"- `poke_interval` must be a number of seconds from 0.01 to {CENTURY}, got 0.",
        f"- `timeout` must be a number of seconds from 0 to {CENTURY}, got inf.",
    ]


@sensors
def test_default_arguments_of_a_dag_are_checked_alike(sensor: type[Any]) -> None:
    with (
        DAG("d", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args={"poke_interval": 0}),
        pytest.raises(InvalidArgumentError, match="`poke_interval`"),
    ):
        make(sensor)


@sensors
def test_the_ends_of_the_ranges_are_allowed(sensor: type[Any]) -> None:
    task = make(sensor, poke_interval=0.01, timeout=0)
    assert (task.poke_interval, task.timeout) == (0.01, 0)
    task = make(sensor, mode="reschedule", deferrable=False, poke_interval=0)
    assert task.poke_interval == 0
    with pytest.raises(InvalidArgumentError, match="`poke_interval`"):
        make(sensor, mode="reschedule", deferrable=True, poke_interval=0)
    task = make(sensor, poke_interval=timedelta(seconds=CENTURY), timeout=CENTURY)
    assert (task.poke_interval, task.timeout) == (CENTURY, CENTURY)


@pytest.mark.parametrize("offset", [timedelta.max, timedelta.min, 5, None])
def test_an_offset_that_no_calendar_holds_is_refused(offset: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="`offset` must be a timedelta of at most 36500 days"):
        make(RingEventsEventSensor, condition="started", offset=offset)
