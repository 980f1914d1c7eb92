"""Page numbers, links and counts -> what to ask next. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from airflow_provider_ringevents.client.errors import RingEventsTransportError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_ROWS = 2**53
"""A count beyond this counts nothing."""


def url_origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL, with the scheme's own port filled in.

    :raises ValueError: it is no URL.
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
    :ivar count: ``meta.count``, how many rows the service says there are in all, if it says so.
    :ivar next_link: ``links.next``, if there is one.
    """

    number: int
    items: Sequence[dict[str, Any]]
    count: int | None
    next_link: str | None

    @classmethod
    def of(cls, envelope: Mapping[str, Any], number: int, *, operation: str) -> Page:
        """Read a page from an answer.

        :raises RingEventsTransportError: the answer is no list as the API documents them.
        """
        data = envelope.get("data")
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise RingEventsTransportError(
                f"{operation}: page {number} came without the list that the API documents under 'data'", sent=True
            )
        meta, links = envelope.get("meta"), envelope.get("links")
        count = meta.get("count") if isinstance(meta, Mapping) else None
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count <= _MOST_ROWS:
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
    """What the first page tells about the others.

    :ivar per_page: the page size to ask for: a server that gave fewer rows than asked while it has more is believed,
        and so is one that gave more.
    :ivar last: the number of the last page that is known to exist.
    """

    per_page: int
    last: int

    @classmethod
    def after(cls, first: Page, asked: int) -> PaginationPlan | None:
        """Plan from ``meta.count``; None where it is missing or cannot be right: then links are followed."""
        rows = len(first.items)
        if first.count is None or rows == 0:
            return None
        if first.count <= rows:
            return None if first.next_link else cls(asked, 1)
        if rows > asked and first.next_link:
            return None
        return cls(rows, math.ceil(first.count / rows))


def next_page_params(next_link: str, base_url: str, *, operation: str) -> dict[str, str]:
    """The query of ``links.next``, which must stay on the API's own origin.

    :raises RingEventsTransportError: it is no address, or leads to another scheme, host or port: the key is not sent
        there.
    """
    try:
        target = urljoin(base_url, next_link)
        scheme, host, port = url_origin(target)
    except ValueError:
        raise RingEventsTransportError(
            f"{operation}: links.next is no usable address; not followed", sent=True, retryable=False
        ) from None
    if (scheme, host, port) != url_origin(base_url):
        raise RingEventsTransportError(
            f"{operation}: links.next leads away from the API, to {scheme}://{host}:{port}; not followed",
            sent=True,
            retryable=False,
        )
    return dict(parse_qsl(urlsplit(target).query, keep_blank_values=True))
