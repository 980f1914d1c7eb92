"""Responses: bounded while they are read, parsed into envelopes or errors, cleaned before they are shown."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.client.errors import RingEventsTransportError
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.secrets import Secret
from airflow_provider_ringevents.client.transport.decompression import DecompressionError, StreamingDecompressor
from airflow_provider_ringevents.client.transport.json_decoding import decode_json, is_well_formed
from airflow_provider_ringevents.client.transport.redaction import clean_text
from airflow_provider_ringevents.client.transport.response_errors import (
    api_error,
    contradictory_error,
    describe_call,
    read_request_id,
    too_large_error,
)
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier

_scan_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_scan_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode


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
        raise too_large_error(self._call, f"{self._limit} bytes")

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
    request_id = read_request_id(headers, call, secret)
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
            f"{describe_call(call)}: the response ({status}, {kind}, {len(body)} bytes) is not valid JSON ({error});"
            " if this persists, check the connection's host",
            sent=True,
            ambiguous=not call.idempotent,
        ) from None
    if not isinstance(decoded, dict):
        raise RingEventsTransportError(
            f"{describe_call(call)}: the response ({status}) is JSON, but not the object that the API documents",
            sent=True,
            ambiguous=not call.idempotent,
        )
    if decoded.get("errors"):
        raise contradictory_error(call, status, decoded["errors"], secret=secret)
    rows = decoded.get("data")
    if isinstance(rows, list) and len(rows) > defaults.MAX_PAGE_ROWS:
        raise too_large_error(call, f"{defaults.MAX_PAGE_ROWS} rows")
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
            raise too_large_error(call, f"{defaults.MAX_PAGE_VALUES} values")
        yield
    try:
        members = _scan_members(body)
        yield
        raw_rows = _scan_rows(members.pop("data"))
    except (msgspec.DecodeError, RecursionError, KeyError):
        return decode_json(body, exact=call.exact_numbers)  # no list, or not JSON
    if len(raw_rows) > defaults.MAX_PAGE_ROWS:
        raise too_large_error(call, f"{defaults.MAX_PAGE_ROWS} rows")
    yield
    rows, size = [], 0
    for raw in raw_rows:
        length = len(memoryview(raw))
        if length > defaults.MAX_RESOURCE_BYTES:
            raise too_large_error(call, f"{defaults.MAX_RESOURCE_BYTES} bytes in one row")
        rows.append(decode_json(raw, exact=call.exact_numbers))
        size += length
        if size >= defaults.DECODE_SLICE_BYTES // 4:
            size = 0
            yield
    return {**{name: decode_json(raw) for name, raw in members.items()}, "data": rows}


def validate_response(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, secret: Secret) -> None:
    """Raise the error that :func:`parse_response` raises for a failure or a malformed body, at a fraction of its cost.

    Not detected: strings that are not UTF-8, and JSON that is not an object.
    """
    if not (200 <= status < 300 and is_well_formed(body)):
        parse_response(call, status, headers, body, secret=secret)


def parse_resource(call: Call, envelope: Envelope) -> dict[str, Any]:
    """Return the one resource of an envelope, a flat dict with ``id``.

    Empty for a 202 or 204 without one, in response to anything but a request that creates a resource at once.

    :raises RingEventsTransportError: there is none where the API documents one; or a creating request was answered with
        an id that no later request can use, which is ambiguous: the resource exists.
    """
    data = envelope.get("data")
    if isinstance(data, Mapping) and isinstance(data.get("attributes") or {}, Mapping):
        resource = flatten_resource(data)
        is_pending = envelope.status == HTTPStatus.ACCEPTED and resource["id"] is None
        if call.idempotent or is_pending or is_valid_identifier(resource["id"]):
            return resource
        status = envelope.status
        # The frame of the error keeps nothing that the service said, such as a password that it repeats.
        del envelope, data, resource
        raise RingEventsTransportError(
            f"{describe_call(call)}: the response ({status}) has an unusable id. The request was applied nevertheless.",
            sent=True,
            ambiguous=True,
            retryable=False,
        )
    if envelope.status in (202, 204) and not data and (call.idempotent or call.operation == "duplicate_event"):
        return {}
    status = envelope.status
    del envelope, data
    raise RingEventsTransportError(
        f"{describe_call(call)}: the response ({status}) lacks the resource that the API documents under 'data'",
        sent=True,
        ambiguous=not call.idempotent,
    )


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None
