"""Records of requests that cannot be read, and ids that cannot be used: neither is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow_harness import HAS_STATE_STORE
from outcomes import succeeded

from airflow_provider_ringevents.provisioning.request_journal import RequestJournal, is_usable_id


class Store(dict[str, Any]):
    """A task state store."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def saved(**values: Any) -> dict[str, Any]:
    return {"state": "accepted", "time": 5.0, "id": "e1", "key": "k", **values}


@pytest.mark.parametrize(
    "record",
    [
        saved(id="a/b"),
        saved(id=7),
        saved(id=""),
        saved(state="done"),
        saved(state=None),
        saved(time=None),
        saved(time="soon"),
        saved(time=float("nan")),
        saved(time=True),
        "accepted",
        ["accepted"],
    ],
)
def test_a_record_that_cannot_be_read_is_dropped_with_a_warning(record: Any, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(ringevents_event=record)
    assert RequestJournal(store, "k").load() == {}
    assert store == {}
    assert "cannot be read and is dropped" in caplog.text


def test_a_record_of_another_key_is_ignored_and_kept() -> None:
    store = Store(ringevents_event=saved(key="other"))
    assert RequestJournal(store, "k").load() == {}
    assert store == {"ringevents_event": saved(key="other")}


def test_a_record_is_loaded_as_it_was_saved() -> None:
    store = Store()
    journal = RequestJournal(store, "k")
    journal.record_intent()
    before = journal.load()
    assert before["state"] == "posting"
    journal.record_accepted("e1")
    assert journal.load() == {**before, "state": "accepted", "id": "e1"}
    journal.roll_back({})
    assert store == {}


@pytest.mark.parametrize("event_id", ["a/b", "..", "", " ", 7, None, {}])
def test_ids_that_later_requests_could_not_use(event_id: Any) -> None:
    assert not is_usable_id(event_id)
    assert is_usable_id("e1")


@pytest.mark.skipif(not HAS_STATE_STORE, reason="nothing is remembered before Airflow 3.3")
@pytest.mark.parametrize("bad", ["a/b", "../organizations", 7])
def test_an_unusable_id_in_the_response_is_not_remembered_and_the_event_is_found(harness: Any, bad: Any) -> None:
    data = {"id": bad, "type": "event", "attributes": {"name": "Data Hour"}}
    harness.emulator.fault("applied_then_status", method="POST", status=201, body=json.dumps({"data": data}))
    result = harness.run("template").to_end()
    assert succeeded(result)["id"] == harness.made()[0].id
    assert result.store["ringevents_event"]["id"] == harness.made()[0].id
    assert harness.posts() == 1
