"""Requests as handlers receive them, and the responses that they build."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from airflow_provider_ringevents.emulator.api.errors import ApiError
from airflow_provider_ringevents.emulator.api.pagination import RequestedPage, read_page
from airflow_provider_ringevents.emulator.settings import Settings


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request, parsed as far as every operation needs it.

    :ivar origin: scheme, host and port of the API, for links in responses.
    """

    request: Request
    body: bytes
    query: Sequence[tuple[str, str]]
    origin: str
    settings: Settings

    def path(self, name: str) -> str:
        """Return a parameter of the path, by its name in the contract."""
        value: str = self.request.path_params[name]
        return value

    @property
    def filter_query(self) -> Sequence[tuple[str, str]]:
        """The query parameters that filters are read from."""
        return () if self.settings.ignore_filters else self.query

    def page(self) -> RequestedPage:
        """Return the requested page of a list.

        :raises ApiError: 400 for a page or a size that is not a positive integer.
        """
        return read_page(
            f"{self.settings.links_origin or self.origin}{self.request.scope['path']}", self.query, self.settings
        )


Handler = Callable[[RequestContext], Response | Awaitable[Response]]


def json_response(body: Any, status: int = 200) -> Response:
    """Return a JSON response."""
    return raw_json_response(json.dumps(body, ensure_ascii=False, separators=(",", ":")), status)


def raw_json_response(text: str, status: int = 200) -> Response:
    """Return a response of JSON text."""
    return Response(text.encode(), status, media_type="application/json")


def error_response(problem: ApiError) -> Response:
    """Return an error in the shape of the API."""
    return json_response(problem.body(), problem.status)


def resource(word: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a resource of the type ``word``."""
    return {"id": attributes["id"], "type": word, "attributes": attributes}


def resource_response(word: str, attributes: dict[str, Any], status: int = 200) -> Response:
    """Return a response with one resource."""
    return json_response({"data": resource(word, attributes)}, status)


def page_response(page: RequestedPage, word: str, rows: Iterable[dict[str, Any]], total: int) -> Response:
    """Return a response with one page.

    :param rows: attributes of the rows of the page.
    :param total: number of rows on all pages.
    """
    return json_response(page.envelope([resource(word, row) for row in rows], total))


def raw_page_response(page: RequestedPage, rows: Iterable[str], total: int) -> Response:
    """Return a response with one page of resources that are JSON text."""
    if not page.is_plain:
        return json_response(page.envelope([json.loads(row) for row in rows], total))
    empty = json.dumps(page.envelope([], total))
    return raw_json_response(empty.replace("[]", f"[{','.join(rows)}]", 1))


def list_response(call: RequestContext, word: str, rows: Iterable[dict[str, Any]]) -> Response:
    """Return a response with the requested page of a list that is held in memory."""
    everything = list(rows)
    page = call.page()
    return page_response(page, word, everything[page.start : page.stop], len(everything))
