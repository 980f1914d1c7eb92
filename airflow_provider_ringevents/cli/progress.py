"""How far an export is, on stderr: a bar where a person looks on, nothing in a pipe or a log."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from airflow_provider_ringevents.cli.hook import ProgressListener
from airflow_provider_ringevents.observability.progress_log import format_bytes


class ProgressBar(ProgressListener):
    """Draws what it is told. Use in a ``with`` statement; without a terminal it draws nothing.

    :param what: what is done at first.
    """

    def __init__(self, what: str) -> None:
        self._bar: Any = None
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None, done="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def doing(self, what: str) -> None:
        """Say what is done now; how far it is, is not known yet."""
        if self._bar:
            self._bar.reset(self._task, description=what, total=None, done="")

    def rows(self, done: int, of: int | None) -> None:
        self._at(done, of, f"{done:,} rows" if of is None else f"{done:,} of {of:,} rows")

    def received(self, done: int, of: int | None) -> None:
        self._at(done, of, format_bytes(done) if of is None else f"{format_bytes(done)} of {format_bytes(of)}")

    def _at(self, done: int, of: int | None, said: str) -> None:
        if self._bar:
            self._bar.update(self._task, completed=done, total=of, done=said)
