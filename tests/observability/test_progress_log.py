"""What tasks say in their logs: enough, for people, and not too often. Hours pass in no time here."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from clocks import START, FakeClock

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsServerError
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.observability.formatting import format_count, format_duration
from airflow_provider_ringevents.observability.progress_log import (
    LOG_INTERVAL,
    LogThrottle,
    WaitProgressLogger,
    log_group,
)
from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
from airflow_provider_ringevents.polling.events import EventCondition, EventWaiter
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent


class Said:
    """The lines, each with the second at which it was said."""

    def __init__(self, fake_clock: FakeClock) -> None:
        self._clock = fake_clock
        self.lines: list[str] = []
        self.times: list[float] = []

    def __call__(self, message: str, *arguments: Any) -> None:
        self.lines.append(message % arguments)
        self.times.append(self._clock.time - START)


@pytest.fixture
def said(fake_clock: FakeClock) -> Said:
    return Said(fake_clock)


# --- waits


def answer(**attributes: Any) -> Any:
    return Envelope({"data": {"id": "x", "attributes": attributes}}, status=202)


def report(said: Said, poll_interval: float) -> tuple[Any, Callable[[int], Any]]:
    wait = ReportWaiter("r", START + 3600, poll_interval, None, said)
    # The word is another one at each poll: what is said may change, how often it is said may not.
    return wait, lambda poll: wait.on_response(answer(status=f"processing {poll}"))


def event(said: Said, poll_interval: float) -> tuple[Any, Callable[[int], Any]]:
    wait = EventWaiter("e", EventCondition("published"), START + 3600, poll_interval, said)
    return wait, lambda poll: wait.on_response(answer(status=f"draft {poll}", published=False))


def copy(said: Said, poll_interval: float) -> tuple[Any, Callable[[int], Any]]:
    wait = DuplicationWaiter("o", ExpectedEvent("k", source_id="s"), START, START + 3600, poll_interval, said)
    return wait, lambda poll: wait.on_response([{"id": str(each), "name": "other"} for each in range(poll % 10)])


WAITS = {"report": report, "event": event, "copy": copy}


@pytest.mark.parametrize("failing", [False, True], ids=["answers", "fails now and then"])
@pytest.mark.parametrize("poll_interval", [0.2, 20])
@pytest.mark.parametrize("make", WAITS.values(), ids=WAITS)
def test_a_wait_says_one_line_a_minute_however_often_it_polls(
    make: Any, poll_interval: float, failing: bool, fake_clock: FakeClock, said: Said
) -> None:
    wait, poll = make(said, poll_interval)
    polls = 0
    while fake_clock.time < START + 600:
        fake_clock.sleep(wait.next_delay())
        polls += 1
        if failing and polls % 2:
            wait.on_error(RingEventsServerError(f"request {polls}: oops", status=500))
        else:
            poll(polls)

    apart = [later - earlier for earlier, later in zip(said.times, said.times[1:], strict=False)]
    assert min(apart) >= LOG_INTERVAL
    assert 7 <= len(said.lines) <= 11
    assert said.lines[0].startswith("Waiting for ")
    assert said.lines[0].endswith(
        f"; until {datetime.fromtimestamp(START + 3600, UTC):%Y-%m-%d %H:%M:%S} UTC at the latest"
    )
    assert all(line.startswith("Still waiting for ") for line in said.lines[1:])
    assert re.search(r" after 1 min \d+ s \([\d,]+ polls\): ", said.lines[1])


def test_a_minute_of_polls_says_one_line(fake_clock: FakeClock, said: Said) -> None:
    progress_log = WaitProgressLogger("the post", None, said)
    for _ in range(600):
        progress_log.log_pending("no bell has rung")
        fake_clock.sleep(0.1)
    assert said.lines == ["Waiting for the post: no bell has rung"]


def test_a_wait_that_is_over_at_once_says_its_end_alone(fake_clock: FakeClock, said: Said) -> None:
    progress_log = WaitProgressLogger("the post", START + 60, said)
    fake_clock.sleep(2)
    progress_log.log_done("The post is here")
    assert said.lines == ["The post is here after 2.0 s (1 poll)"]


def test_a_throttle_lets_one_line_pass_in_its_interval(fake_clock: FakeClock) -> None:
    throttle = LogThrottle(10)
    due = []
    for second in range(25):
        if throttle.is_due():
            due.append(second)
        fake_clock.sleep(1)
    assert due == [0, 10, 20]
    throttle.restart()
    fake_clock.sleep(9.5)
    assert not throttle.is_due()
    fake_clock.sleep(0.5)
    assert throttle.is_due()


# --- figures and folds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"),
        (0.04, "40 ms"),
        (2, "2.0 s"),
        (9.9, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 min 0 s"),
        (61, "1 min 1 s"),
        (3660, "1 h 1 min"),
    ],
)
def test_lengths_of_time_are_for_people(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


def test_counts_are_for_people() -> None:
    assert [format_count(number, "row") for number in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_a_line_for_each_request_is_kept_out_of_the_log_unless_somebody_wants_it(ringevents_conn: str) -> None:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    log = logging.getLogger("httpx")
    before = log.level
    try:
        for level, then in ((logging.NOTSET, logging.WARNING), (logging.DEBUG, logging.DEBUG)):
            log.setLevel(level)
            with RingEventsHook() as hook:
                hook.health()
            assert log.level == then
    finally:
        log.setLevel(before)


def test_a_fold_is_closed_when_what_is_in_it_fails(fake_clock: FakeClock, said: Said) -> None:
    def fails() -> None:
        with log_group(said, "Details"):
            said("in it")
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert said.lines == ["::group::Details", "in it", "::endgroup::"]


# --- whole tasks, as they are read


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from airflow_provider_ringevents.emulator import Emulator

    monkeypatch.setattr(defaults, "POLL_FIRST", 0.02)
    with Emulator(seed=1, report_seconds=0.0, registrations=40) as running:
        yield running


def read(emulator: Any, make: Callable[[], Any], state: str = "success") -> list[str]:
    """What the package has said, without what differs between runs."""
    result = Run(make, connections={"ringevents_default": emulator.connection_json()}).to_end()
    assert result.state == state, result.log_text
    mine = re.compile(r"^(?:INFO|WARNING|ERROR) \S*airflow_provider_ringevents\S*: (.*)$", re.MULTILINE)
    # The latter is what Airflow 2 says itself of every sensor that waits on the worker.
    lines = [line for line in mine.findall(result.log_text) if "outside TaskInstance" not in line]
    figures = r"\b[\d.]+ (?=ms|s\b|KiB|MiB)|\b[0-9a-f]{64}\b|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?= UTC)"
    return [re.sub(figures, "_ ", line).replace("_ ms", "_ s").replace("MiB/s", "KiB/s") for line in lines]


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_the_export_of_a_report(emulator: Any, tmp_path: Path, deferrable: bool) -> None:
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsReportToObjectStorageOperator

    def make() -> Any:
        return RingEventsReportToObjectStorageOperator(
            task_id="export",
            event_id=emulator.event_id,
            report_type="registrations",
            destination=f"file://{tmp_path}/report.csv",
            poll_interval=0.02,
            deferrable=deferrable,
        )

    body = json.dumps({"data": {"id": "r", "attributes": {"status": "processing"}}})
    emulator.fault("body", status=202, body=body, times=2, method="GET", path="/v1/reports/[^/]*$")
    lines = read(emulator, make)
    report = lines[0].rpartition(" ")[2]
    assert lines == [
        f"Requested the registrations report of event {emulator.event_id}: report {report}",
        f"Waiting for report {report}: the service says 'processing'; until _  UTC at the latest",
        f"Report {report} is ready after _ s (3 polls)",
        f"Wrote file://{tmp_path}/report.csv: _ KiB in _ s (_ KiB/s), sha256 _ ",
    ]


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "deferrable"])
def test_a_sensor(emulator: Any, deferrable: bool) -> None:
    from airflow_provider_ringevents.sensors.events import RingEventsEventSensor

    event = emulator.state.events[emulator.event_id]
    event.published = False

    def make() -> Any:
        return RingEventsEventSensor(
            task_id="wait",
            event_id=event.id,
            condition="published",
            poke_interval=0.2,
            timeout=2,
            deferrable=deferrable,
        )

    lines = read(emulator, make, "failed")
    assert lines == [
        f"Waiting for event {event.id} to be published: its status is 'draft', published: False;"
        " until _  UTC at the latest"
    ]


def test_the_export_of_one_list(emulator: Any, tmp_path: Path) -> None:
    from airflow_provider_ringevents.transfers.collection_to_object_storage import (
        RingEventsCollectionToObjectStorageOperator,
    )

    def make() -> Any:
        return RingEventsCollectionToObjectStorageOperator(
            task_id="export",
            collection="registrations",
            parent_id=emulator.event_id,
            destination=f"file://{tmp_path}/rows.jsonl",
            window_field="createdAt",
            window=("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        )

    assert read(emulator, make) == [
        f"Exporting registrations of event {emulator.event_id},"
        " createdAt from 2026-01-01T00:00:00Z to before 2027-01-01T00:00:00Z",
        f"Wrote file://{tmp_path}/rows.jsonl: 40 rows of registrations of event {emulator.event_id} in 1 page,"
        " _ KiB in _ s",
    ]


def test_the_export_of_several_lists_is_folded_and_summed_up(emulator: Any, tmp_path: Path) -> None:
    from airflow_provider_ringevents.transfers.collection_to_object_storage import (
        RingEventsCollectionToObjectStorageOperator,
    )

    one, other = [*emulator.state.events][:2]

    def make(*parents: str) -> Callable[[], Any]:
        return lambda: RingEventsCollectionToObjectStorageOperator(
            task_id="export",
            collection="registrations",
            parent_ids=parents,
            destination=f"file://{tmp_path}/{{parent_id}}.jsonl",
            if_exists="skip",
        )

    def wrote(event: str) -> str:
        return (
            f"Wrote file://{tmp_path}/{event}.jsonl: 40 rows of registrations of event {event} in 1 page, _ KiB in _ s"
        )

    assert read(emulator, make(one)) == [
        "::group::Exporting 1 list of registrations, one for each event",
        wrote(one),
        "::endgroup::",
        "Wrote 1 of 1 list: 40 rows, _ KiB in _ s",
    ]
    assert read(emulator, make(one, other, "nobody-knows"), "failed") == [
        "::group::Exporting 3 lists of registrations, one for each event",
        f"file://{tmp_path}/{one}.jsonl exists already and is kept",
        wrote(other),
        "::endgroup::",
        "Wrote 1 of 3 lists: 40 rows, _ KiB in _ s; 1 object skipped",
    ]


def test_a_deadline_beyond_the_calendar_is_a_line_like_any_other() -> None:
    lines: list[str] = []
    wait = ReportWaiter("r", 1e15, 1, None, lambda text, *arguments: lines.append(text % arguments))
    wait.next_delay()
    assert not wait.on_response(Envelope({"data": {"id": "r", "attributes": {}}}, status=202))
    assert lines[0].endswith("until the year 10000 at the latest")
