"""A list is whole, or it is an error: forms of answers that services give, over HTTP, by all ways to read a list."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from airflow_harness.asset_watchers import Triggerer
from airflow_harness.versions import HAS_STATE_STORE, HAS_TASK_SDK
from client_drivers import AsyncDriver, SyncDriver
from clocks import FakeClock
from outcomes import succeeded
from provisioning.harness import KINDS, Harness
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import list_registrations
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsTransportError
from airflow_provider_ringevents.emulator import Emulator

ROWS = 600
PATH = "/registrations$"
PLUS = "a+b@x.org"


@dataclass(frozen=True)
class Form:
    """A form of answers.

    :ivar settings: of the emulator.
    :ivar faults: of the emulator; each hits all requests unless it says otherwise.
    :ivar error: a part of the error; empty: the list is whole.
    :ivar emails: the list is filtered by these.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    faults: tuple[dict[str, Any], ...] = ()
    error: str = ""
    emails: tuple[str, ...] = ()


def on_page(number: int, kind: str = "short_page", **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "query": rf"\bpage={number}\b", **fields}


FORMS = (
    Form("page 3 has no rows, the count and the links go on", faults=(on_page(3),), error="100 rows are missing"),
    Form("page 3 has no rows, once", faults=(on_page(3, times=1),)),
    Form("a page in the middle has 40 rows", faults=(on_page(5, value=40),), error="60 rows are missing"),
    Form("a page in the middle has 40 rows, once", faults=(on_page(5, value=40, times=1),)),
    Form("a page is the one before", faults=(on_page(4, "repeated_page"),), error="100 rows are missing"),
    Form("a page is the one before, once", faults=(on_page(4, "repeated_page", times=1),)),
    Form("no count, links are objects", {"count": "missing", "links": "object"}),
    Form("no count, no links, page 1 is full", {"count": "missing", "links": "missing"}),
    Form("no count, links are null, page 1 is full", {"count": "missing", "links": "null"}),
    Form("page is ignored", {"ignore_page": True, "links": "missing"}, error="does it obey `page`?"),
    Form("page is ignored, every page has a next link", {"ignore_page": True, "endless_next": True}, error="page"),
    Form(
        "page is ignored, no count, every page has a next link",
        {"ignore_page": True, "endless_next": True, "count": "missing"},
        error="page",
    ),
    Form(
        "no count, the filter's plus is raw in links",
        {"count": "missing", "raw_plus_in_links": True, "max_per_page": 100},
        emails=(PLUS,),
    ),
    Form(
        "no count, links name another host", {"count": "missing", "links_origin": "https://api.internal.example:8443"}
    ),
    Form("rows without attributes, flat", {"row_form": "flat"}),
    Form("rows of an id alone", {"row_form": "bare"}, error="nothing but an id"),
    Form("null for an empty list", {"empty_data": "null"}, emails=("nobody@example.org",)),
    Form("the filter is ignored", {"ignore_filters": True}, error="ignores the filter", emails=(PLUS,)),
    Form("the count is capped", {"count": "capped", "count_cap": 200}),
    Form("the count is approximate", {"count": "approximate"}),
    Form("links lead on for ever", {"endless_next": True}),
)


@pytest.fixture(params=FORMS, ids=lambda form: form.name)
def form(request: pytest.FixtureRequest) -> Form:
    return request.param


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    monkeypatch.setattr(logging.getLogger("httpcore"), "level", logging.WARNING)
    with Emulator(seed=1, registrations=ROWS - 250) as running:
        event = running.state.events[running.event_id]
        for _ in range(250):
            running.state.create_registration(event, {"email": PLUS, "firstName": "A", "lastName": "B"})
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", running.connection_json())
        yield running


def begin(emulator: Emulator, form: Form) -> tuple[list[str], dict[str, Any] | None]:
    """Let the service answer in the form; return the ids that the list has, and the filter."""
    filter = {"email": {"in": list(form.emails)}} if form.emails else None
    with SyncDriver(emulator.url, api_key=emulator.api_key).client() as client:
        ids = [row["id"] for row in client.items(list_registrations(emulator.event_id, filter))]
    assert len(ids) == {(): ROWS, (PLUS,): 250}.get(form.emails, 0)
    emulator.settings.change(**form.settings)
    for fault in form.faults:
        emulator.fault(**{"path": PATH, "times": None, **fault})
    return ids, filter


# --- the clients and the hook


@pytest.mark.parametrize("driver", [SyncDriver, AsyncDriver], ids=lambda driver: driver.name)
def test_both_clients(emulator: Emulator, form: Form, driver: type[SyncDriver]) -> None:
    ids, filter = begin(emulator, form)
    call = list_registrations(emulator.event_id, filter)
    read: Callable[[], Any] = lambda: driver(emulator.url, api_key=emulator.api_key).items(call)  # noqa: E731
    if form.error:
        with pytest.raises(RingEventsTransportError if "missing" not in form.error else RingEventsError) as caught:
            read()
        assert form.error in str(caught.value)
    else:
        assert [row["id"] for row in read()] == ids or form.faults
        assert sorted(row["id"] for row in read()) == sorted(ids)
    assert emulator.count("GET", "/v1/events/*/registrations") < 60, "not endless"


def test_lists_of_the_hook(emulator: Emulator, form: Form) -> None:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    ids, filter = begin(emulator, form)
    with RingEventsHook() as hook:
        if form.error:
            with pytest.raises(RingEventsError) as caught:
                list(hook.list_registrations(emulator.event_id, filter))
            assert form.error in str(caught.value)
        else:
            assert sorted(row["id"] for row in hook.list_registrations(emulator.event_id, filter)) == sorted(ids)


def test_the_hook_gives_what_it_found_and_then_raises_or_warns(
    emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    ids, _ = begin(emulator, FORMS[0])
    with RingEventsHook() as hook:
        found: list[str] = []
        with pytest.raises(RingEventsError, match="100 rows are missing"):
            found.extend(row["id"] for row in hook.list_registrations(emulator.event_id))
        assert found == ids[:200] + ids[300:]
        assert len(list(hook.list_registrations(emulator.event_id, on_incomplete="warn"))) == ROWS - 100
    assert "100 rows are missing" in caplog.text


def test_the_host_of_links_is_said_once(emulator: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    begin(emulator, next(form for form in FORMS if "another host" in form.name))
    with caplog.at_level(logging.INFO), SyncDriver(emulator.url, api_key=emulator.api_key).client() as client:
        for _ in range(2):
            assert len(list(client.items(list_registrations(emulator.event_id)))) == ROWS
    assert sum("api.internal.example" in record.getMessage() for record in caplog.records) == 1


def test_rows_keep_their_values_whichever_form_they_have(emulator: Emulator) -> None:
    driver = SyncDriver(emulator.url, api_key=emulator.api_key)
    call = list_registrations(emulator.event_id)
    nested = driver.items(call)
    emulator.settings.change(row_form="flat")
    assert driver.items(call) == nested


# --- exports and the command line


def test_exports(emulator: Emulator, form: Form, tmp_path: Path) -> None:
    ids, filter = begin(emulator, form)
    target = tmp_path / "rows.jsonl"
    target.write_bytes(b"yesterday's")

    def task() -> Any:
        from airflow_provider_ringevents.transfers.collection_to_object_storage import (
            RingEventsCollectionToObjectStorageOperator,
        )

        return RingEventsCollectionToObjectStorageOperator(
            task_id="export",
            collection="registrations",
            parent_id=emulator.event_id,
            filter=filter,
            destination=f"file://{target}",
        )

    result = Run(task, connections={"ringevents_default": emulator.connection_json()}).to_end()
    if form.error:
        assert result.state == "failed"
        assert form.error in str(result.exception)
        assert target.read_bytes() == b"yesterday's"
        return
    manifest = succeeded(result)
    written = [json.loads(line)["id"] for line in target.read_text(encoding="utf-8").split("\n")[:-1]]
    assert sorted(written) == sorted(ids)
    assert (manifest["rows"], manifest["complete"]) == (len(ids), True)
    assert manifest["readings"] == (2 if form.faults or form.settings.get("count") in ("approximate", "capped") else 1)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run ``ringevents`` with arguments; give the exit code and both outputs."""
    from airflow_provider_ringevents.cli.main import main

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return run


def test_the_command_line(emulator: Emulator, form: Form, command: Any, tmp_path: Path) -> None:
    ids, _ = begin(emulator, form)
    filters = [part for email in form.emails for part in ("--filter", f"email={email}")]
    code, out, err = command("registrations", emulator.event_id, "--limit", "0", "--output", "json", *filters)
    target = tmp_path / "rows.jsonl"
    exported, _, complaint = command(
        "export-list", "registrations", str(target), "--parent-id", emulator.event_id, *filters
    )
    if form.error:
        assert code != 0
        assert exported != 0
        assert form.error.replace("`page`", "page") in err.replace("`page`", "page")
        assert form.error.replace("`page`", "page") in complaint.replace("`page`", "page")
        assert not target.exists()
    else:
        assert (code, exported) == (0, 0), err + complaint
        assert sorted(row["id"] for row in json.loads(out)) == sorted(ids)
        assert target.read_text(encoding="utf-8").count("\n") == len(ids)


@pytest.mark.skipif(not HAS_STATE_STORE, reason="assets have a state on Airflow 3.3 and later")
@pytest.mark.parametrize("on_incomplete", ["fail", "warn"])
def test_a_watermark_stays_where_it_was_when_rows_are_missing(
    emulator: Emulator, tmp_path: Path, on_incomplete: str
) -> None:
    store: dict[tuple[str, str], Any] = {}

    def export(run_id: str) -> Any:
        def task() -> Any:
            from airflow.sdk import Asset

            from airflow_provider_ringevents.transfers.collection_to_object_storage import (
                RingEventsCollectionToObjectStorageOperator,
            )

            return RingEventsCollectionToObjectStorageOperator(
                task_id="export",
                collection="registrations",
                parent_id=emulator.event_id,
                window_field="createdAt",
                watermark=True,
                watermark_delay=0.001,
                on_incomplete=on_incomplete,
                destination=f"file://{tmp_path}/rows.jsonl",
                outlets=[Asset(name="kept", uri="x-kept://rows")],
            )

        connections = {"ringevents_default": emulator.connection_json()}
        return Run(task, connections=connections, asset_store=store, run_id=run_id).to_end()

    emulator.fault("short_page", path=PATH, query=r"\bpage=3\b", times=None)
    short = export("r1")
    assert short.state == ("failed" if on_incomplete == "fail" else "success"), short.log_text
    emulator.faults.clear()
    whole = succeeded(export("r2"))
    assert whole["window"]["from"] is None, "begins where the short one began"
    assert whole["rows"] >= ROWS - 250
    assert datetime.fromisoformat(whole["window"]["to"]).microsecond == 0
    time.sleep(1.01)  # A window ends at a whole second.
    assert succeeded(export("r3"))["window"]["from"] == whole["window"]["to"]


# --- a row that does not fit


def rows_of(request: Request, *, unfiltered: int) -> Response:
    """Three rows, of which one does not fit the filter; the whole list has so many."""
    filtered = "filter" in request.raw_query
    emails = ["A@x.org ", "a@x.org", "other@x.org"]
    data = [{"id": str(n), "attributes": {"email": email}} for n, email in enumerate(emails)]
    return json_response({"data": data, "meta": {"count": 3 if filtered else unfiltered}})


@pytest.mark.parametrize("driver", [SyncDriver, AsyncDriver], ids=lambda driver: driver.name)
def test_a_misfit_row_alone_is_kept_with_a_warning(driver: type[SyncDriver], caplog: pytest.LogCaptureFixture) -> None:
    with RawServer(lambda request: rows_of(request, unfiltered=10)) as server:
        rows = driver(server.url).items(list_registrations("e", {"email": {"eq": "a@x.org"}}))
        assert len(server.requests) == 2, "the unfiltered count is asked for once"
    assert len(rows) == 3
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "does not fit the filter in 'email'" in warning.getMessage()
    assert "x.org" not in warning.getMessage()


@pytest.mark.parametrize("driver", [SyncDriver, AsyncDriver], ids=lambda driver: driver.name)
def test_a_filter_that_changes_no_count_is_an_error(driver: type[SyncDriver]) -> None:
    with (
        RawServer(lambda request: rows_of(request, unfiltered=3)) as server,
        pytest.raises(RingEventsTransportError, match="ignores the filter"),
    ):
        driver(server.url).items(list_registrations("e", {"email": {"eq": "a@x.org"}}))


class FilteringService:
    """200 registrations of two people; a filter selects by the fields that the service obeys.

    :param counts: the service counts its rows, and has one more at each request.
    :param lenient: an address also finds those that begin like it.
    """

    def __init__(self, *obeyed: str, counts: bool = True, lenient: bool = False) -> None:
        self.obeyed, self.counts, self.lenient = obeyed, counts, lenient
        self.total = 200

    def __call__(self, request: Request) -> Response:
        query = request.query
        rows = [row for row in map(self.row, range(self.total)) if self.fits(row, query)]
        first = (int(query["page"]) - 1) * int(query["perPage"])
        body: dict[str, Any] = {"data": rows[first : first + int(query["perPage"])]}
        if self.counts:
            body["meta"] = {"count": len(rows)}
            self.total += 1
        return json_response(body)

    @staticmethod
    def row(number: int) -> dict[str, Any]:
        attributes = {
            "email": ("a@x.org", "a@x.org.uk")[number % 2],
            "updatedAt": f"2026-11-{number % 28 + 1:02}T00:00:00Z",
        }
        return {"id": str(number), "type": "registration", "attributes": attributes}

    def fits(self, row: dict[str, Any], query: dict[str, str]) -> bool:
        for name, wanted in query.items():
            field, operator = (name.split("[")[1][:-1], name.split("[")[2][:-1]) if "[" in name else ("", "")
            if field not in self.obeyed:
                continue
            value = row["attributes"][field]
            fits = {"gte": value >= wanted, "lt": value < wanted, "eq": value == wanted}[operator]
            if not fits and not (self.lenient and field == "email" and value.startswith(wanted)):
                return False
        return True


@pytest.mark.parametrize("driver", [SyncDriver, AsyncDriver], ids=lambda driver: driver.name)
@pytest.mark.parametrize("counts", [True, False], ids=["the count grows", "no count"])
@pytest.mark.parametrize(
    ("obeyed", "filter"),
    [
        ((), {"email": {"eq": "a@x.org"}}),
        ((), {"updatedAt": {"gte": "2026-11-02T00:00:00Z"}}),
        ((), {"updatedAt": {"gte": "2026-11-01T00:00:00Z", "lt": "2026-11-20T00:00:00Z"}}),
        (("updatedAt",), {"email": {"eq": "a@x.org"}, "updatedAt": {"gte": "2026-11-02T00:00:00Z"}}),
        (("email",), {"email": {"eq": "a@x.org"}, "updatedAt": {"lt": "2026-11-20T00:00:00Z"}}),
    ],
)
def test_a_filter_that_is_ignored_is_an_error_whatever_the_counts(
    driver: type[SyncDriver], counts: bool, obeyed: tuple[str, ...], filter: dict[str, Any]
) -> None:
    with (
        RawServer(FilteringService(*obeyed, counts=counts)) as server,
        pytest.raises(RingEventsTransportError, match="ignores the filter"),
    ):
        driver(server.url).items(list_registrations("e", filter))


@pytest.mark.parametrize("driver", [SyncDriver, AsyncDriver], ids=lambda driver: driver.name)
def test_a_filter_that_finds_more_than_it_says_is_obeyed(
    driver: type[SyncDriver], caplog: pytest.LogCaptureFixture
) -> None:
    with RawServer(FilteringService("email", counts=False, lenient=True)) as server:
        rows = driver(server.url).items(list_registrations("e", {"email": {"eq": "a@x.org"}}))
    assert len(rows) == 200
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "list_registrations: a row does not fit the filter in 'email'; it is kept"
    ]


# --- create once


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
def test_one_key_three_times_and_an_empty_page_of_events_are_one_event(
    fake_clock: FakeClock, kind: str, times: int | None
) -> None:
    with Emulator(seed=1, clock=fake_clock.now, registrations=3, events_order="created", max_per_page=5) as emulator:
        harness = Harness(emulator, fake_clock)
        more = {"deferrable": False} if kind == "duplicate" else {}
        first = succeeded(harness.run(kind, idempotency_key="row-1", **more).to_end())
        listed = emulator.state.organization_events(emulator.state.visible_organizations()[0])
        page = [event.id for event in listed].index(first["id"]) // 5 + 1
        for day in (2, 3):
            emulator.fault("short_page", path="/events$", query=rf"\bpage={page}\b", method="GET", times=times)
            result = harness.run(kind, day=day, idempotency_key="row-1", retries=0, **more).to_end()
            emulator.faults.clear()
            if times is None:
                assert result.state == "failed"
                assert "rows are missing" in str(result.exception)
            else:
                assert succeeded(result)["id"] == first["id"]
            again = succeeded(harness.run(kind, day=day + 10, idempotency_key="row-1", **more).to_end())
            assert again["id"] == first["id"]
        assert [event.id for event in harness.made()] == [first["id"]]
        assert harness.posts() == 1


# --- the watcher


@pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 has no asset watchers")
@pytest.mark.parametrize("kind", ["short_page", "repeated_page"])
def test_the_watcher_fires_for_all_or_not_yet(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    from airflow_provider_ringevents.triggers.registrations import RingEventsRegistrationsTrigger

    monkeypatch.setattr(defaults, "WATCH_BACKOFF_MAX", 0.05)
    monkeypatch.setattr(defaults, "WATCH_CHECKPOINT_DELAY", 0.0)
    trigger = RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=0.02)

    async def scenario() -> dict[str, Any]:
        async with asyncio.timeout(40), Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            fault = emulator.fault(kind, path=PATH, query=r"\bpage=2\b", times=None)
            while fault.hit_count < 3:  # those who have registered within the last hour fill three pages
                await asyncio.sleep(0.01)
            emulator.state.add_registrations(emulator.event_id, 250)
            hits = fault.hit_count
            while fault.hit_count < hits + 6:
                await asyncio.sleep(0.01)
            assert watcher.events == []
            emulator.faults.clear()
            (payload,) = await watcher.wait_for(1)
            return dict(payload)

    payload = asyncio.run(scenario())
    assert payload["count"] == 250
    assert datetime.fromisoformat(payload["to"]) - datetime.fromisoformat(payload["from"]) < timedelta(minutes=5)
