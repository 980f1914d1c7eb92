"""Waits: when the next poll comes, what a poll means, when a wait ends. Hours pass in no time here."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from client_drivers import KEY
from clocks import START, FakeClock
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import NO_RESPONSE, RawServer, Request, Response, error_response, json_response

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
    RingEventsReportFailedError,
    RingEventsServerError,
    RingEventsTransportError,
    RingEventsWaitTimeoutError,
)
from airflow_provider_ringevents.client.report_status import (
    FAILED_WORDS,
    IN_PROGRESS_WORDS,
    READY_WORDS,
    ReportState,
    report_status,
)
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.schedule import PollSchedule
from airflow_provider_ringevents.polling.waiter import wait_until_done


def longest(low: float, high: float) -> float:
    return high


def shortest(low: float, high: float) -> float:
    return low


# --- pauses


def pauses(number: int, **fields: Any) -> list[float]:
    wait = PollSchedule("it", None, **fields)
    return [wait.next_delay(START) for _ in range(number)]


def test_pauses_grow_by_half_up_to_the_interval() -> None:
    made = pauses(12, poll_interval=60, uniform=lambda low, high: (low + high) / 2)
    assert made[:8] == pytest.approx([2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 34.171875])
    assert made[8:] == sorted(made[8:])
    assert made[-1] <= 60


@pytest.mark.parametrize("poll_interval", [0.05, 1, 2, 60, 3600])
def test_a_pause_is_a_tenth_longer_or_shorter_and_never_longer_than_the_interval(poll_interval: float) -> None:
    shorter = pauses(40, poll_interval=poll_interval, uniform=shortest)
    longer = pauses(40, poll_interval=poll_interval, uniform=longest)
    for number, (low, high) in enumerate(zip(shorter, longer, strict=True)):
        steady = min(poll_interval, 2 * 1.5**number)
        assert low == pytest.approx(steady * 0.9)
        assert high == pytest.approx(min(poll_interval, steady * 1.1))


def test_waits_that_begin_together_do_not_poll_in_step() -> None:
    draws = [pauses(1, uniform=random.Random(seed).uniform)[0] for seed in range(100)]
    assert len(set(draws)) == 100


@given(
    st.floats(min_value=0.01, max_value=3600),
    st.floats(min_value=0, max_value=100_000),
    st.integers(min_value=0, max_value=2**32),
)
@settings(derandomize=True, max_examples=200, deadline=None)
def test_no_pause_goes_beyond_the_deadline(poll_interval: float, limit: float, seed: int) -> None:
    wait = PollSchedule("it", START + limit, poll_interval, uniform=random.Random(seed).uniform)
    now = START
    for _ in range(300):
        pause = wait.next_delay(now)
        assert 0 <= pause <= poll_interval
        now += pause
        assert now <= START + limit + 1e-6
    assert wait.next_delay(START + limit + 100) == 0


def test_a_wait_of_a_thousand_polls_does_not_overflow() -> None:
    assert pauses(5_000, poll_interval=60, uniform=longest)[-1] == 60


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 2.2), (0.0, 2.2), (1.0, 2.2), (30.0, 30.0), (120.0, 120.0), (9_999.0, 120.0)]
)
def test_the_next_poll_comes_no_sooner_than_the_service_asked(retry_after: float | None, pause: float) -> None:
    wait = PollSchedule("it", None, 60, uniform=longest)
    wait.on_error(RingEventsRateLimitError("x", status=429, retry_after=retry_after), START)
    assert wait.next_delay(START) == pytest.approx(pause)
    assert wait.next_delay(START + pause) == pytest.approx(3.3), "once"


def test_not_even_what_the_service_asks_goes_beyond_the_deadline() -> None:
    wait = PollSchedule("it", START + 10, 60, uniform=longest)
    wait.on_error(RingEventsServerError("x", status=503, retry_after=100.0), START)
    assert wait.next_delay(START) == 10


def test_the_interval_is_from_poll_to_poll_however_long_an_answer_takes() -> None:
    wait = PollSchedule("it", None, 60, initial_delay=60, uniform=longest)
    now, polls = START, []
    for _ in range(5):
        now += wait.next_delay(now)
        polls.append(now)
        now += 7
    assert [later - earlier for earlier, later in pairwise(polls)] == pytest.approx([60] * 4)


@pytest.mark.parametrize("taken", [40, 10_000], ids=["slow", "the clock was set"])
def test_a_service_that_is_slower_than_the_interval_is_left_half_of_it(taken: float) -> None:
    wait = PollSchedule("it", None, 60, initial_delay=60, uniform=longest)
    assert wait.next_delay(START) == 60
    assert wait.next_delay(START + 60 + taken) == 30


# --- many waits together


def polls_of(number: int, interval: float, until: float) -> list[float]:
    """When the waits of a triggerer poll that starts with so many."""
    found = []
    for seed in range(number):
        wait = PollSchedule("it", None, interval, uniform=random.Random(seed).uniform)
        now = START
        while (now := now + wait.next_delay(now, number - 1)) < START + until:
            found.append(now - START)
    return found


def fullest(polls: list[float], since: float, seconds: float = 1) -> float:
    """Most polls in a second, against the mean."""
    counts = Counter(int(poll / seconds) for poll in polls if poll >= since)
    return max(counts.values()) * len(counts) / counts.total()


@pytest.mark.parametrize(("number", "interval"), [(100, 60), (1_000, 10), (1_000, 60), (3_000, 60)])
def test_a_crowd_polls_evenly(number: int, interval: float) -> None:
    polls = polls_of(number, interval, until=700)
    per_second = number / interval
    # What chance alone does to so many polls: four times the root, over five seconds where they are few.
    seconds = 5 if per_second < 10 else 1
    mean = per_second * seconds / 0.95
    assert fullest(polls, since=400, seconds=seconds) < 1 + 4.5 / mean**0.5


def on_the_beat(polls: list[float]) -> float:
    """The share of the polls that start at a multiple of the beat."""
    beats = [poll / defaults.TIMER_COALESCING for poll in polls]
    return sum(abs(beat - round(beat)) < 1e-3 for beat in beats) / len(beats)


def test_a_crowd_polls_together_twenty_times_a_second() -> None:
    assert on_the_beat(polls_of(200, 10, until=60)) > 0.99
    assert on_the_beat(polls_of(20, 10, until=60)) < 0.1


@pytest.mark.parametrize("interval", [0.1, 0.5, 1.0])
def test_a_short_interval_is_not_made_shorter_for_that(interval: float) -> None:
    number, until = 100, 60.0
    polls = polls_of(number, interval, until)
    assert len(polls) < 1.1 * number * until / interval


def test_a_pause_that_the_service_asked_for_is_not_made_shorter_for_that() -> None:
    wait = PollSchedule("it", None, 10)
    wait.next_delay(START, concurrent_waits=1000)
    wait.on_error(RingEventsServerError("busy", status=503, retry_after=30.01), START)
    assert wait.next_delay(START, concurrent_waits=1000) == pytest.approx(30.01)


@pytest.mark.parametrize("number", [200, 1_000, 10_000])
def test_a_crowd_that_starts_does_not_flood_the_service(number: int) -> None:
    polls = polls_of(number, 60, until=60)
    most = max(Counter(map(int, polls)).values())
    assert most < 1.5 * max(defaults.POLL_RATE_TARGET, number / 60)


def test_a_few_waits_still_poll_soon() -> None:
    assert max(min(polls_of(1, 60, until=60)), 2.2) == 2.2
    wait = PollSchedule("it", None, 60, uniform=longest)
    assert [wait.next_delay(START, concurrent_waits=3) for _ in range(4)] == pytest.approx([2.2, 3.3, 4.95, 7.425])


def test_no_wait_of_a_crowd_waits_longer_than_its_interval() -> None:
    wait = PollSchedule("it", None, 10, uniform=longest)
    assert [wait.next_delay(START, concurrent_waits=100_000) for _ in range(4)] == pytest.approx([10] * 4)


# --- polls that fail

TRANSPORT = RingEventsTransportError("no answer", sent=True)
SERVER = RingEventsServerError("oops", status=500)
LIMIT = RingEventsRateLimitError("slow down", status=429)
MISSING = RingEventsNotFoundError("not there", status=404)
ODD = RingEventsApiError("teapot", status=418)


@pytest.mark.parametrize("error", [TRANSPORT, SERVER, MISSING, ODD], ids=lambda error: type(error).__name__)
def test_ten_failures_in_a_row_end_a_wait_and_nine_do_not(error: RingEventsError) -> None:
    wait = PollSchedule("it", None)
    for _ in range(3):
        for _ in range(9):
            wait.on_error(error, START)
        wait.record_pending(START)
    for _ in range(9):
        wait.on_error(error, START)
    with pytest.raises(type(error)) as caught:
        wait.on_error(error, START)
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        RingEventsAuthError("refused", status=401),
        RingEventsAuthError("forbidden", status=403),
        RingEventsConfigError("no such connection"),
    ],
    ids=str,
)
def test_a_refused_key_ends_a_wait_at_once(error: RingEventsError) -> None:
    with pytest.raises(type(error)) as caught:
        PollSchedule("it", None).on_error(error, START)
    assert caught.value is error


def test_refusals_for_the_pace_end_no_wait_and_its_deadline_does() -> None:
    wait = PollSchedule("it", START + 100)
    for _ in range(50):
        wait.on_error(LIMIT, START)
    with pytest.raises(RingEventsWaitTimeoutError, match="slow down"):
        wait.on_error(LIMIT, START + 100)


def test_what_is_not_visible_yet_is_no_failure_until_it_should_be() -> None:
    wait = PollSchedule("it", None, not_found_until=START + 60)
    for second in range(60):
        wait.on_error(MISSING, START + second)
    for _ in range(9):
        wait.on_error(MISSING, START + 60)
    with pytest.raises(RingEventsNotFoundError):
        wait.on_error(MISSING, START + 60)


def test_other_failures_count_while_a_404_does_not() -> None:
    wait = PollSchedule("it", None, not_found_until=START + 60)
    for _ in range(9):
        wait.on_error(SERVER, START)
        wait.on_error(MISSING, START)
    with pytest.raises(RingEventsServerError):
        wait.on_error(SERVER, START)


# --- deadlines


def test_the_deadline_ends_a_wait_and_says_how_it_stood() -> None:
    wait = PollSchedule("the moon rising", START + 100)
    wait.next_delay(START)
    wait.record_pending(START + 99.9, "half way")
    wait.on_error(SERVER, START + 99.9)
    with pytest.raises(RingEventsWaitTimeoutError, match=r"the moon rising .* last poll failed: oops") as caught:
        wait.on_error(SERVER, START + 100)
    assert caught.value.retryable
    with pytest.raises(RingEventsWaitTimeoutError, match=r"the moon rising .*\(1 poll\); half way"):
        wait.record_pending(START + 100, "half way")


def test_without_a_deadline_a_wait_goes_on() -> None:
    PollSchedule("it", None).record_pending(1e12, "still")


# --- reports

UNKNOWN = "marinating"


def envelope(status: int, word: Any = None, url: str | None = None) -> Envelope:
    attributes = {name: value for name, value in (("status", word), ("url", url)) if value is not None}
    return Envelope({"data": {"id": "r", "attributes": attributes}}, status=status)


@pytest.mark.parametrize("url", [None, "https://example.org/f?sig"])
@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize(
    "word",
    [
        None,
        "",
        "  ",
        5,
        False,
        [UNKNOWN],
        UNKNOWN,
        *sorted(FAILED_WORDS),
        *sorted(IN_PROGRESS_WORDS),
        *sorted(READY_WORDS),
    ],
)
def test_what_a_report_says_of_itself(word: Any, status: int, url: str | None) -> None:
    """The order of the documented table: failed word; 202; url; in-progress word; ready word or none; unknown word."""
    is_text = isinstance(word, str)
    says_nothing = word is None or (is_text and not word.strip())
    if is_text and word in FAILED_WORDS:
        state = ReportState.FAILED
    elif status == 202:
        state = ReportState.IN_PROGRESS
    elif url:
        state = ReportState.READY
    elif is_text and word in IN_PROGRESS_WORDS:
        state = ReportState.IN_PROGRESS
    elif says_nothing or (is_text and word in READY_WORDS):
        state = ReportState.READY
    else:
        state = ReportState.IN_PROGRESS
    read = report_status(envelope(status, word, url))
    assert read.state is state
    assert read.known == (says_nothing or (is_text and word != UNKNOWN))
    assert read.word == (None if says_nothing else str(word))
    flat = {"id": "r", "type": "report", "status": word, "url": url}
    assert report_status(Envelope({"data": flat}, status=status)) == read


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("FAILED", ReportState.FAILED),
        (" In Progress ", ReportState.IN_PROGRESS),
        ("in-progress", ReportState.IN_PROGRESS),
        ("Ready", ReportState.READY),
    ],
)
def test_case_blanks_and_hyphens_do_not_matter(word: str, state: ReportState) -> None:
    assert report_status(envelope(200, word)).state is state


@pytest.mark.parametrize("data", [None, [], "x", {}, {"attributes": None}, {"attributes": [1]}])
def test_odd_answers_are_ready_only_with_200(data: Any) -> None:
    assert report_status(Envelope({"data": data}, status=202)).state is ReportState.IN_PROGRESS
    assert report_status(Envelope({}, status=200)).state is ReportState.READY


def test_the_words_do_not_overlap() -> None:
    assert not FAILED_WORDS & IN_PROGRESS_WORDS
    assert not FAILED_WORDS & READY_WORDS
    assert not IN_PROGRESS_WORDS & READY_WORDS


# --- the wait on the worker, against a server


class Waited:
    """A wait for report "r" on a server that answers in turn; the last answer stays."""

    def __init__(self, *answers: Response | Callable[[Request], Response]) -> None:
        self.answers = list(answers)
        self.said: list[str] = []
        self.server: RawServer

    def handler(self, seen: Request) -> Response:
        assert seen.path == "/v1/reports/r"
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(seen) if callable(answer) else answer

    def run(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        with RawServer(self.handler) as server:
            self.server = server
            described = {"conn_type": "ringevents", "host": server.url, "password": KEY}
            monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(described))
            wait = ReportWaiter(
                "r",
                options.get("deadline", START + 3600),
                options.get("poll_interval", 60.0),
                options.get("not_found_until"),
                lambda message, *arguments: self.said.append(message % arguments),
            )
            with RingEventsHook() as hook:
                wait_until_done(wait, hook)


IN_PROGRESS = json_response({"data": {"id": "r", "attributes": {"status": "processing"}}}, 202)
READY = json_response({"data": {"id": "r", "attributes": {"status": "ready"}}})


def test_a_wait_ends_when_the_report_is_ready(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = Waited(IN_PROGRESS, IN_PROGRESS, error_response(500), NO_RESPONSE, READY)
    waited.run(monkeypatch)
    assert len(waited.server.requests) == 5
    assert len(fake_clock.pauses) == 5
    assert "Report r is ready after" in waited.said[-1]
    assert "(5 polls)" in waited.said[-1]


def test_a_failed_report_ends_the_wait_with_the_services_word(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = json_response({"data": {"id": "r", "attributes": {"status": "Errored", "url": "https://x"}}})
    with pytest.raises(RingEventsReportFailedError, match=r"report r: .*'Errored'") as caught:
        Waited(IN_PROGRESS, failed).run(monkeypatch)
    assert not caught.value.retryable


def test_a_wait_polls_at_its_deadline_once_more_and_then_gives_up(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = json_response({"data": {"id": "r", "attributes": {"status": UNKNOWN}}})
    waited = Waited(unknown)
    with pytest.raises(RingEventsWaitTimeoutError, match=f"report r being ready.*'{UNKNOWN}' .an unknown word"):
        waited.run(monkeypatch, deadline=START + 600)
    assert fake_clock.time - START == pytest.approx(600)
    assert len(waited.server.requests) == len(fake_clock.pauses)


def test_a_wait_without_time_polls_once(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RingEventsWaitTimeoutError, match=r"did not happen in time \(1 poll\)"):
        Waited(IN_PROGRESS).run(monkeypatch, deadline=START)


def test_a_report_that_becomes_ready_at_the_deadline_is_ready(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = Waited(lambda seen: READY if fake_clock.time >= START + 100 else IN_PROGRESS)
    waited.run(monkeypatch, deadline=START + 100)
    assert fake_clock.time - START == pytest.approx(100)


def test_a_poll_is_one_request(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = Waited(error_response(503))
    with pytest.raises(RingEventsServerError):
        waited.run(monkeypatch)
    assert len(waited.server.requests) == defaults.POLL_FAILURES


def test_a_report_that_is_not_visible_yet_is_waited_for(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = Waited(lambda seen: READY if fake_clock.time >= START + 55 else error_response(404))
    waited.run(monkeypatch, not_found_until=START + 60, poll_interval=3.0)
    assert len(waited.server.requests) > defaults.POLL_FAILURES


def test_a_lasting_404_ends_the_wait(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = Waited(error_response(404))
    with pytest.raises(RingEventsNotFoundError):
        waited.run(monkeypatch, not_found_until=START + 60)
    assert fake_clock.time > START + 60


def test_a_key_that_is_rotated_while_waiting_is_read_again(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rotated(seen: Request) -> Response:
        described = {"conn_type": "ringevents", "host": waited.server.url, "password": "fresh-key"}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(described))
        return error_response(401)

    def ready(seen: Request) -> Response:
        return READY if seen.headers["authorization"] == "Bearer fresh-key" else error_response(401)

    waited = Waited(IN_PROGRESS, rotated, ready)
    waited.run(monkeypatch)
    assert [seen.headers["authorization"] for seen in waited.server.requests] == [
        f"Bearer {KEY}",
        f"Bearer {KEY}",
        "Bearer fresh-key",
    ]


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_stays_refused_ends_the_wait(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    waited = Waited(IN_PROGRESS, error_response(status))
    with pytest.raises(RingEventsAuthError):
        waited.run(monkeypatch)
    assert len(waited.server.requests) == 2


def test_progress_is_said_once_a_minute(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = Waited(lambda seen: READY if fake_clock.time >= START + 600 else IN_PROGRESS)
    waited.run(monkeypatch, poll_interval=5.0)
    assert 9 <= len(waited.said) <= 12
    assert all("'processing'" in said for said in waited.said[:-1])


# --- real time: what the service drips


def drip(seen: Request) -> Response:
    """A report in progress that comes at a byte every 0.1 s, without end."""
    return Response(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{", drip=b" ", pause=0.1)


@pytest.mark.parametrize("head", [False, True], ids=["body", "head"])
def test_a_wait_on_the_worker_ends_at_its_deadline_while_the_service_drips(
    monkeypatch: pytest.MonkeyPatch, head: bool
) -> None:
    """Found held until the server stopped, past every deadline."""
    from time import monotonic, time

    monkeypatch.setattr(defaults, "DEADLINE_GRACE", 0.5)
    answer = Response(raw=b"HTTP/1.1 200 OK\r\nX-Long: ", drip=b"x", pause=0.1) if head else None
    with RawServer(lambda seen: answer or drip(seen)) as server:
        described = {"conn_type": "ringevents", "password": KEY, "host": server.url}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(described))
        began = monotonic()
        waiter = ReportWaiter("r", time() + 1, 0.1, None, lambda *args: None)
        with pytest.raises(RingEventsWaitTimeoutError):
            wait_until_done(waiter, RingEventsHook())
        assert monotonic() - began < 20


@pytest.mark.parametrize("offset", [1e18, -1e18])
@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-05-01T00:00:00Z"])
def test_an_end_plus_offset_beyond_the_calendar_is_no_error_of_the_language(end: str, offset: float) -> None:
    from airflow_provider_ringevents.polling.events import EventCondition

    condition = EventCondition("ended", offset=offset)
    event = {"timeEnd": end}
    assert condition.is_met(event, START) == (offset < 0)
    assert "waiting until" in condition.describe_progress(event)
