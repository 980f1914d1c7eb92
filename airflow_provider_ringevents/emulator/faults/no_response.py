"""Faults that suppress or replace a response, with the request applied or not."""

from __future__ import annotations

import json
from typing import Final

from airflow_provider_ringevents.emulator.api.errors import ApiError
from airflow_provider_ringevents.emulator.faults.context import Action, BufferedResponse, FaultContext, Headers

_HTML: Final = "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


async def _reset(context: FaultContext) -> None:
    await context.reset()


async def _close(context: FaultContext) -> None:
    await context.close()


async def _hang(context: FaultContext) -> None:
    if await context.wait_for_disconnect(context.fault.seconds):
        await context.close()


async def _status(context: FaultContext) -> None:
    await context.reply(_own(context, 500))


async def _body(context: FaultContext) -> None:
    await context.reply(_own(context, 200))


async def _html(context: FaultContext) -> None:
    await context.reply(BufferedResponse(200, [(b"content-type", b"text/html; charset=utf-8")], _HTML.encode()))


async def _redirect(context: FaultContext) -> None:
    location = (context.fault.url or "").encode()
    await context.reply(BufferedResponse(context.fault.status or 302, [(b"location", location)], b""))


def _own(context: FaultContext, status: int) -> BufferedResponse:
    fault = context.fault
    status = fault.status or status
    given = {"content-type": "application/json", **{name.lower(): value for name, value in fault.headers.items()}}
    headers: Headers = [(name.encode("latin-1"), value.encode()) for name, value in given.items()]
    if fault.body is not None:
        return BufferedResponse(status, headers, fault.body.encode())
    return BufferedResponse(status, headers, json.dumps(ApiError(status, f"fault {fault.kind}").body()).encode())


def _applied(action: Action) -> Action:
    async def run(context: FaultContext) -> None:
        await context.collect()
        await action(context)

    return run


ACTIONS: dict[str, Action] = {
    "status": _status,
    "reset": _reset,
    "close": _close,
    "hang": _hang,
    "body": _body,
    "html": _html,
    "redirect": _redirect,
    "applied_then_cut": _applied(_reset),
    "applied_then_status": _applied(_status),
    "applied_then_hang": _applied(_hang),
    "applied_late": _reset,
}
"""``applied_late`` is a reset here; the middleware applies the request afterwards."""
