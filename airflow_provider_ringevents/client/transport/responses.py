"""Responses: bounded while they are read, parsed into envelopes or errors, cleaned before they are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlsplit

import msgspec

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import (
    ErrorDetail,
    RingEventsApiError,
    RingEventsTransportError,
    api_error_class,
)
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.secrets import Secret
from airflow_provider_ringevents.client.transport.decompression import StreamingDecompressor
from airflow_provider_ringevents.client.transport.redaction import clean_text
from airflow_provider_ringevents.client.transport.retry import parse_retry_after

_MAX_DETAILS = 10
_MAX_INTEGER_DIGITS = 300
"""Longer integers are no finite double; Python converts no more than 4,300 digits."""
_scan = msgspec.json.Decoder(msgspec.Raw).decode
_decode_exactly = msgspec.json.Decoder(float_hook=msgspec.Raw).decode

_ADVICE: Mapping[int, str] = {
    401: "Check the API key in the connection's password; a key may have been revoked or belong to another account.",
    403: "The key is valid but lacks the permission; check its access rights.",
    404: "Check the id, and that the key's organization can see it.",
    429: "Too many requests; lower 'concurrency' or set 'rate_limit' in the connection's extra.",
}


class Envelope(dict[str, Any]):
    """The JSON object of a response, with facts of its HTTP head.

    :ivar status: the HTTP status code.
    :ivar request_id: the service's own id of the request, if it sent one.
    """

    def __init__(self, body: Mapping[str, Any], *, status: int, request_id: str | None = None) -> None:
        super().__init__(body)
        self.status = status
        self.request_id = request_id


class BoundedBodyReader:
    """A collector of the decompressed body of a response up to a limit, so that an endless one does not fill memory."""

    def __init__(self, call: Call, status: int, headers: Mapping[str, str]) -> None:
        self._call = call
        self._is_error = status >= 400
        self._limit = defaults.MAX_ERROR_BYTES if self._is_error else defaults.MAX_JSON_BYTES
        self._decompressor = StreamingDecompressor(headers.get("content-encoding", ""))
        self._parts: list[bytes] = []
        self._length = 0

    def add(self, part: bytes) -> bool:
        """Add a part as it was sent; return False once the rest is not needed.

        :raises RingEventsTransportError: a success exceeds the limit.
        :raises DecompressionError: the body is not in the declared encoding.
        """
        for piece in self._decompressor.decompress(part):
            self._parts.append(piece)
            self._length += len(piece)
            if self._length <= self._limit:
                continue
            if self._is_error:
                return False
            raise RingEventsTransportError(
                f"{self._call.operation}: the response is longer than {self._limit} bytes; not read further",
                sent=True,
                ambiguous=not self._call.idempotent,
                retryable=False,
            )
        return True

    def getvalue(self) -> bytes:
        """Return all bytes that were added."""
        return b"".join(self._parts)


def parse_response(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret) -> Envelope:
    """Return the envelope of a response.

    :param body: the whole body; for an error its beginning is enough.
    :param secret: a text that no message repeats, even where the service echoes it; nor those of ``call.secrets``.
    :raises RingEventsApiError: the status is an error.
    :raises RingEventsTransportError: the status is a success, but the body is not a JSON object.
    """
    secrets = (secret, *call.secrets)
    request_id = _request_id(headers, secrets)
    if not 200 <= status < 300:
        raise api_error(call, status, headers, body, secret=secret)
    if not body.strip():
        return Envelope({}, status=status, request_id=request_id)
    try:
        decoded = decode_json(body, exact=call.exact_numbers)
    except (ValueError, RecursionError) as error:
        kind = clean_text(headers.get("content-type", "no content type").split(";")[0], secrets)
        raise RingEventsTransportError(
            f"{_describe_call(call)}: the response ({status}, {kind}, {len(body)} bytes) is not valid JSON ({error});"
            " if this persists, check the connection's host",
            sent=True,
            ambiguous=not call.idempotent,
        ) from None
    if not isinstance(decoded, dict):
        raise RingEventsTransportError(
            f"{_describe_call(call)}: the response ({status}) is JSON, but not the object that the API documents",
            sent=True,
            ambiguous=not call.idempotent,
        )
    return Envelope(decoded, status=status, request_id=request_id)


def validate_response(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret) -> None:
    """Raise the error that :func:`parse_response` raises for a failure or a malformed body, at a fraction of its cost.

    Not detected: strings that are not UTF-8, and JSON that is not an object.
    """
    if not (200 <= status < 300 and is_well_formed(body)):
        parse_response(call, status, headers, body, secret=secret)


def parse_resource(call: Call, envelope: Envelope) -> dict[str, Any]:
    """Return the one resource of an envelope, a flat dict with ``id``; empty for a 202 or 204 without one.

    :raises RingEventsTransportError: there is none where the API documents one.
    """
    data = envelope.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("attributes") or {}, Mapping):
        return flatten_resource(data)
    if envelope.status in (202, 204) and not data:
        return {}
    raise RingEventsTransportError(
        f"{_describe_call(call)}: the response ({envelope.status}) lacks the resource that the API documents under"
        " 'data'",
        sent=True,
        ambiguous=not call.idempotent,
    )


def api_error(
    call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret
) -> RingEventsApiError:
    """Return the error for a status that is not a success."""
    secrets = (secret, *call.secrets)
    details = tuple(_details(body, secrets))
    listing = "; ".join(str(detail) for detail in details)
    sentences = [
        f"{_describe_call(call)}: the service responded {status} {_reason(status)}{f': {listing}' if listing else ''}."
    ]
    if 300 <= status < 400:
        host = clean_text(_host(headers.get("location", "")), secrets) or "an unknown host"
        sentences.append(f"It redirects to {host}, to which the key is not sent; check the connection's host.")
    elif status in _ADVICE:
        sentences.append(_ADVICE[status])
    ambiguous = not call.idempotent and (status == 408 or status >= 500)
    if ambiguous:
        sentences.append("The request may have been applied nevertheless.")
    return api_error_class(status)(
        " ".join(sentences),
        status=status,
        errors=details,
        request_id=_request_id(headers, secrets),
        retry_after=parse_retry_after(headers.get("retry-after")),
        ambiguous=ambiguous,
    )


def transport_error(
    call: Call, error: Exception, *, sent: bool, timed_out: bool = False, retryable: bool = True, reason: str = ""
) -> RingEventsTransportError:
    """Return the error for a response that never arrived whole, without its cause's text, which may hold a URL."""
    ambiguous = sent and not call.idempotent
    what = f"{_describe_call(call)}: no complete response arrived ({type(error).__name__})"
    if not sent:
        what = f"{_describe_call(call)}: the service could not be reached ({type(error).__name__})"
    return RingEventsTransportError(
        f"{what}.{' The request may have been applied nevertheless.' if ambiguous else ''}",
        sent=sent,
        timed_out=timed_out,
        ambiguous=ambiguous,
        retryable=retryable,
        reason=reason,
    )


def decode_json(body: bytes, *, exact: bool = False) -> Any:
    """Decode JSON; half a surrogate pair becomes U+FFFD.

    A service that cuts text by UTF-16 units makes such halves out of emoji, and one of them in one row must not make
    its whole page unreadable.

    :param exact: give numbers with a fraction or an exponent as ``msgspec.Raw``, which keeps their digits.
    :raises ValueError: it is not JSON.
    :raises RecursionError: it is nested too deeply.
    """
    try:
        return _decode_exactly(body) if exact else msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        if b"\\ud" not in body.lower() and not (exact and "out of range" in str(error)):
            raise ValueError(str(error)) from None  # a subclass of it since msgspec 0.21 only
    numbers: dict[str, Any] = {"parse_float": msgspec.Raw, "parse_int": _exact_integer} if exact else {}
    return replace_lone_surrogates(json.loads(body, parse_constant=_reject_constant, **numbers))


def _exact_integer(digits: str) -> int | msgspec.Raw:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else msgspec.Raw(digits)


def is_well_formed(body: bytes) -> bool:
    """Return whether it is complete, well-formed JSON, without building its values, which takes ten times as long.

    The encoding of its strings and halves of surrogate pairs are left to :func:`decode_json`.
    """
    try:
        _scan(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def replace_lone_surrogates(value: Any) -> Any:
    """Return a copy in which halves of surrogate pairs, which no encoding can write, are U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, Mapping):
        replaced: dict[Any, Any] = {}
        for key, item in value.items():
            name = replace_lone_surrogates(key)
            if name != key and (name in value or name in replaced):
                # Keys that differ in such a half alone stay two.
                name = key.encode("utf-8", "backslashreplace").decode()
            replaced[name] = replace_lone_surrogates(item)
        return replaced
    if isinstance(value, list | tuple):
        return [replace_lone_surrogates(item) for item in value]
    return value


def _reject_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _describe_call(call: Call) -> str:
    page = f", page {call.params['page']}" if "page" in call.params else ""
    return f"{call.operation} ({call.method} {call.path}{page})"


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"


def _request_id(headers: Mapping[str, str], secrets: Sequence[Secret]) -> str | None:
    request_id = headers.get("x-request-id")
    return clean_text(request_id, secrets) if request_id is not None else None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _details(body: bytes, secrets: Sequence[Secret]) -> list[ErrorDetail]:
    """Return the documented list of errors; anything else, such as a page of HTML, gives none."""
    try:
        decoded = decode_json(body)
    except (ValueError, RecursionError):
        return []
    listed = decoded.get("errors") if isinstance(decoded, dict) else None
    if not isinstance(listed, list):
        return []

    def text(value: Any) -> str:
        return clean_text(value if isinstance(value, str) else "", secrets)

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
