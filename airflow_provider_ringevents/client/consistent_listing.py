"""Consistent listing: a list read whole although it changes meanwhile, to decide that a resource does not exist."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client
    from airflow_provider_ringevents.client.endpoints import Call

log = logging.getLogger(__name__)

MAX_PASSES: Final = 3
"""The most readings of a list that changes meanwhile: a row may slip from an unread page to one that was read."""


def list_consistently(client: Client, call: Call, *, per_page: int | None = None) -> list[dict[str, Any]]:
    """Return all rows of a list, each once.

    The list is read again where the counts of its pages show that it has changed; if it keeps changing, all rows of all
    readings are returned.

    :param per_page: rows per page; default: the client's.
    :raises RingEventsError: a page could not be read.
    """
    rows: dict[str, dict[str, Any]] = {}
    for reading in range(1, MAX_PASSES + 1):
        counts, ids = set[int | None](), set[str]()
        for page in client.pages(call, per_page=per_page):
            counts.add(page.count)
            ids.update(row["id"] for row in page.items)
            rows.update((row["id"], row) for row in page.items)
        if counts in ({None}, {len(ids)}):
            break
        log.info("%s: the list changed while it was read (reading %d of %d)", call.operation, reading, MAX_PASSES)
    return list(rows.values())
