"""What the demo shows: steps with their times, tables, and what to try next."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

_WIDEST = 100
_COLUMNS = ("First name", "Last name", "Email", "Attended", "Company")


class Screen:
    """Prints for people; plain text where no terminal is."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._console.width = min(self._console.width, _WIDEST) if self._console.is_terminal else _WIDEST

    def title(self, text: str) -> None:
        """The first line."""
        self._console.print(f"\n[bold]{escape(text)}[/]\n")

    @contextmanager
    def step(self, doing: str) -> Iterator[list[str]]:
        """A step with its time; words that are put into the list are shown when it is done."""
        started = time.monotonic()
        details: list[str] = []
        with self._console.status(escape(doing)):
            yield details
        self._row("[green]✓[/]", f"{doing} [dim]{escape(' '.join(details))}[/]", time.monotonic() - started)

    def moment(self, seconds: float, text: str) -> None:
        """Something that happened within a step, so many seconds after its start."""
        self._console.print(f"    [dim]{seconds:5.1f} s[/]  {escape(text)}")

    def _row(self, mark: str, text: str, seconds: float) -> None:
        grid = Table.grid(expand=True)
        grid.add_column(width=4)
        grid.add_column(ratio=1)
        grid.add_column(width=8, justify="right")
        grid.add_row(f"  {mark}", text, f"{seconds:.1f} s")
        self._console.print(grid)

    def facts(self, title: str, rows: Mapping[str, str]) -> None:
        """Names and values."""
        table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False)
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, value in rows.items():
            table.add_row(name, escape(value))
        self._console.print()
        self._console.print(table)

    def table(self, title: str, rows: Sequence[Mapping[str, str]]) -> None:
        """A table; the columns are the keys of the first row."""
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*map(escape, row.values()))
        self._console.print()
        self._console.print(table)

    def first_rows(self, file: Path, count: int) -> None:
        """The first rows of a CSV file, as many of its columns as people can read."""
        with file.open(encoding="utf-8", newline="") as text:
            reader = csv.DictReader(text)
            rows = list(reader)
        there = reader.fieldnames or ()
        names = [name for name in _COLUMNS if name in there]
        table = Table(
            title=f"The first {count} of its {len(rows):,} rows, {len(names)} of its {len(there)} columns",
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
        )
        for name in names:
            table.add_column(name, no_wrap=True)
        for row in rows[:count]:
            table.add_row(*(escape(row[name]) for name in names))
        self._console.print()
        self._console.print(table)

    def advice(self, title: str, rows: Sequence[tuple[str, Sequence[str]]]) -> None:
        """What to do next: words and commands."""
        self._console.print(f"\n[bold]{escape(title)}[/]")
        for words, commands in rows:
            self._console.print(f"  {escape(words)}")
            for command in commands:
                self._console.print(f"    [cyan]{escape(command)}[/]", soft_wrap=True)
        self._console.print()

    def line(self, text: str) -> None:
        """One line."""
        self._console.print(escape(text), soft_wrap=True)

    def failure(self, message: str, log: str, where: Path) -> None:
        """What went wrong."""
        if log:
            self._console.print(f"\n{escape(log)}", soft_wrap=True)
        self._console.print(f"\n[bold red]The demo failed:[/] {escape(message)}", soft_wrap=True)
        self._console.print(f"Airflow's logs: {escape(str(where))}", soft_wrap=True)
