"""Pages of a list: which rows, and the links around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from airflow_provider_ringevents.emulator.api.errors import ApiError, ErrorDetail, bad_parameter
from airflow_provider_ringevents.emulator.settings import Settings

_DEFAULT_PER_PAGE: Final = 25
_MOST_DIGITS: Final = 12

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Page:
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

    @property
    def start(self) -> int:
        """Index of the first row."""
        return (self.number - 1) * self.size

    @property
    def stop(self) -> int:
        """One more than the index of the last row of a full page."""
        return self.start + self.size

    def envelope(self, rows: Sequence[dict[str, Any]], total: int) -> dict[str, Any]:
        """Return the body of the response.

        :param rows: the resources of this page.
        :param total: how many rows all pages have.
        """
        last = max(1, -(-total // self.size))
        return {
            "data": rows,
            "meta": {"count": total},
            "links": {
                "first": self._link(1),
                "self": self._link(self.number),
                "last": self._link(last),
                "prev": self._link(min(self.number - 1, last)) if self.number > 1 else None,
                "next": self._link(self.number + 1) if self.number < last else None,
            },
        }

    def _link(self, number: int) -> str:
        query = [*self.query, ("page", str(number)), ("perPage", str(self.size))]
        return f"{self.address}?{urlencode(query, quote_via=quote)}"


def read_page(address: str, query: Query, settings: Settings) -> Page:
    """Read which page is asked for.

    :raises ApiError: 400 for a page or a size that is no positive number, 422 for a size that is too large.
    """
    size = _positive(query, "perPage", _DEFAULT_PER_PAGE)
    if size > settings.max_per_page:
        if settings.refuse_large_pages:
            raise ApiError(422, [ErrorDetail(f"must be at most {settings.max_per_page}", parameter="perPage")])
        size = settings.max_per_page
    others = [(name, value) for name, value in query if name not in ("page", "perPage")]
    return Page(_positive(query, "page", 1), size, address, others)


def _positive(query: Query, name: str, default: int) -> int:
    text = next((value for given, value in query if given == name), None)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text)):
        raise bad_parameter(name, f"{text!r} is not a positive integer")
    return int(text)
