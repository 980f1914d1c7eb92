"""Run the triggers of asset watchers as a triggerer does: from their rows, with shared streams and the assets' state.

On Airflow before 3.3, which has neither, each trigger runs alone and keeps nothing.
"""

from __future__ import annotations

import asyncio
import json
import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

from airflow.serialization.serialized_objects import BaseSerialization

from airflow_harness.versions import HAS_STATE_STORE

ASSET = "registrations"


class AssetState:
    """What the assets keep, as in the metadata database: it outlives every triggerer.

    `kept` goes by asset and key; while `broken` is set, reading and writing fail.
    """

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Any] = {}
        self.broken = False
        self.reads = 0

    async def asend(self, message: Any) -> Any:
        """Answer as the supervisor of a triggerer does."""
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import AssetStateStoreResult, ErrorResponse, OKResponse

        await asyncio.sleep(0)
        kind = type(message).__name__
        if kind == "GetConnection":
            return ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND)
        if kind == "GetAssetStateStoreByName":
            self.reads += 1
        if self.broken:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        if kind == "GetAssetStateStoreByName":
            if (message.name, message.key) not in self.kept:
                return ErrorResponse(error=ErrorType.ASSET_STORE_NOT_FOUND)
            return AssetStateStoreResult(value=json.loads(self.kept[message.name, message.key]))
        if kind == "SetAssetStateStoreByName":
            self.kept[message.name, message.key] = json.dumps(message.value)
            return OKResponse(ok=True)
        if kind == "DeleteAssetStateStoreByName":
            self.kept.pop((message.name, message.key), None)
            return OKResponse(ok=True)
        raise NotImplementedError(kind)


class Watcher:
    """One trigger that runs. `events` are the payloads that it has fired so far."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.task: asyncio.Task[None] | None = None

    async def wait_for(self, number: int, limit: float = 20) -> list[Any]:
        """All payloads, as soon as there are `number` of them."""
        async with asyncio.timeout(limit):
            while len(self.events) < number:
                assert self.task is not None
                assert not self.task.done(), "the watcher has ended"
                await asyncio.sleep(0.005)
        return self.events


class Triggerer:
    """A triggerer in the running event loop.

    `async with Triggerer(state) as triggerer: watcher = triggerer.watch(trigger)`. Leaving it cancels all triggers, as
    a triggerer does that ends.
    """

    def __init__(self, state: AssetState | None = None) -> None:
        self._state = state or AssetState()
        self._watchers: list[Watcher] = []
        self._streams: Any = None
        if HAS_STATE_STORE:
            from airflow.triggers.shared_stream import SharedStreamManager

            self._streams = SharedStreamManager()
        self._patch: Any = None

    async def __aenter__(self) -> Triggerer:
        self._patch = _supervised(self._state)
        self._patch.__enter__()
        return self

    async def __aexit__(self, *_error: object) -> None:
        try:
            await self.stop()
        finally:
            self._patch.__exit__(None, None, None)

    def watch(self, trigger: Any, assets: Sequence[str] = (ASSET,), *, keep: bool = True) -> Watcher:
        """Run a trigger for some assets, made anew from its row.

        :param keep: let it have the assets' state, where Airflow has one.
        """
        path, arguments = trigger.serialize()
        stored = json.loads(json.dumps(BaseSerialization.serialize(arguments)))
        again = pkgutil.resolve_name(path)(**BaseSerialization.deserialize(stored))
        if HAS_STATE_STORE and keep:
            from airflow.sdk import Asset
            from airflow.sdk.execution_time.context import AssetStateStoreAccessors

            again.asset_state_store = AssetStateStoreAccessors(inlets=[Asset(name=name) for name in assets])
        watcher = Watcher()
        self._watchers.append(watcher)
        watcher.task = asyncio.ensure_future(self._run(len(self._watchers), again, watcher))
        return watcher

    async def stop(self, watcher: Watcher | None = None) -> None:
        """Cancel one trigger, or all of them; raises what they raised before."""
        for each in [watcher] if watcher else self._watchers:
            if each.task is not None:
                each.task.cancel()
                with suppress(asyncio.CancelledError):
                    await each.task

    async def _run(self, trigger_id: int, trigger: Any, watcher: Watcher) -> None:
        key = trigger.shared_stream_key() if self._streams else None
        if key is None:
            stream = trigger.run()
        else:
            shared = self._streams.subscribe(trigger_id=trigger_id, trigger=trigger, key=key)
            stream = trigger.filter_shared_stream(shared)
        try:
            async for event in stream:
                watcher.events.append(json.loads(json.dumps(event.payload)))
            raise AssertionError("the trigger has ended by itself")
        finally:
            if key is not None:
                await self._streams.unsubscribe(trigger_id, key)
            await trigger.cleanup()


@contextmanager
def _supervised(state: AssetState) -> Iterator[None]:
    if not HAS_STATE_STORE:
        yield
        return
    from airflow.sdk.execution_time import task_runner

    with patch.object(task_runner, "SUPERVISOR_COMMS", state, create=True):
        yield
