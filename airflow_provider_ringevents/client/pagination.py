"""Pagination: the pages of a list and the links between them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import msgspec

from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsTransportError, strip_frames
from airflow_provider_ringevents.client.secrets import RESPONSE_SECRETS
from airflow_provider_ringevents.client.transport.redaction import clean_text
from airflow_provider_ringevents.contract.overlay import SECRET_ATTRIBUTES

OTHER: Final = "_other"
"""The key under which a flat resource keeps what is no attribute."""
MAX_LINK_CHARACTERS: Final = 8192
_MAX_PAGE_DIGITS: Final = 10
_STANDARD_MEMBERS: Final = frozenset({"id", "type", "attributes", "relationships", "meta", "links"})
_SECRETS: Final = RESPONSE_SECRETS | SECRET_ATTRIBUTES
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NO_DATA: Final = object()
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_MAX_NUMBER_CHARACTERS: Final = 100
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
    """Flatten one ``{"id", "type", "attributes"}`` into its attributes, with the id first.

    Members beside ``attributes`` count as such. What would be lost (``relationships``, ``meta``, ``attributes`` that
    are no object, a member or an id that differs from the attribute of that name) is kept under ``_other``.
    """
    attributes = data.get("attributes")
    flat: dict[str, Any] = {"id": None}
    other = {name: data[name] for name in ("relationships", "meta") if data.get(name)}
    if isinstance(attributes, dict):
        flat.update(attributes)
    elif attributes:
        other["attributes"] = attributes
    for name in data:
        if name in _STANDARD_MEMBERS:
            continue
        if flat.get(name) is None:
            flat[name] = data[name]
        elif data[name] is not None and data[name] != flat[name] and name not in _SECRETS:
            other[name] = data[name]
    id = data.get("id")
    if id is not None:
        if flat["id"] is not None and flat["id"] != id:
            other["attributes.id"] = flat["id"]
        flat["id"] = id
    if other:
        if flat.get(OTHER) is not None:
            other[f"attributes.{OTHER}"] = flat[OTHER]
        flat[OTHER] = other
    return flat


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    :ivar number: from 1.
    :ivar items: the resources, each a flat dict with ``id``.
    :ivar count: ``meta.count``, how many rows the service says there are in all, if it says so.
    :ivar next_link: ``links.next``, if there is one: a text, or the ``href`` of an object.
    :ivar date: the time of the service when it sent the page, if it says so.
    :ivar has_next_key: the page has ``links.next``, perhaps null.
    :ivar has_unreadable_count: ``meta.count`` is a text with digits that is no number, such as ``"1,000"``.
    :ivar has_links: the page has links of any kind, so that a missing ``next`` means that there is no next page.
    :ivar types: the ``type`` of each resource: an id is unique among the resources of one type.
    """

    number: int
    items: Sequence[dict[str, Any]] = field(repr=False)
    count: int | None
    next_link: str | None = field(repr=False)
    has_next_key: bool = False
    date: datetime | None = None
    has_links: bool = False
    has_unreadable_count: bool = False
    types: Sequence[Any] = field(default=(), repr=False)

    @classmethod
    def from_envelope(cls, envelope: Mapping[str, Any], number: int, *, operation: str) -> Page:
        """Read a page from a response.

        :raises RingEventsTransportError: it is not a list as the API documents them.
        """
        data = envelope.get("data", _NO_DATA)
        if data is None:
            data = []
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise RingEventsTransportError(
                f"{operation}: page {number} came without the list that the API documents under 'data'", sent=True
            )
        meta, links = envelope.get("meta"), envelope.get("links")
        given = meta.get("count") if isinstance(meta, Mapping) else None
        next_link = links.get("next") if isinstance(links, Mapping) else None
        if isinstance(next_link, Mapping):
            next_link = next_link.get("href")
        items = [flatten_resource(item) for item in data]
        if any(len(item) == 1 for item in items):
            raise RingEventsTransportError(
                f"{operation}: a row of page {number} has nothing but an id", sent=True, retryable=False
            )
        return cls(
            number,
            items,
            _read_count(given),
            next_link if isinstance(next_link, str) and next_link else None,
            isinstance(links, Mapping) and "next" in links,
            getattr(envelope, "date", None),
            isinstance(links, Mapping) and bool(links),
            isinstance(given, str) and any(map(str.isdecimal, given)) and not _NUMBER.fullmatch(given.strip()),
            [item.get("type") for item in data],
        )


def _read_count(count: Any) -> int | None:
    """Return a count of rows, which services also write as text, with a fraction of zero or an exponent.

    None if no list can have as many.
    """
    text = bytes(count).decode() if isinstance(count, msgspec.Raw) else str(count).strip()
    if isinstance(count, bool) or len(text) > _MAX_NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond those of decimals
        return None
    return int(number) if 0 <= number <= _MAX_ROWS and number == number.to_integral_value() else None


def parse_page(envelope: Mapping[str, Any], number: int, *, operation: str) -> Page | RingEventsError:
    """Return a page, or the error of :meth:`Page.from_envelope` without the frame that holds the response."""
    try:
        return Page.from_envelope(envelope, number, operation=operation)
    except RingEventsError as error:
        return strip_frames(error)


def link_params(next_link: str, base_url: str, *, operation: str) -> tuple[dict[str, str], str | None]:
    """Return the query of ``links.next``, and the link's origin where it is not the API's own.

    The query alone is used, and sent to the base URL: the key goes nowhere else, whatever the link says.

    :raises RingEventsTransportError: the link cannot be read.
    """
    parsed = _parse_link(next_link, base_url)
    del next_link  # The frame of the error keeps no link, which may be signed.
    if parsed is None:
        raise RingEventsTransportError(
            f"{operation}: links.next is not a usable address; not followed", sent=True, retryable=False
        )
    params, origin = parsed
    scheme, host, port = origin
    return params, None if origin == url_origin(base_url) else clean_text(f"{scheme}://{host}:{port}")


def _parse_link(link: str, base_url: str) -> tuple[dict[str, str], tuple[str, str, int | None]] | None:
    """Return the query and the origin of a link; None if it cannot be read."""
    if len(link) > MAX_LINK_CHARACTERS:
        return None
    try:
        target = urljoin(base_url, link)
        params = dict(parse_qsl(urlsplit(target).query, keep_blank_values=True, max_num_fields=100))
        page = params.get("page", "")
        return None if len(page) > _MAX_PAGE_DIGITS and page.isdecimal() else (params, url_origin(target))
    except ValueError:
        return None
