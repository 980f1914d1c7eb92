"""Errors of stores, made fit for messages and logs."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from airflow_provider_ringevents.client.errors import RingEventsTransferError

_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#'\"<>]*)[?#][^\s'\"<>]*", re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+:[^\s/@'\"]+@", re.IGNORECASE)
_LONGEST = 500


class StoreError(Exception):
    """A stand-in for an error of a storage library whose text held a signed link or credentials."""


def redact(text: str) -> str:
    """Remove query strings and credentials from every URL in a text."""
    return _USERINFO.sub(r"\1***@", _QUERY.sub(r"\1?***", text))


def format_error(error: BaseException) -> str:
    """Return the type and the redacted text of an error, on one line of at most 500 characters."""
    printable = "".join(character if character.isprintable() else " " for character in redact(str(error)))
    text = " ".join(printable.split())
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 3]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def transfer_error(action: str, error: BaseException, *, state: str) -> RingEventsTransferError:
    """Return the error for a failure of a store.

    :param action: the requested action, with the destination.
    :param error: the error of the store's library. It becomes the cause, or a redacted stand-in where its text, or that
        of its own causes, holds a secret.
    :param state: a sentence about the state of the destination.
    """
    raised = RingEventsTransferError(f"{action} failed. {format_error(error)}. {_advice(error)}{state}")
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
    """Return True if the store denied access."""
    if isinstance(error, FileNotFoundError):
        return False
    return isinstance(error, PermissionError) or bool(_statuses(error) & {401, 403})


def _statuses(error: BaseException) -> set[object]:
    """Return the HTTP statuses of Azure's errors inside the errors of adlfs."""
    return {getattr(e, "status_code", None) for e in _chain(error)}


def _advice(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "Free some space there. "
    if is_forbidden(error):
        return "Check the permissions of the connection (or of the user who runs the task). "
    if isinstance(error, FileNotFoundError) and "NoSuchUpload" in str(error):
        return "The store has lost the upload, as after a restart: a retry begins another. "
    if isinstance(error, FileNotFoundError) or 404 in _statuses(error):
        return "Check that the bucket or container exists. "
    return ""
