"""The errors of this package.

::

    RingEventsError
    ├── RingEventsConfigError            invalid argument or connection: nothing was sent
    ├── RingEventsTransportError         no (readable) response arrived
    ├── RingEventsApiError               the service responded with an error status
    │   ├── RingEventsAuthError          401, 403
    │   ├── RingEventsNotFoundError      404
    │   ├── RingEventsValidationError    400, 422
    │   ├── RingEventsRateLimitError     429
    │   └── RingEventsServerError        500 to 599
    ├── RingEventsReportFailedError      the service could not generate the report
    ├── RingEventsWaitTimeoutError       the deadline passed
    └── RingEventsTransferError          a download or an upload did not complete
        └── RingEventsIncompleteListError  rows of a list are missing

No message holds the API key, a signed link or the body of a request. All errors can be pickled and copied.
"""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from airflow_provider_ringevents.client.transport.redaction import hide_secrets, hide_userinfo

_KINDS: dict[str, type[RingEventsError]] = {}
_OMITTED: Final = object()
_NOT_IN_PAYLOADS: Final = frozenset({"errors", "problems"})
"""Arguments of errors that hold objects; the message has their text."""
_MAX_SHOWN_BITS: Final = 2048


class _ValueRepr(reprlib.Repr):
    """A short representation of any value without passwords of URLs.

    It never fails, since it is part of the message of another error.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 200

    def repr(self, x: Any) -> str:
        """Return the representation of a value."""
        try:
            return super().repr(x)
        except Exception:
            return f"<{object.__repr__(x)[1:-1]}, which has no representation>"

    def repr_str(self, x: str, level: int) -> str:
        """Return a text, whose password would be found no more once it is shortened."""
        return super().repr_str(hide_userinfo(x), level)

    def repr_instance(self, x: Any, level: int) -> str:
        """Return the representation of an object of any other class, as :meth:`repr_str` does."""
        try:
            shown = hide_userinfo(repr(x))
        except Exception:
            return super().repr_instance(x, level)
        half = self.maxother // 2
        return shown if len(shown) <= self.maxother else f"{shown[:half]}{self.fillvalue}{shown[-half:]}"

    def repr_int(self, x: int, level: int) -> str:
        """Return the digits of an integer, or its size where Python may refuse to convert it."""
        bits = x.bit_length()
        if bits > _MAX_SHOWN_BITS:
            return f"<an integer of {bits} bits>"
        return super().repr_int(x, level)


_VALUE_REPR: Final = _ValueRepr()


class RingEventsError(Exception):
    """Base class of the errors of this package.

    :ivar ambiguous: a creating request may have been applied although it is reported as failed: bytes were sent and
        no response came, or the response was 408 or 5xx.
    :ivar retryable: the same request may succeed later without a change by anybody.
    """

    ambiguous: bool = False
    retryable: bool = False

    def __init__(self, message: str, *, ambiguous: bool = False, retryable: bool | None = None) -> None:
        super().__init__(hide_secrets(message))
        self.ambiguous = ambiguous
        if retryable is not None:
            self.retryable = retryable

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Subclasses elsewhere may take other arguments; they travel as their nearest ancestor here.
        if cls.__module__ == __name__:
            _KINDS[cls.__name__] = cls

    def __reduce__(self) -> tuple[Callable[..., RingEventsError], tuple[Any, ...]]:
        return _restore, (type(self), self.args, dict(self.__dict__))

    def to_payload(self) -> dict[str, Any]:
        """Return the error as plain JSON values, the form in which it travels from a trigger to its task."""
        known = next((cls for cls in type(self).__mro__ if _KINDS.get(cls.__name__) is cls), RingEventsError)
        fields = {name: getattr(self, name) for name in _arguments(known) - _NOT_IN_PAYLOADS}
        return {
            "kind": known.__name__,
            "message": str(self),
            "ambiguous": self.ambiguous,
            "retryable": self.retryable,
            **fields,
        }


def _restore(cls: type[RingEventsError], arguments: tuple[Any, ...], state: Mapping[str, Any]) -> RingEventsError:
    # The constructors require keywords that the arguments of an exception do not hold.
    error = cls.__new__(cls, *arguments)
    error.__dict__.update(state)
    return error


class RingEventsConfigError(RingEventsError, ValueError):
    """An argument or the connection is invalid. Made by :func:`invalid_argument` where it concerns one parameter.

    :ivar parameter: the name of the parameter, if there is one.
    :ivar expected: the constraint that the value violates, as in "must be ...".
    :ivar got: the representation of the value; None where it is secret or unknown.
    :ivar problems: the single errors where several were found together, else empty.
    """

    def __init__(
        self,
        message: str,
        *,
        parameter: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        problems: Iterable[RingEventsConfigError] = (),
    ) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.expected = expected
        self.got = got
        self.problems = tuple(problems)


_Error = TypeVar("_Error", bound=RingEventsError)


_Outcome = TypeVar("_Outcome")


def unwrap(outcome: _Outcome | RingEventsError) -> _Outcome:
    """Return an outcome, or raise it where it is an error."""
    if isinstance(outcome, RingEventsError):
        raise outcome
    return outcome


def strip_frames(error: _Error) -> _Error:
    """Return an error without traceback, cause and context: the frames in which it arose may hold secrets."""
    error.__cause__ = error.__context__ = error.__traceback__ = None
    return error


def invalid_argument(
    parameter: str, expected: str, got: Any = _OMITTED, *, hint: str | None = None
) -> RingEventsConfigError:
    """Return the error "`parameter` must be <expected>, got <value>." for one invalid argument.

    :param parameter: the name that the user knows; for a part of a value, its path, as ``filter[email][eq]``.
    :param expected: the constraint, a phrase that completes "must be".
    :param got: the value; a long one is shortened. Leave it out where it is or may hold a secret.
    :param hint: a further sentence, with its full stop.
    """
    shown = None if got is _OMITTED else hide_secrets(_VALUE_REPR.repr(got))
    message = f"`{parameter}` must be {expected}{f', got {shown}' if shown is not None else ''}."
    return RingEventsConfigError(
        f"{message} {hint}" if hint else message, parameter=parameter, expected=expected, got=shown
    )


def combine_errors(summary: str, problems: Sequence[RingEventsConfigError]) -> RingEventsConfigError:
    """Return one error for all problems that were found together: the only one itself, else a list under a summary.

    :param summary: the line above the list, without a colon at its end.
    :param problems: at least one; those with the same message count once.
    """
    unique = list({str(problem): problem for problem in problems}.values())
    if len(unique) == 1:
        return unique[0]
    return RingEventsConfigError("\n- ".join([f"{summary}:", *map(str, unique)]), problems=unique)


class RingEventsTransportError(RingEventsError):
    """No usable response arrived: the connection was refused, cut or timed out, or the response was malformed.

    :ivar sent: at least one byte of the request may have reached the service.
    :ivar timed_out: the service was silent for too long; it may still be processing the request.
    :ivar reason: the operating system's or the TLS library's description, empty without one.
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
        reason: str = "",
    ) -> None:
        super().__init__(message, ambiguous=ambiguous, retryable=retryable)
        self.sent = sent
        self.timed_out = timed_out
        self.reason = reason


class ErrorDetail(NamedTuple):
    """One entry of the ``errors`` list of an error response, as the API documents it."""

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
    """The service responded with an error status.

    :ivar status: the HTTP status code.
    :ivar errors: the details that the response lists, possibly none.
    :ivar request_id: the service's own id of the request, for its support, if it sent one.
    :ivar retry_after: the delay that the service asks for, in seconds, if it does.
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


class RingEventsAuthError(RingEventsApiError):
    """401 or 403: the key is wrong, revoked, or lacks the permission."""


class RingEventsNotFoundError(RingEventsApiError):
    """404: the resource does not exist, or the key cannot see it."""


class RingEventsValidationError(RingEventsApiError):
    """400 or 422: the service rejected the request; ``errors`` points at the part."""


class RingEventsRateLimitError(RingEventsApiError):
    """429: too many requests; ``retry_after`` holds the delay in seconds, if the service sent one."""


class RingEventsServerError(RingEventsApiError):
    """500 to 599: the service failed."""


class RingEventsReportFailedError(RingEventsError):
    """The service reports that it could not generate the report."""


class RingEventsWaitTimeoutError(RingEventsError):
    """The condition was not met before the deadline."""

    retryable = True


class RingEventsTransferError(RingEventsError):
    """A download or an upload did not complete; nothing partial was published unless the message says so."""

    retryable = True


class RingEventsIncompleteListError(RingEventsTransferError):
    """A list could not be read whole: the service counts more rows than it gave.

    :ivar rows: distinct rows that came.
    :ivar count: the number of rows that the service counts, if it does.
    :ivar readings: the number of times the list was read.
    """

    def __init__(
        self,
        message: str,
        *,
        rows: int = 0,
        count: int | None = None,
        readings: int = 0,
        ambiguous: bool = False,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message, ambiguous=ambiguous, retryable=retryable)
        self.rows = rows
        self.count = count
        self.readings = readings


_BY_STATUS: Mapping[int, type[RingEventsApiError]] = {
    400: RingEventsValidationError,
    401: RingEventsAuthError,
    403: RingEventsAuthError,
    404: RingEventsNotFoundError,
    422: RingEventsValidationError,
    429: RingEventsRateLimitError,
}


def api_error_class(status: int) -> type[RingEventsApiError]:
    """Return the class for the HTTP status of an error."""
    if status >= 500:
        return RingEventsServerError
    return _BY_STATUS.get(status, RingEventsApiError)


def error_from_payload(payload: Mapping[str, Any]) -> RingEventsError:
    """Return the error that :meth:`RingEventsError.to_payload` described; an unknown kind becomes the base class."""
    cls = _KINDS.get(str(payload.get("kind")), RingEventsError)
    message = str(payload.get("message") or "no message came with the error")
    fields = {"status": 0, "sent": False, **payload}
    return cls(message, **{name: fields[name] for name in _arguments(cls) - _NOT_IN_PAYLOADS if name in fields})


def _arguments(cls: type[RingEventsError]) -> set[str]:
    """Return the arguments of an error beside its message; its attributes have their names."""
    return set(inspect.signature(cls.__init__).parameters) - {"self", "message"}
