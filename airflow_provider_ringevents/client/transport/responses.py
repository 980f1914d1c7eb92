"""Responses: bounded while they are read, parsed into envelopes or errors, cleaned before they are shown."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
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
from airflow_provider_ringevents.client.transport.decompression import DecompressionError, StreamingDecompressor
from airflow_provider_ringevents.client.transport.redaction import clean_text
from airflow_provider_ringevents.client.transport.retry import parse_retry_after
from airflow_provider_ringevents.client.transport.time_budget import RequestTimeoutError
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier

_MAX_DETAILS = 10
_MAX_INTEGER_DIGITS = 300
"""Longer integers are no finite double; Python converts no more than 4,300 digits."""
_scan = msgspec.json.Decoder(msgspec.Raw).decode
_decode_exactly = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_scan_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_scan_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_SAMPLE_STEP = _MAX_INTEGER_DIGITS // 2
_TWO_DIGITS = re.compile(rb"[0-9](?=[0-9])")

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


class Envelope(dict[str, Any]):
    """The JSON object of a response, with facts of its HTTP head.

    :ivar status: the HTTP status code.
    :ivar request_id: the service's own id of the request, if it sent one.
    :ivar size: the bytes of the JSON.
    :ivar date: the time of the service in the header ``Date``, aware and in UTC, if it can be read.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        *,
        status: int,
        request_id: str | None = None,
        size: int = 0,
        date: datetime | None = None,
    ) -> None:
        super().__init__(body)
        self.status = status
        self.request_id = request_id
        self.size = size
        self.date = date


class BoundedBodyReader:
    """A collector of the decompressed body of a response up to a limit, so that an endless one does not fill memory.

    The limit is that of the bytes as they are sent and that of the bytes after decompression.

    :param on_bytes: called with the number of bytes of each piece that is kept; may refuse them with an error.
    :raises DecompressionError: the body has an encoding that cannot be read.
    """

    def __init__(
        self, call: Call, status: int, headers: Mapping[str, str], on_bytes: Callable[[int], None] | None = None
    ) -> None:
        self._on_bytes = on_bytes
        self._call = call
        self._is_error = status >= 400
        success_limit = defaults.MAX_PAGE_BYTES if call.is_list else defaults.MAX_RESOURCE_BYTES
        self._limit = defaults.MAX_ERROR_BYTES if self._is_error else success_limit
        self._decompressor: StreamingDecompressor | None = None
        if encoding := headers.get("content-encoding"):
            try:
                self._decompressor = StreamingDecompressor(encoding)
            except DecompressionError:
                if not self._is_error:  # the status says enough
                    raise
        self._parts: list[bytes] = []
        self._length = 0
        self._raw_length = 0

    def add(self, part: bytes) -> bool:
        """Add a part as it was sent; return False once the rest is not needed.

        :raises RingEventsTransportError: a success exceeds the limit.
        :raises DecompressionError: the body is not in the declared encoding.
        """
        self._raw_length += len(part)
        if not self._is_within_limit():
            return False
        for piece in (part,) if self._decompressor is None else self._decompressor.decompress(part):
            self._parts.append(piece)
            self._length += len(piece)
            if not self._is_within_limit():
                return False
            if self._on_bytes is not None:
                self._on_bytes(len(piece))
        return True

    def _is_within_limit(self) -> bool:
        if max(self._length, self._raw_length) <= self._limit:
            return True
        if self._is_error:
            return False
        raise _too_large_error(self._call, f"{self._limit} bytes")

    def getvalue(self) -> bytes:
        """Return all bytes that were added.

        :raises DecompressionError: the body of a success ends in the middle.
        """
        if self._decompressor is not None and self._decompressor.is_truncated and not self._is_error:
            raise DecompressionError("the compressed body ends in the middle")
        return b"".join(self._parts)


def parse_response(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret) -> Envelope:
    """Return the envelope of a response.

    :param body: the whole body; for an error its beginning is enough.
    :param secret: a text that no message repeats, even where the service echoes it; nor those of ``call.secrets``.
    :raises RingEventsApiError: the status is an error.
    :raises RingEventsTransportError: the status is a success, but the body is not a JSON object, or too large.
    """
    slices = parse_response_in_slices(call, status, headers, body, secret=secret)
    while True:
        try:
            next(slices)
        except StopIteration as stop:
            envelope: Envelope = stop.value
            return envelope


def parse_response_in_slices(
    call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret
) -> Generator[None, None, Envelope]:
    """Return the envelope of a response, as :func:`parse_response`; yield in between, where others may have a turn.

    Decoding holds the interpreter's lock, so that an event loop can run only between the slices of a large page.
    """
    if not 200 <= status < 300:
        raise api_error(call, status, headers, body, secret=secret)
    request_id = _request_id(headers, call, secret)
    if not body or body.isspace():
        return Envelope({}, status=status, request_id=request_id, date=_date(headers))
    try:
        if call.is_list and len(body) > defaults.DECODE_SLICE_BYTES:
            decoded = yield from _decode_page_in_slices(call, body)
        else:
            decoded = decode_json(body, exact=call.exact_numbers)
    except (ValueError, RecursionError) as error:
        kind = clean_text(headers.get("content-type", "no content type").split(";")[0], (secret, *call.secrets))
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
    rows = decoded.get("data")
    if isinstance(rows, list) and len(rows) > defaults.MAX_PAGE_ROWS:
        raise _too_large_error(call, f"{defaults.MAX_PAGE_ROWS} rows")
    return Envelope(decoded, status=status, request_id=request_id, size=len(body), date=_date(headers))


def _decode_page_in_slices(call: Call, body: bytes) -> Generator[None, None, Any]:
    """Decode a large page row by row, in slices between which it yields.

    :raises RingEventsTransportError: it has more rows or values than can be held.
    """
    # Counted before anything is decoded: 16 MiB of "{}," are 360 MB of objects.
    values = 0
    for mark in (b",", b"{", b"["):
        values += body.count(mark)
        if values > defaults.MAX_PAGE_VALUES:
            raise _too_large_error(call, f"{defaults.MAX_PAGE_VALUES} values")
        yield
    try:
        members = _scan_members(body)
        yield
        raw_rows = _scan_rows(members.pop("data"))
    except (msgspec.DecodeError, RecursionError, KeyError):
        return decode_json(body, exact=call.exact_numbers)  # no list, or not JSON
    if len(raw_rows) > defaults.MAX_PAGE_ROWS:
        raise _too_large_error(call, f"{defaults.MAX_PAGE_ROWS} rows")
    yield
    rows, size = [], 0
    for raw in raw_rows:
        length = len(memoryview(raw))
        if length > defaults.MAX_RESOURCE_BYTES:
            raise _too_large_error(call, f"{defaults.MAX_RESOURCE_BYTES} bytes in one row")
        rows.append(decode_json(raw, exact=call.exact_numbers))
        size += length
        if size >= defaults.DECODE_SLICE_BYTES // 4:
            size = 0
            yield
    return {**{name: decode_json(raw) for name, raw in members.items()}, "data": rows}


def _too_large_error(call: Call, limit: str) -> RingEventsTransportError:
    hint = ""
    if call.paged:
        hint = "; fewer rows per page make it smaller: lower 'per_page' in the connection's extra"
    return RingEventsTransportError(
        f"{_describe_call(call)}: the response has more than {limit}; not read further{hint}",
        sent=True,
        ambiguous=not call.idempotent,
        retryable=False,
    )


def too_many_bytes_held_error(call: Call) -> RingEventsTransportError:
    """Return the error of a list whose pages, read ahead, are larger than may be held."""
    return RingEventsTransportError(
        f"{_describe_call(call)}: the pages of the list that are read ahead have more than {defaults.MAX_PAGES_BYTES}"
        " bytes; lower 'per_page' or 'concurrency' in the connection's extra",
        sent=True,
        retryable=False,
    )


def validate_response(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret) -> None:
    """Raise the error that :func:`parse_response` raises for a failure or a malformed body, at a fraction of its cost.

    Not detected: strings that are not UTF-8, and JSON that is not an object.
    """
    if not (200 <= status < 300 and is_well_formed(body)):
        parse_response(call, status, headers, body, secret=secret)


def parse_resource(call: Call, envelope: Envelope) -> dict[str, Any]:
    """Return the one resource of an envelope, a flat dict with ``id``; empty for a 202 or 204 without one.

    :raises RingEventsTransportError: there is none where the API documents one; or a creating request was answered with
        an id that no later request can use, which is ambiguous: the resource exists.
    """
    data = envelope.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("attributes") or {}, Mapping):
        resource = flatten_resource(data)
        if not call.idempotent and resource["id"] is not None and not is_valid_identifier(resource["id"]):
            raise RingEventsTransportError(
                f"{_describe_call(call)}: the response ({envelope.status}) has an unusable id. The request was applied"
                " nevertheless.",
                sent=True,
                ambiguous=True,
                retryable=False,
            )
        return resource
    if envelope.status in (202, 204) and not data:
        return {}
    status = envelope.status
    # The frame of the error keeps nothing that the service said.
    del envelope, data
    raise RingEventsTransportError(
        f"{_describe_call(call)}: the response ({status}) lacks the resource that the API documents under 'data'",
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
        request_id=_request_id(headers, call, secret),
        retry_after=retry_after,
        ambiguous=ambiguous,
    )


def transport_error(
    call: Call, error: Exception, *, sent: bool, timed_out: bool = False, retryable: bool = True, reason: str = ""
) -> RingEventsTransportError:
    """Return the error for a response that never arrived whole, without its cause's text, which may hold a URL."""
    ambiguous = sent and not call.idempotent
    own = isinstance(error, DecompressionError | RequestTimeoutError)
    problem = clean_text(str(error), call.secrets) if own else type(error).__name__
    what = f"{_describe_call(call)}: no complete response arrived ({problem})"
    if not sent:
        what = f"{_describe_call(call)}: the service could not be reached ({problem})"
    return RingEventsTransportError(
        f"{what}.{' The request may have been applied nevertheless.' if ambiguous else ''}",
        sent=sent,
        timed_out=timed_out,
        ambiguous=ambiguous,
        retryable=retryable,
        reason=reason,
    )


def decode_json(body: bytes | msgspec.Raw, *, exact: bool = False) -> Any:
    """Decode JSON; half a surrogate pair becomes U+FFFD, a number that no finite double holds becomes its text.

    A service that cuts text by UTF-16 units makes such halves out of emoji, and one of them in one row must not make
    its whole page unreadable; nor must a number like ``1e400``.

    :param exact: give numbers with a fraction or an exponent as ``msgspec.Raw``, which keeps their digits.
    :raises ValueError: it is not JSON.
    :raises RecursionError: it is nested too deeply.
    """
    text = bytes(body)
    try:
        if not _has_long_number(text):
            return _decode_exactly(text) if exact else msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        if b"\\ud" not in text.lower() and "out of range" not in str(error):
            raise ValueError(str(error)) from None  # a subclass of it since msgspec 0.21 only
    read_float, read_int = (msgspec.Raw, _exact_integer) if exact else (_read_float, _read_integer)
    decoded = json.loads(text, parse_constant=_reject_constant, parse_float=read_float, parse_int=read_int)
    return replace_lone_surrogates(decoded)


def _has_long_number(text: bytes) -> bool:
    """Return whether a text may hold an integer that is no finite double, which the fast decoder reads all the same."""
    if len(text) <= _MAX_INTEGER_DIGITS:
        return False
    # So many digits in a row cover two neighbours of such a sample, which is a fraction of the work.
    sample = text[::_SAMPLE_STEP]
    return any(
        text[match.start() * _SAMPLE_STEP : (match.start() + 1) * _SAMPLE_STEP].isdigit()
        for match in _TWO_DIGITS.finditer(sample)
    )


def _exact_integer(digits: str) -> int | msgspec.Raw:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else msgspec.Raw(digits)


def _read_float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _read_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else digits


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


def _request_id(headers: Mapping[str, str], call: Call, secret: Secret) -> str | None:
    request_id = headers.get("x-request-id")
    return None if request_id is None else clean_text(request_id, (secret, *call.secrets))


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


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
