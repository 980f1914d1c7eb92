"""The emulator itself: two servers on this machine, and handles on all that is in them."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from dataclasses import asdict
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from uvicorn import Config
from uvicorn.server import ServerState

from airflow_provider_ringevents.emulator.admin.api import control_application
from airflow_provider_ringevents.emulator.backend.clock import Clock, system_clock
from airflow_provider_ringevents.emulator.backend.reports import Report, Reports
from airflow_provider_ringevents.emulator.backend.signed_urls import Signer
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.emulator.faults.registry import Fault, FaultRegistry
from airflow_provider_ringevents.emulator.server.connection import ORIGIN, with_transport
from airflow_provider_ringevents.emulator.server.middleware import EmulatorMiddleware, RequestLog
from airflow_provider_ringevents.emulator.server.routes import api_application, links_application
from airflow_provider_ringevents.emulator.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Http = Literal["auto", "h11", "httptools"]

HOST: Final = "127.0.0.1"
_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 5.0
_GRACE: Final = 0.05
"""Seconds that answers in flight have left when the emulator ends."""
_KEEP_ALIVE: Final = 75
"""Seconds that an idle connection is kept: longer than clients keep theirs, so that they end it."""


class Emulator:
    """The Events API on 127.0.0.1, in a thread of this process, as long as the ``with`` block runs.

    :param port: port of the API, 0 for a free one. Signed links have a free port of their own.
    :param clock: says the time in seconds since the epoch.
    :param http: which of uvicorn's implementations of HTTP: ``httptools``, ``h11``, or ``auto``.
    :param settings: see :class:`~airflow_provider_ringevents.emulator.settings.Settings`: its fields as arguments.
    :raises ValueError: a setting that cannot be.
    :raises OSError: the port is taken (when the ``with`` block is entered).
    """

    def __init__(self, *, port: int = 0, clock: Clock = system_clock, http: Http = "auto", **settings: Any) -> None:
        self.settings = Settings()
        self.settings.apply(**settings)
        self._initial = asdict(self.settings)
        self._clock = clock
        self._http = http
        self._ports = {"api": port, "links": 0}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.requests = RequestLog()
        self.faults = FaultRegistry(self.settings.seed)
        self._build()

    def _build(self) -> None:
        self.state = Store(self.settings, self._clock)
        self.reports = Reports(self.state)
        signer = Signer(self.settings.seed, self._clock, lambda: self.links_url)
        self._gate = EmulatorMiddleware(
            self.settings,
            self._clock,
            self.requests,
            self.faults,
            signer,
            self.state,
            {
                "api": api_application(self.state, self.reports, signer, lambda: self.url),
                "links": links_application(self.state, self.reports, signer),
            },
            control_application(self),
        )

    # --- starting and ending

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after :meth:`stop`, on the same ports again and with all that was there.

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
        ready = threading.Event()
        failures: list[BaseException] = []

        def serve() -> None:
            try:
                asyncio.run(self._serve(sockets, ready))
            except BaseException as error:  # whatever it is, it belongs to the thread that starts or stops this one
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
        """End all connections and stop listening, as in an outage; nothing happens if it does not run."""
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
            await self._gate(scope, receive, send)
        except asyncio.CancelledError:
            # Uvicorn would log it as an error; it is only the end.
            if self._ending is None or not self._ending.is_set():
                raise

    # --- handles

    @property
    def url(self) -> str:
        """Scheme, host and port of the API."""
        return f"http://{HOST}:{self._ports['api']}"

    @property
    def links_url(self) -> str:
        """Scheme, host and port of the signed links."""
        return f"http://{HOST}:{self._ports['links']}"

    @property
    def api_key(self) -> str:
        """The key that is accepted."""
        return self.settings.api_key

    @property
    def organization_id(self) -> str:
        """The first organization: it has events of every sort."""
        return self.state.organizations[0].id

    @property
    def event_id(self) -> str:
        """An event of it that has ended and has registrations."""
        return next(iter(self.state.events))

    @property
    def template_id(self) -> str:
        """A template of it."""
        return next(iter(self.state.templates))

    @property
    def leaked_authorizations(self) -> int:
        """How many requests to the signed links' origin had an ``Authorization`` header: none should."""
        return self.requests.leaked

    def connection(self) -> dict[str, Any]:
        """An Airflow connection to this emulator, as the JSON form of ``AIRFLOW_CONN_...`` has it."""
        return {
            "conn_type": "ringevents",
            "host": self.url,
            "password": self.api_key,
            "extra": {"organization_id": self.organization_id},
        }

    def connection_json(self) -> str:
        """The same as text, in one line."""
        return json.dumps(self.connection())

    def count(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        status: int | None = None,
        origin: str | None = None,
    ) -> int:
        """How many requests came that fit; ``path`` may have ``*`` for anything."""
        return self.requests.count(method, path, status=status, origin=origin)

    def fault(self, kind: Any, **fields: Any) -> Fault:
        """Set a fault; the fields are those of :class:`~airflow_provider_ringevents.emulator.faults.registry.Fault`."""
        return self.faults.add(Fault(kind, **fields))

    def report(self, report_id: str) -> Report:
        """A report, also one that is not visible yet; its fields may be set.

        :raises KeyError: there is none.
        """
        for report in self.reports:
            if report.id == report_id:
                return report
        raise KeyError(report_id)

    def report_content(self, report_id: str) -> bytes:
        """All bytes of a report's file."""
        content = self.report(report_id).file()
        return b"".join(content.read(0, content.size))

    def report_sha256(self, report_id: str) -> str:
        """SHA-256 of a report's file in hexadecimal digits, in constant memory."""
        return self.report(report_id).digest("sha256").hex()

    def reset(self, **settings: Any) -> None:
        """Start over: seeded things only, no requests, no faults, the first settings (but for those given).

        :raises ValueError: a setting that cannot be; then nothing changes.
        """
        self.settings.apply(**{**self._initial, **settings})
        self.requests.clear()
        self.faults.clear()
        self._build()


def _listen(port: int) -> socket.socket:
    # asyncio turns Nagle's algorithm off (40 ms per answer) only where it sees the protocol's number.
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
