"""Services that send one byte now and then: never silent, never done. Each wait ends at its deadline, in both modes.

Found held until the server stopped, past every deadline: sensors, waits on the worker, and watchers; and one list that
dripped failed all waits for copies.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import HAS_TASK_SDK, Run
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsTransportError, RingEventsWaitTimeoutError
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
from airflow_provider_ringevents.polling.events import EventCondition, EventWaiter
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.waiter import wait_until_done
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY, ExpectedEvent
from airflow_provider_ringevents.provisioning.event_lookup import EventLookup
from airflow_provider_ringevents.triggers._client_registry import acquire_shared_client
from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger, RingEventsEventTrigger
from airflow_provider_ringevents.triggers.registrations import RingEventsRegistrationsTrigger
from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

KEY = "canary-key-8f2e1b"
TIMEOUT = 0.8
GRACE = 0.4
LATEST = TIMEOUT + GRACE + 3.0
"""Seconds after which a wait has certainly not ended by its deadline, on a machine with other work."""
PAUSE = 0.05
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
BYTE = {
    "body": Response(raw=HEAD + b'{"data":', drip=b" ", pause=PAUSE),
    "head": Response(raw=b"HTTP/1.1 200 OK\r\nX-Filler: ", drip=b"x", pause=PAUSE),
    "chunk": Response(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", drip=b"x", pause=PAUSE),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "DEADLINE_GRACE", GRACE)
    monkeypatch.setattr(defaults, "POLL_FIRST", 0.05)
    monkeypatch.setattr(defaults, "WATCH_BACKOFF_MAX", 0.05)
    monkeypatch.setattr(defaults, "WATCH_INITIAL_JITTER", 0.0)
    monkeypatch.setattr(defaults, "WATCH_CHECKPOINT_DELAY", 0.0)


@pytest.fixture(params=BYTE)
def service(request: pytest.FixtureRequest) -> Iterator[RawServer]:
    with RawServer(lambda seen: BYTE[request.param]) as server:
        yield server


def connection(server: RawServer, **extra: Any) -> str:
    return json.dumps({"conn_type": "ringevents", "password": KEY, "host": server.url, "extra": extra})


def ended(work: Callable[[], Any]) -> Any:
    """Return the result of some work, which must end soon after the deadline."""
    began = time.monotonic()
    result = work()
    seconds = time.monotonic() - began
    assert seconds < LATEST, f"ended {seconds - TIMEOUT:.1f} s after the deadline"
    return result


# --- sensors


def report_sensor(**arguments: Any) -> Any:
    from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor

    return RingEventsReportSensor(task_id="wait", report_id="r", timeout=TIMEOUT, poke_interval=0.1, **arguments)


def event_sensor(**arguments: Any) -> Any:
    from airflow_provider_ringevents.sensors.events import RingEventsEventSensor

    return RingEventsEventSensor(
        task_id="wait", event_id="e", condition="published", timeout=TIMEOUT, poke_interval=0.1, **arguments
    )


MODES = {
    "poke": {"deferrable": False},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
@pytest.mark.parametrize("sensor", [report_sensor, event_sensor], ids=["report", "event"])
def test_a_sensor_ends_at_its_timeout(service: RawServer, sensor: Callable[..., Any], mode: dict[str, Any]) -> None:
    run = Run(lambda: sensor(**mode), connections={"ringevents_default": connection(service)})
    result = run.to_end()
    assert result.state == "failed"
    assert type(result.exception).__name__ == "AirflowSensorTimeout", result.log_text


@pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 does not tell a sensor when it began")
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_poke_that_begins_shortly_before_the_timeout_ends_soon_after_it(service: RawServer, mode: str) -> None:
    from airflow_provider_ringevents.sensors.reports import RingEventsReportSensor

    sensor = RingEventsReportSensor(task_id="wait", report_id="r", timeout=60.0, poke_interval=0.1, mode=mode)

    class Instance:
        @staticmethod
        def get_first_reschedule_date(context: Any) -> datetime:
            return datetime.now(UTC) - timedelta(seconds=60.0 - TIMEOUT)

    def poke() -> str:
        try:
            sensor.wait_on_worker({"ti": Instance()})
        except Exception as error:
            return type(error).__name__
        return ""

    if mode == "poke":
        sensor.timeout = TIMEOUT
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(service))
        assert ended(poke) in ("AirflowSensorTimeout", "AirflowRescheduleException")


# --- waits on the worker


def waiters() -> dict[str, Callable[[float], Any]]:
    def silent(*args: Any) -> None:
        pass

    copy = ExpectedEvent("key", source_id="source")
    return {
        "report": lambda deadline: ReportWaiter("r", deadline, 0.1, None, silent),
        "event": lambda deadline: EventWaiter("e", EventCondition("exists"), deadline, 0.1, silent),
        "copy": lambda deadline: DuplicationWaiter("o", copy, time.time(), deadline, 0.1, silent),
    }


@pytest.mark.parametrize("kind", ["report", "event", "copy"])
def test_a_wait_on_the_worker_ends_at_its_deadline(
    service: RawServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(service))

    def wait() -> None:
        with RingEventsHook() as hook, pytest.raises(RingEventsWaitTimeoutError):
            wait_until_done(waiters()[kind](time.time() + TIMEOUT), hook)

    ended(wait)


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_the_export_of_a_report_ends_at_its_deadline(tmp_path: Path, deferrable: bool) -> None:
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

    def handler(seen: Request) -> Response:
        if seen.method == "POST":
            return json_response({"data": {"id": "r", "type": "report", "attributes": {}}}, 201)
        return BYTE["body"]

    with RawServer(handler) as server:
        run = Run(
            lambda: RingEventsReportToObjectStorageOperator(
                task_id="t",
                event_id="e",
                report_type="registrations",
                destination=f"file://{tmp_path}/r.csv",
                wait_timeout=TIMEOUT,
                poll_interval=0.1,
                deferrable=deferrable,
            ),
            connections={"ringevents_default": connection(server)},
        )
        result = run.to_end()
    assert isinstance(result.exception, RingEventsWaitTimeoutError), result.log_text
    assert list(tmp_path.iterdir()) == []


# --- waits in the triggerer


def triggers(deadline: float) -> dict[str, Any]:
    return {
        "report": RingEventsReportTrigger("r", poll_interval=0.1, deadline=deadline),
        "event": RingEventsEventTrigger("e", poll_interval=0.1, deadline=deadline),
        "copy": RingEventsDuplicationTrigger("o", "source", "key", time.time(), poll_interval=0.1, deadline=deadline),
    }


@pytest.mark.parametrize("kind", ["report", "event", "copy"])
def test_a_wait_in_the_triggerer_ends_at_its_deadline(
    service: RawServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(service))

    async def wait() -> list[Any]:
        return [event.payload async for event in triggers(time.time() + TIMEOUT)[kind].run()]

    (payload,) = ended(lambda: asyncio.run(wait()))
    assert payload["error"]["kind"] == "RingEventsWaitTimeoutError"


# --- listings that waits share


def copies(seen: Request) -> Response:
    rows = [
        {"id": f"copy-{number}", "attributes": {"name": "Summit", "metadata": {MARKER_METADATA_KEY: f"key-{number}"}}}
        for number in range(3)
    ]
    return json_response({"data": rows, "meta": {"count": len(rows)}})


async def found(number: int, deadline: float | None = None) -> dict[str, Any]:
    trigger = RingEventsDuplicationTrigger(
        "o", "source", f"key-{number}", time.time(), poll_interval=0.1, deadline=deadline
    )
    async for event in trigger.run():
        payload: dict[str, Any] = event.payload
    return payload


def test_those_that_come_later_do_not_wait_for_a_listing_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that wait for it already get the rows of the next one."""
    monkeypatch.setattr(defaults, "LISTING_STALL", 1.0)
    with RawServer(lambda seen: copies(seen) if seen.number else BYTE["body"]) as server:
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(server))

        async def wait() -> list[dict[str, Any]]:
            first = asyncio.ensure_future(found(0))
            while not server.requests:
                await asyncio.sleep(0.01)
            return await asyncio.gather(first, found(1), found(2))

        payloads = ended(lambda: asyncio.run(wait()))
        assert [payload["event_id"] for payload in payloads] == ["copy-0", "copy-1", "copy-2"]
        assert len(server.requests) == 2, "they share the new listing as well"


def test_a_shared_listing_has_a_deadline_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits have none, and go on; the listing ends, and so do the two that were begun beside it."""
    monkeypatch.setattr(defaults, "LOOKUP_TIMEOUT", TIMEOUT)
    monkeypatch.setattr(defaults, "LISTING_STALL", 0.1)
    with RawServer(lambda seen: BYTE["body"]) as server:
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(server))

        async def fetch() -> None:
            async with acquire_shared_client("ringevents_default") as client:
                request = waiters()["copy"](None).request
                with pytest.raises(RingEventsTransportError, match=r"not read whole in 0\.8 s"):
                    await client.fetch(request)

        ended(lambda: asyncio.run(fetch()))
        assert len(server.requests) == defaults.MAX_LISTINGS
        assert server.wait_until_closed()


def test_a_listing_whose_pages_arrive_is_shared_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "LISTING_STALL", 2.0)

    def handler(seen: Request) -> Response:
        page = int(seen.query["page"])
        time.sleep(0.5)
        row = {"id": f"copy-{page}", "attributes": {"metadata": {MARKER_METADATA_KEY: f"key-{page}"}}}
        return json_response({"data": [row], "links": {"next": f"?page={page + 1}" if page < 6 else None}})

    with RawServer(handler) as server:
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(server))

        async def wait() -> list[dict[str, Any]]:
            return await asyncio.gather(found(5), found(6))

        assert [payload["event_id"] for payload in asyncio.run(wait())] == ["copy-5", "copy-6"]
        assert [seen.query["page"] for seen in server.requests] == list("123456")


# --- watchers


@pytest.mark.parametrize("where", BYTE)
@pytest.mark.parametrize("limit", ["request_timeout", "whole list"])
def test_a_watcher_goes_on_after_a_list_that_drips(
    where: str, limit: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Found held for ever."""
    extra = {"request_timeout": 0.5} if limit == "request_timeout" else {}
    monkeypatch.setattr(defaults, "LOOKUP_TIMEOUT", 60.0 if extra else 0.5)

    def handler(seen: Request) -> Response:
        if seen.number % 2 == 0:
            return BYTE[where]
        rows = [{"id": "r1", "attributes": {"updatedAt": datetime.now(UTC).isoformat()}}]
        return json_response({"data": rows, "meta": {"count": 1}})

    with RawServer(handler) as server:
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(server, **extra))
        trigger = RingEventsRegistrationsTrigger("e", poll_interval=0.05)

        async def watch() -> list[Any]:
            events = []
            stream = trigger.run()
            async for event in stream:
                events.append(event.payload)
                if len(events) == 2:
                    break
            await stream.aclose()
            return events

        with caplog.at_level(logging.WARNING):
            assert [event["count"] for event in asyncio.run(asyncio.wait_for(watch(), 20))] == [1, 1]
    assert "failed 1 times in a row" in caplog.text


# --- single looks


@pytest.mark.parametrize("where", BYTE)
def test_the_test_of_a_connection_ends_in_time(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's web server waits for it."""
    monkeypatch.setattr(defaults, "CONNECTION_TEST_TIMEOUT", TIMEOUT)
    with RawServer(lambda seen: BYTE[where]) as server:
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(server))
        worked, said = ended(RingEventsHook().test_connection)
    assert not worked
    assert "no complete response arrived" in said


@pytest.mark.parametrize("page", ["drips", "invented"])
def test_looking_for_the_organization_of_an_event_ends_in_time(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "LOOKUP_TIMEOUT", TIMEOUT)

    def invented(seen: Request) -> Response:
        number = int(seen.query["page"])
        row = {"id": f"o{number}", "attributes": {"name": "x" * 1_000}}
        return json_response({"data": [row], "links": {"next": f"?page={number + 1}"}})

    with RawServer(invented if page == "invented" else lambda seen: BYTE["body"]) as server:
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", connection(server))

        def look() -> None:
            with RingEventsHook() as hook, pytest.raises(RingEventsTransportError):
                EventLookup(hook.client, None, "source").resolve_organization_id()

        ended(look)
