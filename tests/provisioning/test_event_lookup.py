"""How the organization's list is searched, and what it costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import clocks
import pytest
from clocks import FakeClock
from outcomes import failed, succeeded
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import Client, defaults
from airflow_provider_ringevents.client.errors import RingEventsTransferError, RingEventsTransportError
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.provisioning import event_lookup
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY
from airflow_provider_ringevents.provisioning.event_lookup import EventLookup, list_events_of
from airflow_provider_ringevents.triggers._listing_cache import ListingCache, OnPage
from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger
from provisioning.harness import Harness

EVENTS = "/v1/organizations/*/events"


@pytest.fixture
def large() -> Iterator[Emulator]:
    with Emulator(seed=1, events=5000, max_per_page=250, latency=0.005) as emulator:
        yield emulator


def _events(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection_json())
    with RingEventsHook() as hook:
        return EventLookup(hook.client, emulator.organization_id).list_events()


def test_5000_events_are_as_many_requests_as_the_largest_pages(
    large: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = _events(large, monkeypatch)
    assert len({event["id"] for event in events}) == len(events) == 5000
    assert large.count("GET") == 5000 / 250
    assert large.requests.peak > 1


def test_a_service_that_refuses_a_large_page_is_asked_for_smaller_ones(
    large: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.settings.change(refuse_large_pages=True)
    assert len(_events(large, monkeypatch)) == 5000
    assert large.count("GET", status=200) == 5000 / 100
    assert large.count("GET") == 1 + 5000 / 100


def test_a_row_that_slips_between_two_pages_is_found(harness: Harness) -> None:
    """Somebody deletes an event while the list is read: the first row of the second page is now on the first."""
    found = succeeded(harness.run("template", idempotency_key="row-1").to_end())
    harness.emulator.settings.change(max_per_page=5, events_order="created")
    listed = Store.organization_events
    calls = 0

    def slipping(store: Store, owner: Any) -> list[Any]:
        nonlocal calls
        calls += 1
        events = [event for event in listed(store, owner) if event.id != found["id"]]
        events.insert(4, store.events[found["id"]])
        return events[-1:] + events[:-1] if calls == 1 else events[:-1]

    with patch.object(Store, "organization_events", slipping):
        again = harness.run("template", day=2, idempotency_key="row-1").to_end()
    assert succeeded(again)["id"] == found["id"]
    assert "changed while it was read" in again.log_text
    assert harness.posts() == 1


def test_a_count_that_is_never_right_does_not_make_looks_endless(harness: Harness) -> None:
    harness.emulator.fault("wrong_count", path=r"/events$", method="GET", value=5, times=None)
    succeeded(harness.run("template", idempotency_key="row-1").to_end())
    assert harness.looks() == 4  # Two lookups: more rows than the count came, so an empty second page ends the list.


def test_a_list_without_a_count_is_believed(harness: Harness) -> None:
    harness.emulator.fault("missing_count", path=r"/events$", method="GET", times=None)
    succeeded(harness.run("template", idempotency_key="row-1").to_end())
    assert harness.looks() == 2  # The second page is empty, and ends the list.


def test_an_incomplete_list_is_never_taken_for_one_without_the_event(harness: Harness) -> None:
    harness.emulator.fault("wrong_count", path=r"/events$", method="GET", value=500, times=None)
    result = harness.run("template", idempotency_key="row-1").to_end()
    assert result.state == "failed"
    assert harness.posts() == 0


# --- which organization


def _second(harness: Harness) -> tuple[str, str]:
    """The second organization, and an event of it."""
    owner = harness.emulator.state.visible_organizations()[1]
    return owner.id, next(event.id for event in harness.emulator.state.events.values() if event.organization is owner)


@pytest.mark.parametrize("deferrable", [True, False])
def test_the_organization_that_holds_the_source_is_searched(harness: Harness, deferrable: bool) -> None:
    owner, source = _second(harness)
    event = succeeded(harness.run("duplicate", event_id=source, deferrable=deferrable).to_end())
    assert harness.emulator.state.events[event["id"]].organization.id == owner
    assert "organizationId" not in harness.made()[0].request


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_copy_into_a_given_organization_is_searched_there_alone(harness: Harness, deferrable: bool) -> None:
    owner, _source = _second(harness)
    event = succeeded(harness.run("duplicate", organization_id=owner, deferrable=deferrable).to_end())
    assert harness.emulator.state.events[event["id"]].organization.id == owner
    assert {request for request in harness.requests() if request.endswith("/events")} == {
        f"GET /v1/organizations/{owner}/events"
    }
    assert harness.emulator.count("GET", "/v1/organizations") == 0


def test_the_only_organization_needs_no_search(harness: Harness) -> None:
    harness.emulator.state.organizations[1].visible = False
    succeeded(harness.run("duplicate", deferrable=False).to_end())
    before_post = harness.requests()[: [request[:4] for request in harness.requests()].index("POST")]
    assert before_post == ["GET /v1/organizations"]


def test_a_source_that_is_in_no_organization_is_an_error_that_names_them(harness: Harness) -> None:
    failed(
        harness.run("duplicate", event_id="elsewhere").to_end(),
        "`organization_id` must be the organization that the copy goes to: event elsewhere",
        *(owner.id for owner in harness.emulator.state.visible_organizations()),
    )
    assert harness.posts() == 0


@pytest.mark.parametrize("kind", ["create", "template"])
def test_an_organization_is_needed(harness: Harness, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Harness, "connection", lambda self, **extra: {**self.emulator.connection(), "extra": {}})
    failed(harness.run(kind).to_end(), "organization_id")
    assert harness.requests() == []


# --- waiting for copies


def test_a_quick_copy_is_found_quickly_in_the_triggerer(harness: Harness, fake_clock: FakeClock) -> None:
    """A look that others have made a while ago does not stand for one's own."""
    harness.emulator.settings.change(duplicate_seconds=4.0)
    started = fake_clock.now()
    succeeded(harness.run("duplicate", deferrable=True, poll_interval=60).to_end())
    assert fake_clock.now() - started < 12


def test_fifty_waits_of_one_organization_share_their_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(seed=1, duplicate_seconds=1.0) as emulator:
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection_json())
        source = emulator.state.events[emulator.event_id]
        copies = [
            emulator.state.duplicate(source, {"metadata": {MARKER_METADATA_KEY: f"row-{row}"}}) for row in range(50)
        ]

        async def wait(row: int) -> str:
            trigger = RingEventsDuplicationTrigger(
                emulator.organization_id,
                source.id,
                f"row-{row}",
                time.time(),
                poll_interval=0.4,
                deadline=time.time() + 60,
            )
            async for event in trigger.run():
                found: str = event.payload["event_id"]
                return found
            raise AssertionError("no event")

        async def all_of_them() -> list[str]:
            return await asyncio.gather(*(wait(row) for row in range(50)))

        assert asyncio.run(all_of_them()) == [copy.id for copy in copies]
        looks = emulator.count("GET", EVENTS)
        assert looks < 25, f"{looks} lists were read for 50 waits"


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_copy_that_never_comes_is_waited_for_until_the_deadline(
    harness: Harness, fake_clock: FakeClock, deferrable: bool
) -> None:
    harness.emulator.settings.change(duplicate_seconds=10_000.0)
    run = harness.run("duplicate", retries=1, deferrable=deferrable, wait_timeout=3600)
    started = fake_clock.now()
    run.attempt()
    if deferrable:
        run.trigger()
        run.attempt()
    assert run.result.state == "up_for_retry"
    assert type(run.result.exception).__name__ == "RingEventsWaitTimeoutError"
    assert "did not happen in time" in str(run.result.exception)
    assert 3600 <= fake_clock.now() - started < 3601
    # The retry waits for the same copy, where it is remembered that it was asked for.
    if run.result.store:
        fake_clock.advance(7000)
        assert succeeded(run.to_end())["id"] == harness.made()[0].id
        assert harness.posts() == 1


def test_a_wait_for_a_copy_survives_a_restart_of_the_triggerer(harness: Harness) -> None:
    harness.emulator.settings.change(latency=0.1)
    run = harness.run("duplicate", deferrable=True)
    assert run.attempt().state == "deferred"
    run.restart_triggerer(0.05)
    assert succeeded(run.to_end())["id"] == harness.made()[0].id
    assert harness.posts() == 1


@pytest.mark.parametrize("deferrable", [True, False])
def test_blips_do_not_end_the_wait_for_a_copy(harness: Harness, deferrable: bool) -> None:
    harness.emulator.settings.change(duplicate_seconds=300.0)
    run = harness.run("duplicate", organization_id=harness.emulator.organization_id, deferrable=deferrable, retries=0)
    harness.emulator.fault("status", method="GET", path="/events$", status=503, times=9)
    assert succeeded(run.to_end())["id"] == harness.made()[0].id


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_revoked_key_ends_the_wait_for_a_copy(harness: Harness, deferrable: bool) -> None:
    harness.emulator.settings.change(duplicate_seconds=300.0)
    run = harness.run("duplicate", organization_id=harness.emulator.organization_id, deferrable=deferrable)
    harness.emulator.fault("status", method="GET", path="/events$", status=401, times=None)
    failed(run.to_end(), "401")


# --- limits


def _rows(number: int, start: int, **attributes: Any) -> list[dict[str, Any]]:
    return [{"id": f"e{start + n}", "attributes": {"name": f"n{start + n}", **attributes}} for n in range(number)]


def test_of_a_long_list_what_is_compared_is_kept() -> None:
    """Found filling 1.5 GB with invented pages."""

    def handler(seen: Request) -> Response:
        rows = _rows(1_000, 1_000 * int(seen.query["page"]), description="d" * 5_000)
        return json_response({"data": rows, "meta": {"count": 10_000}})

    with RawServer(handler) as server, Client(server.url, "canary-key") as client:
        events = list_events_of(client, "o", is_candidate=lambda event: event["name"] == "n1500")
    assert len(events) == 10_000
    assert {len(event) for event in events} == {2, 3}
    assert [event["id"] for event in events if "description" in event] == ["e1500"]


def test_a_list_without_end_is_left_at_200000_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_lookup, "MAX_LOOKUP_ROWS", 5_000)

    def handler(seen: Request) -> Response:
        page = int(seen.query["page"])
        return json_response({"data": _rows(1_000, 1_000 * page), "links": {"next": f"?page={page + 1}"}})

    with (
        RawServer(handler) as server,
        Client(server.url, "canary-key") as client,
        pytest.raises(RingEventsTransferError, match="more than 5000 rows") as caught,
    ):
        list_events_of(client, "o")
    assert not caught.value.retryable


def test_a_lookup_ends_at_its_own_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "LOOKUP_TIMEOUT", 0.5)

    def handler(seen: Request) -> Response:
        page = int(seen.query["page"])
        return json_response({"data": _rows(1, page), "links": {"next": f"?page={page + 1}"}})

    with RawServer(handler) as server, Client(server.url, "canary-key") as client:
        began = time.monotonic()
        with pytest.raises(RingEventsTransportError, match=r"in time|deadline"):
            list_events_of(client, "o")
        assert time.monotonic() - began < 20


def _listings(arrivals: list[float], monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many listings that hang are begun for waits that arrive at these times, in seconds."""
    monkeypatch.setattr(clock, "monotonic", clocks.loop_time)
    begun = 0

    async def fetch(organization_id: str, on_page: OnPage) -> list[dict[str, Any]]:
        nonlocal begun
        begun += 1
        await asyncio.sleep(3600)
        return []

    async def arrive() -> None:
        cache = ListingCache(fetch)
        waits = []
        for before, now in pairwise([0.0, *arrivals]):
            await asyncio.sleep(now - before)
            waits.append(asyncio.create_task(cache.get("o", 1.0)))
        await asyncio.sleep(0.5)
        for wait in waits:
            wait.cancel()
        await cache.aclose()

    clocks.run_in_virtual_time(arrive())
    return begun


@pytest.mark.unit
@pytest.mark.parametrize(
    ("arrivals", "listings"),
    [([0, 1, 19], 1), ([0, 1, 21], 2), ([0, 1, 21, 22, 39], 2), ([0, 45], 3), ([0, 45, 100, 200, 201], 3)],
)
def test_those_who_come_late_do_not_wait_for_a_listing_that_hangs(
    arrivals: list[float], listings: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new one is begun after 20 seconds without a page, beside at most two others."""
    assert _listings(arrivals, monkeypatch) == listings
