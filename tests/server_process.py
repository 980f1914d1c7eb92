"""Servers of object stores as processes, on free loopback ports; tests that lack one are skipped, or fail in CI."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Mapping
from typing import ClassVar, NoReturn, Self

import pytest


def skip_or_fail(reason: str) -> NoReturn:
    """Skip a test that something is missing for; with ``RINGEVENTS_NO_SKIP=1`` fail it."""
    if os.environ.get("RINGEVENTS_NO_SKIP") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class ServerProcess:
    """A server as a context manager.

    :ivar url: where it listens, such as ``http://127.0.0.1:41231``.
    :ivar port: its port; 0 before the first start: any free one.
    :ivar log: the lines that it wrote.
    """

    LISTENING: ClassVar[re.Pattern[str]]
    """The line with which it begins to listen; its group is the URL."""
    START_TIMEOUT: ClassVar = 60.0
    """Seconds that it may take until it listens."""

    def __init__(self, port: int = 0) -> None:
        self.url = ""
        self.port = port
        self.log: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def command(self) -> list[str]:
        """Return the command line that listens on :attr:`port`."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return os.environ

    def start(self) -> None:
        """Start the server and return when it listens. After a :meth:`kill`: at the same port again."""
        command = self.command()
        self._process = subprocess.Popen(
            command,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        listening = threading.Event()
        threading.Thread(target=self._read_log, args=(self._process, listening), daemon=True).start()
        if not listening.wait(self.START_TIMEOUT) or not self.url:
            self.kill()
            pytest.fail(f"{command[0]} did not start:\n" + "\n".join(self.log))

    def _read_log(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        if process.stdout is None:
            return
        for line in process.stdout:
            self.log.append(line.rstrip())
            if address := self.LISTENING.search(line):
                self.url = address.group(1)
                self.port = int(self.url.rpartition(":")[2])
                listening.set()
        listening.set()

    def kill(self) -> None:
        """End the server at once, as a crash would: requests in flight are cut, open uploads forgotten."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()
