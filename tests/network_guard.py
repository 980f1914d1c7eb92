"""A pytest plugin that keeps tests on this machine, and unit tests off sockets and the metadata database.

What it refuses fails as on a machine without a network, and the test fails at its end whatever the code made of that.
Processes that a test starts are not watched.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
import urllib3.util.connection  # noqa: F401 - tries IPv6 when it is imported: not within a unit test

_ANYWHERE_LOCAL = {None, "", b"", "localhost", "localhost.localdomain", "0.0.0.0", "::"}


class NetworkGuard:
    """Refuses what leaves this machine, and records it in ``violations``.

    :ivar unit: Refuse loopback connections and listening as well.
    """

    def __init__(self) -> None:
        self.unit = False
        self.violations: list[str] = []
        self._own_name = socket.gethostname()

    def check_address(self, sock: socket.socket, address: Any, action: str) -> None:
        """Raise ENETUNREACH unless the address of a socket is allowed."""
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        if self.unit:
            self._refuse(f"A unit test must open no socket, got {action} {address!r}.")
        host = address[0] if isinstance(address, tuple) else address
        if not self._is_local(host):
            self._refuse(f"A test must connect to this machine only, got {action} {address!r}.")

    def check_name(self, host: Any) -> None:
        """Raise EAI_NONAME for a name that only a name server knows."""
        name = host.decode() if isinstance(host, bytes) else host
        if self._is_local(name) or name == self._own_name or _is_address(name):
            return
        name.encode("idna")  # As the system does before it asks anybody.
        # RFC 6761: such names never exist, so that nobody has to be asked.
        if not name.rstrip(".").endswith(".invalid"):
            self.violations.append(f"A test must look up local names only, got {name!r}.")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def check_database(self) -> None:
        """Raise where a unit test uses the metadata database."""
        if self.unit:
            self._refuse("A unit test must use no database.")

    def _is_local(self, host: Any) -> bool:
        if host in _ANYWHERE_LOCAL:
            return True
        return _is_address(host) and ipaddress.ip_address(str(host).partition("%")[0]).is_loopback

    def _refuse(self, violation: str) -> None:
        self.violations.append(violation)
        raise OSError(errno.ENETUNREACH, violation)


def _is_address(host: Any) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


GUARD = NetworkGuard()


def _guarded_socket(method: str) -> Callable[..., Any]:
    original = getattr(socket.socket, method)

    def guarded(self: socket.socket, *arguments: Any) -> Any:
        # The address comes last, behind the data of `sendto`.
        GUARD.check_address(self, arguments[-1], method)
        return original(self, *arguments)

    return guarded


def _guarded_lookup(function: str) -> Callable[..., Any]:
    original = getattr(socket, function)

    def guarded(host: Any, *arguments: Any, **options: Any) -> Any:
        GUARD.check_name(host)
        return original(host, *arguments, **options)

    return guarded


def pytest_configure() -> None:
    for method in ("connect", "connect_ex", "bind", "sendto"):
        setattr(socket.socket, method, _guarded_socket(method))
    for function in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
        setattr(socket, function, _guarded_lookup(function))


@pytest.fixture(autouse=True)
def _network_guard(request: pytest.FixtureRequest, _fresh: None) -> Iterator[None]:
    """Fail the test that has left this machine, or its layer; not for what cleans up after it."""
    GUARD.violations.clear()
    GUARD.unit = request.node.get_closest_marker("unit") is not None
    try:
        with _guarded_database():
            yield
    finally:
        GUARD.unit = False
    if violations := list(dict.fromkeys(GUARD.violations)):
        pytest.fail("\n".join(violations), pytrace=False)


def _guarded_database() -> Any:
    engines = sys.modules.get("sqlalchemy.engine.base")
    if engines is None:
        return patch.object(GUARD, "unit", GUARD.unit)
    original = engines.Engine.connect

    def guarded(self: Any, *arguments: Any, **options: Any) -> Any:
        GUARD.check_database()
        return original(self, *arguments, **options)

    return patch.object(engines.Engine, "connect", guarded)
