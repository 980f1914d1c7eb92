"""A list read whole: pages in; new rows, the next request, and the verdict on what is missing out. Pure.

The count of a list never ends it, and links may lead on for ever; so a reading ends where nothing new comes, and the
smallest count of its pages says whether rows are missing. Then the list is read again, and the readings are joined by
id. Page numbers over a list that changes meanwhile let rows slip from a page unread to one that was read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

import msgspec

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.compact_id_set import CompactIdSet
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsIncompleteListError, RingEventsTransportError
from airflow_provider_ringevents.client.filter_check import FilterProbe
from airflow_provider_ringevents.client.pagination import Page, link_params

MAX_READINGS: Final = 3
"""Readings of a list from which rows are missing."""
MAX_STALLED_PAGES: Final = 3
"""Pages in a row without a new row, after which a reading ends although more rows are due."""
MAX_EXPECTED: Final = 1_000_000
"""Ids for which room is made at the start at most, whatever the service says it has."""


_INEXACTNESS: Final = 0.1
"""The share by which two counts of a service that estimates them may differ."""
_ROUND_COUNT: Final = 1_000
"""Services that stop counting somewhere stop at a multiple of this."""

_encode: Final = msgspec.json.Encoder().encode


class ListReading:
    """The state of one list that is read whole.

    A driver sends :meth:`first_call`, gives each page to :meth:`accept`, and sends :meth:`next_call` until that is
    None. Pages of :meth:`planned` may be fetched at the same time, if they are accepted in order. While
    :meth:`begin_next_reading` is true, it does so once more; at last it calls :meth:`finish`.

    :param call: the list.
    :param per_page: rows asked for in a page.
    :param base_url: of the service; links are resolved against it.
    :param trust_count: False where the count includes rows that the key cannot see: then a list ends at a null link,
        without links at an empty page, and two readings must find the same ids.
    :ivar rows: distinct rows over all readings; rows without an id count each time.
    :ivar duplicates_dropped: rows that came twice in one reading.
    :ivar pages: pages that were read.
    :ivar readings: readings that were begun.
    :ivar count: the count that the service gave last; None where it gives none.
    :ivar filter_probe: the requests to send where a row does not fit the filter.
    :ivar foreign_origin: the origin of a link that names another host than ``base_url``; only its query is used.
    """

    def __init__(self, call: Call, *, per_page: int, base_url: str, trust_count: bool = True) -> None:
        self.call = call
        self._asked = per_page
        self._base_url = base_url
        self._trust_count = trust_count
        self._seen = CompactIdSet()
        self._has_anonymous_rows = False
        self._type: Any = None
        self._previous_digest: tuple[int, int] | None = None
        self.rows = 0
        self.duplicates_dropped = 0
        self.pages = 0
        self.readings = 0
        self.count: int | None = None
        self._first_count = 0
        self._last_count_before: int | None = None
        self.foreign_origin: str | None = None
        self.filter_probe = FilterProbe(call, per_page)
        self._begin()

    def _begin(self) -> None:
        self.readings += 1
        # In the first reading both are one.
        self._seen_now = self._seen if self.readings == 1 else CompactIdSet(len(self._seen))
        self._rows_now = self._new_now = self._duplicates_now = 0
        self._digest = 0
        self._counts: list[int] = []
        self._first_count_now: int | None = None
        self._pages_without_count = False
        self._number = 0
        self._per_page = self._asked
        self._last_planned = 1
        self._page: Page | None = None
        self._page_is_new = True
        self._stalled = 0
        self._same_pages = 0
        self._page_digest: tuple[int, int] | None = None
        self._linked = False
        self._full_page = self._asked
        self._holes = self._possible_hole = 0
        self._after_empty_page = self._has_gap = False
        self._followed: set[tuple[tuple[str, str], ...]] = set()

    # --- requests

    def first_call(self) -> Call:
        """Return the request for the first page of a reading."""
        return self.call.with_params(page=1, perPage=self._asked) if self.call.paged else self.call

    def planned(self) -> Sequence[int]:
        """Return the numbers of the pages after the first that the count lets expect."""
        return range(self._number + 1, self._last_planned + 1)

    def page_call(self, number: int) -> Call:
        """Return the request for a page by its number."""
        return self.call.with_params(page=number, perPage=self._per_page)

    def next_call(self) -> Call | None:
        """Return the request after the page that was accepted last; None: this reading is over.

        :raises RingEventsTransportError: the service gives the same page again and again, although more rows are due.
        """
        page = self._page
        if page is None or not self.call.paged or (self._number == 1 and self._is_unpaged(page)):
            return None
        due = self._is_due()
        self._refuse_same_pages(page, due)
        if self._stalled >= MAX_STALLED_PAGES:
            return None
        if not self._trust_count:
            ends = page.next_link is None and (page.has_next_key or not page.items)
            return None if ends else self._follow(page)
        if self._number < self._last_planned:
            return self.page_call(self._number + 1)
        if page.next_link is not None:
            return self._follow(page) if self._page_is_new or due or not self._count_holds() else None
        if due:
            return self.page_call(self._number + 1)
        if self._linked:
            # A full page without any links, after others that had them, says nothing of what follows.
            is_silent = not page.has_links and len(page.items) >= self._full_page and not self._count_holds()
            return self.page_call(self._number + 1) if is_silent and self._page_is_new else None
        if self._count_holds() and not self._may_count_the_page(page):
            return None
        # Neither a count nor links: an empty page ends the list, and so does a short one that comes again.
        return self.page_call(self._number + 1) if self._page_is_new else None

    def _follow(self, page: Page) -> Call | None:
        if page.next_link is None:
            return self.page_call(self._number + 1)
        params, origin = link_params(page.next_link, self._base_url, operation=self.call.operation)
        self.foreign_origin = self.foreign_origin or origin
        # What was asked is never taken from a link: services write filters into them in spellings of their own.
        theirs = {
            name: value
            for name, value in params.items()
            if name not in self.call.params and name.partition("[")[0] not in ("filter", "perPage")
        }
        asked = tuple(sorted(theirs.items()))
        number = theirs.get("page", "")
        if asked in self._followed or (number.isdecimal() and int(number) <= self._number):
            raise RingEventsTransportError(
                f"{self.call.operation}: links.next of page {self._number} leads back to a page that was read",
                sent=True,
                retryable=False,
            )
        if number.isdecimal() and int(number) > self._number + 1 and not (self._trust_count and self._counts):
            # Nothing else would show that the rows of a page are missing.
            raise RingEventsTransportError(
                f"{self.call.operation}: links.next of page {self._number} leads past the next page, to page {number}",
                sent=True,
                retryable=False,
            )
        self._followed.add(asked)
        return replace(self.call, params={**self.call.params, **theirs, "perPage": str(self._per_page)})

    # --- pages

    def accept(self, page: Page) -> list[dict[str, Any]]:
        """Take the next page of the reading and return its rows that no reading has had."""
        first = self._page is None
        self._number += 1
        self.pages += 1
        self._track_count(page)
        if first and self.readings == 1 and page.count:
            self._seen = self._seen_now = CompactIdSet(min(page.count, MAX_EXPECTED))
        self._page = page
        self._linked = self._linked or page.next_link is not None
        self.filter_probe.observe(page.items)
        new, new_now, digest = self._new_rows(page.items, page.types)
        self._refuse_endless_list()
        self._same_pages = self._same_pages + 1 if page.items and digest == self._page_digest else 0
        if first:
            self._full_page = len(page.items) or self._asked
        self._track_holes(page)
        self._page_digest = digest
        self._page_is_new = new_now > 0
        self._stalled = 0 if self._page_is_new else self._stalled + 1
        if first:
            self._plan(page)
        elif self._counts and self._last_planned > 1:
            # Rows that arrive meanwhile make a list longer.
            self._last_planned = max(self._last_planned, math.ceil(self._counts[-1] / self._per_page))
        return new

    def _refuse_endless_list(self) -> None:
        """Refuse a reading with so many rows that they are invented: links may lead on for ever.

        :raises RingEventsTransportError: it has.
        """
        limit, reason = defaults.MAX_LIST_ROWS, "a list may have"
        first = self._first_count_now
        if first is not None and self._trust_count and not self._is_partial_count(first):
            limit = min(limit, 2 * first + defaults.LIST_GROWTH_ROWS)
            reason = f"a list may grow to that has {first} rows by its first page"
        if self._rows_now > limit:
            raise RingEventsTransportError(
                f"{self.call.operation}: the list has more than {limit} rows, the most that {reason}; not read further."
                " If the count is not that of all rows, set the connection's extra trust_count=false",
                sent=True,
                retryable=False,
            )

    def _is_partial_count(self, count: int) -> bool:
        """Tell whether the count of the first page may be that of this page, or the limit of a service that counts."""
        return count <= self._full_page or count % _ROUND_COUNT == 0

    @property
    def number(self) -> int:
        """Return the number of pages that this reading has accepted."""
        return self._number

    @property
    def is_stalled(self) -> bool:
        """So many pages brought nothing new that the rest need not be fetched."""
        return self._stalled >= MAX_STALLED_PAGES or self._same_pages >= 2

    def _plan(self, page: Page) -> None:
        rows = len(page.items)
        if not self._trust_count or page.count is None or not self.call.paged:
            return
        if page.count <= rows or (page.next_link and not self._leads_to_page_two(page.next_link)):
            return
        # A server that gave fewer rows than asked while it has more is believed, and so is one that gave more.
        if rows:
            self._per_page = rows
        self._last_planned = math.ceil(page.count / self._per_page)

    def _leads_to_page_two(self, link: str) -> bool:
        params, _ = link_params(link, self._base_url, operation=self.call.operation)
        return params.get("page") == "2"

    def _is_unpaged(self, page: Page) -> bool:
        return page.count is None and page.next_link is None and len(page.items) > self._asked

    def _track_count(self, page: Page) -> None:
        if page.has_unreadable_count and self._trust_count:
            raise RingEventsTransportError(
                f"{self.call.operation}: meta.count of page {self._number} is not a number, so that missing rows would"
                " not be noticed; the connection's extra trust_count=false reads the list without it",
                sent=True,
                retryable=False,
            )
        if page.count is None:
            self._pages_without_count = True
            return
        if self.count is None:
            self._first_count = page.count
        if self._number == 1:
            self._first_count_now = page.count
        self.count = page.count
        self._counts.append(page.count)

    def _track_holes(self, page: Page) -> None:
        """Count the rows that lack on pages before the last one, and those of a page that is the one before again."""
        rows = len(page.items)
        if not rows:
            self._possible_hole += self._full_page
            self._after_empty_page = True
            return
        self._has_gap = self._has_gap or self._after_empty_page
        self._holes += self._possible_hole + (rows if self._same_pages else 0)
        self._possible_hole = max(0, self._full_page - rows)

    def _is_due(self) -> bool:
        """Tell whether the counts say that rows are still missing in this reading."""
        return self._trust_count and bool(self._counts) and self._rows_now < min(self._counts)

    def _count_holds(self) -> bool:
        """Tell whether there is a count that the rows have not disproved, as they do if it is that of the pages."""
        return bool(self._counts) and self._rows_now <= max(self._counts)

    def _may_count_the_page(self, page: Page) -> bool:
        """Tell whether the count may be that of the rows of this page: a full first one, on which nothing follows."""
        full = len(page.items) == page.count == self._asked
        return self._number == 1 and full and not page.has_next_key

    def _refuse_same_pages(self, page: Page, due: bool) -> None:
        full = len(page.items) >= self._asked
        endless = not self._counts and (full or page.next_link is not None)
        if self._same_pages and (endless or (due and self._same_pages >= 2)):
            raise RingEventsTransportError(
                f"{self.call.operation}: the service gave the same page again ({self._number - 1} and {self._number})"
                " although more rows are due; does it obey `page`?",
                sent=True,
                retryable=False,
            )

    def _identities(self, rows: Sequence[dict[str, Any]], types: Sequence[Any]) -> list[str | None]:
        """Return what tells each row from all others: its id, and its type where that is not the list's."""
        identities = [_id_text(row["id"]) for row in rows]
        if self._type is None:
            self._type = next((type for type in types if type is not None), None)
        if types.count(self._type) != len(types):
            for place, (id, type) in enumerate(zip(identities, types, strict=True)):
                if id is not None and type is not None and type != self._type:
                    identities[place] = f"{id}\0{type}"
        return identities

    def _new_rows(
        self, rows: Sequence[dict[str, Any]], types: Sequence[Any]
    ) -> tuple[list[dict[str, Any]], int, tuple[int, int]]:
        """Return the rows that are new over all readings, their number in this one, and a digest of the page."""
        known = self._identities(rows, types)
        ids = [id for id in known if id is not None]
        anonymous = len(rows) - len(ids)
        # Rows without an id show by their content alone that a page is another one.
        content = _encode([row for row, id in zip(rows, known, strict=True) if id is None]) if anonymous else b""
        digest = (hash((tuple(ids), content)), len(rows))
        if anonymous and digest == self._page_digest and not self._counts:
            # The service ignores the number of the page, and no count says otherwise.
            self._duplicates_now += len(rows)
            self.duplicates_dropped += len(rows)
            return [], 0, digest
        self._has_anonymous_rows = self._has_anonymous_rows or anonymous > 0
        new_now = self._seen_now.add(ids)
        new_ever = new_now if self.readings == 1 else self._seen.add(ids)
        fresh = sum(new_now) + anonymous
        self._duplicates_now += len(new_now) - sum(new_now)
        self.duplicates_dropped += len(new_now) - sum(new_now)
        self._rows_now += fresh
        for id, is_new in zip(ids, new_now, strict=True):
            if is_new:
                self._digest ^= hash(id)
        verdicts = iter(new_ever)
        new = [
            row
            for row, id in zip(rows, known, strict=True)
            if (id is None and self.readings == 1) or (id is not None and next(verdicts))
        ]
        self.rows += len(new)
        self._new_now += len(new)
        return new, fresh, digest

    # --- verdicts

    @property
    def missing(self) -> int:
        """Rows that the last reading's counts say are there and that no reading has found.

        Rows that arrive while the list is read are not missing, so the smallest count holds; but of those that lack on
        a page in the middle the last count tells, else they would hide behind the new ones. A count that only fell in
        one reading and begins the next one higher was not that of a list from which rows were deleted.
        """
        if not self._trust_count or not self._counts:
            return 0
        first, before = self._first_count_now, self._last_count_before
        rebounded = first if first is not None and before is not None and first > before else 0
        return max(0, max(min(self._counts), rebounded) - self.rows, min(self._holes, self._counts[-1] - self.rows))

    @property
    def count_stable(self) -> bool | None:
        """The last reading's pages all gave the same count, and as many rows came; None: there is no count."""
        if not self._counts:
            return None
        return not self._pages_without_count and set(self._counts) == {self._rows_now}

    def begin_next_reading(self) -> bool:
        """Tell whether the list has to be read again, and begin."""
        if self._is_settled() or self.readings >= MAX_READINGS or self._has_anonymous_rows or not self.call.paged:
            return False
        self._previous_digest = self._reading_digest()
        self._last_count_before = self._counts[-1] if self._count_only_fell() else None
        self._begin()
        return True

    def _count_only_fell(self) -> bool:
        """Tell whether the count fell and never rose in this reading, and is not merely an estimate."""
        counts = [count for count, _ in groupby(self._counts)]
        if len(counts) < 2 or counts != sorted(counts, reverse=True):
            return False
        return counts[-1] < (1 - _INEXACTNESS) * counts[0] or len(counts) == 2 < len(self._counts)

    def _is_settled(self) -> bool:
        """Tell whether another reading could find rows that no reading has found."""
        if not self._trust_count:
            return self._reading_digest() == self._previous_digest
        if self.missing or self._has_gap_of_unknown_size():
            return False
        if self.count_stable is not False and not self._duplicates_now:
            return True
        # The list has changed, so that rows may have slipped onto pages that were read already. A second reading finds
        # those, and what has arrived; a third is needed where it finds more than that.
        return self.readings > 1 and self._new_now <= max(0, max(self._counts, default=0) - self._first_count)

    def _has_gap_of_unknown_size(self) -> bool:
        """Tell whether a page before the last one had no rows, and no count says how many rows there are."""
        return self._has_gap and not self._count_holds()

    def _reading_digest(self) -> tuple[int, int]:
        return self._digest, self._rows_now

    def finish(self) -> RingEventsIncompleteListError | None:
        """Return the error of a list from which rows are missing, or may be."""
        has_gap = self._trust_count and self._has_gap_of_unknown_size()
        if self._trust_count and not self.missing and not has_gap:
            return None
        if not self._trust_count and self._is_settled():
            return None
        operation = self.call.operation
        expected = self.rows + self.missing
        if has_gap and not self.missing:
            message = f"{operation}: a page before the last one had no rows in {self.readings} readings, and no count"
            message += " tells how many rows there are"
        elif not self._trust_count:
            message = f"{operation}: {self.readings} readings of the list found different rows"
        else:
            message = (
                f"{operation}: {self.missing} rows are missing: {self.rows} came in {self.readings} readings, and the"
                f" service counts {expected}"
            )
        return RingEventsIncompleteListError(
            message
            + ". Try again later, or set on_incomplete='warn' to accept the rows that came. If the service counts"
            " rows that the key cannot see, set 'trust_count' to false in the connection's extra.",
            rows=self.rows,
            count=self.count,
            readings=self.readings,
        )


def _id_text(id: Any) -> str | None:
    """Return the text of an id; None for what tells no row from another: null, nothing, or an unreadable character.

    Halves of surrogate pairs have become U+FFFD, so that ids with it may be the same although they were not. ``1`` and
    ``"1"`` are two ids.
    """
    if isinstance(id, str):
        return id if id and "\ufffd" not in id else None
    if id is None:
        return None
    # A number that keeps its digits has no text of its own.
    return "\0" + (bytes(id).decode() if isinstance(id, msgspec.Raw) else str(id))
