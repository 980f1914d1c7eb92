"""The reading of one whole list: each row once, without its secrets, and the figures of the reading."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from airflow_provider_ringevents.client.client import Client
from airflow_provider_ringevents.client.compact_id_set import CompactIdSet
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.pagination import Page

MAX_EXPECTED = 10_000_000
"""The largest number of ids for which room is made at the start, whatever count the service gives."""


class CollectionReader:
    """A reader of the pages of one list, several at a time, in order. Iterate over it once, for the rows page by page.

    :param concurrency: pages in flight; default: the client's.
    :param hidden: fields to leave out of every row.
    :ivar rows: the number of distinct rows.
    :ivar duplicates_dropped: the number of repeated rows: the list changed while it was read.
    :ivar pages: the number of responses.
    :ivar count: the last count of the service; None where it gives none.
    """

    def __init__(
        self, client: Client, call: Call, *, concurrency: int | None = None, hidden: frozenset[str] = frozenset()
    ) -> None:
        self._client = client
        self._call = call
        self._concurrency = concurrency
        self._hidden = hidden
        self._counts: set[int | None] = set()
        self._seen = CompactIdSet()
        self.rows = 0
        self.duplicates_dropped = 0
        self.pages = 0
        self.count: int | None = None

    @property
    def count_stable(self) -> bool | None:
        """Return True if every page had the same count and as many rows came; None without a count.

        It does not prove that no row was missed.
        """
        if self._counts <= {None}:
            return None
        return self._counts == {self.rows}

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of each page.

        :raises RingEventsError: a page could not be read; the message names it.
        """
        with closing(self._client.pages(self._call, concurrency=self._concurrency)) as pages:
            for page in pages:
                self._track_page(page)
                rows = self._new_rows(page.items)
                for row in rows:
                    for name in self._hidden:
                        row.pop(name, None)
                self.rows += len(rows)
                yield rows

    def require_stable(self) -> None:
        """Refuse a list that changed, or may have changed, while it was read.

        :raises RingEventsTransferError: another attempt may see it unchanged.
        """
        if self.count_stable or (self.count_stable is None and not self._call.paged):
            return
        if self.count_stable is None:
            raise RingEventsTransferError(
                f"strict: the service gave no meta.count for {self._call.operation}, so nothing shows whether the list"
                " changed while it was read"
            )
        counts = sorted(count for count in self._counts if count is not None)
        said = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        raise RingEventsTransferError(
            f"strict: {self._call.operation} changed while it was read: {self.rows} rows came,"
            f" {self.duplicates_dropped} of them twice, and the service counted {said}"
        )

    def _track_page(self, page: Page) -> None:
        if not self.pages:
            self._seen = CompactIdSet(min(page.count or 0, MAX_EXPECTED))
        self.pages += 1
        self._counts.add(page.count)
        if page.count is not None:
            self.count = page.count

    def _new_rows(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows to write; a row without an id cannot be recognized as a duplicate."""
        named = [row for row in rows if row["id"] is not None]
        new = self._seen.add([str(row["id"]) for row in named])
        self.duplicates_dropped += len(new) - sum(new)
        if len(named) == len(rows):
            return [row for row, is_new in zip(rows, new, strict=True) if is_new]
        verdicts = iter(new)
        return [row for row in rows if row["id"] is None or next(verdicts)]
