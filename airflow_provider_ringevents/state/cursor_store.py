"""The store of a watcher's cursor: one copy in the state of each asset that the watcher serves."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.polling.watch_backoff import Backoff
from airflow_provider_ringevents.state.entry import StateEntry
from airflow_provider_ringevents.state.watch_cursor import WatchCursor, min_cursor

log = logging.getLogger(__name__)


class CursorStore:
    """A cursor in the asset state stores of Airflow 3.3 and later; without one, nothing is kept.

    :param subject: the watcher, in log lines.
    :param stores: the stores of the assets.
    :param key: the key of the cursor in each of them.
    :param retry_interval: seconds after which a store that failed is asked again, longer after each failure.
    """

    def __init__(self, subject: str, stores: Sequence[Any], key: str, retry_interval: float) -> None:
        self._subject = subject
        self._entries = [StateEntry(store, key, WatchCursor.from_json) for store in stores]
        self._retry_interval = retry_interval
        self._saved: WatchCursor | None = None
        self._backoff = Backoff(f"{subject}: keeping the place in the asset's state", log)

    async def load(self, default: WatchCursor) -> WatchCursor:
        """Return the cursor up to which every asset knows the changes.

        A store that fails is asked again until it works: starting over would lose the changes in between.

        :param default: the cursor of an asset that has none.
        """
        backoff = Backoff(f"{self._subject}: reading the place from the asset's state", log)
        while True:
            try:
                stored = [await entry.aload() for entry in self._entries]
            except Exception as error:
                await clock.async_sleep(backoff.on_failure(error, self._retry_interval))
                continue
            backoff.on_success(self._retry_interval)
            if self._entries and len(set(stored)) == 1:
                self._saved = stored[0]
            return min_cursor(cursor or default for cursor in stored or [None])

    async def save(self, cursor: WatchCursor) -> None:
        """Store a cursor unless it is stored already; after a failure the next call tries again."""
        if not self._entries or cursor == self._saved:
            return
        try:
            for entry in self._entries:
                await entry.asave(cursor.to_json())
        except Exception as error:
            self._backoff.on_failure(error, self._retry_interval)
            return
        self._backoff.on_success(self._retry_interval)
        self._saved = cursor
