"""Rows of every list, as the client has them from an emulator, and files of them."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.formats import FileFormat, open_row_writer

Row = dict[str, Any]


@functools.cache
def listed_rows() -> Mapping[str, Sequence[Row]]:
    """Rows of every list, at least one each, without what is never exported and without credentials.

    The clock stands still, so that they are the same in every run. Callers must not change them.
    """
    from airflow_provider_ringevents.emulator import Emulator, ManualClock

    emulator = Emulator(seed=1, registrations=60, clock=ManualClock())
    found: dict[str, list[Row]] = {}
    with emulator, Client(emulator.url, emulator.api_key) as client:
        client.send(endpoints.create_report(emulator.event_id, "registrations"))
        parents = {None: None, "organization": emulator.organization_id, "event": emulator.event_id}
        for name, collection in COLLECTIONS.items():
            known = collection.parent in parents
            parent = parents[collection.parent] if known else found[f"{collection.parent}s"][0]["id"]
            hidden = collection.dropped | collection.credentials
            found[name] = [
                {field: value for field, value in row.items() if field not in hidden}
                for page in client.pages(collection.call(parent))
                for row in page.items
            ]
    assert all(found.values())
    return found


def file_of(
    kind: FileFormat, collection: str, pages: Iterable[Sequence[Mapping[str, Any]]], zone: tzinfo | None = UTC
) -> bytes:
    """The bytes of a file of these rows."""
    parts: list[bytes] = []
    rows = open_row_writer(kind, collection, parts.append, lambda _row: zone)
    for page in pages:
        rows.write(page)
    rows.finish()
    assert all(type(part) is bytes for part in parts)
    return b"".join(parts)
