"""Values that cannot become JSON whatever they mean. Cheap to import, since operators check all of their arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from airflow_provider_ringevents.client.errors import RingEventsConfigError, invalid_argument
from airflow_provider_ringevents.client.secrets import Secret

MAX_DEPTH: Final = 64
"""Levels of lists and mappings in a value: those of this API have five, and every reader of JSON has a limit."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _Place(NamedTuple):
    """The place of an item in the value that is searched."""

    parent: _Place | None
    key: Any
    depth: int

    def __str__(self) -> str:
        return f"{self.parent or ''}[{self.key!r}]"


def find_unusable(parameter: str, value: Any) -> RingEventsConfigError | None:
    """Return the error for a value that is cyclic or nested too deeply, or holds half of a surrogate pair.

    The error shows no value, which may be a secret.

    :param parameter: the name of the value.
    """
    if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and value.isascii()):
        return None
    pending: list[tuple[Any, _Place | None]] = [(value, None)]
    deepest: dict[int, tuple[int, Any]] = {}
    while pending:
        item, place = pending.pop()
        if isinstance(item, Secret):
            item = item.reveal()
        if isinstance(item, str):
            if not item.isascii() and _SURROGATE.search(item):
                return invalid_argument(
                    f"{parameter}{place or ''}", "text without halves of surrogate pairs, which cannot be encoded"
                )
            continue
        if not isinstance(item, (Mapping, list, tuple)):
            continue
        depth = place.depth if place else 0
        if depth >= MAX_DEPTH:
            return invalid_argument(parameter, f"free of cycles and at most {MAX_DEPTH} levels deep")
        if deepest.get(id(item), (-1, None))[0] >= depth:  # the same object once more, as in a cycle
            continue
        deepest[id(item)] = depth, item
        members = item.items() if isinstance(item, Mapping) else enumerate(item)
        for key, member in members:
            inner = _Place(place, key, depth + 1)
            pending.append((member, inner))
            if isinstance(item, Mapping):
                pending.append((key, inner))
    return None
