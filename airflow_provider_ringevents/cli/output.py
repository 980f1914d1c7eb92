"""Rows on stdout: as a table for people, as JSON, or as lines of columns divided by tabs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Output = Literal["table", "json", "plain"]

_WIDE = 10_000
"""Columns of what is no terminal: no line is broken there."""


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], output: Output) -> None:
    """Write rows to stdout; as JSON and plain they are written as they come.

    :param columns: the fields of a table and of plain lines, the id first; JSON has all fields.
    """
    {"table": _table, "json": _json, "plain": _plain}[output](rows, columns)


def print_record(values: Mapping[str, Any], output: Output) -> None:
    """Write the fields of one thing: JSON as an object, else a line for each field, never broken."""
    if output == "json":
        sys.stdout.write(f"{_as_json(values)}\n")
        return
    width = max(map(len, values))
    for name, value in values.items():
        sys.stdout.write(f"{name}\t{_cell(value)}\n" if output == "plain" else f"{name:{width}}  {_cell(value)}\n")


def one_line(text: str) -> str:
    """A text on one line, without what would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return one_line(value if isinstance(value, str) else _as_json(value))


def _json(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    opened = False
    for row in rows:
        sys.stdout.write(f"{',' if opened else '['}\n{_as_json(row)}")
        opened = True
    sys.stdout.write("\n]\n" if opened else "[]\n")


def _plain(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    for row in rows:
        sys.stdout.write("\t".join(_cell(row.get(name)) for name in columns) + "\n")


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.box import ASCII_DOUBLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=ASCII_DOUBLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        # An id is to be copied: never cut, never broken.
        table.add_column(Text(name), no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row.get(name))) for name in columns))
    if not table.row_count:
        return
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE)
    with console.capture() as drawn:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))
