"""The connections of an HTTP client: which is lent for a request, over which proxy it is opened, when it is closed.

The pool of the library examines each of its connections several times per request: with 16 of them that costs more CPU
than all the rest of a small request. Here the library's pools only open connections.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.request import proxy_bypass

import httpcore

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.transport.network import AsyncioBackend, TimedBackend, limited_timeout

_Connection = TypeVar("_Connection", httpcore.ConnectionInterface, httpcore.AsyncConnectionInterface)
_Opener = TypeVar("_Opener", bound=httpcore.ConnectionPool | httpcore.AsyncConnectionPool)

_NO_PLACE: Final = "no connection became free in time"


class Proxy(NamedTuple):
    """A proxy, over HTTP or SOCKS."""

    url: httpcore.URL
    credentials: tuple[bytes, bytes] | None

    @property
    def is_socks(self) -> bool:
        """Return whether it speaks SOCKS."""
        return self.url.scheme.startswith(b"socks")


class Route(NamedTuple):
    """The way to the origins.

    :ivar context: the settings of TLS.
    :ivar proxies: scheme of an origin, or ``all`` -> the proxy to it.
    :ivar from_environment: the proxies are those of the environment, which names exceptions, too.
    """

    context: ssl.SSLContext
    proxies: Mapping[str, Proxy]
    from_environment: bool


class _Openers(Generic[_Opener]):
    """The choice between the direct way and the proxies.

    :param direct: opens connections without a proxy.
    :param by_proxy: returns what opens connections by a proxy.
    :raises ImportError: a proxy speaks SOCKS, and the package for it is missing.
    """

    def __init__(self, route: Route, direct: _Opener, by_proxy: Callable[[Proxy], _Opener]) -> None:
        if any(proxy.is_socks for proxy in route.proxies.values()) and find_spec("socksio") is None:
            raise ImportError("socksio")
        self._direct = direct
        self._proxied = {scheme: by_proxy(proxy) for scheme, proxy in route.proxies.items()}
        self._from_environment = route.from_environment

    def to(self, origin: httpcore.Origin, host: str) -> _Opener:
        """Return what opens connections to an origin."""
        opener = self._proxied.get(origin.scheme.decode()) or self._proxied.get("all")
        if opener is None or (self._from_environment and proxy_bypass(host)):
            return self._direct
        return opener


class _Connections(Generic[_Connection]):
    """All connections of a pool; of the idle ones the one that was used last is lent first."""

    def __init__(self) -> None:
        self._idle: deque[tuple[float, _Connection]] = deque()
        self._all: set[_Connection] = set()
        self._lock = threading.Lock()

    def add(self, connection: _Connection) -> _Connection:
        """Take a new connection, which is lent at once, and return it."""
        with self._lock:
            self._all.add(connection)
        return connection

    def take(self, origin: httpcore.Origin) -> _Connection | None:
        """Lend an idle connection to an origin; None where there is none."""
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                connection = self._idle[place][1]
                if connection.can_handle_request(origin):
                    del self._idle[place]
                    return connection
        return None

    def put(self, connection: _Connection) -> list[_Connection]:
        """Take a connection back; return those that have to be closed: it has ended, or others are idle for long."""
        now = time.monotonic()
        with self._lock:
            if connection in self._all and connection.is_available():
                self._idle.append((now, connection))
                unused = []
            else:
                self._all.discard(connection)
                unused = [connection]
            while self._idle and self._idle[0][0] < now - defaults.KEEPALIVE_SECONDS:
                unused.append(self._idle.popleft()[1])
                self._all.discard(unused[-1])
        return unused

    def remove(self, connection: _Connection) -> None:
        """Forget a connection that was lent."""
        with self._lock:
            self._all.discard(connection)

    def clear(self) -> list[_Connection]:
        """Forget all connections, and return them."""
        with self._lock:
            connections = list(self._all)
            self._all.clear()
            self._idle.clear()
        return connections


class ConnectionPool:
    """The connections of a synchronous client, safe to use from several threads.

    :raises ImportError: a proxy speaks SOCKS, and the package for it is missing.
    """

    def __init__(self, route: Route) -> None:
        options = _options(route, TimedBackend())

        def by_proxy(proxy: Proxy) -> httpcore.ConnectionPool:
            kind = httpcore.SOCKSProxy if proxy.is_socks else httpcore.HTTPProxy
            return kind(proxy_url=proxy.url, proxy_auth=proxy.credentials, **options)

        self._openers = _Openers(route, httpcore.ConnectionPool(**options), by_proxy)
        self._places = threading.BoundedSemaphore(defaults.MAX_CONNECTIONS)
        self._connections: _Connections[httpcore.ConnectionInterface] = _Connections()

    def lend(self, origin: httpcore.Origin, host: str) -> httpcore.ConnectionInterface:
        """Return a connection for one request, to be taken back or discarded.

        :param host: the host of the origin, as the exceptions of the environment name it.
        :raises httpcore.PoolTimeout: none became free in time.
        """
        if not self._places.acquire(timeout=limited_timeout(defaults.POOL_TIMEOUT, httpcore.PoolTimeout)):
            raise httpcore.PoolTimeout(_NO_PLACE)
        try:
            while (connection := self._connections.take(origin)) is not None:
                if not connection.has_expired():
                    return connection
                self._connections.remove(connection)
                connection.close()
            return self._connections.add(self._openers.to(origin, host).create_connection(origin))
        except BaseException:
            self._places.release()
            raise

    def take_back(self, connection: httpcore.ConnectionInterface) -> None:
        """Take a connection back whose response has been closed."""
        self._places.release()
        for unused in self._connections.put(connection):
            unused.close()

    def discard(self, connection: httpcore.ConnectionInterface) -> None:
        """Close a connection whose request failed."""
        self._places.release()
        self._connections.remove(connection)
        connection.close()

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.clear():
            connection.close()


class AsyncConnectionPool:
    """The connections of an asynchronous client, as :class:`ConnectionPool`."""

    def __init__(self, route: Route) -> None:
        options = _options(route, AsyncioBackend())

        def by_proxy(proxy: Proxy) -> httpcore.AsyncConnectionPool:
            kind = httpcore.AsyncSOCKSProxy if proxy.is_socks else httpcore.AsyncHTTPProxy
            return kind(proxy_url=proxy.url, proxy_auth=proxy.credentials, **options)

        self._openers = _Openers(route, httpcore.AsyncConnectionPool(**options), by_proxy)
        self._places = asyncio.BoundedSemaphore(defaults.MAX_CONNECTIONS)
        self._connections: _Connections[httpcore.AsyncConnectionInterface] = _Connections()

    async def lend(self, origin: httpcore.Origin, host: str) -> httpcore.AsyncConnectionInterface:
        """Return a connection for one request, as :meth:`ConnectionPool.lend`."""
        try:
            async with asyncio.timeout(defaults.POOL_TIMEOUT):
                await self._places.acquire()
        except TimeoutError:
            raise httpcore.PoolTimeout(_NO_PLACE) from None
        try:
            while (connection := self._connections.take(origin)) is not None:
                if not connection.has_expired():
                    return connection
                self._connections.remove(connection)
                await connection.aclose()
            return self._connections.add(self._openers.to(origin, host).create_connection(origin))
        except BaseException:
            self._places.release()
            raise

    async def take_back(self, connection: httpcore.AsyncConnectionInterface) -> None:
        """Take a connection back whose response has been closed."""
        self._places.release()
        for unused in self._connections.put(connection):
            await unused.aclose()

    async def discard(self, connection: httpcore.AsyncConnectionInterface) -> None:
        """Close a connection whose request failed."""
        self._places.release()
        self._connections.remove(connection)
        await connection.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in self._connections.clear():
            await connection.aclose()


def _options(route: Route, network: httpcore.NetworkBackend | httpcore.AsyncNetworkBackend) -> dict[str, Any]:
    return {
        "ssl_context": route.context,
        "keepalive_expiry": defaults.KEEPALIVE_SECONDS,
        "network_backend": network,
    }
