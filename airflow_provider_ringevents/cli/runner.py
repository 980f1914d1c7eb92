"""The runner of every command: errors become one line and an exit status, logs go to stderr."""

from __future__ import annotations

import argparse
import functools
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum

from airflow_provider_ringevents.cli.output import printable, printable_lines
from airflow_provider_ringevents.cli.parsing import check_texts, describe_error
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
)
from airflow_provider_ringevents.client.transport.redaction import redact_text

_PACKAGE = "airflow_provider_ringevents"
_PROCESS_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"


class ExitCode(IntEnum):
    """The exit status of a command."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2
    AUTH = 3
    NOT_FOUND = 4
    TEMPFAIL = 5
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_BY_ERROR = (
    (RingEventsConfigError, ExitCode.USAGE),
    (RingEventsAuthError, ExitCode.AUTH),
    (RingEventsNotFoundError, ExitCode.NOT_FOUND),
)

Command = Callable[[argparse.Namespace], ExitCode]


def exit_code(error: RingEventsError) -> ExitCode:
    """Return the exit status that stands for an error."""
    for error_class, code in _BY_ERROR:
        if isinstance(error, error_class):
            return code
    return ExitCode.TEMPFAIL if error.retryable else ExitCode.FAILED


def print_error(message: str) -> None:
    """Write one line to stderr, without control characters."""
    sys.stderr.write(f"ringevents: {printable(message)}\n")
    sys.stderr.flush()


def print_hint(message: str) -> None:
    """Write one line to stderr that is no error: a truncated list, an id to resume with."""
    print_error(message)


def command(command: Command) -> Callable[[argparse.Namespace], None]:
    """Wrap a command for Airflow and for the console script.

    :raises SystemExit: The command did not succeed; the exception carries its exit code.
    """

    @functools.wraps(command)
    def run(args: argparse.Namespace) -> None:
        verbose: bool = getattr(args, "verbose", False)
        with _metadata_connections(), _logs_on_stderr(verbose), _warnings_on_stderr():
            code = _run(command, args, verbose)
        if code:
            raise SystemExit(int(code))

    return run


def _run(command: Command, args: argparse.Namespace, verbose: bool) -> ExitCode:
    try:
        check_texts(args)
        code = command(args)
        sys.stdout.flush()
    except RingEventsError as error:
        print_error(describe_error(error, command.__name__.replace("_", "-")))
        return exit_code(error)
    except KeyboardInterrupt:
        print_error("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit, and would print a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.BROKEN_PIPE
    except Exception as error:
        if verbose:
            sys.stderr.write(printable_lines(redact_text(traceback.format_exc())))
        hint = "" if verbose else " (--verbose shows the traceback)"
        print_error(redact_text(f"{type(error).__name__}: {error}{hint}"))
        return ExitCode.FAILED
    return code


@contextmanager
def _metadata_connections() -> Iterator[None]:
    """Let Airflow 3 look up connections in the metadata database, as ``airflow connections test`` does."""
    before = os.environ.get(_PROCESS_CONTEXT)
    os.environ[_PROCESS_CONTEXT] = "server"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PROCESS_CONTEXT]
        else:
            os.environ[_PROCESS_CONTEXT] = before


class _LineFormatter(logging.Formatter):
    """A formatter that removes control characters, which a terminal would obey."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as printable lines."""
        return printable_lines(super().format(record)).rstrip("\n")


@contextmanager
def _logs_on_stderr(verbose: bool) -> Iterator[None]:
    """Send logs to stderr, since Airflow logs to stdout. Unless verbose, only this package's warnings are shown."""
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_LineFormatter("ringevents: %(message)s"))
    handler.setLevel(logging.INFO if verbose else logging.WARNING)
    if not verbose:
        handler.addFilter(logging.Filter(_PACKAGE))
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(min(level, logging.INFO) if verbose else level)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning, module=_PACKAGE)
        warnings.showwarning = lambda message, *_args, **_kwargs: print_error(f"warning: {message}")
        yield
