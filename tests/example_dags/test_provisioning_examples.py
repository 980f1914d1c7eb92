"""The examples that create events, sell them, and look back on them, on the emulator."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow_harness import DagOutcome
from airflow_harness.dags import REFUSED
from clocks import FakeClock

SERIES = "example_ringevents_provision_series"
SELL = "example_ringevents_duplicate_then_sell"
POST_EVENT = "example_ringevents_post_event"
REPORT_TYPES = ("registrations", "attendees", "noShows")

RunExample = Callable[..., DagOutcome]
Exported = Callable[[], dict[str, bytes]]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a request that was cut the emulator shows what it has at once."""
    monkeypatch.setattr("airflow_provider_ringevents.provisioning.idempotent_create.LOOKUP_DELAYS", (0.01, 0.01))


@pytest.fixture
def made(emulator: Any) -> Callable[[], list[Any]]:
    """`made()`: the events that were not there when the test began, the earliest first."""
    before = set(emulator.state.events)

    def new() -> list[Any]:
        # Mapped tasks run in any order.
        return sorted((event for event in emulator.state.events.values() if event.id not in before), key=_start)

    return new


def _start(event: Any) -> int:
    return int(event.start)


def instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def row(number: int, **changed: str) -> dict[str, str]:
    day = f"2027-03-{number:02}"
    return {
        "id": str(number),
        "name": f"Part {number}",
        "starts": f"{day}T17:00",
        "ends": f"{day}T18:30",
        **changed,
    }


# --- a series from rows


def test_every_row_becomes_an_event_from_the_template(
    emulator: Any, run_example: RunExample, made: Callable[[], list[Any]]
) -> None:
    outcome = run_example(SERIES, template_id=emulator.template_id, series="spring", rows=[row(1), row(2), row(30)])
    assert outcome.state == "success"
    assert [(event.name, event.metadata["airflow_ringevents_key"]) for event in made()] == [
        ("Part 1", "spring/1"),
        ("Part 2", "spring/2"),
        ("Part 30", "spring/30"),
    ]
    # Berlin sets its clocks forward on 2027-03-28.
    assert [instant(event.start) for event in made()] == [
        datetime(2027, 3, 1, 16, tzinfo=UTC),
        datetime(2027, 3, 2, 16, tzinfo=UTC),
        datetime(2027, 3, 30, 15, tzinfo=UTC),
    ]
    assert instant(made()[0].end) == datetime(2027, 3, 1, 17, 30, tzinfo=UTC)
    assert {event.organization.id for event in made()} == {emulator.organization_id}
    assert outcome.task("ids_by_row").xcom == {event.metadata["airflow_ringevents_key"]: event.id for event in made()}
    assert emulator.count("POST", f"/v1/templates/{emulator.template_id}/event") == 3


def test_the_rows_that_come_with_the_example_can_be_created(
    emulator: Any, run_example: RunExample, made: Callable[[], list[Any]]
) -> None:
    assert run_example(SERIES, template_id=emulator.template_id).state == "success"
    assert [event.name for event in made()] == ["Getting started", "Going further", "Ask us anything"]


def test_a_second_run_with_one_row_more_adds_that_one(
    emulator: Any, run_example: RunExample, made: Callable[[], list[Any]]
) -> None:
    first = run_example(SERIES, template_id=emulator.template_id, rows=[row(1), row(2)])
    second = run_example(SERIES, template_id=emulator.template_id, rows=[row(1), row(2), row(3)])
    assert [event.name for event in made()] == ["Part 1", "Part 2", "Part 3"]
    assert first.task("ids_by_row").xcom.items() <= second.task("ids_by_row").xcom.items()
    assert emulator.count("POST") == 3


def test_requests_that_are_applied_and_then_cut_make_no_second_event(
    emulator: Any, run_example: RunExample, made: Callable[[], list[Any]]
) -> None:
    emulator.fault("applied_then_cut", method="POST", times=None)
    outcome = run_example(SERIES, template_id=emulator.template_id, rows=[row(1), row(2)])
    assert outcome.state == "success"
    assert [event.name for event in made()] == ["Part 1", "Part 2"]
    assert set(outcome.task("ids_by_row").xcom.values()) == {event.id for event in made()}


def test_an_id_that_several_rows_have_is_refused_before_anything_is_created(
    emulator: Any, run_example: RunExample, made: Callable[[], list[Any]]
) -> None:
    outcome = run_example(SERIES, template_id=emulator.template_id, rows=[row(1), row(2), row(2, name="Another")])
    assert outcome.task("read_rows").state == "failed"
    assert "rows: 2 is the id of several rows" in outcome.log_text
    assert made() == []


def test_a_row_that_cannot_be_an_event_does_not_keep_the_others_from_being_made(
    emulator: Any, run_example: RunExample, made: Callable[[], list[Any]]
) -> None:
    wrong = row(2, ends="2027-03-02T16:00")
    outcome = run_example(SERIES, template_id=emulator.template_id, rows=[row(1), wrong, row(3)])
    assert [outcome.task("create_event", index).state for index in range(3)] == ["success", "failed", "success"]
    assert "`time_end` must be after the start, 2027-03-02T16:00:00Z in `time_start`" in outcome.log_text
    assert [event.name for event in made()] == ["Part 1", "Part 3"]


def test_a_row_without_a_name_is_refused_before_anything_runs(emulator: Any, run_example: RunExample) -> None:
    with pytest.raises(REFUSED, match="param rows"):
        run_example(SERIES, template_id=emulator.template_id, rows=[row(1, name="")])
    assert emulator.count() == 0


# --- copy, ticket, links

GUESTS = [
    {"email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"},
    {"email": "grace@example.org", "firstName": "Grace", "lastName": "Hopper"},
]
COPY = {
    "edition": "2027",
    "copy_name": "Summit 2027",
    "starts": "2027-05-01T09:00:00+02:00",
    "ends": "2027-05-02T18:00:00+02:00",
    "price": 49.5,
    "guests": GUESTS,
}


@pytest.fixture
def sell(emulator: Any, run_example: RunExample) -> Callable[..., DagOutcome]:
    """`sell(**params)`: a run that copies the event that the emulator shows."""
    emulator.settings.change(duplicate_seconds=0.2)
    return lambda **params: run_example(SELL, event_id=emulator.event_id, **{**COPY, **params})


def test_the_copy_has_its_ticket_and_each_guest_a_link(
    emulator: Any, sell: Callable[..., DagOutcome], made: Callable[[], list[Any]]
) -> None:
    outcome = sell()
    assert outcome.state == "success"
    (copy,) = made()
    assert (copy.name, copy.metadata["airflow_ringevents_key"]) == ("Summit 2027", "edition/2027")
    assert (instant(copy.start), instant(copy.end)) == (
        datetime(2027, 5, 1, 7, tzinfo=UTC),
        datetime(2027, 5, 2, 16, tzinfo=UTC),
    )
    assert outcome.task("copy_event").xcom["id"] == copy.id
    (ticket,) = copy.tickets.values()
    assert (ticket.name, ticket.price) == ("Guest", 49.5)
    # The mapped tasks run in any order; their results are in the order of the guests.
    links = {link.email: link for link in copy.magic_links.values()}
    assert len(copy.magic_links) == len(GUESTS)
    assert [links[guest["email"]].ticket for guest in GUESTS] == [ticket] * len(GUESTS)
    assert outcome.task("create_links").xcom == [{"id": links[guest["email"]].id} for guest in GUESTS]


def test_no_link_reaches_an_xcom_or_the_log(sell: Callable[..., DagOutcome], made: Callable[[], list[Any]]) -> None:
    outcome = sell()
    xcoms = "".join(repr(task.xcoms) for task in outcome.tasks.values())
    codes = [link.attributes()["magicLink"].partition("code=")[2] for link in made()[0].magic_links.values()]
    assert len(codes) == len(GUESTS)
    assert not any(code in xcoms or code in outcome.log_text for code in codes)


def test_a_second_run_finds_the_copy_and_another_edition_is_another_copy(
    sell: Callable[..., DagOutcome], made: Callable[[], list[Any]]
) -> None:
    first, second = sell(), sell()
    assert first.task("copy_event").xcom["id"] == second.task("copy_event").xcom["id"]
    assert len(made()) == 1
    assert len(made()[0].tickets) == 2, "the second run makes another ticket, as the example says"
    later = {"starts": "2028-05-01T09:00:00+02:00", "ends": "2028-05-02T18:00:00+02:00"}
    sell(edition="2028", copy_name="Summit 2028", **later)
    assert [event.name for event in made()] == ["Summit 2027", "Summit 2028"]


def test_a_ticket_whose_answer_was_lost_is_not_made_again(
    emulator: Any, sell: Callable[..., DagOutcome], made: Callable[[], list[Any]]
) -> None:
    emulator.fault("applied_then_cut", method="POST", path="/tickets$", times=None)
    outcome = sell()
    assert outcome.task("create_ticket").state == "failed"
    assert len(made()[0].tickets) == 1
    assert outcome.task("create_links").state == "upstream_failed"


def test_links_of_a_draft_are_refused_in_words_until_it_is_published(
    emulator: Any, sell: Callable[..., DagOutcome], made: Callable[[], list[Any]]
) -> None:
    emulator.settings.change(draft_magic_links=False)
    outcome = sell()
    assert (outcome.task("create_ticket").state, outcome.task("create_links").state) == ("success", "failed")
    assert "422" in outcome.log_text
    assert "the event is not published" in outcome.log_text
    (copy,) = made()
    assert not copy.published
    assert not copy.magic_links
    copy.published = True
    assert sell().state == "success"
    assert len(made()[0].magic_links) == len(GUESTS)


def test_a_copy_that_is_published_at_once_has_its_links(
    emulator: Any, sell: Callable[..., DagOutcome], made: Callable[[], list[Any]]
) -> None:
    emulator.settings.change(draft_magic_links=False, publish_needs_ticket=True)
    assert sell(publish=True).state == "success"
    (copy,) = made()
    assert copy.published
    assert len(copy.magic_links) == len(GUESTS)


def test_a_copy_of_an_event_without_a_ticket_cannot_be_published_at_once(
    emulator: Any, sell: Callable[..., DagOutcome], made: Callable[[], list[Any]]
) -> None:
    emulator.settings.change(publish_needs_ticket=True)
    emulator.state.events[emulator.event_id].tickets.clear()
    outcome = sell(publish=True)
    assert outcome.task("copy_event").state == "failed"
    assert "needs a ticket" in outcome.log_text
    assert made() == []
    assert sell().task("copy_event").state == "success"


@pytest.mark.parametrize(
    ("setting", "task", "words"),
    [
        ({"plan_has_magic_links": False}, "create_links", "the plan of the organization does not include magic links"),
        ({"read_only_key": True}, "copy_event", "the role of the key's user does not allow this"),
    ],
)
def test_a_plan_without_links_and_a_member_without_rights_are_named(
    emulator: Any, sell: Callable[..., DagOutcome], setting: dict[str, bool], task: str, words: str
) -> None:
    emulator.settings.change(**setting)
    outcome = sell()
    assert outcome.task(task).state == "failed"
    assert words in outcome.log_text
    assert re.search(r"403.*check the role.*plan", outcome.log_text, re.DOTALL)


# --- after the event


def test_reports_of_an_event_that_ended_long_ago_are_exported_at_once(
    emulator: Any, run_example: RunExample, exported: Exported
) -> None:
    outcome = run_example(POST_EVENT, event_id=emulator.event_id)
    assert outcome.state == "success"
    manifests = [outcome.task("export_report", index).xcom for index in range(len(REPORT_TYPES))]
    assert [manifest["report_type"] for manifest in manifests] == list(REPORT_TYPES)
    assert exported() == {
        f"{emulator.event_id}/{manifest['report_type']}.csv": emulator.report_content(manifest["report_id"])
        for manifest in manifests
    }


def test_reports_are_asked_for_two_hours_after_the_end_also_when_it_is_moved(
    emulator: Any, run_example: RunExample, fake_clock: FakeClock
) -> None:
    event = emulator.state.events[emulator.event_id]
    event.end = int(fake_clock.now() + 86_400) * 1000

    def move() -> None:
        event.end += 7 * 86_400_000

    fake_clock.after(1, move)
    outcome = run_example(POST_EVENT, event_id=event.id)
    assert outcome.state == "success"
    assert emulator.count("POST") == len(REPORT_TYPES)
    late = fake_clock.now() - (event.end / 1000 + 2 * 3600)
    assert 0 <= late < 3600, f"{late} s after the moment"


def test_an_event_that_does_not_exist_is_no_reason_to_wait_for_a_year(
    emulator: Any, run_example: RunExample, exported: Exported
) -> None:
    outcome = run_example(POST_EVENT, event_id="none")
    assert outcome.task("wait_for_end").state == "failed"
    assert "Check the id" in outcome.log_text
    assert exported() == {}
