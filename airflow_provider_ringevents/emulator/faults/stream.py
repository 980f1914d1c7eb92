"""Faults of the byte stream of a response: cut, slow, stalled, corrupted, endless."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from airflow_provider_ringevents.emulator.faults.context import Action, FaultContext, Headers, with_header
from airflow_provider_ringevents.emulator.server.connection import transport_of

if TYPE_CHECKING:
    from starlette.types import Message

_TICK: Final = 0.02
_PLENTY: Final = 1024 * 1024


_OnBody = Callable[[bytes, bool], Awaitable[None]]
"""Receives a piece of the body and True when more follows."""


async def _through(context: FaultContext, start: Callable[[Message], Awaitable[None]], body: _OnBody) -> None:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            await start(message)
        else:
            await body(message.get("body", b""), message.get("more_body", False))

    await context.answer(send)


def _length(headers: Headers) -> int:
    return next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)


async def cut_body(context: FaultContext) -> None:
    """End the body after ``after`` bytes, by default after half of it."""
    chunked = context.fault.kind == "truncate_chunked"
    room = 0

    async def start(message: Message) -> None:
        nonlocal room
        headers = message["headers"]
        after = context.fault.after
        room = _length(headers) // 2 if after is None else after
        if chunked:
            headers = with_header(headers, b"content-length", None)
        await context.send({**message, "headers": headers})

    async def body(piece: bytes, more: bool) -> None:
        nonlocal room
        if len(piece) < room or (len(piece) == room and not more):
            room -= len(piece)
            await context.send({"type": "http.response.body", "body": piece, "more_body": more})
            return
        await context.send({"type": "http.response.body", "body": piece[:room], "more_body": True})
        if context.fault.rst:
            await _flushed(context)
            await context.reset()
        else:
            await context.close()

    await _through(context, start, body)


async def _flushed(context: FaultContext, most: int = 0) -> None:
    transport = transport_of(context.scope)
    # Only uvicorn's protocol is notified when a buffer has been flushed.
    while transport.get_write_buffer_size() > most and not transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_TICK)


async def close_delimited(context: FaultContext) -> None:
    """End the body with the connection, as before HTTP/1.1; uvicorn cannot, so the bytes are written directly."""
    transport = transport_of(context.scope)
    room = context.fault.after

    async def start(message: Message) -> None:
        headers = with_header(message["headers"], b"content-length", None)
        lines = [b"HTTP/1.1 %d %s" % (message["status"], HTTPStatus(message["status"]).phrase.encode())]
        lines += [name + b": " + value for name, value in [*headers, (b"connection", b"close")]]
        transport.write(b"\r\n".join(lines) + b"\r\n\r\n")

    async def body(piece: bytes, more: bool) -> None:
        nonlocal room
        if transport.is_closing():
            return
        if room is not None:
            piece = piece[:room]
            room -= len(piece)
        transport.write(piece)
        await _flushed(context, _PLENTY)
        if not more or room == 0:
            await context.close()

    await _through(context, start, body)


async def slow_body(context: FaultContext) -> None:
    """Send ``rate`` bytes per second."""
    size = max(1, int(context.fault.rate * _TICK))
    pause = size / context.fault.rate

    async def body(piece: bytes, more: bool) -> None:
        for place in range(0, len(piece), size):
            if transport_of(context.scope).is_closing():
                return
            part = piece[place : place + size]
            await context.send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(pause)
        if not more:
            await context.send({"type": "http.response.body", "body": b"", "more_body": False})

    await _through(context, context.send, body)


async def stall(context: FaultContext) -> None:
    """Pause for ``seconds`` after ``after`` bytes; without ``seconds`` pause for ever."""
    left = context.fault.after or 0
    stalled = False

    async def body(piece: bytes, more: bool) -> None:
        nonlocal left, stalled
        if not stalled and len(piece) >= left:
            stalled = True
            await context.send({"type": "http.response.body", "body": piece[:left], "more_body": True})
            piece = piece[left:]
            if not await context.wait_for_disconnect(context.fault.seconds):
                return
        left -= len(piece)
        await context.send({"type": "http.response.body", "body": piece, "more_body": more})

    await _through(context, context.send, body)


async def flip_byte(context: FaultContext) -> None:
    """Change the byte at the offset ``after``, by default in the middle."""
    place = 0

    async def start(message: Message) -> None:
        nonlocal place
        after = context.fault.after
        place = _length(message["headers"]) // 2 if after is None else after
        await context.send(message)

    async def body(piece: bytes, more: bool) -> None:
        nonlocal place
        if 0 <= place < len(piece):
            piece = piece[:place] + bytes([piece[place] ^ 1]) + piece[place + 1 :]
        place -= len(piece)
        await context.send({"type": "http.response.body", "body": piece, "more_body": more})

    await _through(context, start, body)


async def delay(context: FaultContext) -> None:
    """Delay the response by ``seconds``; drop it if the client has disconnected by then."""
    if await context.wait_for_disconnect(context.fault.seconds or 0.0):
        await context.answer(context.send)


async def endless(context: FaultContext) -> None:
    """Send a body until the client disconnects."""
    headers = [(b"content-type", b"text/html")]
    await context.send({"type": "http.response.start", "status": context.fault.status or 500, "headers": headers})
    piece = b"<p>Something went wrong.</p>\n" * 1000
    while not transport_of(context.scope).is_closing():
        await context.send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(0)


ACTIONS: dict[str, Action] = {
    "cut_body": cut_body,
    "truncate_chunked": cut_body,
    "close_delimited": close_delimited,
    "slow_body": slow_body,
    "stall": stall,
    "flip_byte": flip_byte,
    "delay": delay,
    "endless": endless,
}
