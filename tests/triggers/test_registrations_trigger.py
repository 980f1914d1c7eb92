"""The watcher of registrations on an emulator, run as a triggerer runs it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from airflow_harness import HAS_STATE_STORE, HAS_TASK_SDK
from airflow_harness.asset_watchers import ASSET, AssetState, Triggerer, Watcher
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import Client, Filter, RingEventsConfigError, defaults, endpoints
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp
from airflow_provider_ringevents.emulator import Emulator, ManualClock
from airflow_provider_ringevents.triggers import _client_registry, _registration_poller
from airflow_provider_ringevents.triggers.registrations import RingEventsRegistrationsTrigger

LIST = "/v1/events/*/registrations"
INTERVAL = 0.02
needs_store = pytest.mark.skipif(not HAS_STATE_STORE, reason="Airflow before 3.3 keeps no state of assets")
needs_watchers = pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 has no asset watchers")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "WATCH_BACKOFF_MAX", 0.05)
    monkeypatch.setattr(defaults, "WATCH_CHECKPOINT_DELAY", 0.0)


@pytest.fixture
def connect(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """`connect()`: let the connection lead to the emulator as it is now; a request that fails is not sent again."""

    def connect() -> None:
        connection = emulator.connection()
        connection["extra"]["max_attempts"] = 1
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))

    connect()
    return connect


@pytest.fixture
def trigger(emulator: Any, connect: Callable[[], None]) -> RingEventsRegistrationsTrigger:
    return RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=INTERVAL)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(40):
            return await coroutine

    return asyncio.run(limited())


async def polled(emulator: Any, times: int = 3, status: int = 200) -> None:
    """Wait until so many more polls were answered and taken in."""
    wanted = emulator.count("GET", LIST, status=status) + times
    while emulator.count("GET", LIST, status=status) < wanted:
        await asyncio.sleep(0.005)


async def known(emulator: Any) -> None:
    """Wait until a watcher has taken in what is there."""
    await polled(emulator, 2)


def register(emulator: Any, number: int = 1) -> list[str]:
    ids: list[str] = emulator.state.add_registrations(emulator.event_id, number)
    return ids


def change(emulator: Any, registration_id: str) -> None:
    emulator.state.update_registration(registration_id, {"seen": "yes"})


def in_window(emulator: Any, payload: dict[str, Any]) -> set[str]:
    """The ids that an export of the event's window would have."""
    window = Filter({payload["window_field"]: {"gte": payload["from"], "lt": payload["to"]}})
    with Client(emulator.url, emulator.api_key) as client:
        return {row["id"] for row in client.items(endpoints.list_registrations(payload["event_id"], window))}


class TestArguments:
    ROWS = (
        RingEventsRegistrationsTrigger("e1"),
        RingEventsRegistrationsTrigger(
            "e1",
            "conn",
            30,
            "createdAt",
            Filter(refunded=True, updatedAt={"gte": datetime(2026, 5, 1, tzinfo=UTC)}, email={"in": ("a@x.org",)}),
            "2026-05-01T09:00:00+02:00",
        ),
        RingEventsRegistrationsTrigger("e1", start=datetime(2026, 5, 1, tzinfo=UTC)),
        RingEventsRegistrationsTrigger("e1", lookback=3600),
    )

    @pytest.mark.parametrize("row", ROWS)
    def test_a_row_is_plain_json_and_gives_the_same_trigger(self, row: Any) -> None:
        path, arguments = row.serialize()
        assert path == "airflow_provider_ringevents.triggers.registrations.RingEventsRegistrationsTrigger"
        again = RingEventsRegistrationsTrigger(**json.loads(json.dumps(arguments)))
        assert again.serialize() == (path, arguments)
        assert again.shared_stream_key() == row.shared_stream_key()

    def test_what_was_given_is_in_the_row(self) -> None:
        assert self.ROWS[1].serialize()[1] == {
            "event_id": "e1",
            "ringevents_conn_id": "conn",
            "poll_interval": 30,
            "window_field": "createdAt",
            "filter": {
                "refunded": {"eq": True},
                "updatedAt": {"gte": "2026-05-01T00:00:00Z"},
                "email": {"in": ["a@x.org"]},
            },
            "start": "2026-05-01T07:00:00Z",
            "lookback": 0.0,
        }

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"event_id": ""}, "event_id"),
            ({"event_id": "a/b"}, "`event_id` must be an id of 1 to 255 printable characters"),
            ({"event_id": "{{ params.event_id }}"}, "`event_id` must be an id, since the arguments of a trigger"),
            ({"ringevents_conn_id": ""}, "ringevents_conn_id"),
            ({"poll_interval": 0}, "poll_interval"),
            ({"poll_interval": float("nan")}, "poll_interval"),
            ({"poll_interval": 0.009}, "`poll_interval` must be a number of seconds from 0.01 to 3153600000"),
            ({"poll_interval": 10**400}, "`poll_interval` must be a number of seconds from 0.01 to 3153600000"),
            ({"window_field": "updated_at"}, "window_field.*updatedAt"),
            ({"window_field": "userUpdatedAt"}, "window_field.*does not show it"),
            ({"filter": {"name": "Ada"}}, "filter.*name"),
            (
                {"filter": {"updatedAt": {"gte": "2026-05-01T00:00:00Z"}}},
                "`filter` must be without a condition on 'updatedAt'",
            ),
            ({"event_id": "None"}, "`event_id` must be an id"),
            ({"ringevents_conn_id": "{{ var.value.conn }}"}, "`ringevents_conn_id` must be an id, since the arguments"),
            ({"ringevents_conn_id": " "}, "`ringevents_conn_id` must be the id of a connection"),
            ({"ringevents_conn_id": "None"}, "`ringevents_conn_id` must be the id of a connection"),
            ({"start": "2026-05-01T00:00:00"}, "start.*offset"),
            ({"lookback": -1}, "lookback"),
            ({"lookback": 1e11}, "lookback"),
            ({"lookback": 60, "start": "2026-05-01T00:00:00Z"}, "lookback.*start"),
        ],
    )
    def test_what_cannot_be_is_refused_when_the_dag_is_parsed(self, arguments: dict[str, Any], said: str) -> None:
        with pytest.raises(RingEventsConfigError, match=said):
            RingEventsRegistrationsTrigger(**{"event_id": "e1", **arguments})


@needs_watchers
class TestChanges:
    def test_nothing_fires_until_something_changes_and_then_once(self, emulator: Any, trigger: Any) -> None:
        async def scenario() -> list[Any]:
            async with Triggerer() as triggerer:
                watcher = triggerer.watch(trigger)
                await polled(emulator, 4)
                assert watcher.events == []
                ids = register(emulator, 3)
                (payload,) = await watcher.wait_for(1)
                await polled(emulator, 4)
                assert set(payload) == {"event_id", "window_field", "from", "to", "count"}
                assert (payload["event_id"], payload["window_field"]) == (emulator.event_id, "updatedAt")
                assert payload["count"] == 3
                assert set(ids) <= in_window(emulator, payload)
                return watcher.events

        assert len(run(scenario())) == 1

    async def test_local_times_are_read_in_the_zone_of_the_event(
        self, emulator: Any, connect: Callable[[], None]
    ) -> None:
        emulator.settings.change(naive_registration_times=True)
        trigger = RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=INTERVAL)
        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            ids = register(emulator, 3)
            (payload,) = await watcher.wait_for(1)
            assert payload["count"] == 3
            assert in_window(emulator, payload) == set(ids)
            await polled(emulator, 4)
            assert len(watcher.events) == 1

    async def test_what_was_there_before_is_not_in_the_window(self, emulator: Any, trigger: Any) -> None:
        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            ids = register(emulator, 250)
            (payload,) = await watcher.wait_for(1)
            assert payload["count"] == 250
            assert in_window(emulator, payload) == set(ids)

    async def test_a_change_of_an_old_registration_fires(self, emulator: Any, trigger: Any) -> None:
        (old,) = register(emulator)
        created = RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=INTERVAL, window_field="createdAt")

        async with Triggerer() as triggerer:
            watcher, of_new_ones = triggerer.watch(trigger), triggerer.watch(created)
            await polled(emulator, 4)
            change(emulator, old)
            (payload,) = await watcher.wait_for(1)
            assert old in in_window(emulator, payload)
            await polled(emulator, 4)
            assert of_new_ones.events == []
            (new,) = register(emulator)
            (payload,) = await of_new_ones.wait_for(1)
            assert payload["window_field"] == "createdAt"
            assert new in in_window(emulator, payload)

    async def test_a_filter_is_obeyed(self, emulator: Any, connect: Callable[[], None]) -> None:
        first, second = register(emulator, 2)
        book = emulator.state.events[emulator.event_id].registrations
        email = next(book.email(index) for index in range(book.size) if book.id(index) == second)
        filtered = RingEventsRegistrationsTrigger(
            emulator.event_id, poll_interval=INTERVAL, filter={"email": {"in": [email]}}
        )

        async with Triggerer() as triggerer:
            watcher = triggerer.watch(filtered)
            await known(emulator)
            change(emulator, first)
            await polled(emulator, 4)
            assert watcher.events == []
            change(emulator, second)
            (payload,) = await watcher.wait_for(1)
            assert payload["count"] == 1
            assert email not in json.dumps(payload)

    @pytest.mark.parametrize("kept_ties", [1000, 3])
    def test_ties_are_not_lost_and_do_not_fire_for_ever(self, monkeypatch: pytest.MonkeyPatch, kept_ties: int) -> None:
        """A second registration in the very moment of the first: not after the watermark, and not before it."""
        monkeypatch.setattr(defaults, "WATCH_MAX_BOUNDARY_IDS", kept_ties)
        clock = ManualClock()
        with Emulator(seed=1, clock=clock) as emulator:
            monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection_json())
            start = datetime.fromtimestamp(clock(), UTC) - timedelta(seconds=1)
            trigger = RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=INTERVAL, start=start)

            async def scenario() -> None:
                async with Triggerer() as triggerer:
                    watcher = triggerer.watch(trigger)
                    await known(emulator)
                    first = register(emulator, 2)
                    await watcher.wait_for(1)
                    second = register(emulator)
                    await watcher.wait_for(2)
                    await polled(emulator)
                    assert [event["count"] for event in watcher.events] == [2, 1]
                    assert {*first, *second} <= in_window(emulator, watcher.events[1])
                    register(emulator, 2)
                    await watcher.wait_for(3)
                    await polled(emulator, 4)
                    assert len(watcher.events) == 3
                    clock.advance(1)
                    later = register(emulator)
                    events = await watcher.wait_for(4)
                    assert events[3]["count"] == 1
                    assert set(later) <= in_window(emulator, events[3])

            run(scenario())

    @pytest.mark.parametrize("ahead", [-600.0, 600.0])
    def test_clocks_may_differ(self, monkeypatch: pytest.MonkeyPatch, ahead: float) -> None:
        clock = ManualClock()
        clock.advance(datetime.now(UTC).timestamp() + ahead - clock())
        with Emulator(seed=1, clock=clock) as emulator:
            monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection_json())
            trigger = RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=INTERVAL)

            async def scenario() -> None:
                async with Triggerer() as triggerer:
                    watcher = triggerer.watch(trigger)
                    await known(emulator)
                    ids = register(emulator, 2)
                    (payload,) = await watcher.wait_for(1)
                    assert set(ids) <= in_window(emulator, payload)
                    clock.advance(5)
                    ids = register(emulator, 2)
                    payload = (await watcher.wait_for(2))[1]
                    assert set(ids) <= in_window(emulator, payload)

            run(scenario())

    async def test_the_past_is_taken_up_from_start(self, emulator: Any, connect: Callable[[], None]) -> None:
        trigger = RingEventsRegistrationsTrigger(
            emulator.event_id, poll_interval=INTERVAL, start="2000-01-01T00:00:00+00:00"
        )

        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            (payload,) = await watcher.wait_for(1)
            assert payload["count"] == emulator.settings.registrations == len(in_window(emulator, payload))
            assert payload["from"] == "2000-01-01T00:00:00Z"
            await polled(emulator, 4)
            assert len(watcher.events) == 1

    async def test_lookback_takes_up_the_last_seconds(self, emulator: Any, connect: Callable[[], None]) -> None:
        ids = register(emulator, 2)
        trigger = RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=INTERVAL, lookback=60)

        async with Triggerer() as triggerer:
            (payload,) = await triggerer.watch(trigger).wait_for(1)
            assert in_window(emulator, payload) == set(ids)

    def test_rows_that_move_from_page_to_page_are_in_the_window(
        self, emulator: Any, trigger: Any, connect: Callable[[], None]
    ) -> None:
        emulator.settings.change(registrations_order="newest_first", max_per_page=10)

        async def scenario() -> set[str]:
            async with Triggerer() as triggerer:
                watcher = triggerer.watch(trigger)
                await known(emulator)
                emulator.fault("registrations_added", path="/registrations$", value=7, times=4, skip=1)
                ids = register(emulator, 35)
                while emulator.faults and any(fault.hit_count < 4 for fault in emulator.faults):
                    await asyncio.sleep(0.01)
                await polled(emulator, 12)
                exported = set().union(*(in_window(emulator, payload) for payload in watcher.events))
                book = emulator.state.events[emulator.event_id].registrations
                there = {book.id(index) for index in range(emulator.settings.registrations, book.size)}
                assert set(ids) < there
                return there - exported

        assert run(scenario()) == set()


@needs_watchers
class TestBadWeather:
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 503},
            {"kind": "status", "status": 401},
            {"kind": "status", "status": 404},
            {"kind": "html"},
            {"kind": "reset"},
        ],
        ids=lambda fault: "-".join(map(str, fault.values())),
    )
    async def test_an_outage_is_outlived_and_everything_comes_once(
        self, emulator: Any, trigger: Any, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            with caplog.at_level(logging.INFO):
                outage = emulator.fault(**fault, path="/registrations$", times=None)
                ids = register(emulator, 2)
                while outage.hit_count < 5:
                    await asyncio.sleep(0.01)
                ids += register(emulator)
                emulator.faults.clear()
                (payload,) = await watcher.wait_for(1)
            await polled(emulator)
            assert len(watcher.events) == 1
            assert payload["count"] == 3
            assert set(ids) <= in_window(emulator, payload)
        complaints = [record for record in caplog.records if "failed 1 times in a row" in record.message]
        assert len(complaints) == 1
        assert emulator.event_id in complaints[0].message
        assert sum("in a row, next try" in record.message for record in caplog.records) == 1
        assert sum("works again" in record.message for record in caplog.records) == 1
        assert emulator.api_key not in caplog.text

    async def test_a_server_that_is_gone_comes_back(self, emulator: Any, trigger: Any) -> None:
        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            await asyncio.to_thread(emulator.stop)
            await asyncio.sleep(0.1)
            ids = register(emulator, 2)
            await asyncio.to_thread(emulator.start)
            (payload,) = await watcher.wait_for(1)
            assert set(ids) <= in_window(emulator, payload)

    async def test_a_connection_that_is_not_there_yet_is_looked_up_again(
        self, emulator: Any, trigger: Any, connect: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT")

        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await asyncio.sleep(0.1)
            ids = register(emulator, 2)
            connect()
            (payload,) = await watcher.wait_for(1)
            assert set(ids) <= in_window(emulator, payload)

    async def test_a_wrong_host_in_the_connection_can_be_mended(
        self, emulator: Any, trigger: Any, connect: Callable[[], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connection = json.loads(emulator.connection_json()) | {"host": "http://127.0.0.1:1"}
        connection["extra"]["max_attempts"] = 1
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))

        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await asyncio.sleep(0.1)
            connect()
            await known(emulator)
            register(emulator)
            await watcher.wait_for(1)

    async def test_a_connection_that_is_changed_is_taken_over_in_its_place(
        self, emulator: Any, trigger: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The old service goes on working: nothing but the connection says that there is another one."""
        monkeypatch.setattr(defaults, "WATCH_CONNECTION_MAX_AGE", 0.1)
        monkeypatch.setattr(_client_registry.ConnectionReader.read, "__defaults__", (0.0,))

        with Emulator(seed=1) as other:
            assert other.event_id == emulator.event_id
            async with Triggerer() as triggerer:
                watcher = triggerer.watch(trigger)
                await known(emulator)
                register(emulator, 2)
                (payload,) = await watcher.wait_for(1)
                ids = register(other, 3)
                monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", other.connection_json())
                _, payload = await watcher.wait_for(2)
                assert set(ids) <= in_window(other, payload)
                before = emulator.count("GET", LIST)
                await polled(other)
                assert emulator.count("GET", LIST) == before

    async def test_a_rotated_key_is_read_again(self, emulator: Any, trigger: Any, connect: Callable[[], None]) -> None:
        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            emulator.settings.change(api_key="the-next-key")
            await polled(emulator, status=401)
            connect()
            register(emulator)
            await watcher.wait_for(1)

    async def test_a_page_that_fails_in_the_middle_is_read_again(self, emulator: Any, trigger: Any) -> None:
        async with Triggerer() as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            emulator.settings.change(max_per_page=10)
            emulator.fault("status", status=500, path="/registrations$", times=1, skip=3)
            ids = register(emulator, 60)
            (payload,) = await watcher.wait_for(1)
            assert payload["count"] == 60
            assert in_window(emulator, payload) == set(ids)

    def test_times_that_cannot_be_read_are_said_and_the_others_noticed(
        self, emulator: Any, connect: Callable[[], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        rows = [
            {"id": "r1", "type": "registration", "attributes": {"updatedAt": None}},
            {"id": "r2", "type": "registration", "attributes": {"updatedAt": "2026-05-01T00:00:00.250Z"}},
        ]
        emulator.fault("body", body=json.dumps({"data": rows, "meta": {"count": 2}}), times=None)
        trigger = RingEventsRegistrationsTrigger(
            emulator.event_id, poll_interval=INTERVAL, start="2026-04-01T00:00:00+00:00"
        )

        async def scenario() -> list[Any]:
            async with Triggerer() as triggerer:
                watcher = triggerer.watch(trigger)
                await polled(emulator, 4)
                return await watcher.wait_for(1)

        (payload,) = run(scenario())
        assert payload["count"] == 1
        assert payload["to"] == "2026-05-01T00:00:01Z"
        assert caplog.text.count("1 rows without a readable updatedAt") == 1

    async def test_what_is_cancelled_leaves_nothing_behind(self, emulator: Any, trigger: Any) -> None:
        async with Triggerer() as triggerer:
            triggerer.watch(trigger)
            await known(emulator)
            assert _client_registry._CLIENTS[asyncio.get_running_loop()]
        assert not _client_registry._CLIENTS[asyncio.get_running_loop()]
        assert not _registration_poller._POLLERS.get(asyncio.get_running_loop())
        before = emulator.count()
        await asyncio.sleep(5 * INTERVAL)
        assert emulator.count() == before


@needs_store
class TestPlace:
    async def test_a_restarted_triggerer_goes_on_where_it_was(self, emulator: Any, trigger: Any) -> None:
        state = AssetState()
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            register(emulator, 2)
            await watcher.wait_for(1)
            await polled(emulator)
        ids = register(emulator, 3)
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger)
            (payload,) = await watcher.wait_for(1)
            assert payload["count"] == 3
            assert set(ids) <= in_window(emulator, payload)
            await polled(emulator, 4)
            assert len(watcher.events) == 1
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger)
            await polled(emulator, 4)
            assert watcher.events == []

    async def test_the_first_start_is_kept_before_the_service_has_answered(self, emulator: Any, trigger: Any) -> None:
        state = AssetState()
        emulator.fault("status", status=503, times=None)
        async with Triggerer(state) as triggerer:
            triggerer.watch(trigger)
            await polled(emulator, 2, status=503)
        ids = register(emulator, 2)
        await asyncio.sleep(0.01)
        emulator.faults.clear()
        async with Triggerer(state) as triggerer:
            (payload,) = await triggerer.watch(trigger).wait_for(1)
            assert set(ids) <= in_window(emulator, payload)

    async def test_a_crash_before_the_place_is_kept_repeats_the_event(
        self, emulator: Any, trigger: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Airflow stores an event a second or two after it has fired."""
        monkeypatch.setattr(defaults, "WATCH_CHECKPOINT_DELAY", 30.0)

        state = AssetState()
        for _crash in range(2):
            async with Triggerer(state) as triggerer:
                watcher = triggerer.watch(trigger)
                await known(emulator)
                if not _crash:
                    ids = register(emulator, 2)
                (payload,) = await watcher.wait_for(1)
                assert payload["count"] == 2
                assert set(ids) <= in_window(emulator, payload)

    async def test_a_store_that_cannot_be_read_is_asked_again(
        self, emulator: Any, trigger: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        state = AssetState()
        async with Triggerer(state) as triggerer:
            triggerer.watch(trigger)
            await known(emulator)
        ids = register(emulator, 2)
        state.broken, reads = True, state.reads
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger)
            while state.reads < reads + 4:
                await asyncio.sleep(0.01)
            assert watcher.events == []
            state.broken = False
            (payload,) = await watcher.wait_for(1)
            assert set(ids) <= in_window(emulator, payload)
        assert caplog.text.count("reading the place from the asset's state: failed") == 1

    async def test_a_store_that_cannot_be_written_stops_nothing(self, emulator: Any, trigger: Any) -> None:
        state = AssetState()
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            before = dict(state.kept)
            state.broken = True
            register(emulator, 2)
            await watcher.wait_for(1)
            await polled(emulator, 4)
            register(emulator, 1)
            await watcher.wait_for(2)
            await polled(emulator, 4)
            assert [event["count"] for event in watcher.events] == [2, 1]
            assert state.kept == before
            state.broken = False
            await polled(emulator, 4)
            assert state.kept != before
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger)
            await polled(emulator, 4)
            assert watcher.events == []

    async def test_a_state_that_is_no_place_begins_anew(
        self, emulator: Any, trigger: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        state = AssetState()
        async with Triggerer(state) as triggerer:
            triggerer.watch(trigger)
            await known(emulator)
        state.kept = dict.fromkeys(state.kept, '{"time": "yesterday"}')
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger)
            await known(emulator)
            register(emulator)
            await watcher.wait_for(1)
        assert "has an unreadable value under" in caplog.text

    async def test_an_asset_that_comes_later_does_not_take_the_first_one_s_place(
        self, emulator: Any, trigger: Any
    ) -> None:
        state = AssetState()
        async with Triggerer(state) as triggerer:
            triggerer.watch(trigger, ("one",))
            await known(emulator)
        ids = register(emulator, 2)
        await asyncio.sleep(0.01)
        async with Triggerer(state) as triggerer:
            watcher = triggerer.watch(trigger, ("one", "two"))
            (payload,) = await watcher.wait_for(1)
            assert set(ids) <= in_window(emulator, payload)
            await polled(emulator, 4)
            assert len(watcher.events) == 1
        assert {name for name, _key in state.kept} == {"one", "two"}
        assert len(set(state.kept.values())) == 1

    async def test_an_asset_that_comes_later_gets_its_place_at_once(self, emulator: Any, trigger: Any) -> None:
        state = AssetState()
        async with Triggerer(state) as triggerer:
            triggerer.watch(trigger, ("one",))
            await known(emulator)
        async with Triggerer(state) as triggerer:
            triggerer.watch(trigger, ("one", "two"))
            await known(emulator)
        assert {name for name, _key in state.kept} == {"one", "two"}
        assert len(set(state.kept.values())) == 1

    async def test_watchers_of_one_asset_have_places_of_their_own(
        self, emulator: Any, connect: Callable[[], None]
    ) -> None:
        state = AssetState()
        other = next(event for event in emulator.state.events if event != emulator.event_id)
        async with Triggerer(state) as triggerer:
            for event_id in (emulator.event_id, other):
                triggerer.watch(RingEventsRegistrationsTrigger(event_id, poll_interval=INTERVAL))
            while len(state.kept) < 2:
                await asyncio.sleep(0.01)
        assert {name for name, _key in state.kept} == {ASSET}

    async def test_the_state_holds_nothing_about_people(self, emulator: Any, connect: Callable[[], None]) -> None:
        trigger = RingEventsRegistrationsTrigger(
            emulator.event_id, poll_interval=INTERVAL, filter={"email": "ada@example.org"}
        )

        state = AssetState()
        async with Triggerer(state) as triggerer:
            triggerer.watch(trigger)
            await known(emulator)
        assert "ada" not in repr(state.kept)
        assert "ada" not in repr(trigger.shared_stream_key())


@needs_store
class TestSiblings:
    def siblings(self, emulator: Any, number: int, interval: float = INTERVAL) -> list[RingEventsRegistrationsTrigger]:
        return [
            RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=interval + number / 1000)
            for number in range(number)
        ]

    async def test_they_share_their_polls(self, emulator: Any, connect: Callable[[], None]) -> None:
        state, interval = AssetState(), 0.3
        async with Triggerer(state) as triggerer:
            watchers = [
                triggerer.watch(trigger, (f"asset-{number}",))
                for number, trigger in enumerate(self.siblings(emulator, 20, interval))
            ]
            await known(emulator)
            before, started = emulator.count(), time.monotonic()
            register(emulator, 2)
            for watcher in watchers:
                await watcher.wait_for(1)
            assert emulator.count() - before <= 2 + (time.monotonic() - started) / interval
            assert {json.dumps(watcher.events) for watcher in watchers} == {json.dumps(watchers[0].events)}

    def test_other_events_fields_filters_and_connections_do_not_share(self) -> None:
        keys = {
            RingEventsRegistrationsTrigger(*arguments).shared_stream_key()
            for arguments in (
                ("e1",),
                ("e2",),
                ("e1", "other"),
                ("e1", "ringevents_default", 60, "createdAt"),
                ("e1", "ringevents_default", 60, "updatedAt", {"refunded": True}),
            )
        }
        assert len(keys) == 5

    async def test_one_that_is_behind_catches_up_and_the_others_hear_nothing_twice(
        self, emulator: Any, connect: Callable[[], None]
    ) -> None:
        first, second = self.siblings(emulator, 2)

        state = AssetState()
        async with Triggerer(state) as triggerer:
            ahead, behind = triggerer.watch(first, ("one",)), triggerer.watch(second, ("two",))
            await known(emulator)
            await triggerer.stop(behind)
            ids = register(emulator, 2)
            await ahead.wait_for(1)
            ids += register(emulator)
            await ahead.wait_for(2)
            behind = triggerer.watch(second, ("two",))
            (payload,) = await behind.wait_for(1)
            assert payload["count"] == 3
            assert set(ids) <= in_window(emulator, payload)
            await polled(emulator)
            assert len(ahead.events) == 2

    async def test_one_that_leaves_takes_nothing_from_the_others(
        self, emulator: Any, connect: Callable[[], None]
    ) -> None:
        async with Triggerer() as triggerer:
            watchers: list[Watcher] = [triggerer.watch(trigger) for trigger in self.siblings(emulator, 3)]
            await known(emulator)
            await triggerer.stop(watchers[0])
            register(emulator)
            for watcher in watchers[1:]:
                await watcher.wait_for(1)
            await triggerer.stop(watchers[1])
            await triggerer.stop(watchers[2])
            watcher = triggerer.watch(self.siblings(emulator, 1)[0])
            await known(emulator)
            register(emulator)
            await watcher.wait_for(1)


async def test_without_a_store_it_says_what_is_lost(
    emulator: Any, trigger: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with Triggerer() as triggerer:
        watcher = triggerer.watch(trigger, keep=False)
        await known(emulator)
        register(emulator)
        await watcher.wait_for(1)
    assert caplog.text.count("changes while the triggerer is down are missed") == 1
    assert "lookback" in caplog.text


async def test_alone_as_before_airflow_3_3(emulator: Any, trigger: Any) -> None:
    stream = trigger.run()
    first = asyncio.ensure_future(anext(stream))
    await known(emulator)
    ids = register(emulator, 2)
    payload = (await first).payload
    assert set(ids) <= in_window(emulator, payload)
    await stream.aclose()
    assert not _client_registry._CLIENTS[asyncio.get_running_loop()]


def test_the_window_holds_the_changes_at_any_resolution(emulator: Any, connect: Callable[[], None]) -> None:
    """`from` and `to` are whole seconds: a service may show less of a time than it keeps."""
    register(emulator)
    trigger = RingEventsRegistrationsTrigger(emulator.event_id, poll_interval=INTERVAL, lookback=5.5)

    async def scenario() -> Any:
        async with Triggerer() as triggerer:
            return (await triggerer.watch(trigger).wait_for(1))[0]

    payload = run(scenario())
    for end in ("from", "to"):
        assert payload[end] == format_timestamp(datetime.fromisoformat(payload[end]).replace(microsecond=0))


@pytest.mark.parametrize("date", [True, False], ids=["with Date", "without Date"])
@pytest.mark.parametrize("seconds", [120.0, 900.0, -120.0])
def test_a_worker_whose_clock_is_slow_does_not_fire_for_ever(
    seconds: float, date: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two minutes slow, or a quarter of an hour: what has just changed is ahead of the worker's clock."""
    monkeypatch.setattr(clock, "now", lambda: time.time() - seconds)
    monkeypatch.setattr(defaults, "WATCH_INITIAL_JITTER", 0.0)
    before = datetime.now(UTC) - timedelta(minutes=30)
    rows = [{"id": "old", "attributes": {"updatedAt": before.isoformat()}}]

    def handler(seen: Request) -> Response:
        if seen.number in (4, 8):
            changed = {"id": f"r{seen.number}", "attributes": {"updatedAt": datetime.now(UTC).isoformat()}}
            rows.append(changed)
        head = {"Date": format_datetime(datetime.now(UTC), usegmt=True)} if date else {}
        since = datetime.fromisoformat(seen.query["filter[updatedAt][gte]"])
        found = [row for row in rows if datetime.fromisoformat(row["attributes"]["updatedAt"]) >= since]
        return json_response({"data": found, "meta": {"count": len(found)}}, **head)

    with RawServer(handler) as server:
        described = {"conn_type": "ringevents", "password": "key", "host": server.url}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(described))

        async def watch() -> list[dict[str, Any]]:
            fired: list[dict[str, Any]] = []

            async def collect() -> None:
                async for event in RingEventsRegistrationsTrigger("e", poll_interval=INTERVAL).run():
                    fired.append(event.payload)

            watching = asyncio.ensure_future(collect())
            while len(server.requests) < 16:
                await asyncio.sleep(0.01)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            return fired

        fired = run(watch())
    assert [event["count"] for event in fired] == [1, 1]
    for event, row in zip(fired, rows[1:], strict=True):
        changed = datetime.fromisoformat(row["attributes"]["updatedAt"])
        assert datetime.fromisoformat(event["from"]) <= changed < datetime.fromisoformat(event["to"])


def test_a_scan_of_invented_rows_has_an_end(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """And rows of the future that are too many to be kept are logged."""
    monkeypatch.setattr(defaults, "WATCH_MAX_ROWS", 100)
    monkeypatch.setattr(defaults, "WATCH_MAX_BOUNDARY_IDS", 5)
    monkeypatch.setattr(defaults, "WATCH_INITIAL_JITTER", 0.0)

    def handler(seen: Request) -> Response:
        page = int(seen.query["page"])
        rows = [
            {"id": f"r{page}-{number}", "attributes": {"updatedAt": "2099-01-01T00:00:00Z"}} for number in range(10)
        ]
        endless = seen.number < 30
        return json_response({"data": rows, "links": {"next": f"?page={page + 1}" if endless else None}})

    with RawServer(handler) as server:
        described = {"conn_type": "ringevents", "password": "key", "host": server.url}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(described))

        async def watch() -> dict[str, Any]:
            async for event in RingEventsRegistrationsTrigger("e", poll_interval=INTERVAL).run():
                return dict(event.payload)
            raise AssertionError("the watcher has ended")

        payload = run(watch())
    assert payload["count"] == 5
    assert "more than 100 rows have changed" in caplog.text
    assert "5 rows whose updatedAt is in the future are not noticed" in caplog.text
    assert max(int(seen.query["page"]) for seen in server.requests) <= 11
