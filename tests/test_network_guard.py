"""Nothing leaves this machine, and unit tests open no socket."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterator

import pytest
from network_guard import GUARD
from raw_server import RawServer, Response

FOREIGN = ("192.0.2.1", 9)


@pytest.fixture
def violations() -> Iterator[list[str]]:
    """What the guard has recorded; taken back, so that the test itself does not fail."""
    yield GUARD.violations
    GUARD.violations.clear()


def _connect() -> None:
    with socket.socket() as sock:
        sock.connect(FOREIGN)


def _connect_tls() -> None:
    with ssl.create_default_context().wrap_socket(socket.socket(), server_hostname="x") as sock:
        sock.connect(FOREIGN)


def _create_connection() -> None:
    socket.create_connection(FOREIGN, timeout=1)


def _send_datagram() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", FOREIGN)


def _connect_in_a_loop() -> None:
    asyncio.run(asyncio.wait_for(asyncio.open_connection(*FOREIGN), 1))


@pytest.mark.parametrize(
    "leave",
    [_connect, _connect_tls, _create_connection, _send_datagram, _connect_in_a_loop],
    ids=lambda way: way.__name__,
)
def test_a_connection_to_another_machine_is_refused(leave: Callable[[], None], violations: list[str]) -> None:
    with pytest.raises(OSError, match="this machine only") as caught:
        leave()
    assert caught.value.errno == errno.ENETUNREACH
    assert len(violations) == 1
    assert "192.0.2.1" in violations[0]


@pytest.mark.parametrize("function", ["getaddrinfo", "gethostbyname"])
def test_a_foreign_name_is_not_looked_up(function: str, violations: list[str]) -> None:
    arguments = ("api.example.com", 443) if function == "getaddrinfo" else ("api.example.com",)
    with pytest.raises(socket.gaierror):
        getattr(socket, function)(*arguments)
    assert violations == ["A test must look up local names only, got 'api.example.com'."]


def test_a_name_that_never_exists_needs_no_name_server() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)
    assert GUARD.violations == []


def test_loopback_is_allowed() -> None:
    with RawServer(lambda request: Response()) as server:
        socket.create_connection(("127.0.0.1", server.port)).close()
        socket.create_connection(("localhost", server.port)).close()
    assert GUARD.violations == []


@pytest.mark.unit
@pytest.mark.parametrize("method", ["connect", "connect_ex", "bind"])
def test_a_unit_test_opens_no_socket(method: str, violations: list[str]) -> None:
    with socket.socket() as sock, pytest.raises(OSError, match="no socket"):
        getattr(sock, method)(("127.0.0.1", 9))
    assert len(violations) == 1


@pytest.mark.unit
def test_a_unit_test_uses_no_database(violations: list[str]) -> None:
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with pytest.raises(OSError, match="no database"), create_session() as session:
        session.execute(text("SELECT 1"))
    assert violations == ["A unit test must use no database."]
