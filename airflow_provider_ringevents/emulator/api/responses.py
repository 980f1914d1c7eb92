"""A request as the handlers see it, and the answers that they make of it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from airflow_provider_ringevents.emulator.api.errors import ApiError
from airflow_provider_ringevents.emulator.api.pagination import Page, read_page
from airflow_provider_ringevents.emulator.settings import Settings


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request, read as far as every operation needs it.

    :ivar origin: scheme, host and port of the API, for links in answers.
    """

    request: Request
    body: bytes
    query: Sequence[tuple[str, str]]
    origin: str
    settings: Settings

    def path(self, name: str) -> str:
        """Return a parameter of the path."""
        value: str = self.request.path_params[name]
        return value

    def page(self) -> Page:
        """Which page of a list is asked for.

        :raises ApiError: 400 for one that cannot be.
        """
        return read_page(f"{self.origin}{self.request.scope['path']}", self.query, self.settings)


Handler = Callable[[RequestContext], Response | Awaitable[Response]]
Routes = Iterable[tuple[str, str, Handler]]
"""Method, path with its parameters in braces, handler."""


def json_response(body: Any, status: int = 200) -> Response:
    """JSON."""
    return raw_json_response(json.dumps(body, ensure_ascii=False, separators=(",", ":")), status)


def raw_json_response(text: str, status: int = 200) -> Response:
    """JSON that has been written already."""
    return Response(text.encode(), status, media_type="application/json")


def error_response(problem: ApiError) -> Response:
    """Return an error in the API's format."""
    return json_response(problem.body(), problem.status)


def resource(word: str, attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes in their envelope; ``word`` is the type."""
    return {"id": attributes["id"], "type": word, "attributes": attributes}


def resource_response(word: str, attributes: dict[str, Any], status: int = 200) -> Response:
    """Return a response with one resource."""
    return json_response({"data": resource(word, attributes)}, status)


def page_response(page: Page, word: str, rows: Iterable[dict[str, Any]], total: int) -> Response:
    """Return a response with one page; ``rows`` are those of the page, ``total`` counts all."""
    return json_response(page.envelope([resource(word, row) for row in rows], total))


def raw_page_response(page: Page, rows: Iterable[str], total: int) -> Response:
    """Return a response with one page of resources that are encoded as JSON already."""
    empty = json.dumps(page.envelope([], total))
    return raw_json_response(empty.replace("[]", f"[{','.join(rows)}]", 1))


def list_response(call: RequestContext, word: str, rows: Iterable[dict[str, Any]]) -> Response:
    """Return a response with the requested page of a short list; ``rows`` is the whole list."""
    everything = list(rows)
    page = call.page()
    return page_response(page, word, everything[page.start : page.stop], len(everything))
