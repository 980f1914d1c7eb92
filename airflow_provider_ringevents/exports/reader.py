"""A list as rows of a file: each row once, without its credentials, with the figures of the reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from airflow_provider_ringevents.client.client import Client
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsTransferError
from airflow_provider_ringevents.client.pagination import Page
from airflow_provider_ringevents.client.types import OnIncomplete


class CollectionReader:
    """Reads the pages of one list, several at a time, in order. Iterate over it once, for the rows page by page.

    :param concurrency: pages in flight; default: the client's.
    :param hidden: fields to leave out of every row.
    :param on_incomplete: ``fail``: raise if rows are missing after all readings; ``warn``: log it.
    :param exact_numbers: give numbers with a fraction or an exponent as ``msgspec.Raw``, which keeps their digits.
    """

    def __init__(
        self,
        client: Client,
        call: Call,
        *,
        concurrency: int | None = None,
        hidden: frozenset[str] = frozenset(),
        on_incomplete: OnIncomplete = "fail",
        exact_numbers: bool = False,
    ) -> None:
        self._client = client
        self._call = replace(call, exact_numbers=exact_numbers)
        self._concurrency = concurrency
        self._hidden = hidden
        self._on_incomplete = on_incomplete
        self._reading = client.reading(self._call)

    @property
    def rows(self) -> int:
        """Return the number of rows, each counted once."""
        return self._reading.rows

    @property
    def pages(self) -> int:
        """Return the number of pages that were read, over all readings."""
        return self._reading.pages

    @property
    def count(self) -> int | None:
        """Return the count that the service gave last; None where it gives none."""
        return self._reading.count

    @property
    def complete(self) -> bool:
        """Tell whether no row is missing, as far as the service's count shows."""
        return self._reading.finish() is None

    def figures(self) -> dict[str, Any]:
        """Return what a manifest says of the reading.

        ``rows``; ``count`` and ``count_stable`` (the service's count, and whether the last reading agreed with it on
        every page: no proof that no row was missed; None: there is no count); ``duplicates_dropped``, ``pages``,
        ``readings``, ``complete``.
        """
        reading = self._reading
        return {
            "rows": reading.rows,
            "count": reading.count,
            "count_stable": reading.count_stable,
            "duplicates_dropped": reading.duplicates_dropped,
            "pages": reading.pages,
            "readings": reading.readings,
            "complete": self.complete,
        }

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Yield the new rows of each page.

        :raises RingEventsIncompleteListError: rows are missing, and ``on_incomplete`` is ``fail``.
        :raises RingEventsError: a page could not be read; the message names it.
        """
        pages = self._client.pages(
            self._call, concurrency=self._concurrency, on_incomplete=self._on_incomplete, reading=self._reading
        )
        with closing(pages):
            # No variable keeps a row, which may hold a magic link, while the next page is fetched.
            yield from map(self._visible_rows, pages)

    def _visible_rows(self, page: Page) -> list[dict[str, Any]]:
        for row in page.items:
            for name in self._hidden:
                row.pop(name, None)
        return list(page.items)

    def require_stable(self) -> None:
        """Refuse a list that changed, or may have changed, during the last reading.

        :raises RingEventsTransferError: another try may see it unchanged.
        """
        reading = self._reading
        if reading.count_stable or (reading.count_stable is None and not self._call.paged):
            return
        if reading.count_stable is None:
            raise RingEventsTransferError(
                f"strict: the service gave no meta.count for {self._call.operation}, so nothing shows whether the list"
                " changed while it was read"
            )
        raise RingEventsTransferError(
            f"strict: {self._call.operation} changed while it was read: {reading.rows} rows came,"
            f" {reading.duplicates_dropped} of them twice, and the service counts {reading.count}"
        )
