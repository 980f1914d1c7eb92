"""The error tree.

::

    RingEventsError
    ├── RingEventsConfigError            wrong input or connection: nothing was sent
    ├── RingEventsTransportError         no (readable) answer came
    ├── RingEventsApiError               the service answered with an error
    │   ├── RingEventsAuthError          401, 403
    │   ├── RingEventsNotFoundError      404
    │   ├── RingEventsValidationError    400, 422
    │   ├── RingEventsRateLimitError     429
    │   └── RingEventsServerError        500 to 599
    ├── RingEventsReportFailedError      the service could not make the report
    ├── RingEventsWaitTimeoutError       the deadline passed
    └── RingEventsTransferError          a download or an upload did not end whole

No message holds the API key, a signed link or a request's body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class RingEventsError(Exception):
    """Base of every error of this package.

    :ivar ambiguous: a creating request may have been applied although it is reported as failed: bytes were sent and
        no answer came, or 408 or a 5xx came.
    :ivar retryable: the same request may succeed later without anybody changing anything.
    """

    ambiguous: bool = False
    retryable: bool = False

    def __init__(self, message: str, *, ambiguous: bool = False, retryable: bool | None = None) -> None:
        super().__init__(message)
        self.ambiguous = ambiguous
        if retryable is not None:
            self.retryable = retryable

    def to_event(self) -> dict[str, Any]:
        """Say the error in plain JSON values, as it crosses from a trigger to the task."""
        return {
            "kind": type(self).__name__,
            "message": str(self),
            "ambiguous": self.ambiguous,
            "retryable": self.retryable,
        }


class RingEventsConfigError(RingEventsError, ValueError):
    """An argument or the connection is wrong; the message names it, its value and what is allowed."""


class RingEventsTransportError(RingEventsError):
    """No usable answer: refused, cut, timed out, or not what the API speaks.

    :ivar sent: at least one byte of the request may have reached the service.
    :ivar timed_out: the service was silent for too long; it may still be at work on the request.
    """

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        sent: bool,
        timed_out: bool = False,
        ambiguous: bool = False,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, ambiguous=ambiguous, retryable=retryable)
        self.sent = sent
        self.timed_out = timed_out

    def to_event(self) -> dict[str, Any]:
        return {**super().to_event(), "sent": self.sent}


class ErrorDetail(NamedTuple):
    """One entry of an error answer's ``errors`` list, as the API documents it."""

    code: str = ""
    title: str = ""
    detail: str = ""
    pointer: str = ""
    parameter: str = ""

    def __str__(self) -> str:
        where = self.pointer or self.parameter
        what = self.detail or self.title or self.code or "no detail given"
        return f"{what} (at {where})" if where else what


class RingEventsApiError(RingEventsError):
    """The service answered with an error status.

    :ivar status: the HTTP status code.
    :ivar errors: what the answer lists, possibly nothing.
    :ivar request_id: the service's own id of the request, for its support, if it gave one.
    :ivar retry_after: seconds that the service asks to wait, if it does.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        errors: Sequence[ErrorDetail] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        ambiguous: bool = False,
    ) -> None:
        super().__init__(message, ambiguous=ambiguous, retryable=status >= 500 or status in (408, 425, 429))
        self.status = status
        self.errors = tuple(errors)
        self.request_id = request_id
        self.retry_after = retry_after

    def to_event(self) -> dict[str, Any]:
        return {
            **super().to_event(),
            "status": self.status,
            "request_id": self.request_id,
            "retry_after": self.retry_after,
        }


class RingEventsAuthError(RingEventsApiError):
    """401 or 403: the key is wrong, revoked, or may not do this."""


class RingEventsNotFoundError(RingEventsApiError):
    """404: there is no such thing, or the key cannot see it."""


class RingEventsValidationError(RingEventsApiError):
    """400 or 422: the service refused what was sent; ``errors`` points at the part."""


class RingEventsRateLimitError(RingEventsApiError):
    """429: too many requests; ``retry_after`` holds the seconds to wait, if said."""


class RingEventsServerError(RingEventsApiError):
    """500 to 599: the service failed."""


class RingEventsReportFailedError(RingEventsError):
    """The service says that the report could not be made."""


class RingEventsWaitTimeoutError(RingEventsError):
    """What was waited for did not happen before the deadline."""

    retryable = True


class RingEventsTransferError(RingEventsError):
    """A download or an upload did not end whole; nothing partial was published unless the message says so."""

    retryable = True


_BY_STATUS: Mapping[int, type[RingEventsApiError]] = {
    400: RingEventsValidationError,
    401: RingEventsAuthError,
    403: RingEventsAuthError,
    404: RingEventsNotFoundError,
    422: RingEventsValidationError,
    429: RingEventsRateLimitError,
}


def api_error_class(status: int) -> type[RingEventsApiError]:
    """Which class stands for an HTTP status."""
    if status >= 500:
        return RingEventsServerError
    return _BY_STATUS.get(status, RingEventsApiError)


_KINDS: Mapping[str, type[RingEventsError]] = {
    cls.__name__: cls
    for cls in (
        RingEventsError,
        RingEventsConfigError,
        RingEventsTransportError,
        RingEventsApiError,
        RingEventsAuthError,
        RingEventsNotFoundError,
        RingEventsValidationError,
        RingEventsRateLimitError,
        RingEventsServerError,
        RingEventsReportFailedError,
        RingEventsWaitTimeoutError,
        RingEventsTransferError,
    )
}


def error_from_payload(event: Mapping[str, Any]) -> RingEventsError:
    """Build the error again that :meth:`RingEventsError.to_event` said; an unknown kind becomes the base class."""
    cls = _KINDS.get(str(event.get("kind")), RingEventsError)
    message = str(event.get("message") or "no message came with the error")
    ambiguous = bool(event.get("ambiguous"))
    if issubclass(cls, RingEventsApiError):
        return cls(
            message,
            status=int(event.get("status") or 0),
            request_id=event.get("request_id"),
            retry_after=event.get("retry_after"),
            ambiguous=ambiguous,
        )
    retryable = bool(event.get("retryable"))
    if issubclass(cls, RingEventsTransportError):
        return cls(message, sent=bool(event.get("sent")), ambiguous=ambiguous, retryable=retryable)
    return cls(message, ambiguous=ambiguous, retryable=retryable)
