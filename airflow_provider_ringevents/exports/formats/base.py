"""The protocols that all formats implement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, Protocol

Row = Mapping[str, Any]
Write = Callable[[bytes], None]
ZoneOf = Callable[[Row], tzinfo]


class RowWriter(Protocol):
    """Rows in, the bytes of one file out, in order. Nothing is held but what the format gathers."""

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows, best a page at a time."""

    def finish(self) -> None:
        """Write what is left, once, after the last row. A file that was not finished is not readable."""
