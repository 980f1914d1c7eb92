"""The watermark of an export: how far its runs have published, in the asset state store of its one outlet."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.errors import RingEventsTransferError, invalid_argument
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp, parse_timestamp
from airflow_provider_ringevents.exports.window import Window
from airflow_provider_ringevents.state.entry import StateEntry

KEY: Final = "ringevents_watermark_"
"""The prefix of the key; a hash of the request follows, so that several exports may have the same outlet."""

RUNS_KEPT: Final = 100
"""The runs whose windows are stored with a watermark: a store takes 64 KB in one value."""


class _Progress(NamedTuple):
    """The end of all windows so far, and the window of each run, from None where it begins with the list."""

    watermark: datetime | None
    windows: dict[str, tuple[datetime | None, datetime]]


class ExportWatermark:
    """The end of the last window that was published whole, and the windows of the runs that led there.

    A run that is repeated gets the same window again. Otherwise its file, which has the same name, would be replaced by
    the rows of a later window, and the rows that it had would be in no file.

    :param store: the asset's store.
    :param request: the task and what it exports, in one string.
    :param run: the DAG run.
    :param run_after: when the run was due, if Airflow says so.
    :param delay: seconds before now at which a window ends: the clocks of both sides may differ, and the service may
        show a change a little after the time it writes into it.
    """

    def __init__(self, store: Any, request: str, run: str, run_after: datetime | None, delay: float) -> None:
        self._entry = StateEntry(store, KEY + _digest(request), _decode)
        self._run = _digest(run)
        self._run_after = run_after
        self._delay = delay

    def next_window(self, field: str) -> Window:
        """Return the window that this run had, or the one from the watermark to just before now.

        :raises RingEventsTransferError: a clock has gone back since the last run.
        :raises RingEventsConfigError: the run is an old one whose window is not stored any more.
        """
        watermark, windows = self._load()
        if self._run in windows:
            start, end = windows[self._run]
            return Window(field, start, end)
        if len(windows) >= RUNS_KEPT and self._run_after is not None:
            oldest = min(end for _start, end in windows.values())
            if self._run_after < oldest:
                raise invalid_argument(
                    "watermark",
                    f"used by a run that is among the last {RUNS_KEPT}, whose windows are stored",
                    f"a run of {format_timestamp(self._run_after)}",
                    hint="Start a new run.",
                )
        # Services round times: a row of the last second may still get its neighbours.
        end = (datetime.fromtimestamp(clock.now(), UTC) - timedelta(seconds=self._delay)).replace(microsecond=0)
        if watermark is not None and watermark >= end:
            raise RingEventsTransferError(
                f"watermark: the last run exported up to {format_timestamp(watermark)}, and this one would end before,"
                f" at {format_timestamp(end)}, {self._delay:g} s before now: was watermark_delay raised, or is this"
                " machine's clock wrong?"
            )
        return Window(field, watermark, end)

    def advance(self, window: Window) -> None:
        """Store that this run has published its window."""
        watermark, windows = self._load()
        windows.pop(self._run, None)
        windows[self._run] = (window.start, window.end)
        last = list(windows.items())[-RUNS_KEPT:]
        self._entry.save(
            {
                "to": format_timestamp(window.end if watermark is None else max(watermark, window.end)),
                "runs": {
                    run: [format_timestamp(start) if start else None, format_timestamp(end)]
                    for run, (start, end) in last
                },
            }
        )

    def _load(self) -> _Progress:
        return self._entry.load() or _Progress(None, {})


def _decode(value: Any) -> _Progress:
    windows = {}
    for run, (start, end) in dict(value["runs"]).items():
        windows[str(run)] = (None if start is None else _time(start), _time(end))
    return _Progress(_time(value["to"]), windows)


def _time(text: Any) -> datetime:
    time = parse_timestamp(text, None)
    if time is None:
        raise ValueError(f"not a time: {text!r:.100}")
    return time


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
