"""The report trigger by itself, on a real event loop and server."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest


def trigger(**arguments: Any) -> Any:
    from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

    return RingEventsReportTrigger(**arguments)


async def first(started: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await anext(started.run())).payload
    return payload


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow_provider_ringevents.client import defaults

    monkeypatch.setattr(defaults, "POLL_FIRST", 0.05)


def create_report(emulator: Any, seconds: float) -> str:
    """One that takes so long; when is settled as it is asked for."""
    from airflow_provider_ringevents.client import Client, endpoints

    emulator.settings.change(report_seconds=seconds)
    with Client(emulator.url, emulator.api_key) as client:
        created: str = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
    return created


@pytest.fixture
def report_id(emulator: Any, ringevents_conn: str) -> str:
    return create_report(emulator, 0.2)


def test_its_row_holds_ids_and_numbers_and_survives_airflows_serialization() -> None:
    from airflow.serialization.serialized_objects import BaseSerialization

    one = trigger(report_id="r", ringevents_conn_id="c", poll_interval=5.0, deadline=123.5, not_found_until=None)
    path, arguments = one.serialize()

    assert path == "airflow_provider_ringevents.triggers.reports.RingEventsReportTrigger"
    assert all(value is None or isinstance(value, (str, float)) for value in arguments.values())
    assert trigger(**BaseSerialization.deserialize(BaseSerialization.serialize(arguments))).serialize() == (
        path,
        arguments,
    )


def test_fires_once_when_the_report_is_ready(report_id: str) -> None:
    async def events() -> list[Any]:
        return [event.payload async for event in trigger(report_id=report_id, poll_interval=0.1).run()]

    assert asyncio.run(events()) == [{"status": "ready", "report_id": report_id}]


def test_the_deadline_is_wall_clock_whatever_the_poll_interval(emulator: Any, report_id: str) -> None:
    emulator.report(report_id).ready_at = 1 << 60
    started = time.time()
    event = asyncio.run(first(trigger(report_id=report_id, poll_interval=60, deadline=started + 0.3)))

    assert event["error"]["kind"] == "RingEventsWaitTimeoutError"
    assert time.time() - started < 30


def test_a_poll_is_one_request_in_an_outage(emulator: Any, report_id: str) -> None:
    emulator.requests.clear()
    emulator.fault("status", status=503, times=None)
    event = asyncio.run(first(trigger(report_id=report_id, poll_interval=0.05)))

    assert event["error"]["kind"] == "RingEventsServerError"
    assert emulator.count() == 10


def test_an_error_reaches_the_task_as_what_it_was(emulator: Any, report_id: str) -> None:
    from airflow_provider_ringevents.client.errors import RingEventsAuthError
    from airflow_provider_ringevents.triggers._payload import parse_payload

    emulator.fault("status", status=401, times=None)
    event = asyncio.run(first(trigger(report_id=report_id, poll_interval=0.05)))

    with pytest.raises(RingEventsAuthError) as caught:
        parse_payload(event)
    assert (caught.value.status, caught.value.retryable) == (401, False)
    assert emulator.api_key not in str(event)


@pytest.mark.parametrize("event", [None, {}, {"status": "ready"}, {"status": "odd", "report_id": "r"}, "text"])
def test_a_malformed_event_fails_loudly(event: Any) -> None:
    from airflow_provider_ringevents.client.errors import RingEventsError
    from airflow_provider_ringevents.triggers._payload import parse_payload

    with pytest.raises(RingEventsError, match="event"):
        parse_payload(event)


def test_two_hundred_waits_share_one_client_and_leave_nothing(emulator: Any, report_id: str) -> None:
    from airflow_provider_ringevents.triggers import _client_registry

    async def many() -> tuple[list[dict[str, Any]], int]:
        waits = [asyncio.ensure_future(first(trigger(report_id=report_id, poll_interval=0.2))) for _ in range(200)]
        while asyncio.get_running_loop() not in _client_registry._CLIENTS:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        clients = len(_client_registry._CLIENTS[asyncio.get_running_loop()])
        return await asyncio.gather(*waits), clients

    events, clients = asyncio.run(many())
    assert {event["status"] for event in events} == {"ready"}
    assert clients == 1
    assert not any(_client_registry._CLIENTS.values())


def test_waits_that_stand_in_line_end_at_their_deadline(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = emulator.connection()
    connection["extra"] = {**connection["extra"], "rate_limit": 0.1, "timeout": 0.5}
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))
    report_id = create_report(emulator, 1e6)

    async def main() -> list[dict[str, Any]]:
        waits = [trigger(report_id=report_id, deadline=time.time() + 1) for _ in range(20)]
        return await asyncio.gather(*(first(wait) for wait in waits))

    began = time.monotonic()
    events = asyncio.run(main())
    assert {event["error"]["kind"] for event in events} == {"RingEventsWaitTimeoutError"}
    assert any("rate_limit" in event["error"]["message"] for event in events)
    assert time.monotonic() - began < 60, "the last would have its turn after 190 seconds"
