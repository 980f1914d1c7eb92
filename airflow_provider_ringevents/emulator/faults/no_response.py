"""Faults that give no answer, or another one; with the request applied or not."""

from __future__ import annotations

import json
from typing import Final

from airflow_provider_ringevents.emulator.api.errors import Problem
from airflow_provider_ringevents.emulator.faults.context import Action, Answer, Exchange, Headers

_HTML: Final = "<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


async def _reset(exchange: Exchange) -> None:
    await exchange.reset()


async def _close(exchange: Exchange) -> None:
    await exchange.close()


async def _hang(exchange: Exchange) -> None:
    if await exchange.hang(exchange.fault.seconds):
        await exchange.close()


async def _status(exchange: Exchange) -> None:
    await exchange.reply(_own(exchange, 500))


async def _body(exchange: Exchange) -> None:
    await exchange.reply(_own(exchange, 200))


async def _html(exchange: Exchange) -> None:
    await exchange.reply(Answer(200, [(b"content-type", b"text/html; charset=utf-8")], _HTML.encode()))


async def _redirect(exchange: Exchange) -> None:
    location = (exchange.fault.url or "").encode()
    await exchange.reply(Answer(exchange.fault.status or 302, [(b"location", location)], b""))


def _own(exchange: Exchange, status: int) -> Answer:
    fault = exchange.fault
    status = fault.status or status
    given = {"content-type": "application/json", **{name.lower(): value for name, value in fault.headers.items()}}
    headers: Headers = [(name.encode("latin-1"), value.encode()) for name, value in given.items()]
    if fault.body is not None:
        return Answer(status, headers, fault.body.encode())
    return Answer(status, headers, json.dumps(Problem(status, f"fault {fault.kind}").body()).encode())


def _applied(action: Action) -> Action:
    async def run(exchange: Exchange) -> None:
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
