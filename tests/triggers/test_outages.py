"""Waits in an outage: what each status and each Retry-After means to them, and what they cost the service.

The same tables run through the wait on the worker and the trigger. Hours pass in no time here.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from client_drivers import KEY
from clocks import FakeClock
from raw_server import (
    NO_RESPONSE,
    RESET,
    RawServer,
    Request,
    Response,
    error_response,
    json_response,
)

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.polling.schedule import PollSchedule

IN_PROGRESS = json_response({"data": {"id": "r", "attributes": {"status": "processing"}}}, 202)
READY = json_response({"data": {"id": "r", "attributes": {"status": "ready"}}})


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def to(url: str) -> None:
        described = {"conn_type": "ringevents", "host": url, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(described))

    return to


def on_the_worker(poll_interval: float) -> None:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.polling.reports import ReportWaiter
    from airflow_provider_ringevents.polling.waiter import wait_until_done

    with RingEventsHook() as hook:
        wait_until_done(ReportWaiter("r", None, poll_interval, None, lambda *said: None), hook)


async def triggered(poll_interval: float, report_id: str = "r") -> None:
    from airflow_provider_ringevents.triggers._payload import parse_payload
    from airflow_provider_ringevents.triggers.reports import RingEventsReportTrigger

    trigger = RingEventsReportTrigger(report_id, poll_interval=poll_interval)
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    parse_payload(json.loads(json.dumps(events[0])))


def in_the_trigger(poll_interval: float) -> None:
    asyncio.run(triggered(poll_interval))


MODES = {"worker": on_the_worker, "trigger": in_the_trigger}
mode = pytest.mark.parametrize("wait", MODES.values(), ids=MODES)


# --- every status


@mode
def test_each_error_status_costs_a_wait_one_request_a_poll(
    fake_clock: FakeClock, connect: Callable[[str], None], wait: Callable[[float], None]
) -> None:
    answers: list[Response] = []
    with RawServer(lambda seen: answers.pop(0)) as server:
        connect(server.url)
        for status in range(400, 600):
            server.requests.clear()
            fake_clock.pauses.clear()
            answers[:] = [IN_PROGRESS, IN_PROGRESS, *[error_response(status)] * 2, READY]
            if status in (401, 403):
                with pytest.raises(RingEventsError, match=str(status)):
                    wait(60)
                assert len(server.requests) == 3, status
            else:
                wait(60)
                assert len(server.requests) == 5, status
            assert len(fake_clock.pauses) == len(server.requests), "a pause before each request: none is a retry"


@mode
@pytest.mark.parametrize("failure", [NO_RESPONSE, RESET, Response(200, b"<html>")], ids=["closed", "reset", "html"])
def test_an_answer_that_never_comes_costs_a_wait_one_request_a_poll(
    fake_clock: FakeClock, connect: Callable[[str], None], wait: Callable[[float], None], failure: Response
) -> None:
    answers = [IN_PROGRESS, *[failure] * 9, IN_PROGRESS, *[failure] * 10]
    with RawServer(lambda seen: answers.pop(0)) as server:
        connect(server.url)
        with pytest.raises(RingEventsError, match="get_report"):
            wait(60)
        assert len(server.requests) == len(fake_clock.pauses) == 21


# --- Retry-After

NOT_SAID = (0.0, 1.0)
FORMS: dict[str, tuple[Callable[[], str], float, float]] = {
    "seconds": (lambda: "7", 7, 7),
    "with blanks": (lambda: " 7 ", 7, 7),
    "fractions": (lambda: "7.5", 7.5, 7.5),
    "zero": (lambda: "0", *NOT_SAID),
    "date": (lambda: in_http(90), 85, 90),
    "date of old": (lambda: dated(90, "%A, %d-%b-%y %H:%M:%S GMT"), 85, 90),
    "date of C": (lambda: dated(90, "%a %b %d %H:%M:%S %Y"), 85, 90),
    "past": (lambda: in_http(-90), *NOT_SAID),
    "garbage": (lambda: "soon", *NOT_SAID),
    "empty": (lambda: "", *NOT_SAID),
    "negative": (lambda: "-7", *NOT_SAID),
    "no number": (lambda: "nan", *NOT_SAID),
    "huge": (lambda: "86400", 120, 120),
    "without end": (lambda: "1e999", *NOT_SAID),
    "a year away": (lambda: in_http(31_536_000), 120, 120),
}


def in_http(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def dated(seconds: float, form: str) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime(form)


@mode
@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("value", "least", "most"), FORMS.values(), ids=FORMS)
def test_retry_after_puts_the_next_poll_off(
    fake_clock: FakeClock,
    connect: Callable[[str], None],
    wait: Callable[[float], None],
    status: int,
    value: Callable[[], str],
    least: float,
    most: float,
) -> None:
    answers = [IN_PROGRESS, error_response(status, Retry_After=value()), IN_PROGRESS, READY]
    with RawServer(lambda seen: answers.pop(0)) as server:
        connect(server.url)
        wait(1.0)
        assert len(server.requests) == 4
    assert least <= fake_clock.pauses[2] <= most
    assert max(fake_clock.pauses[:2] + fake_clock.pauses[3:]) <= 1.0, "only the one pause after it"


# --- many waits


def test_an_outage_of_some_polls_costs_each_wait_as_many_requests(
    fake_clock: FakeClock, connect: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = 0
    real = PollSchedule.next_delay

    def counted(*args: Any) -> float:
        nonlocal pauses
        pauses += 1
        return real(*args)

    monkeypatch.setattr(PollSchedule, "next_delay", counted)
    waits, before, during = 100, 3, 6
    polls: Counter[str] = Counter()
    phases: Counter[str] = Counter()

    def handler(seen: Request) -> Response:
        polls[seen.path] += 1
        number = polls[seen.path]
        phase = "before" if number <= before else "during" if number <= before + during else "after"
        phases[phase] += 1
        return {"before": IN_PROGRESS, "during": error_response(503), "after": READY}[phase]

    async def run() -> None:
        await asyncio.gather(*(triggered(60, f"r{number}") for number in range(waits)))

    with RawServer(handler) as server:
        connect(server.url)
        asyncio.run(run())
        assert phases == {"before": waits * before, "during": waits * during, "after": waits}
        assert pauses == phases.total(), "a pause before each request: none is a retry"
        assert server.peak <= defaults.MAX_CONNECTIONS


def test_looks_at_a_list_cost_one_request_each_in_an_outage(
    fake_clock: FakeClock, connect: Callable[[str], None]
) -> None:
    """Found with five: the client's own retries came on top, with pauses of seconds in between."""
    from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger

    async def events() -> list[Any]:
        trigger = RingEventsDuplicationTrigger("o", "e", "key", requested_at=fake_clock.time, poll_interval=60)
        return [event.payload async for event in trigger.run()]

    with RawServer(lambda seen: error_response(503)) as server:
        connect(server.url)
        (event,) = asyncio.run(events())
        assert event["error"]["status"] == 503
        assert len(server.requests) == defaults.POLL_FAILURES


def test_a_watcher_of_registrations_costs_one_request_a_look_in_an_outage(
    fake_clock: FakeClock, connect: Callable[[str], None]
) -> None:
    from airflow_provider_ringevents.triggers.registrations import RingEventsRegistrationsTrigger

    async def first_event() -> Any:
        async with aclosing(RingEventsRegistrationsTrigger(event_id="e", poll_interval=60).run()) as events:
            return (await anext(events)).payload

    def listed(*rows: str) -> Response:
        data = [{"id": updated, "attributes": {"updatedAt": updated}} for updated in rows]
        return json_response({"data": data, "meta": {"count": len(data)}})

    answers = [listed(), *[error_response(503)] * 7, listed("2026-09-21T14:15:00Z")]
    with RawServer(lambda seen: answers.pop(0) if answers else listed()) as server:
        connect(server.url)
        assert asyncio.run(first_event())["count"] == 1
        assert len(server.requests) == 9
        assert len(fake_clock.pauses) >= 9, "a pause before each request: none is a retry"
