"""The edge between a command and the terminal: errors become one line and an exit code, logs go to stderr."""

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

from airflow_provider_ringevents.cli.exit_codes import ExitCode, exit_code
from airflow_provider_ringevents.cli.output import one_line
from airflow_provider_ringevents.cli.wording import in_the_shell
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.transport.redaction import redact_text

_PACKAGE = "airflow_provider_ringevents"
_PROCESS_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"

Command = Callable[[argparse.Namespace], ExitCode]


def print_error(message: str) -> None:
    """One line on stderr, for the person at the terminal."""
    sys.stderr.write(f"ringevents: {one_line(message)}\n")
    sys.stderr.flush()


def command(command: Command) -> Callable[[argparse.Namespace], None]:
    """Run a command as Airflow and the console script call it.

    :raises SystemExit: with the command's exit code, unless it is done.
    """

    @functools.wraps(command)
    def run(args: argparse.Namespace) -> None:
        verbose: bool = getattr(args, "verbose", False)
        with _with_all_connections(), _logs_on_stderr(verbose), _warnings_on_stderr():
            code = _code_of(command, args, verbose)
        if code:
            raise SystemExit(int(code))

    return run


def _code_of(command: Command, args: argparse.Namespace, verbose: bool) -> ExitCode:
    try:
        code = command(args)
        sys.stdout.flush()
    except RingEventsError as error:
        print_error(in_the_shell(error))
        return exit_code(error)
    except KeyboardInterrupt:
        print_error("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.READER_GONE
    except Exception as error:
        if verbose:
            sys.stderr.write(redact_text(traceback.format_exc()))
        hint = "" if verbose else " (--verbose shows where)"
        print_error(redact_text(f"{type(error).__name__}: {error}{hint}"))
        return ExitCode.FAILED
    return code


@contextmanager
def _with_all_connections() -> Iterator[None]:
    """Let Airflow 3 look for connections in the metadata database, as ``airflow connections test`` does."""
    before = os.environ.get(_PROCESS_CONTEXT)
    os.environ[_PROCESS_CONTEXT] = "server"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PROCESS_CONTEXT]
        else:
            os.environ[_PROCESS_CONTEXT] = before


@contextmanager
def _logs_on_stderr(verbose: bool) -> Iterator[None]:
    """Keep stdout for what was asked for: Airflow logs to it. Quiet, only this package's warnings are shown."""
    root = logging.getLogger()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("ringevents: %(message)s"))
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
