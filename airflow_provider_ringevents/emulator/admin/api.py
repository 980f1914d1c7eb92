"""The control API under ``/_emulator`` and the dashboard at ``/``."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.resources import files
from itertools import islice
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from airflow_provider_ringevents.emulator.api.filters import Selection
from airflow_provider_ringevents.emulator.backend.backend import Backend
from airflow_provider_ringevents.emulator.faults.concurrent_writes import cancel, register
from airflow_provider_ringevents.emulator.faults.registry import MAX_CHANGES, Fault

MADE_UP: Final = (
    "the columns of CSV files",
    "the file names of reports",
    "the addresses of magic links and signed links",
    "QR codes",
    "the status words of reports and events",
    "the codes and texts of errors",
)
"""Details of the emulated service that no public source describes; the dashboard names them."""
_MAX_BODY: Final = 1024 * 1024
"""Bytes of a control request's body."""
_MAX_DIGITS: Final = 100
_SHOWN_REQUESTS: Final = 20
_SHOWN_EVENTS: Final = 200

_Handler = Callable[[Any], Any]
"""Takes the parsed body of a request and returns the body of the response; None is 204."""


def control_application(backend: Backend, reset: Callable[..., None]) -> Starlette:
    """Return the application of the dashboard and the control API.

    Errors are JSON objects with a message: 403 for a foreign ``Origin``, 415 for a body that is not
    declared as JSON, 413 for a large one, 400 for a value that is not allowed.

    :param reset: starts over, with settings as keyword arguments.
    """

    def add_faults(given: Any) -> Any:
        faults = [Fault.from_json(each) for each in (given if isinstance(given, list) else [given])]
        return [fault.to_json() for fault in backend.faults.add_all(faults)]

    def change_settings(given: Any) -> Any:
        backend.settings.change(**_object(given))
        return _settings(backend)

    def start_over(given: Any) -> Any:
        reset(**({} if given is None else _object(given)))
        return None if given is None else _settings(backend)

    async def dashboard(request: Request) -> Response:
        page = files(__package__).joinpath("dashboard.html").read_text(encoding="utf-8")
        return HTMLResponse(page, headers={"X-Frame-Options": "DENY"})

    routes: list[tuple[str, str, int, _Handler]] = [
        ("GET", "state", 200, lambda _: _state(backend)),
        ("GET", "overview", 200, lambda _: _overview(backend)),
        ("GET", "faults", 200, lambda _: [fault.to_json() for fault in backend.faults]),
        ("POST", "faults", 201, add_faults),
        ("DELETE", "faults", 204, lambda _: backend.faults.clear()),
        ("GET", "settings", 200, lambda _: _settings(backend)),
        ("PATCH", "settings", 200, change_settings),
        ("POST", "registrations", 200, lambda given: _change_registrations(backend, given)),
        ("POST", "reset", 200, start_over),
    ]
    return Starlette(
        routes=[
            Route("/", _same_origin(dashboard)),
            *(
                Route(f"/_emulator/{path}", _same_origin(_endpoint(handler, status)), methods=[method])
                for method, path, status, handler in routes
            ),
        ]
    )


def _same_origin(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Refuse requests that the scripts of a web page of another site may have caused."""

    async def run(request: Request) -> Response:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return _error(403, f"`Origin` must be http://{host}, got {origin!r}.")
        return await endpoint(request)

    return run


def _finite(digits: str) -> float:
    """Return a number of a body; the standard library reads ``1e400`` and ``NaN``, which no response can hold.

    :raises ValueError: it is not finite.
    """
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"Numbers must be finite, got {digits}.")
    return number


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"Integers must have at most {_MAX_DIGITS} digits, got {len(digits)}.")
    return int(digits)


def _decode(body: bytes) -> Any:
    """Return the JSON of a body.

    :raises ValueError: it is none.
    """
    try:
        return json.loads(body, parse_int=_integer, parse_float=_finite, parse_constant=_finite)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"The body must be JSON in UTF-8: {error}.") from error


def _endpoint(handler: _Handler, status: int) -> Callable[[Request], Awaitable[Response]]:
    async def run(request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _MAX_BODY:
                return _error(413, f"The body must have at most {_MAX_BODY} bytes.")
        content_type = request.headers.get("content-type", "")
        if body and content_type.partition(";")[0].strip().lower() != "application/json":
            return _error(415, f"`Content-Type` must be application/json, got {content_type!r}.")
        try:
            result = handler(_decode(body) if body else None)
        except ValueError as error:
            return _error(400, str(error))
        return Response(status_code=204) if result is None else JSONResponse(result, status)

    return run


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(f"The body must be a JSON object, got {type(given).__name__}.")
    return given


def _change_registrations(backend: Backend, given: Any) -> dict[str, Any]:
    known = ("event_id", "add", "cancel")
    if unknown := sorted(set(_object(given)) - set(known)):
        raise ValueError(f"Fields must be among {', '.join(known)}, got {', '.join(unknown)}.")
    event_id = given.get("event_id", next(iter(backend.store.events)))
    if event_id not in backend.store.events:
        raise ValueError(f"`event_id` must be the id of an event, got {event_id!r}.")
    numbers = {name: given.get(name, 0) for name in ("add", "cancel")}
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MAX_CHANGES:
            raise ValueError(f"`{name}` must be an integer from 0 to {MAX_CHANGES}, got {number!r}.")
    return {
        "event_id": event_id,
        "cancelled": cancel(backend.store, event_id, Selection(), numbers["cancel"]),
        "added": register(backend.store, event_id, Selection(), numbers["add"]),
    }


def _settings(backend: Backend) -> dict[str, Any]:
    return {name: value for name, value in asdict(backend.settings).items() if name != "api_key"}


def _state(backend: Backend) -> dict[str, Any]:
    store, log = backend.store, backend.requests
    with store.lock:
        return {
            "organizations": [owner.attributes for owner in store.visible_organizations()],
            "templates": len(store.templates),
            "events": len(store.events),
            "registrations": sum(len(event.registrations) for event in store.events.values()),
            "reports": len(list(backend.reports)),
            "requests": len(log.entries),
            "requests_in_flight": log.in_flight,
            "requests_in_flight_peak": log.peak,
            "requests_by_status": log.count_by_status(),
            "leaked_authorizations": log.leaked,
        }


def _overview(backend: Backend) -> dict[str, Any]:
    """Return everything that the dashboard shows."""
    store, log = backend.store, backend.requests
    with store.lock:
        now = store.now()
        events = [event for event in store.events.values() if event.organization.visible]
        # Events that requests created come first.
        events.sort(key=lambda event: -event.created if event.request else 0)
        return {
            "url": backend.urls.api,
            "made_up": MADE_UP,
            "seed": backend.settings.seed,
            "shell": f"export AIRFLOW_CONN_RINGEVENTS_DEFAULT={shlex.quote(json.dumps(backend.connection()))}",
            "faults": [fault.to_json() for fault in backend.faults],
            "reports": [
                {
                    "title": report.title,
                    "id": report.id,
                    "status": report.status,
                    "failed": report.failed,
                    "ready_in": report.ready_at - now,
                    "age": now - report.visible_at,
                }
                for report in reversed(list(backend.reports))
            ],
            "requests": {
                "count": len(log.entries),
                "in_flight": log.in_flight,
                "peak": log.peak,
                "latest": [
                    {
                        "time": seen.time,
                        "method": seen.method,
                        # The query of a signed link is its signature.
                        "path": seen.path + (f"?{seen.query}" if seen.query and seen.origin == "api" else ""),
                        "status": seen.status,
                        "fault": seen.fault,
                    }
                    for seen in islice(reversed(log.entries), _SHOWN_REQUESTS)
                ],
            },
            "events": {
                "count": len(events),
                "shown": [
                    {
                        "name": event.name,
                        "id": event.id,
                        "slug": event.slug,
                        "organization": event.organization.attributes["name"],
                        "published": event.published,
                        "start": event.start,
                        "end": event.end,
                        "registrations": len(event.registrations),
                    }
                    for event in events[:_SHOWN_EVENTS]
                ],
            },
            "organizations": [
                {"name": owner.attributes["name"], "id": owner.id} for owner in store.visible_organizations()
            ],
            "templates": [
                {
                    "name": template.name,
                    "id": template.id,
                    "organization": template.organization.attributes["name"],
                }
                for template in store.templates.values()
                if template.organization.visible
            ],
        }
