"""Where a watcher keeps its place: in the state of each asset that it serves."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.polling.backoff import Backoff
from airflow_provider_ringevents.triggers._change_detection import WatchCursor, min_cursor

log = logging.getLogger(__name__)


class CursorStore:
    """A watermark in the asset state store of Airflow 3.3 and later; without one, nothing is kept.

    :param what: names the watcher, in messages.
    :param stores: the stores of the assets.
    :param key: of the watermark in each of them.
    :param interval: seconds after which a store that fails is asked again; longer each time.
    """

    def __init__(self, what: str, stores: Sequence[Any], key: str, interval: float) -> None:
        self._what = what
        self._stores = stores
        self._key = key
        self._interval = interval
        self._saved: WatchCursor | None = None
        self._pace = Backoff(f"{what}: keeping the place in the asset's state", log)

    async def load(self, beginning: WatchCursor) -> WatchCursor:
        """The place up to which every asset knows the changes; an asset that has none begins at ``beginning``.

        A store that fails is asked again for ever: to begin anew would lose what has changed meanwhile.
        """
        pace = Backoff(f"{self._what}: reading the place from the asset's state", log)
        while True:
            try:
                kept = [await self._read(store) for store in self._stores]
            except Exception as error:
                await clock.async_sleep(pace.failed(error, self._interval))
                continue
            pace.worked(self._interval)
            if self._stores and len(set(kept)) == 1:
                self._saved = kept[0]
            return min_cursor(watermark or beginning for watermark in kept or [None])

    async def _read(self, store: Any) -> WatchCursor | None:
        value = await store.aget(self._key)
        if value is None:
            return None
        watermark = WatchCursor.from_json(value)
        if watermark is None:
            log.error("%s: the asset's state has under %s what is no place; begins anew", self._what, self._key)
        return watermark

    async def save(self, watermark: WatchCursor) -> None:
        """Keep a place, unless it is kept already. Where that fails, the next call tries again."""
        if not self._stores or watermark == self._saved:
            return
        try:
            for store in self._stores:
                await store.aset(self._key, watermark.to_json())
        except Exception as error:
            self._pace.failed(error, self._interval)
            return
        self._pace.worked(self._interval)
        self._saved = watermark
