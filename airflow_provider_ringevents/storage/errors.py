"""What a store says when it fails, made fit for an error message and a log."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from airflow_provider_ringevents.client.errors import RingEventsTransferError

_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#'\"<>]*)[?#][^\s'\"<>]*", re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+:[^\s/@'\"]+@", re.IGNORECASE)
_LONGEST = 500


class StoreError(Exception):
    """Stands for an error of a storage library whose own text held a signed link or credentials."""


def redact(text: str) -> str:
    """Take query strings and credentials out of every URL in a text."""
    return _USERINFO.sub(r"\1***@", _QUERY.sub(r"\1?***", text))


def format_error(error: BaseException) -> str:
    """Return the error's type and its cleaned text, on one line and cut at 500 characters."""
    text = " ".join(redact(str(error)).split())
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def transfer_error(what: str, error: BaseException, *, state: str) -> RingEventsTransferError:
    """Build the error for a store that failed.

    :param what: what was asked of the store, with the destination.
    :param error: what the store's library raised. It becomes the cause, or a cleaned stand-in where its text, or
        that of its own causes, holds what a log must not show.
    :param state: what is at the destination now.
    """
    raised = RingEventsTransferError(f"{what} failed. {format_error(error)}. {_advice(error)}{state}")
    raised.__cause__ = error
    if any(redact(str(e)) != str(e) for e in _chain(error)):
        raised.__cause__ = StoreError(format_error(error)).with_traceback(error.__traceback__)
    return raised


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def is_forbidden(error: BaseException) -> bool:
    """Whether the store says that the connection may not do this."""
    if isinstance(error, FileNotFoundError):
        return False
    return isinstance(error, PermissionError) or bool(_statuses(error) & {401, 403})


def _statuses(error: BaseException) -> set[object]:
    """HTTP statuses that Azure's errors carry, inside adlfs's own."""
    return {getattr(e, "status_code", None) for e in _chain(error)}


def _advice(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space there. "
    if is_forbidden(error):
        return "Check what the connection (or the user who runs the task) may do there. "
    if isinstance(error, FileNotFoundError) and "NoSuchUpload" in str(error):
        return "The store has forgotten the upload, as one does that was started anew: a retry begins another. "
    if isinstance(error, FileNotFoundError) or 404 in _statuses(error):
        return "Check that the bucket or container exists. "
    return ""
