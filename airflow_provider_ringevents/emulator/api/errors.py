"""Error responses in the shape of the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_TITLES: Final = {
    400: ("bad_request", "Bad Request"),
    401: ("unauthorized", "Unauthorized"),
    403: ("forbidden", "Forbidden"),
    404: ("not_found", "Not Found"),
    405: ("method_not_allowed", "Method Not Allowed"),
    408: ("request_timeout", "Request Timeout"),
    409: ("conflict", "Conflict"),
    413: ("content_too_large", "Content Too Large"),
    422: ("unprocessable_entity", "Unprocessable Entity"),
    425: ("too_early", "Too Early"),
    429: ("too_many_requests", "Too Many Requests"),
    500: ("internal_server_error", "Internal Server Error"),
    502: ("bad_gateway", "Bad Gateway"),
    503: ("service_unavailable", "Service Unavailable"),
    504: ("gateway_timeout", "Gateway Timeout"),
}


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One error in a request.

    :ivar pointer: JSON pointer to the part of the body, if it is in the body.
    :ivar parameter: name of the query parameter, if it is there.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class ApiError(Exception):
    """An error response with one entry in ``errors`` for each detail."""

    def __init__(self, status: int, details: str | Sequence[ErrorEntry]) -> None:
        self.status = status
        self.details = (ErrorEntry(details),) if isinstance(details, str) else tuple(details)
        super().__init__(status, self.details)

    def __str__(self) -> str:
        return f"{self.status}: {'; '.join(detail.detail for detail in self.details)}"

    def body(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {"errors": [_entry(self.status, detail) for detail in self.details]}


def _entry(status: int, detail: ErrorEntry) -> dict[str, Any]:
    code, title = _TITLES.get(status, ("error", "Error"))
    source = {}
    if detail.pointer is not None:
        source["pointer"] = detail.pointer
    if detail.parameter is not None:
        source["parameter"] = detail.parameter
    return {"code": code, "detail": detail.detail, "status": str(status), "title": title, "source": source}


def unauthorized() -> ApiError:
    """Return 401 for a missing or wrong key."""
    return ApiError(401, "authentication failed")


def forbidden() -> ApiError:
    """Return 403 for a resource that the key may not see."""
    return ApiError(403, "forbidden")


def not_found(what: str) -> ApiError:
    """Return 404 for a missing resource.

    :param what: the word for the resource, such as ``event``.
    """
    return ApiError(404, f"{what} not found")


def invalid(pointer: str, detail: str) -> ApiError:
    """Return 422 with one error in the body."""
    return ApiError(422, [ErrorEntry(detail, pointer=pointer)])


def bad_parameter(parameter: str, detail: str) -> ApiError:
    """Return 400 with one error in the query."""
    return ApiError(400, [ErrorEntry(detail, parameter=parameter)])
