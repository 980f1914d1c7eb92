"""Rows and records on stdout: a table for people, JSON, or lines of tab-separated columns.

Nothing here writes a control character of the service: no escape sequence, no C1 control, no bidirectional override.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rich.box import ASCII_DOUBLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

Output = Literal["table", "json", "plain"]

_UNLIMITED_WIDTH = 10_000
"""Columns of a destination other than a terminal, where no line is wrapped."""
_NOT_ASCII = re.compile(r"[^\x00-\x7e]")

Styles = Mapping[str, Mapping[str, str]]
"""Column to cell to a style of rich, such as a colour."""


def print_rows(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str], output: Output, styles: Styles | None = None
) -> None:
    """Write rows to stdout; JSON and plain rows are written as they arrive.

    :param columns: The fields of a table and of plain lines, the id first. JSON has all fields.
    :param styles: Styles of cells of a table, used on a terminal that shows them.
    """
    if output == "table":
        _print_table(rows, columns, styles or {})
    elif output == "json":
        _print_json(rows)
    else:
        _print_plain(rows, columns)


def print_record(values: Mapping[str, Any], output: Output) -> None:
    """Write one record: as a JSON object, or one unwrapped line for each field."""
    if output == "json":
        sys.stdout.write(f"{_to_json(values)}\n")
        return
    width = max(map(len, values))
    for name, value in values.items():
        sys.stdout.write(f"{name}\t{_cell(value)}\n" if output == "plain" else f"{name:{width}}  {_cell(value)}\n")


def printable(text: str) -> str:
    """Return a text on one line, with each unprintable character replaced by a space."""
    return "".join(character if character.isprintable() else " " for character in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines without unprintable characters; the last line ends in a line feed."""
    return "".join(f"{printable(line)}\n" for line in text.splitlines())


def _to_json(value: Any) -> str:
    # The standard library escapes the C0 controls alone. An escape keeps the value, and a terminal does not obey it.
    text = json.dumps(value, ensure_ascii=False, default=str).replace("\x7f", "\\u007f")
    return _NOT_ASCII.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return printable(value if isinstance(value, str) else _to_json(value))


def _print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    opened = False
    for row in rows:
        sys.stdout.write(f"{',' if opened else '['}\n{_to_json(row)}")
        opened = True
    sys.stdout.write("\n]\n" if opened else "[]\n")


def _print_plain(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    for row in rows:
        sys.stdout.write("\t".join(_cell(row.get(name)) for name in columns) + "\n")


def _print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], styles: Styles) -> None:
    table = Table(box=ASCII_DOUBLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        # Ids are copied: never truncated, never wrapped.
        table.add_column(Text(name), no_wrap=number == 0, overflow="fold")
    for row in rows:
        cells = [(_cell(row.get(name)), styles.get(name, {})) for name in columns]
        table.add_row(*(Text(cell, style=style.get(cell, "")) for cell, style in cells))
    if not table.row_count:
        return
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _UNLIMITED_WIDTH)
    with console.capture() as drawn:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))
