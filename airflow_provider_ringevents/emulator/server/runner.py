"""The emulator: two servers on this machine and access to their state."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from uvicorn import Config
from uvicorn.server import ServerState

from airflow_provider_ringevents.emulator.admin.api import control_application
from airflow_provider_ringevents.emulator.arguments import check_number
from airflow_provider_ringevents.emulator.backend.backend import Backend, Urls
from airflow_provider_ringevents.emulator.backend.clock import Clock, system_clock
from airflow_provider_ringevents.emulator.backend.reports import Report, Reports
from airflow_provider_ringevents.emulator.backend.request_log import RequestLog
from airflow_provider_ringevents.emulator.backend.signed_urls import Signer
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.emulator.faults.registry import Fault, FaultRegistry
from airflow_provider_ringevents.emulator.server.connection import ORIGIN, with_transport
from airflow_provider_ringevents.emulator.server.middleware import EmulatorMiddleware
from airflow_provider_ringevents.emulator.server.routes import api_application, links_application
from airflow_provider_ringevents.emulator.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Http = Literal["auto", "h11", "httptools"]

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 5.0
_GRACE: Final = 0.05
"""Seconds that responses in flight have left when the emulator stops."""
_KEEP_ALIVE: Final = 75
"""Seconds that an idle connection is kept: longer than clients keep theirs, so that clients close it."""


class Emulator:
    """The Events API on 127.0.0.1, in a thread of this process, while the ``with`` block runs.

    :param port: port of the API, 0 for a free one. Signed links have a free port of their own.
    :param clock: returns the time in seconds since the epoch.
    :param http: uvicorn's implementation of HTTP: ``httptools``, ``h11``, or ``auto``.
    :param settings: fields of :class:`~airflow_provider_ringevents.emulator.settings.Settings`.
    :raises ValueError: the port or a setting has a value that is not allowed.
    :raises OSError: the port is taken (on entering the ``with`` block).
    """

    def __init__(self, *, port: int = 0, clock: Clock = system_clock, http: Http = "auto", **settings: Any) -> None:
        check_number("port", port, 0, 65_535, integer=True)
        self.settings = Settings()
        self.settings.apply(**settings)
        self._initial = asdict(self.settings)
        self._clock = clock
        self._http = http
        self._ports = {"api": port, "links": 0}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._urls = Urls(*(f"http://{HOST}:{number}" for number in self._ports.values()))
        self.requests = RequestLog()
        self.faults = FaultRegistry(self.settings.seed)
        self._build()

    def _build(self) -> None:
        store = Store(self.settings, self._clock)
        signer = Signer(self.settings.seed, self._clock, lambda: self._urls.links)
        self._backend = Backend(self.settings, store, Reports(store), signer, self.faults, self.requests, self._urls)
        apps = {"api": api_application(self._backend), "links": links_application(self._backend)}
        control = control_application(self._backend, self.reset)
        self._middleware = EmulatorMiddleware(self._backend, self._clock, apps, control)

    # --- starting and ending

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after :meth:`stop`, on the same ports and with the same state.

        :raises OSError: the port is taken.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator is running already")
        sockets: dict[str, socket.socket] = {}
        try:
            for name, port in self._ports.items():
                sockets[name] = _listen(port)
        except OSError:
            for sock in sockets.values():
                sock.close()
            raise
        self._ports = {name: sock.getsockname()[1] for name, sock in sockets.items()}
        self._urls.api, self._urls.links = (f"http://{HOST}:{number}" for number in self._ports.values())
        ready = threading.Event()
        failures: list[BaseException] = []

        def serve() -> None:
            try:
                asyncio.run(self._serve(sockets, ready))
            except BaseException as error:  # reported by the thread that starts or stops this one
                failures.append(error)
            finally:
                ready.set()

        self._thread = threading.Thread(target=serve, name="ringevents-emulator", daemon=True)
        self._thread.start()
        in_time = ready.wait(_START_SECONDS)
        if failures:
            self._thread = self._loop = self._ending = None
            for sock in sockets.values():
                sock.close()
            raise failures[0]
        if not in_time:
            raise RuntimeError(f"the emulator did not start within {_START_SECONDS:.0f} s")

    def stop(self) -> None:
        """Close all connections and stop listening, as in an outage; do nothing unless running."""
        if self._thread is None or self._loop is None or self._ending is None:
            return
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_STOP_SECONDS)
        self._thread = self._loop = self._ending = None

    async def _serve(self, sockets: dict[str, socket.socket], ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        config = Config(
            self._answer,
            http=self._http,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            interface="asgi3",
            proxy_headers=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
        )
        config.load()
        connections = ServerState()
        protocol = with_transport(config.http_protocol_class)
        servers = [
            await self._loop.create_server(partial(protocol, config, connections, {ORIGIN: name}), sock=sock)
            for name, sock in sockets.items()
        ]
        ready.set()
        await self._ending.wait()
        for server in servers:
            server.close()
        await _end(connections)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._middleware(scope, receive, send)
        except asyncio.CancelledError:
            # Uvicorn would log the shutdown as an error.
            if self._ending is None or not self._ending.is_set():
                raise

    # --- handles

    @property
    def state(self) -> Store:
        """The store of everything that exists."""
        return self._backend.store

    @property
    def reports(self) -> Reports:
        """All reports."""
        return self._backend.reports

    @property
    def url(self) -> str:
        """Scheme, host and port of the API."""
        return self._urls.api

    @property
    def links_url(self) -> str:
        """Scheme, host and port of the signed links."""
        return self._urls.links

    @property
    def api_key(self) -> str:
        """The key that is accepted."""
        return self.settings.api_key

    @property
    def organization_id(self) -> str:
        """The id of the first organization, which has events of every sort."""
        return self.state.organizations[0].id

    @property
    def event_id(self) -> str:
        """The id of an event that has ended and has registrations."""
        return next(iter(self.state.events))

    @property
    def template_id(self) -> str:
        """The id of a template of the first organization."""
        return next(iter(self.state.templates))

    @property
    def leaked_authorizations(self) -> int:
        """The number of requests to the signed links' origin with an ``Authorization`` header; should be 0."""
        return self.requests.leaked

    def connection(self) -> dict[str, Any]:
        """Return an Airflow connection to this emulator in the JSON form of ``AIRFLOW_CONN_...``."""
        return self._backend.connection()

    def connection_json(self) -> str:
        """Return the connection as JSON in one line."""
        return json.dumps(self.connection())

    def count(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        status: int | None = None,
        origin: str | None = None,
    ) -> int:
        """Return the number of requests that match; ``*`` in ``path`` stands for anything."""
        return self.requests.count(method, path, status=status, origin=origin)

    def fault(self, kind: Any, **fields: Any) -> Fault:
        """Set a fault; the fields are those of :class:`~airflow_provider_ringevents.emulator.faults.registry.Fault`.

        :raises ValueError: a field is unknown or has a value that is not allowed.
        """
        return self.faults.add(Fault.from_json({"kind": kind, **fields}))

    def report(self, report_id: str) -> Report:
        """Return a report, also one that is not visible yet; its fields may be set.

        :raises KeyError: the report does not exist.
        """
        for report in self.reports:
            if report.id == report_id:
                return report
        raise KeyError(report_id)

    def report_content(self, report_id: str) -> bytes:
        """Return the bytes of a report's file."""
        content = self.report(report_id).file()
        return b"".join(content.read(0, content.size))

    def report_sha256(self, report_id: str) -> str:
        """Return the SHA-256 of a report's file in hexadecimal digits, computed in constant memory."""
        return self.report(report_id).digest("sha256").hex()

    def reset(self, /, **settings: Any) -> None:
        """Start over with seeded resources, no requests, no faults, and the initial settings.

        :param settings: settings that replace the initial ones.
        :raises ValueError: a setting has a value that is not allowed; then nothing changes.
        """
        self.settings.apply(**{**self._initial, **settings})
        self.requests.clear()
        self.faults.clear()
        self._build()


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off (40 ms per response) only when it sees the protocol number.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock


async def _end(connections: ServerState) -> None:
    for connection in list(connections.connections):
        connection.shutdown()
    if connections.tasks:
        await asyncio.wait(list(connections.tasks), timeout=_GRACE)
    for connection in list(connections.connections):
        connection.transport.abort()
    await asyncio.sleep(0)
    for task in connections.tasks:
        task.cancel()
    if connections.tasks:
        await asyncio.wait(list(connections.tasks), timeout=_GRACE)
