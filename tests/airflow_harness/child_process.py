"""A worker session in a process of its own, which may really be killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO


class Channel:
    """The child's line to its parent: one JSON value there, one back."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def ask(self, message: Any) -> Any:
        """Returns when the parent has dealt with `message`, so that a kill loses nothing that was asked before."""
        with self._lock:
            self._stream.write(json.dumps(message) + "\n")
            self._stream.flush()
            return json.loads(self._stream.readline())


class ErrorInChild(Exception):
    """What a worker session in a child process raised, in words."""


def run_in_child(body: Callable[[Channel], None], answer: Callable[[Any], Any]) -> bool:
    """Fork, run `body` in the child, and answer its messages until it ends.

    Returns True when the child ended by itself and False when SIGKILL ended it. Raises RuntimeError when it ended in
    any other way.
    """
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        here.close()
        _be_the_child(body, there)
    there.close()
    # A child that is killed in the middle of a sentence leaves half of it, or a reset.
    with suppress(ConnectionError), here, here.makefile("rw", encoding="utf-8") as stream:
        while (line := stream.readline()).endswith("\n"):
            stream.write(json.dumps(answer(json.loads(line))) + "\n")
            stream.flush()
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status != 0:
        raise RuntimeError(f"the worker's process ended with status {status}")
    return True


def _be_the_child(body: Callable[[Channel], None], there: socket.socket) -> None:
    status = 1
    try:
        with there.makefile("rw", encoding="utf-8") as stream:
            body(Channel(stream))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)  # nothing of pytest's may run twice
