"""One entry of a state store: read, written and removed, and dropped where it cannot be read."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from airflow_provider_ringevents.state.entry import StateEntry


class Store(dict[str, Any]):
    """A state store of Airflow, by its methods: values are JSON."""

    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        self.pop(key, None)

    async def aget(self, key: str) -> Any:
        return self.get(key)

    async def aset(self, key: str, value: Any) -> None:
        self.set(key, value)

    async def adelete(self, key: str) -> None:
        self.delete(key)


def decode(value: Any) -> int:
    return int(value["number"])


def test_what_is_saved_is_loaded_and_what_is_cleared_is_gone() -> None:
    store = Store(other=1)
    entry = StateEntry(store, "key", decode)
    assert entry.is_durable
    assert entry.load() is None
    entry.save({"number": 5})
    assert StateEntry(store, "key", decode).load() == 5
    entry.clear()
    assert entry.load() is None
    assert store == {"other": 1}


def test_an_event_loop_reads_and_writes_the_same() -> None:
    async def main() -> list[int | None]:
        entry = StateEntry(Store(), "key", decode)
        before = await entry.aload()
        await entry.asave({"number": 6})
        return [before, await entry.aload()]

    assert asyncio.run(main()) == [None, 6]


UNREADABLE = ["text", 7, [], {}, {"number": "many"}, {"number": None}]


@pytest.mark.parametrize("value", UNREADABLE)
@pytest.mark.parametrize("mode", ["worker", "event loop"])
def test_what_cannot_be_decoded_is_dropped_and_logged(value: Any, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    store = Store(key=value, other=1)
    entry = StateEntry(store, "key", decode)
    with caplog.at_level(logging.WARNING):
        assert (entry.load() if mode == "worker" else asyncio.run(entry.aload())) is None
    assert store == {"other": 1}
    assert ["key" in record.message for record in caplog.records] == [True]


def test_a_bug_in_decoding_is_not_taken_for_an_unreadable_value() -> None:
    def broken(value: Any) -> int:
        raise ZeroDivisionError

    store = Store(key=1)
    with pytest.raises(ZeroDivisionError):
        StateEntry(store, "key", broken).load()
    assert store == {"key": 1}


def test_without_a_store_nothing_is_kept() -> None:
    entry = StateEntry(None, "key", decode)
    entry.save({"number": 5})
    entry.clear()

    async def main() -> Any:
        await entry.asave({"number": 5})
        return await entry.aload()

    assert entry.load() is None
    assert asyncio.run(main()) is None
    assert not entry.is_durable
