"""What came back -> an envelope or an error. Pure, shared by the sync and the async client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    ErrorDetail,
    RingEventsApiError,
    RingEventsTransportError,
    api_error_class,
)
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.transport.decoding import decode_json, is_well_formed
from airflow_provider_ringevents.client.transport.redaction import redact_text
from airflow_provider_ringevents.client.transport.retry import parse_retry_after

_MAX_DETAILS = 10
_MAX_DETAIL_CHARACTERS = 500
_MAX_READ_CHARACTERS = 10 * _MAX_DETAIL_CHARACTERS

_ADVICE: Mapping[int, str] = {
    401: "Check the API key in the connection's password; a key may have been revoked or belong to another account.",
    403: "The key is valid but may not do this; check what it was given access to.",
    404: "Check the id, and that the key's organization can see it.",
    429: "Too many requests; lower 'concurrency' or set 'rate_limit' in the connection's extra.",
}


class Envelope(dict[str, Any]):
    """The JSON object of an answer, with what HTTP said around it.

    :ivar status: the HTTP status code.
    :ivar request_id: the service's own id of the request, if it gave one.
    """

    def __init__(self, body: Mapping[str, Any], *, status: int, request_id: str | None = None) -> None:
        super().__init__(body)
        self.status = status
        self.request_id = request_id


def parse_response(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: str) -> Envelope:
    """Turn an answer into its envelope.

    :param body: all of it; for an error its beginning is enough.
    :param secret: never repeated in a message, even where the service echoes it; nor is what the call keeps secret.
    :raises RingEventsApiError: the status says that it failed.
    :raises RingEventsTransportError: the status says success but the body is not what the API speaks.
    """
    secrets = (secret, *call.secrets)
    request_id = _request_id(headers, secrets)
    if not 200 <= status < 300:
        raise api_error(call, status, headers, body, secret=secret)
    if not body.strip():
        return Envelope({}, status=status, request_id=request_id)
    try:
        decoded = decode_json(body)
    except (ValueError, RecursionError) as error:
        kind = _sanitize(headers.get("content-type", "no content type").split(";")[0], secrets)
        raise RingEventsTransportError(
            f"{_describe_call(call)}: the answer ({status}, {kind}, {len(body)} bytes) is no readable JSON ({error});"
            " if this lasts, check the connection's host",
            sent=True,
            ambiguous=not call.repeatable,
        ) from None
    if not isinstance(decoded, dict):
        raise RingEventsTransportError(
            f"{_describe_call(call)}: the answer ({status}) is JSON but no object as the API documents",
            sent=True,
            ambiguous=not call.repeatable,
        )
    return Envelope(decoded, status=status, request_id=request_id)


def validate_response(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: str) -> None:
    """Raise what :func:`read_answer` would raise for an error or a malformed body, at a fraction of its cost.

    Left to be found by it: texts that are not UTF-8, and JSON that is no object.
    """
    if not (200 <= status < 300 and is_well_formed(body)):
        parse_response(call, status, headers, body, secret=secret)


def parse_resource(call: Call, envelope: Envelope) -> dict[str, Any]:
    """Take the one resource out of an envelope: a flat dict with ``id``; empty where 202 or 204 came without one.

    :raises RingEventsTransportError: there is none where the API documents one.
    """
    data = envelope.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("attributes") or {}, Mapping):
        return flatten_resource(data)
    if envelope.status in (202, 204) and not data:
        return {}
    raise RingEventsTransportError(
        f"{_describe_call(call)}: the answer ({envelope.status}) came without the resource that the API documents under"
        " 'data'",
        sent=True,
        ambiguous=not call.repeatable,
    )


def api_error(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: str) -> RingEventsApiError:
    """Build the error for a status that is no success."""
    secrets = (secret, *call.secrets)
    details = tuple(_details(body, secrets))
    listed = "; ".join(str(detail) for detail in details)
    words = [
        f"{_describe_call(call)}: the service answered {status} {_reason(status)}{f': {listed}' if listed else ''}."
    ]
    if 300 <= status < 400:
        host = _host(headers.get("location", "")) or "an unknown place"
        words.append(f"It redirects to {host}, where the key is not sent; check the connection's host.")
    elif status in _ADVICE:
        words.append(_ADVICE[status])
    ambiguous = not call.repeatable and (status == 408 or status >= 500)
    if ambiguous:
        words.append("The request may have been applied all the same.")
    return api_error_class(status)(
        " ".join(words),
        status=status,
        errors=details,
        request_id=_request_id(headers, secrets),
        retry_after=parse_retry_after(headers.get("retry-after")),
        ambiguous=ambiguous,
    )


def transport_error(
    call: Call, error: Exception, *, sent: bool, timed_out: bool = False, retryable: bool = True
) -> RingEventsTransportError:
    """Build the error for an answer that never came whole; the cause's own text may hold a URL and is left out."""
    ambiguous = sent and not call.repeatable
    what = f"{_describe_call(call)}: no whole answer came ({type(error).__name__})"
    if not sent:
        what = f"{_describe_call(call)}: the service could not be reached ({type(error).__name__})"
    return RingEventsTransportError(
        f"{what}.{' The request may have been applied all the same.' if ambiguous else ''}",
        sent=sent,
        timed_out=timed_out,
        ambiguous=ambiguous,
        retryable=retryable,
    )


def _describe_call(call: Call) -> str:
    page = f", page {call.params['page']}" if "page" in call.params else ""
    return f"{call.operation} ({call.method} {call.path}{page})"


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"


def _request_id(headers: Mapping[str, str], secrets: Sequence[str]) -> str | None:
    said = headers.get("x-request-id")
    return _sanitize(said, secrets) if said is not None else None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _sanitize(text: str, secrets: Sequence[str]) -> str:
    """What the service wrote, without secrets and without links, on one line."""
    for secret in secrets:
        text = text.replace(secret, "***")
    said = redact_text(text[:_MAX_READ_CHARACTERS])
    printable = "".join(character if character.isprintable() else " " for character in said)
    return printable[:_MAX_DETAIL_CHARACTERS]


def _details(body: bytes, secrets: Sequence[str]) -> list[ErrorDetail]:
    """Read the documented error list; anything else gives nothing, since a page of HTML helps nobody."""
    try:
        decoded = decode_json(body)
    except (ValueError, RecursionError):
        return []
    listed = decoded.get("errors") if isinstance(decoded, dict) else None
    if not isinstance(listed, list):
        return []

    def text(value: Any) -> str:
        return _sanitize(value if isinstance(value, str) else "", secrets)

    details = []
    for entry in listed[:_MAX_DETAILS]:
        if isinstance(entry, dict):
            source = entry.get("source")
            source = source if isinstance(source, dict) else {}
            details.append(
                ErrorDetail(
                    code=text(entry.get("code")),
                    title=text(entry.get("title")),
                    detail=text(entry.get("detail")),
                    pointer=text(source.get("pointer")),
                    parameter=text(source.get("parameter")),
                )
            )
    return details
