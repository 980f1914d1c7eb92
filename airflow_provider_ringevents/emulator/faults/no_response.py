"""Faults that give no answer, or another one; with the request applied or not."""

from __future__ import annotations

import json
from typing import Final

from airflow_provider_ringevents.emulator.api.errors import ApiError
from airflow_provider_ringevents.emulator.faults.context import Action, BufferedResponse, FaultContext, Headers

_HTML: Final = "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


async def _reset(exchange: FaultContext) -> None:
    await exchange.reset()


async def _close(exchange: FaultContext) -> None:
    await exchange.close()


async def _hang(exchange: FaultContext) -> None:
    if await exchange.hang(exchange.fault.seconds):
        await exchange.close()


async def _status(exchange: FaultContext) -> None:
    await exchange.reply(_own(exchange, 500))


async def _body(exchange: FaultContext) -> None:
    await exchange.reply(_own(exchange, 200))


async def _html(exchange: FaultContext) -> None:
    await exchange.reply(BufferedResponse(200, [(b"content-type", b"text/html; charset=utf-8")], _HTML.encode()))


async def _redirect(exchange: FaultContext) -> None:
    location = (exchange.fault.url or "").encode()
    await exchange.reply(BufferedResponse(exchange.fault.status or 302, [(b"location", location)], b""))


def _own(exchange: FaultContext, status: int) -> BufferedResponse:
    fault = exchange.fault
    status = fault.status or status
    given = {"content-type": "application/json", **{name.lower(): value for name, value in fault.headers.items()}}
    headers: Headers = [(name.encode("latin-1"), value.encode()) for name, value in given.items()]
    if fault.body is not None:
        return BufferedResponse(status, headers, fault.body.encode())
    return BufferedResponse(status, headers, json.dumps(ApiError(status, f"fault {fault.kind}").body()).encode())


def _applied(action: Action) -> Action:
    async def run(exchange: FaultContext) -> None:
        await exchange.collect()
        await action(exchange)

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
"""``applied_late`` is a reset here; who runs it applies the request afterwards."""
