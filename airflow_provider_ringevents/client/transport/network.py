"""The network below HTTP: streams of bytes whose operations end in time, and that hand on large reads."""

# ruff: noqa: ASYNC109 - the timeouts are arguments of the library's interface

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import select
import socket
import ssl
from collections.abc import Iterable
from typing import Any, Final, cast

import httpcore

from airflow_provider_ringevents.client.transport.time_budget import current_timer

_TLS_RECORD_BYTES: Final = 16 * 1024
"""The most content of one TLS record, which is all that one read of a TLS socket returns."""

_WRITE_BUFFER_BYTES: Final = 64 * 1024
"""Bytes of a request that are held until all of it is written; a request of this API has some hundred."""

_READ_AHEAD_BYTES: Final = 256 * 1024
"""Received bytes of a connection beyond which an event loop stops reading from it until they are taken."""

_HAPPY_EYEBALLS_SECONDS: Final = 0.25
"""The head start of an address over the next one of the same name (RFC 8305)."""


def limited_timeout(timeout: float | None, expired: type[Exception]) -> float | None:
    """Return the smaller of a timeout and the time that the timer of the request leaves, in seconds.

    :raises Exception: the timer has run out; of the type ``expired``.
    """
    timer = current_timer()
    if timer is None:
        return timeout
    remaining = timer.remaining
    if remaining <= 0:
        raise expired("the time of the request has passed")
    return remaining if timeout is None else min(timeout, remaining)


class TimedBackend(httpcore.NetworkBackend):
    """A network backend whose operations end with the timer of the request.

    The library limits the silence before each read alone, and hands nothing on until the head of a response is whole:
    a head that drips would block a thread for hours.
    """

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        limited = limited_timeout(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._backend.connect_tcp(host, port, limited, local_address, socket_options))


class _TimedStream(httpcore.NetworkStream):
    """A connection whose reads and writes end with the timer of the request, which its first write starts.

    The library writes the head and the body of a request one after the other. They leave together, before the next
    read: a packet, a TLS record and a wake-up of the server each, instead of two.

    :param tls_socket: the socket, if it decrypts what is read from it.
    """

    def __init__(self, stream: httpcore.NetworkStream, tls_socket: ssl.SSLSocket | None = None) -> None:
        self._stream = stream
        self._tls_socket = tls_socket
        self._unsent = bytearray()
        self._write_timeout: float | None = None

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Send what was written and wait for bytes; return all that have come already, up to ``max_bytes``."""
        if self._unsent:
            # A server may refuse a request before it has read all of it; its response tells more than this error.
            with contextlib.suppress(httpcore.WriteError):
                self._flush()
        first = self._stream.read(max_bytes, limited_timeout(timeout, httpcore.ReadTimeout))
        if self._tls_socket is None or len(first) < _TLS_RECORD_BYTES:
            return first
        return self._read_received(self._tls_socket, first, max_bytes)

    @staticmethod
    def _read_received(tls_socket: ssl.SSLSocket, first: bytes, max_bytes: int) -> bytes:
        """Return the first record with those that follow without waiting: each read costs all layers above a call."""
        parts, missing = [first], max_bytes - len(first)
        tls_socket.setblocking(False)
        try:
            while missing > 0 and (part := tls_socket.recv(missing)):
                parts.append(part)
                missing -= len(part)
        except OSError:
            pass  # nothing more has come; a broken connection is reported by the next read
        return b"".join(parts)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write."""
        if (timer := current_timer()) is not None:
            timer.start()
        self._unsent += buffer
        self._write_timeout = timeout
        if len(self._unsent) > _WRITE_BUFFER_BYTES:
            self._flush()

    def _flush(self) -> None:
        unsent, self._unsent = bytes(self._unsent), bytearray()
        self._stream.write(unsent, limited_timeout(self._write_timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS."""
        limited = limited_timeout(timeout, httpcore.ConnectTimeout)
        stream = self._stream.start_tls(ssl_context, server_hostname, limited)
        opened = stream.get_extra_info("socket")
        # Within the TLS of a proxy the socket decrypts that of the proxy alone.
        direct = self._tls_socket is None and isinstance(opened, ssl.SSLSocket)
        return _TimedStream(stream, opened if direct else None)

    def get_extra_info(self, info: str) -> Any:
        """Return a fact of the connection."""
        return self._stream.get_extra_info(info)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class AsyncioBackend(httpcore.AsyncNetworkBackend):
    """A network backend on the transports of asyncio; the one of the library costs twice the CPU of a small request."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, stream = await loop.create_connection(
                    _AsyncioStream,
                    host,
                    port,
                    local_addr=None if local_address is None else (local_address, 0),
                    # The race of addresses loses its socket where it is cancelled at its end. One address needs none.
                    happy_eyeballs_delay=None if _is_address(host) else _HAPPY_EYEBALLS_SECONDS,
                )
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        for option in socket_options or ():
            stream.get_extra_info("socket").setsockopt(*option)
        return stream


class _AsyncioStream(httpcore.AsyncNetworkStream, asyncio.Protocol):
    """A connection of an event loop."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._ended = False
        self._lost = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[bool] | None = None
        self._writer: asyncio.Future[bool] | None = None
        self._reading_paused = False
        self._writing_paused = False

    # --- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take received bytes."""
        self._received += data
        if len(self._received) > _READ_AHEAD_BYTES and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()
        _wake(self._reader)

    def eof_received(self) -> None:
        """Take the end of the received bytes."""
        self._ended = True
        _wake(self._reader)

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection."""
        self._ended = self._lost = True
        self._error = error
        _wake(self._reader)
        _wake(self._writer)

    def pause_writing(self) -> None:
        """Let writers wait."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._writing_paused = False
        _wake(self._writer)

    # --- called by the HTTP library

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Wait for bytes; return all that have come already, up to ``max_bytes``."""
        if not self._received and not self._ended:
            self._reader = self._loop.create_future()
            if not await _wait(self._reader, timeout):
                raise httpcore.ReadTimeout
        if not self._received and self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        data = bytes(memoryview(self._received)[:max_bytes])
        del self._received[:max_bytes]
        if self._reading_paused and len(self._received) <= _READ_AHEAD_BYTES:
            self._reading_paused = False
            if not self._lost:
                self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write."""
        if not self._lost:
            self._transport.write(buffer)
        if self._writing_paused and not self._lost:
            self._writer = self._loop.create_future()
            if not await _wait(self._writer, timeout):
                raise httpcore.WriteTimeout
        if self._lost:
            raise httpcore.WriteError(str(self._error or "the connection is closed")) from self._error

    async def aclose(self) -> None:
        """Close, without waiting for the server's consent."""
        self._transport.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next round

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Begin TLS."""
        try:
            async with asyncio.timeout(timeout):
                transport = await self._loop.start_tls(
                    self._transport, self, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as error:
            self._transport.abort()
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            self._transport.abort()
            raise httpcore.ConnectError(str(error)) from error
        if transport is None:
            raise httpcore.ConnectError("the connection was closed while TLS began")
        self._transport = transport
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return a fact of the connection."""
        if info == "is_readable":
            return bool(self._received) or self._ended or _is_readable(self._transport.get_extra_info("socket"))
        names = {"client_addr": "sockname", "server_addr": "peername"}
        return self._transport.get_extra_info(names.get(info, info))


def _wake(waiter: asyncio.Future[bool] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(True)


def _expire(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)


async def _wait(waiter: asyncio.Future[bool], timeout: float | None) -> bool:
    """Return True once a future is done, False if that takes longer than ``timeout`` seconds."""
    if timeout is None:
        return await waiter
    timer = waiter.get_loop().call_later(timeout, _expire, waiter)
    try:
        return await waiter
    finally:
        timer.cancel()


def _is_readable(connection: socket.socket) -> bool:
    """Return whether a read would return at once; also where the loop has not noticed yet."""
    descriptor = connection.fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
