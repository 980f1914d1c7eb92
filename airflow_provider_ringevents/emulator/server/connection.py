"""Access to the TCP connection below uvicorn's HTTP protocol."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from starlette.types import Receive

_TRANSPORT: Final = "transport"
ORIGIN: Final = "origin"


def with_transport(base: type[asyncio.Protocol]) -> Callable[..., asyncio.Protocol]:
    """Return a subclass of one of uvicorn's HTTP protocols that puts the connection into ``scope["state"]``."""

    class Protocol(base):  # type: ignore[misc, valid-type] # which one it is depends on what is installed
        app_state: dict[str, Any]

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            # New logging settings turn uvicorn's access log on again, and signed links do not belong there.
            self.access_log = False
            # Uvicorn copies this into the scope of every request of the connection.
            self.app_state = {**self.app_state, _TRANSPORT: transport}

    return Protocol


def transport_of(scope: Mapping[str, Any]) -> asyncio.Transport:
    """Return the connection of a request."""
    transport: asyncio.Transport = scope["state"][_TRANSPORT]
    return transport


def origin_of(scope: Mapping[str, Any]) -> str:
    """Return the server that a request was sent to: ``api`` or ``links``."""
    origin: str = scope["state"][ORIGIN]
    return origin


async def reset(scope: Mapping[str, Any], receive: Receive) -> None:
    """Close the connection with a TCP reset and discard unsent data."""
    transport = transport_of(scope)
    sock = transport.get_extra_info("socket")
    if sock is not None:
        # A linger time of 0 makes the kernel send RST instead of FIN.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await wait_for_disconnect(receive)


async def close(scope: Mapping[str, Any], receive: Receive) -> None:
    """Send buffered data, then close the connection in the orderly way."""
    transport_of(scope).close()
    await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client has disconnected, since uvicorn responds when an application returns earlier."""
    while (await receive())["type"] != "http.disconnect":
        pass
