"""JSON Lines: one object for each row, as the API gave it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from airflow_provider_ringevents.client.transport.json_decoding import replace_lone_surrogates
from airflow_provider_ringevents.exports.formats.base import Row
from airflow_provider_ringevents.exports.formats.compression import OutputStream


class JsonLinesWriter:
    """A writer of each row as compact JSON in UTF-8, every line ended by a line feed."""

    def __init__(self, sink: OutputStream) -> None:
        self._sink = sink
        self._encoder = msgspec.json.Encoder()

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        try:
            lines = self._encoder.encode_lines(rows)
        except UnicodeEncodeError:
            lines = self._encoder.encode_lines(replace_lone_surrogates(rows))
        self._sink.write(lines)

    def finish(self) -> None:
        """Write the end of the file."""
        self._sink.finish()
