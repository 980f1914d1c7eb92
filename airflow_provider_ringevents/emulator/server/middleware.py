"""The ASGI middleware around both applications: request log, rate limit, latency, faults."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from airflow_provider_ringevents.emulator.api.errors import ApiError
from airflow_provider_ringevents.emulator.api.responses import error_response
from airflow_provider_ringevents.emulator.backend.backend import Backend
from airflow_provider_ringevents.emulator.backend.clock import Clock
from airflow_provider_ringevents.emulator.backend.request_log import RequestRecord
from airflow_provider_ringevents.emulator.faults import concurrent_writes, no_response, response_rewrite, stream
from airflow_provider_ringevents.emulator.faults.context import FaultContext
from airflow_provider_ringevents.emulator.server.connection import origin_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACTIONS: Final = {**stream.ACTIONS, **concurrent_writes.ACTIONS, **no_response.ACTIONS, **response_rewrite.ACTIONS}
CONTROL: Final = "/_emulator"
_HOSTS: Final = ("127.0.0.1", "localhost")


class TokenBucket:
    """A token bucket that holds the tokens of one second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens = math.inf
        self._last = clock()

    def wait(self, rate: float) -> float:
        """Take a token and return 0, or return the seconds until one is available."""
        now = self._clock()
        self._tokens = min(max(1.0, rate), self._tokens + (now - self._last) * rate)
        self._last = now
        if self._tokens < 1:
            return (1 - self._tokens) / rate
        self._tokens -= 1
        return 0.0


class EmulatorMiddleware:
    """The application that both servers run.

    :param clock: returns the time in seconds since the epoch.
    :param apps: the applications by origin.
    :param control: answers ``/`` and everything under ``/_emulator`` of the API's origin, without log and faults.
    """

    def __init__(self, backend: Backend, clock: Clock, apps: Mapping[str, ASGIApp], control: ASGIApp) -> None:
        self._backend = backend
        self._settings = backend.settings
        self._log = backend.requests
        self._clock = clock
        self._apps = apps
        self._control = control
        self._bucket = TokenBucket(clock)
        self._numbers = count(1)
        self._background: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        origin = origin_of(scope)
        host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
        if not self._is_own_host(host):
            text = f"`Host` must be 127.0.0.1, localhost, or the setting `allowed_host`, got {host!r}."
            response = JSONResponse({"error": text, "errors": [{"status": "403", "detail": text}]}, 403)
            await response(scope, receive, send)
            return
        if origin == "api" and (scope["path"] == "/" or scope["path"].startswith(CONTROL)):
            await self._control(scope, receive, send)
            return
        self._log.in_flight += 1
        self._log.peak = max(self._log.peak, self._log.in_flight)
        try:
            await self._respond(self._record(scope, origin), scope, receive, send)
        finally:
            self._log.in_flight -= 1

    def _is_own_host(self, host: str) -> bool:
        """Tell whether a request names this machine: by DNS rebinding the pages of other sites reach it by theirs."""
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        return name is not None and name in (*_HOSTS, (self._settings.allowed_host or "").lower())

    async def _respond(self, seen: RequestRecord, scope: Scope, receive: Receive, send: Send) -> None:
        origin = seen.origin

        async def recorded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                message = {**message, "headers": [*message["headers"], *self._headers(seen)]}
            await send(message)

        if origin == "api" and self._settings.rate_limit is not None:
            wait = self._bucket.wait(self._settings.rate_limit)
            if wait:
                response = error_response(ApiError(429, "too many requests"))
                response.headers["Retry-After"] = str(math.ceil(wait))
                await response(scope, receive, recorded_send)
                return
        fault = self._backend.faults.match(origin, seen.method, seen.path, seen.query)
        if origin == "api" and self._settings.latency:
            await asyncio.sleep(self._settings.latency)
        app = self._apps[origin]
        if fault is None:
            await app(scope, receive, recorded_send)
            return
        seen.fault = fault.kind
        context = await FaultContext.read(fault, self._backend, app, scope, receive, recorded_send)
        await ACTIONS[fault.kind](context)
        if fault.kind == "applied_late":
            task = asyncio.ensure_future(_later(context, fault.seconds or 0.0))
            self._background.add(task)
            task.add_done_callback(self._background.discard)

    def _headers(self, seen: RequestRecord) -> list[tuple[bytes, bytes]]:
        """Return the headers of every response: its id, and the time of this service, by its own clock."""
        date = formatdate(self._clock(), usegmt=True)
        return [(b"x-request-id", seen.id.encode()), (b"date", date.encode())]

    def _record(self, scope: Scope, origin: str) -> RequestRecord:
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
