"""How a command ends, for scripts."""

from __future__ import annotations

from enum import IntEnum

from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
)


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1
    WRONG_USE = 2
    KEY_REFUSED = 3
    NOT_FOUND = 4
    TRY_AGAIN = 5
    INTERRUPTED = 130
    READER_GONE = 141


_BY_KIND = (
    (RingEventsConfigError, ExitCode.WRONG_USE),
    (RingEventsAuthError, ExitCode.KEY_REFUSED),
    (RingEventsNotFoundError, ExitCode.NOT_FOUND),
)


def exit_code(error: RingEventsError) -> ExitCode:
    """Which code stands for an error."""
    for kind, code in _BY_KIND:
        if isinstance(error, kind):
            return code
    return ExitCode.TRY_AGAIN if error.retryable else ExitCode.FAILED
