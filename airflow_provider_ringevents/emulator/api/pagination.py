"""Pages of a list: their rows and the links around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from airflow_provider_ringevents.emulator.api.errors import ApiError, ErrorEntry, bad_parameter
from airflow_provider_ringevents.emulator.settings import Settings

_DEFAULT_PER_PAGE: Final = 25
_MOST_DIGITS: Final = 12

Query = Sequence[tuple[str, str]]


_SHAPES: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "nested": lambda row: row,
    "flat": lambda row: {"type": row["type"], **row["attributes"]},
    "bare": lambda row: {"id": row["id"]},
}


@dataclass(frozen=True, slots=True)
class RequestedPage:
    """One page of a list.

    :ivar number: counted from 1.
    :ivar size: rows per page.
    :ivar address: URL of the list without its query.
    :ivar query: the query parameters besides the page.
    """

    number: int
    size: int
    address: str
    query: Query
    settings: Settings

    @property
    def start(self) -> int:
        """Index of the first row."""
        return (self.number - 1) * self.size

    @property
    def stop(self) -> int:
        """One more than the index of the last row of a full page."""
        return self.start + self.size

    @property
    def is_plain(self) -> bool:
        """True when rows are shown as they are kept."""
        return self.settings.row_form == "nested" and self.settings.empty_data == "list"

    def envelope(self, rows: Sequence[dict[str, Any]], total: int) -> dict[str, Any]:
        """Return the body of the response.

        :param rows: the resources of this page.
        :param total: number of rows on all pages.
        """
        settings = self.settings
        body: dict[str, Any] = {"data": [_SHAPES[settings.row_form](row) for row in rows]}
        if not rows and settings.empty_data == "null":
            body["data"] = None
        if settings.count != "missing":
            body["meta"] = {"count": self._count(total)}
        if settings.links != "missing":
            body["links"] = self._links(max(1, -(-total // self.size)))
        return body

    def _count(self, total: int) -> int:
        if self.settings.count == "capped":
            return min(total, self.settings.count_cap)
        if self.settings.count == "approximate":
            error = -(-total // 20)
            return total + error if self.number % 2 else total - error
        return total

    def _links(self, last: int) -> dict[str, Any]:
        form = self.settings.links
        if form == "null":
            return dict.fromkeys(("first", "self", "last", "prev", "next"))
        links = {
            "first": self._link(1),
            "self": self._link(self.number),
            "last": self._link(last),
            "prev": self._link(min(self.number - 1, last)) if self.number > 1 else None,
            "next": self._link(self.number + 1) if self.number < last or self.settings.endless_next else None,
        }
        if form == "object":
            return {name: None if link is None else {"href": link} for name, link in links.items()}
        return links

    def _link(self, number: int) -> str:
        query = urlencode([*self.query, ("page", str(number)), ("perPage", str(self.size))], quote_via=quote)
        return f"{self.address}?{query.replace('%2B', '+') if self.settings.raw_plus_in_links else query}"


def read_page(address: str, query: Query, settings: Settings) -> RequestedPage:
    """Return the requested page.

    :raises ApiError: 400 for a page or a size that is not a positive integer, 422 for a size that is too large.
    """
    size = _positive(query, "perPage", _DEFAULT_PER_PAGE)
    if size > settings.max_per_page:
        if settings.refuse_large_pages:
            raise ApiError(422, [ErrorEntry(f"must be at most {settings.max_per_page}", parameter="perPage")])
        size = settings.max_per_page
    others = [(name, value) for name, value in query if name not in ("page", "perPage")]
    number = _positive(query, "page", 1)
    return RequestedPage(1 if settings.ignore_page else number, size, address, others, settings)


def _positive(query: Query, name: str, default: int) -> int:
    text = next((value for given, value in query if given == name), None)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text)):
        raise bad_parameter(name, f"{text!r} is not a positive integer")
    return int(text)
