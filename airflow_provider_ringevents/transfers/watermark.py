"""How far the runs before have exported: kept in the asset state store of the one outlet, over all runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.times import api_time, read_time
from airflow_provider_ringevents.transfers.windows import Window

KEY: Final = "ringevents_watermark"


class Watermark:
    """The end of the last window that was published whole.

    :param store: the asset's store.
    :param request: what is exported, in one string: of another request the place says nothing.
    :param delay: seconds before now that a window ends: the clocks of both sides may differ, and the service may show a
        change a little after the time it writes into it.
    """

    def __init__(self, store: Any, request: str, delay: float) -> None:
        self._store = store
        self._request = request
        self._delay = delay

    def next_window(self, field: str) -> Window:
        """From where the last run ended, or from the beginning, till just before now.

        :raises RingEventsTransferError: a clock has gone back since the last run.
        """
        end = datetime.fromtimestamp(clock.now(), UTC) - timedelta(seconds=self._delay)
        kept = self._store.get(KEY)
        start = None
        if isinstance(kept, Mapping) and kept.get("request") == self._request:
            start = read_time(kept.get("to"), None)
        if start is not None and start >= end:
            raise RingEventsTransferError(
                f"watermark: the last run exported up to {api_time(start)}, and this one would end before, at"
                f" {api_time(end)}, {self._delay:g} s before now (watermark_delay): does this machine's clock go wrong?"
            )
        return Window(field, start, end)

    def advance(self, window: Window) -> None:
        """Remember that a window was published."""
        self._store.set(KEY, {"to": api_time(window.end), "request": self._request})
