"""The protocols that all formats implement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Protocol

Row = Mapping[str, Any]
Write = Callable[[bytes], None]
ZoneOf = Callable[[Row], tzinfo | None]


class RowWriter(Protocol):
    """A writer of rows as the bytes of one file. It holds only the rows that the format gathers."""

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows, best a page at a time."""

    def finish(self) -> None:
        """Write the rest, once, after the last row. An unfinished file is not readable."""
