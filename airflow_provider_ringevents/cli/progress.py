"""The progress of an export on stderr: a bar on a terminal, nothing in a pipe or a log file."""

from __future__ import annotations

import sys
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from airflow_provider_ringevents.cli.hook import ProgressListener
from airflow_provider_ringevents.cli.output import printable
from airflow_provider_ringevents.observability.formatting import format_bytes


class ProgressBar(ProgressListener):
    """A progress bar, used in a ``with`` statement. Without a terminal it draws nothing.

    :param status: The first line that is shown.
    """

    def __init__(self, status: str) -> None:
        self._bar: Any = None
        if not sys.stderr.isatty():
            return
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[done]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(printable(status), total=None, done="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._bar:
            self._bar.stop()

    def set_status(self, status: str) -> None:
        """Show a new status, with no progress yet."""
        if self._bar:
            self._bar.reset(self._task, description=printable(status), total=None, done="")

    def on_rows(self, done: int, total: int | None) -> None:
        """Show the number of rows read."""
        self._update(done, total, f"{done:,} rows" if total is None else f"{done:,} of {total:,} rows")

    def on_sent(self, done: int, total: int) -> None:
        """Show the number of rows sent."""
        self._update(done, total, f"{done:,} of {total:,} sent")

    def on_bytes(self, done: int, total: int | None) -> None:
        """Show the number of bytes received."""
        text = format_bytes(done) if total is None else f"{format_bytes(done)} of {format_bytes(total)}"
        self._update(done, total, text)

    def _update(self, done: int, total: int | None, text: str) -> None:
        if self._bar:
            self._bar.update(self._task, completed=done, total=total, done=text)
