"""Finds what blocks an event loop: calls that wait for somebody else, made in the thread that runs the loop.

::

    with blocking_calls() as found:
        asyncio.run(...)
    assert found == []
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from airflow.providers.common.compat.sdk import BaseHook

_OF_SOCKETS = ("accept", "connect", "recv", "recv_into", "recvfrom", "send", "sendall", "sendto", "sendfile")
_OF_TLS = ("connect", "do_handshake", "recv", "recv_into", "send", "sendall")
_ALWAYS: tuple[tuple[Any, str], ...] = (
    (time, "sleep"),
    (socket, "getaddrinfo"),
    (socket, "gethostbyname"),
    (socket, "getnameinfo"),
    (socket, "create_connection"),
    (subprocess, "Popen"),
    (os, "fsync"),
    (os, "waitpid"),
    (BaseHook, "get_connection"),
)


@contextmanager
def blocking_calls() -> Iterator[list[str]]:
    """What was called inside an event loop of this thread that may wait: names, each with its call stack.

    Sockets count where they are in blocking mode, or have a timeout; sleeping, processes, and lookups of names and
    connections always do. Other threads may block, and may have event loops of their own.
    """
    found: list[str] = []
    here = threading.get_ident()

    def watched(name: str, original: Callable[..., Any], waits: Callable[..., bool]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if threading.get_ident() == here and _in_a_loop() and waits(*args):
                found.append(f"{name}\n{''.join(traceback.format_stack(limit=25))}")
            return original(*args, **kwargs)

        return call

    def may_block(sock: socket.socket, *_: Any) -> bool:
        return sock.gettimeout() != 0

    with ExitStack() as stack:
        for kind, names in ((socket.socket, _OF_SOCKETS), (ssl.SSLSocket, _OF_TLS)):
            for name in names:
                instead = watched(f"{kind.__name__}.{name}", getattr(kind, name), may_block)
                stack.enter_context(patch.object(kind, name, instead))
        for owner, name in _ALWAYS:
            instead = watched(f"{owner.__name__}.{name}", getattr(owner, name), lambda *_: True)
            stack.enter_context(patch.object(owner, name, instead))
        yield found


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
