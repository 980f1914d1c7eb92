"""What all formats share."""

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


def mended(value: Any) -> Any:
    """A copy without halves of surrogate pairs, which no encoding can write: each becomes U+FFFD.

    Services that cut text by UTF-16 units make them, out of emoji.
    """
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        return {mended(key): mended(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mended(item) for item in value]
    return value
