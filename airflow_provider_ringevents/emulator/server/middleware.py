"""What every request goes through: the log, the rate limit, the latency, the faults."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import TYPE_CHECKING, Final

from airflow_provider_ringevents.emulator.api.errors import ApiError
from airflow_provider_ringevents.emulator.api.responses import error_response
from airflow_provider_ringevents.emulator.backend.clock import Clock
from airflow_provider_ringevents.emulator.backend.signed_urls import Signer
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.emulator.faults import concurrent_writes, no_response, response_rewrite, stream
from airflow_provider_ringevents.emulator.faults.context import FaultContext
from airflow_provider_ringevents.emulator.faults.registry import FaultRegistry
from airflow_provider_ringevents.emulator.server.connection import origin_of
from airflow_provider_ringevents.emulator.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACTIONS: Final = {**stream.ACTIONS, **concurrent_writes.ACTIONS, **no_response.ACTIONS, **response_rewrite.ACTIONS}
_LOGGED: Final = 100_000
CONTROL: Final = "/_emulator"


@dataclass(slots=True)
class RequestRecord:
    """A request in the log.

    :ivar id: what the answer's ``X-Request-Id`` says.
    :ivar origin: ``api`` or ``links``.
    :ivar status: of the answer; None while there is none, and when none came.
    :ivar scheme: of the ``Authorization`` header (``Bearer``); empty for a bare key, None for no header.
    :ivar headers: the others, names in lower case.
    :ivar time: seconds since the epoch.
    :ivar fault: the kind of the fault that hit it.
    """

    id: str
    origin: str
    method: str
    path: str
    query: str
    scheme: str | None
    headers: dict[str, str]
    time: float
    status: int | None = None
    fault: str | None = None


@dataclass
class RequestLog:
    """The latest requests; bounded, so counts are right up to 100,000 requests.

    :ivar leaked: requests to the signed links' origin that had an ``Authorization`` header.
    :ivar in_flight: requests that are being answered now.
    :ivar peak: the most of them at one time.
    """

    entries: deque[RequestRecord] = field(default_factory=lambda: deque(maxlen=_LOGGED))
    leaked: int = 0
    in_flight: int = 0
    peak: int = 0

    def count(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        status: int | None = None,
        origin: str | None = None,
    ) -> int:
        """How many requests fit; ``path`` may have ``*`` for anything."""
        return sum(
            1
            for seen in list(self.entries)
            if (method is None or seen.method == method)
            and (path is None or fnmatchcase(seen.path, path))
            and (status is None or seen.status == status)
            and (origin is None or seen.origin == origin)
        )

    def clear(self) -> None:
        """Forget all but what is going on."""
        self.entries.clear()
        self.leaked = 0
        self.peak = self.in_flight


class TokenBucket:
    """Allows ``rate`` requests per second, a second's worth of them at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens = math.inf
        self._last = clock()

    def wait(self, rate: float) -> float:
        """Take a token; returns 0, or the seconds until there is one."""
        now = self._clock()
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._last) * rate)
        self._last = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return 0.0


class EmulatorMiddleware:
    """The application that both servers run.

    :param apps: origin -> application.
    :param control: answers ``/`` and what is under ``/_emulator`` of the API's origin; not logged, no faults.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        log: RequestLog,
        faults: FaultRegistry,
        signer: Signer,
        store: Store,
        apps: dict[str, ASGIApp],
        control: ASGIApp,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._log = log
        self._faults = faults
        self._signer = signer
        self._store = store
        self._apps = apps
        self._control = control
        self._bucket = TokenBucket(clock)
        self._numbers = count(1)
        self._background: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = origin_of(scope)
        if origin == "api" and (scope["path"] == "/" or scope["path"].startswith(CONTROL)):
            await self._control(scope, receive, send)
            return
        self._log.in_flight += 1
        self._log.peak = max(self._log.peak, self._log.in_flight)
        try:
            await self._pass(self._note(scope, origin), scope, receive, send)
        finally:
            self._log.in_flight -= 1

    async def _pass(self, seen: RequestRecord, scope: Scope, receive: Receive, send: Send) -> None:
        origin = seen.origin

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                message = {**message, "headers": [*message["headers"], (b"x-request-id", seen.id.encode())]}
            await send(message)

        if origin == "api" and self._settings.rate_limit is not None:
            wait = self._bucket.wait(self._settings.rate_limit)
            if wait:
                response = error_response(ApiError(429, "too many requests"))
                response.headers["Retry-After"] = str(math.ceil(wait))
                await response(scope, receive, noted)
                return
        fault = self._faults.match(origin, seen.method, seen.path, seen.query)
        if origin == "api" and self._settings.latency:
            await asyncio.sleep(self._settings.latency)
        app = self._apps[origin]
        if fault is None:
            await app(scope, receive, noted)
            return
        seen.fault = fault.kind
        context = await FaultContext.read(fault, self._signer, self._store, app, scope, receive, noted)
        await ACTIONS[fault.kind](context)
        if fault.kind == "applied_late":
            task = asyncio.ensure_future(_later(context, fault.seconds or 0.0))
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    def _note(self, scope: Scope, origin: str) -> RequestRecord:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        authorization = headers.pop("authorization", None)
        if origin == "links" and authorization is not None:
            self._log.leaked += 1
        scheme = None if authorization is None else authorization.rpartition(" ")[0]
        query = scope["query_string"].decode("latin-1")
        identifier = f"request-{next(self._numbers)}"
        seen = RequestRecord(identifier, origin, scope["method"], scope["path"], query, scheme, headers, self._clock())
        self._log.entries.append(seen)
        return seen


async def _later(context: FaultContext, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await context.collect()
