"""`Retry-After`: every form that it comes in, read by itself and obeyed by both clients."""

from __future__ import annotations

import asyncio
import math
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime
from functools import partial
from types import SimpleNamespace

import anyio
import pytest
from client_drivers import KEY, SyncDriver
from clocks import FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import RawServer, Request, Response, error_response, json_response

from airflow_provider_ringevents.client import Client, async_client, defaults, endpoints
from airflow_provider_ringevents.client import client as client_module
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsApiError, RingEventsRateLimitError
from airflow_provider_ringevents.client.transport import network, retry
from airflow_provider_ringevents.client.transport.rate_limiter import AsyncRateLimiter
from airflow_provider_ringevents.client.transport.retry import RetryPolicy, parse_retry_after

GET = endpoints.get_event("e")
POST = endpoints.create_event("o", {"name": "n"})
GOOD = json_response({"data": {"id": "e", "attributes": {}}})
NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
FORMS: dict[str | None, float | None] = {
    None: None,
    "": None,
    "   ": None,
    "0": 0.0,
    "7": 7.0,
    "007": 7.0,
    " 7 ": 7.0,
    "1.5": 1.5,
    "120": 120.0,
    "120.5": 120.5,
    "86400": 86400.0,
    "86401": 86400.0,
    "86399999999999": 86400.0,
    "9" * 300: 86400.0,
    "9" * 5_000: 86400.0,
    "Thu, 01 Jan 2026 12:01:30 GMT": 90.0,
    "Thursday, 01-Jan-26 12:01:30 GMT": 90.0,
    "Thu Jan  1 12:01:30 2026": 90.0,
    "Thu, 01 Jan 2026 13:01:30 +0100": 90.0,
    "Thu, 01 Jan 2026 12:02:01 GMT": 121.0,
    "Fri, 01 Jan 2027 12:00:00 GMT": 86400.0,
    "Fri, 31 Dec 9999 23:59:59 GMT": 86400.0,
    "Thu, 01 Jan 2026 11:00:00 GMT": 0.0,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0.0,
    "-1": None,
    "+7": None,
    "7.": None,
    ".5": None,
    "7, 7": None,
    "nan": None,
    "inf": None,
    "1e999": None,
    "1_0": None,
    "0x10": None,
    "٣": None,
    "7 seconds": None,
    "soon": None,
    "Thu, 99 Jan 2026 12:00:00 GMT": None,
    "Thu, 01 Jan 99999 12:00:00 GMT": None,
    "Thu, 01 Jan 2026 12:00:00 +99999999999999": None,
}
"""What a header says -> the seconds that it asks for at `NOW`; None: nothing that can be read."""


@pytest.mark.parametrize(("value", "seconds"), FORMS.items())
def test_retry_after_is_read_or_ignored(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


def test_retry_after_date_counts_from_now() -> None:
    read = parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True))
    assert read is not None
    assert 95 <= read <= 100


@given(st.text(max_size=40))
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    read = parse_retry_after(text, NOW)
    assert read is None or (read >= 0 and math.isfinite(read))


# --- both clients, on the wire

OWN = 0.25
"""The pause of a client that is not told one."""
OWN_PAUSE = RetryPolicy(uniform=lambda low, high: OWN)


class Midday(datetime):
    """It is `NOW`."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Midday:
        return cls(2026, 1, 1, 12, 0, 0, tzinfo=tz)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    made = FakeClock(0.0)
    # A module that were first imported while the clock is a fake would keep the fake: anyio imports its backend late.
    asyncio.run(anyio.sleep(0))
    # With a sleep of no time the network lets the loop go on, which is no pause.
    monkeypatch.setattr(network, "asyncio", SimpleNamespace(**vars(asyncio)))
    monkeypatch.setattr(time, "sleep", made.sleep)
    monkeypatch.setattr(asyncio, "sleep", made.async_sleep)
    monkeypatch.setattr(
        async_client, "AsyncRateLimiter", partial(AsyncRateLimiter, now=made.now, sleep=made.async_sleep)
    )
    monkeypatch.setattr(client_module, "time", SimpleNamespace(monotonic=made.now))
    monkeypatch.setattr(retry, "datetime", Midday)
    return made


def refusal(status: int, value: str | None) -> Response:
    if value is None:
        return error_response(status)
    # The server writes heads as latin-1; what lies beyond it is sent as UTF-8.
    return error_response(status, Retry_After=value.encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("call", "status"), [(GET, 429), (GET, 503), (POST, 429)], ids=["GET 429", "GET 503", "POST 429"]
)
@pytest.mark.parametrize(("value", "seconds"), FORMS.items())
def test_every_form_is_obeyed(
    driver: type[SyncDriver], pauses: FakeClock, call: Call, status: int, value: str | None, seconds: float | None
) -> None:
    """Waited for exactly and once; a longer one than two minutes is carried up; what cannot be read changes nothing."""
    answers = [refusal(status, value), GOOD]
    with RawServer(lambda seen: answers.pop(0)) as server:
        client = driver(server.url, policy=OWN_PAUSE)
        if seconds is not None and seconds > defaults.RETRY_AFTER_MAX:
            with pytest.raises(RingEventsApiError) as caught:
                client.send(call)
            assert caught.value.retry_after == seconds
            assert (len(server.requests), pauses.pauses) == (1, [])
            return
        client.send(call)
        assert len(server.requests) == 2
    asked = OWN if seconds is None else seconds
    assert pauses.pauses[0] == asked
    # The requests after a 429 keep a distance, whatever it says.
    spaced = defaults.THROTTLE_MIN_INTERVAL if status == 429 else 0.0
    assert sum(pauses.pauses) == max(asked, spaced)


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "1_000_000"])
def test_what_cannot_be_read_is_not_carried_up(driver: type[SyncDriver], pauses: FakeClock, value: str) -> None:
    with RawServer(lambda seen: error_response(429, Retry_After=value)) as server:
        with pytest.raises(RingEventsApiError) as caught:
            driver(server.url, max_attempts=2).send(GET)
        assert caught.value.retry_after is None
        assert len(server.requests) == 2


def test_each_answer_is_obeyed_for_itself(driver: type[SyncDriver], pauses: FakeClock) -> None:
    answers = [refusal(503, "7"), refusal(503, None), refusal(503, "120"), refusal(503, "soon"), GOOD]
    with RawServer(lambda seen: answers.pop(0)) as server:
        driver(server.url, policy=OWN_PAUSE).send(GET)
    assert pauses.pauses == [7.0, OWN, 120.0, OWN]


def test_it_is_obeyed_by_lists_too(driver: type[SyncDriver], pauses: FakeClock) -> None:
    answers = [refusal(503, "7"), json_response({"data": [], "meta": {"count": 0}})]
    with RawServer(lambda seen: answers.pop(0)) as server:
        driver(server.url, policy=OWN_PAUSE).items(endpoints.list_organizations())
    assert pauses.pauses == [7.0]


def test_a_short_retry_after_is_waited_for(driver: type[SyncDriver]) -> None:
    """With no clock but the real one."""
    answers = iter([error_response(503, Retry_After="0.3"), GOOD])
    moments: list[float] = []

    def handler(seen: Request) -> Response:
        moments.append(time.monotonic())
        return next(answers)

    with RawServer(handler) as server:
        driver(server.url).send(GET)
    assert moments[1] - moments[0] >= 0.3


# --- one client in several threads


def await_429(caplog: pytest.LogCaptureFixture) -> None:
    """Wait until the client has read a response with 429."""
    deadline = time.monotonic() + 10
    while "HTTP/1.1 429" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)


def test_a_429_holds_all_threads_of_a_client(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "httpx")
    moments: list[float] = []

    def handler(seen: Request) -> Response:
        moments.append(time.monotonic())
        return GOOD if len(moments) > 1 else error_response(429, Retry_After="1")

    with RawServer(handler) as server, Client(server.url, KEY) as client, ThreadPoolExecutor(5) as threads:
        first = threads.submit(client.send, POST)
        await_429(caplog)
        for request in [first, *(threads.submit(client.send, POST) for _ in range(4))]:
            request.result()
    assert len(moments) == 6
    assert min(moments[1:]) - moments[0] >= 0.95


def test_a_pause_that_is_too_long_holds_nobody() -> None:
    """It is carried up, and the caller decides."""
    answers = iter([error_response(429, Retry_After="600"), GOOD])
    with RawServer(lambda seen: next(answers)) as server, Client(server.url, KEY) as client:
        with pytest.raises(RingEventsRateLimitError):
            client.send(POST)
        begun = time.monotonic()
        client.send(POST)
        assert time.monotonic() - begun < 30
