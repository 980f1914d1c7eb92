"""Switches over HTTP for those who run the emulator from the command line: ``/_emulator``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from airflow_provider_ringevents.emulator.admin.dashboard import page
from airflow_provider_ringevents.emulator.api.filters import Selection
from airflow_provider_ringevents.emulator.faults.concurrent_writes import cancel, register
from airflow_provider_ringevents.emulator.faults.registry import Fault

if TYPE_CHECKING:
    from airflow_provider_ringevents.emulator.server.runner import Emulator

_MOST_CHANGES: Final = 100_000


def control_application(emulator: Emulator) -> Starlette:
    """The page at ``/``, and what is under ``/_emulator``: state, faults, settings, registrations, reset.

    Errors are 400 with a message.
    """

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page(emulator))

    async def state(request: Request) -> Response:
        return JSONResponse(_summary(emulator))

    async def show_faults(request: Request) -> Response:
        return JSONResponse([fault.to_json() for fault in emulator.faults])

    async def add_faults(request: Request) -> Response:
        def act(given: Any) -> Any:
            faults = [Fault.from_json(each) for each in (given if isinstance(given, list) else [given])]
            return [emulator.faults.add(fault).to_json() for fault in faults]

        return await _with_json(request, act, 201)

    async def clear_faults(request: Request) -> Response:
        emulator.faults.clear()
        return Response(status_code=204)

    async def show_settings(request: Request) -> Response:
        return JSONResponse(_settings(emulator))

    async def change_settings(request: Request) -> Response:
        def act(given: Any) -> Any:
            emulator.settings.change(**given)
            return _settings(emulator)

        return await _with_json(request, act, 200)

    async def reset(request: Request) -> Response:
        def act(given: Any) -> Any:
            emulator.reset(**given)
            return _settings(emulator)

        if not await request.body():
            emulator.reset()
            return Response(status_code=204)
        return await _with_json(request, act, 200)

    async def change_registrations(request: Request) -> Response:
        return await _with_json(request, partial(_change_registrations, emulator), 200)

    return Starlette(
        routes=[
            Route("/", show_page),
            Route("/_emulator/state", state),
            Route("/_emulator/faults", show_faults),
            Route("/_emulator/faults", add_faults, methods=["POST"]),
            Route("/_emulator/faults", clear_faults, methods=["DELETE"]),
            Route("/_emulator/settings", show_settings),
            Route("/_emulator/settings", change_settings, methods=["PATCH"]),
            Route("/_emulator/registrations", change_registrations, methods=["POST"]),
            Route("/_emulator/reset", reset, methods=["POST"]),
        ]
    )


async def _with_json(request: Request, act: Callable[[Any], Any], status: int) -> Response:
    try:
        return JSONResponse(act(json.loads(await request.body())), status)
    except (ValueError, TypeError) as error:
        return JSONResponse({"error": str(error)}, 400)


def _change_registrations(emulator: Emulator, given: Any) -> dict[str, Any]:
    known = ("event_id", "add", "cancel")
    if not isinstance(given, dict) or (unknown := sorted(set(given) - set(known))):
        what = "an object is wanted" if not isinstance(given, dict) else f"no such field: {', '.join(unknown)}"
        raise ValueError(f"{what}; there are {', '.join(known)}")
    event_id = given.get("event_id", emulator.event_id)
    if event_id not in emulator.state.events:
        raise ValueError(f"event_id: there is no event {event_id!r}")
    numbers = {name: given.get(name, 0) for name in ("add", "cancel")}
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _MOST_CHANGES:
            raise ValueError(f"{name}: {number!r} is not a whole number from 0 to {_MOST_CHANGES}")
    return {
        "event_id": event_id,
        "cancelled": cancel(emulator.state, event_id, Selection(), numbers["cancel"]),
        "added": register(emulator.state, event_id, Selection(), numbers["add"]),
    }


def _settings(emulator: Emulator) -> dict[str, Any]:
    return {name: value for name, value in asdict(emulator.settings).items() if name != "api_key"}


def _summary(emulator: Emulator) -> dict[str, Any]:
    state = emulator.state
    with state.lock:
        return {
            "organizations": [owner.attributes for owner in state.visible_organizations()],
            "templates": len(state.templates),
            "events": len(state.events),
            "registrations": sum(len(event.registrations) for event in state.events.values()),
            "reports": len(list(emulator.reports)),
            "requests": len(emulator.requests.entries),
            "requests_in_flight": emulator.requests.in_flight,
            "requests_in_flight_peak": emulator.requests.peak,
            "requests_by_status": _by_status(emulator),
            "leaked_authorizations": emulator.leaked_authorizations,
        }


def _by_status(emulator: Emulator) -> dict[str, int]:
    counts: dict[str, int] = {}
    for seen in list(emulator.requests.entries):
        key = str(seen.status) if seen.status else "none"
        counts[key] = counts.get(key, 0) + 1
    return counts
