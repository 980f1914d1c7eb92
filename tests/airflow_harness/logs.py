"""Catch every log record of a run: stdlib and structlog, any logger, any level, before secrets are masked."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, ClassVar

_HTTP_LOGGERS = ("httpx", "httpcore")
_IN_PROCESS_API = "dry-run://server"


class LogBook:
    """All lines written while it was open."""

    of_this_test: ClassVar[list[LogBook]] = []
    """Shown by pytest when the test fails."""

    _elsewhere: ClassVar[Callable[[str], None] | None] = None

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.of_this_test.append(self)

    @classmethod
    def divert(cls, write: Callable[[str], None]) -> None:
        """Send all lines of this process to `write` from now on."""
        cls._elsewhere = staticmethod(write)

    def add(self, line: str) -> None:
        write = self._elsewhere or self._lines.append
        write(line)

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    @contextmanager
    def open(self) -> Iterator[None]:
        """Record everything that is logged inside, with every logger at DEBUG, and print nothing."""
        handler = _StdlibHandler(self)
        root = logging.getLogger()
        silent = [logger for logger in _loggers() if not logger.propagate]
        touched = [root, *(logging.getLogger(name) for name in _HTTP_LOGGERS)]
        before = [(logger, logger.level, logger.handlers[:]) for logger in {*touched, *silent}]
        for logger in touched:
            logger.setLevel(logging.DEBUG)
        for logger in (root, *silent):
            logger.handlers[:] = [handler]
        try:
            with _structlog_to(self):
                yield
        finally:
            for logger, level, handlers in before:
                logger.setLevel(level)
                logger.handlers[:] = handlers


class _StdlibHandler(logging.Handler):
    def __init__(self, book: LogBook) -> None:
        super().__init__(logging.DEBUG)
        self._book = book
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if not (record.name == "httpx" and _IN_PROCESS_API in line):
            self._book.add(line)


def _loggers() -> list[logging.Logger]:
    return [one for one in logging.Logger.manager.loggerDict.values() if isinstance(one, logging.Logger)]


@contextmanager
def _structlog_to(book: LogBook) -> Iterator[None]:
    try:
        import structlog
    except ImportError:  # Airflow 2 logs through the standard library alone
        yield
        return

    def catch(logger: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if not _of_the_supervisor(event):
            book.add(_line(getattr(logger, "name", None) or event.get("logger_name"), level, event))
        raise structlog.DropEvent

    # Loggers that exist already hold this very list: replacing it would miss them.
    processors = structlog.get_config()["processors"]
    processors.insert(0, catch)
    try:
        yield
    finally:
        processors.remove(catch)


def _of_the_supervisor(event: Mapping[str, Any]) -> bool:
    """What the supervisor says is in the task's log only because both share a process here."""
    text = str(event.get("event"))
    return "msg" in event and (text == "Sending request" or text.startswith("Received message from task runner"))


def _line(name: str | None, level: str, event: Mapping[str, Any]) -> str:
    fields = {key: value for key, value in event.items() if key != "logger_name"}
    text = str(fields.pop("event", ""))
    if args := fields.pop("positional_args", None):
        text = text % args
    exc_info = fields.pop("exc_info", None)
    line = " ".join([level.upper(), f"{name}:", text, *(f"{key}={value!r}" for key, value in fields.items())])
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        line += "\n" + "".join(traceback.format_exception(error))
    return line
