"""The errors for responses, and for requests without one: what the service said, cleaned, and what to do about it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    ErrorDetail,
    RingEventsApiError,
    RingEventsTransportError,
    api_error_class,
)
from airflow_provider_ringevents.client.secrets import Secret
from airflow_provider_ringevents.client.transport.decompression import DecompressionError
from airflow_provider_ringevents.client.transport.json_decoding import decode_json
from airflow_provider_ringevents.client.transport.redaction import clean_text, hide_values
from airflow_provider_ringevents.client.transport.retry import parse_retry_after
from airflow_provider_ringevents.client.transport.time_budget import RequestTimeoutError

_MAX_DETAILS = 10
ADVICE: Mapping[int, str] = {
    401: "Check the API key in the connection's password; a key may have been revoked or belong to another account.",
    403: (
        "The key is valid but lacks the permission. A key acts for a user: check the role of that user (members see"
        " only events assigned to them, and cannot create events) and the organization's plan (magic links)."
    ),
    404: "Check the id, and that the key's organization can see it.",
    429: "Too many requests; lower 'concurrency' or set 'rate_limit' in the connection's extra.",
}
"""Status of an error -> the sentence that says what to do."""


def api_error(
    call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret
) -> RingEventsApiError:
    """Return the error for a status that is not a success."""
    secrets = (secret, *call.secrets)
    details = tuple(_details(_listed_errors(body), secrets, call.personal_values))
    listing = "; ".join(str(detail) for detail in details)
    sentences = [
        f"{describe_call(call)}: the service responded {status} {_reason(status)}{f': {listing}' if listing else ''}."
    ]
    if 300 <= status < 400:
        host = clean_text(_host(headers.get("location", "")), secrets) or "an unknown host"
        sentences.append(f"It redirects to {host}, to which the key is not sent; check the connection's host.")
    elif status in ADVICE:
        sentences.append(ADVICE[status])
    retry_after = parse_retry_after(headers.get("retry-after"))
    if retry_after is not None and retry_after >= defaults.RETRY_AFTER_LIMIT:
        sentences.append("It asks for a pause of a day or more, which counts as one day.")
    ambiguous = not call.idempotent and (status == 408 or status >= 500)
    if ambiguous:
        sentences.append("The request may have been applied nevertheless.")
    return api_error_class(status)(
        " ".join(sentences),
        status=status,
        errors=details,
        request_id=read_request_id(headers, call, secret),
        retry_after=retry_after,
        ambiguous=ambiguous,
    )


def contradictory_error(call: Call, status: int, listed: Any, *, secret: Secret) -> RingEventsTransportError:
    """Return the error of a success whose body lists errors, which the API documents for failures alone.

    :param listed: the member ``errors``.
    """
    listing = "; ".join(map(str, _details(listed, (secret, *call.secrets), call.personal_values)))
    return RingEventsTransportError(
        f"{describe_call(call)}: the response ({status}) lists errors although its status is a success"
        f"{f': {listing}' if listing else ''}.{'' if call.idempotent else ' The request may have been applied.'}",
        sent=True,
        ambiguous=not call.idempotent,
    )


def transport_error(
    call: Call, error: Exception, *, sent: bool, timed_out: bool = False, retryable: bool = True, reason: str = ""
) -> RingEventsTransportError:
    """Return the error for a response that never arrived whole, without its cause's text, which may hold a URL."""
    ambiguous = sent and not call.idempotent
    own = isinstance(error, DecompressionError | RequestTimeoutError)
    problem = clean_text(str(error), call.secrets) if own else type(error).__name__
    what = f"{describe_call(call)}: no complete response arrived ({problem})"
    if not sent:
        what = f"{describe_call(call)}: the service could not be reached ({problem})"
    return RingEventsTransportError(
        f"{what}.{' The request may have been applied nevertheless.' if ambiguous else ''}",
        sent=sent,
        timed_out=timed_out,
        ambiguous=ambiguous,
        retryable=retryable,
        reason=reason,
    )


def too_large_error(call: Call, limit: str) -> RingEventsTransportError:
    """Return the error of a response that exceeds a limit."""
    hint = ""
    if call.paged:
        hint = "; fewer rows per page make it smaller: lower 'per_page' in the connection's extra"
    return RingEventsTransportError(
        f"{describe_call(call)}: the response has more than {limit}; not read further{hint}",
        sent=True,
        ambiguous=not call.idempotent,
        retryable=False,
    )


def too_many_bytes_held_error(call: Call) -> RingEventsTransportError:
    """Return the error of a list whose pages, read ahead, are larger than may be held."""
    return RingEventsTransportError(
        f"{describe_call(call)}: the pages of the list that are read ahead have more than {defaults.MAX_PAGES_BYTES}"
        " bytes; lower 'per_page' or 'concurrency' in the connection's extra",
        sent=True,
        retryable=False,
    )


def describe_call(call: Call) -> str:
    """Return the operation of a call with its method, path and page, for messages."""
    page = f", page {call.params['page']}" if "page" in call.params else ""
    return f"{call.operation} ({call.method} {call.path}{page})"


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"


def is_certificate_error(error: BaseException | None) -> bool:
    """Return whether a certificate that could not be verified caused an error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def describe_os_error(error: BaseException | None) -> str:
    """Return the operating system's or the TLS library's own description of an error, empty without one.

    The messages of the HTTP library are left out: they may quote a URL or a response.
    """
    while error is not None:
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        error = error.__cause__ or error.__context__
    return ""


def read_request_id(headers: Mapping[str, str], call: Call, secret: Secret) -> str | None:
    """Return the service's own id of a request, cleaned; None if it sent none."""
    request_id = headers.get("x-request-id")
    return None if request_id is None else clean_text(request_id, (secret, *call.secrets))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _listed_errors(body: bytes) -> Any:
    """Return the member ``errors`` of a body; None for anything that has none, such as a page of HTML."""
    try:
        decoded = decode_json(body)
    except (ValueError, RecursionError):
        return None
    return decoded.get("errors") if isinstance(decoded, dict) else None


def _details(listed: Any, secrets: Sequence[Secret], personal_values: Sequence[str]) -> list[ErrorDetail]:
    """Return the documented list of errors, without what was sent of a person; anything else gives none."""
    if not isinstance(listed, list):
        return []

    # Names of attributes may be values elsewhere, as "email" in metadata, and callers read them: of a person they can
    # only hold an address.
    addresses = [value for value in personal_values if "@" in value]

    def text(value: Any, hidden: Sequence[str] = personal_values) -> str:
        return clean_text(hide_values(value, hidden) if isinstance(value, str) else "", secrets)

    details = []
    for entry in listed[:_MAX_DETAILS]:
        if isinstance(entry, dict):
            source = entry.get("source")
            source = source if isinstance(source, dict) else {}
            details.append(
                ErrorDetail(
                    code=text(entry.get("code"), addresses),
                    title=text(entry.get("title")),
                    detail=text(entry.get("detail")),
                    pointer=text(source.get("pointer"), addresses),
                    parameter=text(source.get("parameter"), addresses),
                )
            )
    return details
