"""Pagination: from page numbers, links and counts to the next request."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from airflow_provider_ringevents.client.errors import RingEventsTransportError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_ROWS = 2**53
"""A larger ``meta.count`` is taken for garbage."""


def url_origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL, with the scheme's default port filled in.

    :raises ValueError: it is not a URL.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(scheme)


def flatten_resource(data: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten one ``{"id", "type", "attributes"}`` into its attributes, with the id first."""
    attributes = data.get("attributes")
    flat = {"id": None, **attributes} if isinstance(attributes, dict) else {"id": None}
    if data.get("id") is not None:
        flat["id"] = data["id"]
    return flat


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    :ivar number: from 1.
    :ivar items: the resources, each a flat dict with ``id``.
    :ivar count: ``meta.count``, the number of rows in all, if the service sends it.
    :ivar next_link: ``links.next``, if there is one.
    """

    number: int
    items: Sequence[dict[str, Any]]
    count: int | None
    next_link: str | None

    @classmethod
    def from_envelope(cls, envelope: Mapping[str, Any], number: int, *, operation: str) -> Page:
        """Read a page from a response.

        :raises RingEventsTransportError: it is not a list as the API documents them.
        """
        data = envelope.get("data")
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise RingEventsTransportError(
                f"{operation}: page {number} came without the list that the API documents under 'data'", sent=True
            )
        meta, links = envelope.get("meta"), envelope.get("links")
        count = meta.get("count") if isinstance(meta, Mapping) else None
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MAX_ROWS:
            count = None
        next_link = links.get("next") if isinstance(links, Mapping) else None
        return cls(
            number,
            [flatten_resource(item) for item in data],
            count,
            next_link if isinstance(next_link, str) and next_link else None,
        )


@dataclass(frozen=True, slots=True)
class PaginationPlan:
    """The pages of a list, as derived from the first one.

    :ivar per_page: the page size to request: that of the first page, where the server sent fewer rows than requested
        although it has more, or sent more.
    :ivar last: the number of the last page that is known to exist.
    """

    per_page: int
    last: int

    @classmethod
    def from_first_page(cls, first: Page, requested: int) -> PaginationPlan | None:
        """Plan from ``meta.count``; None where it is missing or implausible, so that links have to be followed."""
        rows = len(first.items)
        if first.count is None or rows == 0:
            return None
        if first.count <= rows:
            return None if first.next_link else cls(requested, 1)
        if rows > requested and first.next_link:
            return None
        return cls(rows, math.ceil(first.count / rows))


def next_page_params(next_link: str, base_url: str, *, operation: str) -> dict[str, str]:
    """Return the query of ``links.next``, which must stay on the API's own origin.

    :raises RingEventsTransportError: it is malformed, or leads to another scheme, host or port: the key is not sent
        there.
    """
    try:
        target = urljoin(base_url, next_link)
        scheme, host, port = url_origin(target)
    except ValueError:
        raise RingEventsTransportError(
            f"{operation}: links.next is not a valid address; not followed", sent=True, retryable=False
        ) from None
    if (scheme, host, port) != url_origin(base_url):
        raise RingEventsTransportError(
            f"{operation}: links.next leads away from the API, to {scheme}://{host}:{port}; not followed",
            sent=True,
            retryable=False,
        )
    return dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
