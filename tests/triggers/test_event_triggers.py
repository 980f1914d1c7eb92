"""The triggers for events by themselves: what their rows hold, and what they fire."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from airflow.serialization.serialized_objects import BaseSerialization

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY
from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger, RingEventsEventTrigger

ROWS: list[Any] = [
    RingEventsEventTrigger("e1"),
    RingEventsEventTrigger("e1", "conn", "ended", None, 7200.0, 30.0, 1_800_000_000.5),
    RingEventsEventTrigger("e1", "conn", "status", "live", 0.0, 30, None),
    RingEventsDuplicationTrigger("o1", "e1", "row-1", 1_800_000_000.25),
    RingEventsDuplicationTrigger(
        "o1", "e1", "row-1", 1.0, "Name", "2027-03-01T09:00:00Z", "2027-03-01T10:30:00Z", "conn", 30.0, 1_800_000_000.5
    ),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "POLL_FIRST", 0.05)


def fired(trigger: Any) -> list[dict[str, Any]]:
    """The payload of all events of a trigger."""

    async def collect() -> list[dict[str, Any]]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(collect())


@pytest.mark.parametrize("trigger", ROWS)
def test_a_row_survives_airflow_s_serialization(trigger: Any) -> None:
    path, arguments = trigger.serialize()
    assert path == f"airflow_provider_ringevents.triggers.events.{type(trigger).__name__}"
    assert all(value is None or isinstance(value, (str, float, int)) for value in arguments.values())
    stored = json.loads(json.dumps(BaseSerialization.serialize(arguments)))
    again = type(trigger)(**BaseSerialization.deserialize(stored))
    assert again.serialize() == (path, arguments)


@pytest.mark.parametrize("trigger", ROWS)
def test_a_row_holds_every_argument(trigger: Any) -> None:
    """One that is forgotten would have its default after a restart of the triggerer."""
    _path, arguments = trigger.serialize()
    given = {name: value for name, value in vars(trigger).items() if name in arguments}
    assert arguments == given
    assert set(arguments) == set(
        type(trigger).__init__.__code__.co_varnames[1 : type(trigger).__init__.__code__.co_argcount]
    )


def test_an_event_trigger_fires_once(emulator: Any, ringevents_conn: str) -> None:
    slug = emulator.state.events[emulator.event_id].slug
    assert fired(RingEventsEventTrigger(emulator.event_id, condition="ended")) == [
        {"status": "ready", "event_id": emulator.event_id, "page": f"{emulator.url}/#{slug}"}
    ]


def test_a_copy_trigger_fires_once_with_the_copy(emulator: Any, ringevents_conn: str) -> None:
    emulator.settings.change(duplicate_seconds=0.2)
    copy = emulator.state.duplicate(
        emulator.state.events[emulator.event_id], {"metadata": {MARKER_METADATA_KEY: "row-1"}}
    )
    trigger = RingEventsDuplicationTrigger(emulator.organization_id, emulator.event_id, "row-1", time.time())
    assert fired(trigger) == [{"status": "ready", "event_id": copy.id}]


@pytest.mark.parametrize(
    "trigger",
    [RingEventsEventTrigger("e1", condition="published"), RingEventsDuplicationTrigger("o1", "e1", "row-1", 0.0)],
    ids=["event", "copy"],
)
class TestErrors:
    def test_a_refused_key_is_said_in_plain_values(self, emulator: Any, ringevents_conn: str, trigger: Any) -> None:
        emulator.fault("status", status=401, times=None)
        (payload,) = fired(trigger)
        assert payload["status"] == "error"
        assert payload["error"]["kind"] == "RingEventsAuthError"
        assert payload["error"]["status"] == 401
        assert json.loads(json.dumps(payload)) == payload
        assert emulator.api_key not in json.dumps(payload)

    @pytest.mark.integration  # On Airflow 2 a connection is looked up in the database.
    def test_a_connection_that_is_not_there_is_an_event_too(self, trigger: Any) -> None:
        (payload,) = fired(trigger)
        assert payload["error"]["kind"] == "RingEventsConfigError"
        assert "ringevents_default" in payload["error"]["message"]

    def test_a_passed_deadline_is_one_more_poll_and_a_timeout(
        self, emulator: Any, ringevents_conn: str, trigger: Any
    ) -> None:
        trigger = type(trigger)(**{**trigger.serialize()[1], "deadline": time.time() - 1})
        (payload,) = fired(trigger)
        assert payload["error"]["kind"] == "RingEventsWaitTimeoutError"
        assert payload["error"]["retryable"] is True
        assert emulator.count() == 1


@pytest.mark.parametrize("kind", ["event", "copy"])
def test_a_rotated_key_is_read_again(emulator: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection_json())

    async def rotated() -> dict[str, Any]:
        copying = RingEventsDuplicationTrigger(
            emulator.organization_id, emulator.event_id, "row-1", 0.0, poll_interval=0.1
        )
        waiting = RingEventsEventTrigger(emulator.event_id, condition="status", status="archived", poll_interval=0.1)
        task = asyncio.ensure_future(anext((waiting if kind == "event" else copying).run()))
        while not emulator.count(status=200):
            await asyncio.sleep(0.01)
        emulator.settings.change(api_key="the-next-key")
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection_json())
        event = emulator.state.events[emulator.event_id]
        event.status = "archived"
        emulator.settings.change(duplicate_seconds=0.0)
        emulator.state.duplicate(event, {"metadata": {MARKER_METADATA_KEY: "row-1"}})
        payload: dict[str, Any] = (await asyncio.wait_for(task, 30)).payload
        return payload

    assert asyncio.run(rotated())["status"] == "ready"


def test_a_copy_trigger_that_is_cancelled_leaves_the_others_their_look(emulator: Any, ringevents_conn: str) -> None:
    """A triggerer that gives one wait away must not end the shared listing of the others."""
    emulator.settings.change(latency=0.3, duplicate_seconds=0.0)
    source = emulator.state.events[emulator.event_id]
    copies = [emulator.state.duplicate(source, {"metadata": {MARKER_METADATA_KEY: f"row-{row}"}}) for row in range(2)]

    async def one_leaves() -> str:
        tasks = [
            asyncio.ensure_future(
                anext(
                    RingEventsDuplicationTrigger(emulator.organization_id, source.id, f"row-{row}", time.time()).run()
                )
            )
            for row in range(2)
        ]
        while not emulator.count():
            await asyncio.sleep(0.01)
        tasks[0].cancel()
        found: str = (await asyncio.wait_for(tasks[1], 30)).payload["event_id"]
        return found

    assert asyncio.run(one_leaves()) == copies[1].id
