"""CSV: the documented columns, one row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from airflow_provider_ringevents.client.transport.json_decoding import replace_lone_surrogates
from airflow_provider_ringevents.exports.columns import OTHER
from airflow_provider_ringevents.exports.formats.base import Row
from airflow_provider_ringevents.exports.formats.compression import OutputStream
from airflow_provider_ringevents.exports.formats.flattening import RowFlattener, digits, json_bytes

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a text begins that some spreadsheet takes for a formula; the last four are the first four in full width."""


class CsvWriter:
    """A writer of a header and rows with the quotes of RFC 4180, in UTF-8 without a BOM, lines ended by line feeds.

    Text is always quoted and null never is, so that an empty text differs from null and the text ``7`` from the
    number. (The standard library's writer can do so from Python 3.12 only.)

    :param escape_formulas: put an apostrophe before text that a spreadsheet would take for a formula.
    """

    def __init__(self, sink: OutputStream, collection: str, *, escape_formulas: bool = False) -> None:
        self._sink = sink
        self._escape = escape_formulas
        self._flattening = RowFlattener(collection)
        names = [column.name for column in self._flattening.columns]
        self._header = ",".join([*names, OTHER]) + "\n"

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        try:
            lines = self._lines(rows)
        except UnicodeEncodeError:
            lines = self._lines(replace_lone_surrogates(rows))
        self._sink.write(lines)
        self._header = ""

    def finish(self) -> None:
        """Write the end of the file."""
        if self._header:
            self.write([])
        self._sink.finish()

    def _lines(self, rows: Sequence[Row]) -> bytes:
        turned, others = self._flattening.to_columns(rows)
        columns = [
            [_json_cell(value) for value in values]
            if column.kind == "json"
            else _cells(_escaped(values) if self._escape else values)
            for column, values in zip(self._flattening.columns, turned, strict=True)
        ]
        columns.append([_json_cell(other or None) for other in others])
        lines = [",".join(cells) for cells in zip(*columns, strict=True)]
        return (self._header + "\n".join([*lines, ""])).encode()


def _escaped(values: Sequence[Any]) -> list[Any]:
    return [f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value for value in values]


def _cells(values: Sequence[Any]) -> list[str]:
    return [
        "" if value is None else f'"{value}"' if type(value) is str and '"' not in value else _cell(value)
        for value in values
    ]


def _cell(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return json_bytes(value).decode()
    if isinstance(value, msgspec.Raw):
        return digits(value)
    return _quoted(value) if isinstance(value, str) else _json_cell(value)


def _json_cell(value: Any) -> str:
    return "" if value is None else _quoted(json_bytes(value).decode())


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
