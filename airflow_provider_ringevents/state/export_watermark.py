"""How far the runs before have exported: kept in the asset state store of the one outlet, over all runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, parse_timestamp
from airflow_provider_ringevents.exports.window import Window

KEY: Final = "ringevents_watermark_"
"""What the key of a place begins with; a hash of the request follows, so that exports to one asset have one each."""

RUNS_KEPT: Final = 100
"""How many runs' windows are remembered with a place: what a store may hold in one value is limited to 64 KB."""


class ExportWatermark:
    """The end of the last window that was published whole, and the windows of the runs that led there.

    A run that is repeated gets its own window again. Else its file, which has the same name, would be replaced by the
    rows of a later window, and those that it had would be in no file.

    :param store: the asset's store.
    :param request: what is exported by which task, in one string.
    :param run: the DAG run.
    :param run_after: when that was due, if Airflow says so.
    :param delay: seconds before now that a window ends: the clocks of both sides may differ, and the service may show a
        change a little after the time it writes into it.
    """

    def __init__(self, store: Any, request: str, run: str, run_after: datetime | None, delay: float) -> None:
        self._store = store
        self._key = KEY + _short(request)
        self._run = _short(run)
        self._run_after = run_after
        self._delay = delay

    def next_window(self, field: str) -> Window:
        """The window that this run had, or from where the last run ended (at first the beginning) till just before now.

        :raises RingEventsTransferError: a clock has gone back since the last run.
        :raises RingEventsConfigError: the run is an old one whose window is forgotten.
        """
        kept, runs = self._kept()
        if self._run in runs:
            start, end = runs[self._run]
            return Window(field, start, end)
        if len(runs) >= RUNS_KEPT and self._run_after is not None:
            oldest = min(end for _start, end in runs.values())
            if self._run_after < oldest:
                raise RingEventsConfigError(
                    f"watermark: this run was due at {format_timestamp(self._run_after)}, before the last {RUNS_KEPT}"
                    " runs, and the window that it had is not known any more; start a new run"
                )
        end = datetime.fromtimestamp(clock.now(), UTC) - timedelta(seconds=self._delay)
        if kept is not None and kept >= end:
            raise RingEventsTransferError(
                f"watermark: the last run exported up to {format_timestamp(kept)}, and this one would end before, at"
                f" {format_timestamp(end)}, {self._delay:g} s before now: was watermark_delay raised, or does this"
                " machine's clock go wrong?"
            )
        return Window(field, kept, end)

    def advance(self, window: Window) -> None:
        """Remember that this run's window was published."""
        kept, runs = self._kept()
        runs.pop(self._run, None)
        runs[self._run] = (window.start, window.end)
        last = list(runs.items())[-RUNS_KEPT:]
        self._store.set(
            self._key,
            {
                "to": format_timestamp(window.end if kept is None else max(kept, window.end)),
                "runs": {
                    run: [format_timestamp(start) if start else None, format_timestamp(end)]
                    for run, (start, end) in last
                },
            },
        )

    def _kept(self) -> tuple[datetime | None, dict[str, tuple[datetime | None, datetime]]]:
        """The place, and the windows by run; nothing where the store holds nothing that can be read."""
        kept = self._store.get(self._key)
        if not isinstance(kept, Mapping) or not isinstance(kept.get("runs"), Mapping):
            return None, {}
        runs = {}
        for run, (start, end) in kept["runs"].items():
            if (until := parse_timestamp(end, None)) is not None:
                runs[run] = (parse_timestamp(start, None), until)
        return parse_timestamp(kept.get("to"), None), runs


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
