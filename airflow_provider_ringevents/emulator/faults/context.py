"""One request and its answer, held open so that something can happen to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_ringevents.emulator.backend.signed_urls import Signer
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.emulator.faults.registry import Fault
from airflow_provider_ringevents.emulator.server import connection

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class BufferedResponse:
    """A whole answer of the application."""

    status: int
    headers: Headers
    body: bytes


class FaultContext:
    """A request whose body has been read, and the application that would answer it."""

    def __init__(
        self,
        fault: Fault,
        signer: Signer,
        store: Store,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
        body: bytes,
    ) -> None:
        self.fault = fault
        self.signer = signer
        self.store = store
        self.scope = scope
        self.send = send
        self._app = app
        self._receive = receive
        self._body = body

    @classmethod
    async def read(
        cls,
        fault: Fault,
        signer: Signer,
        store: Store,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> FaultContext:
        """Read the request to its end."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                return cls(fault, signer, store, app, scope, receive, send, body)

    async def answer(self, send: Send) -> None:
        """Let the application answer through ``send``."""
        waiting = [self._body]

        async def receive() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return await self._receive()

        await self._app(self.scope, receive, send)

    async def collect(self) -> BufferedResponse:
        """Let the application answer, and keep what it says from the client."""
        answer = BufferedResponse(500, [], b"")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = list(message["headers"])
            else:
                answer.body += message.get("body", b"")

        await self.answer(send)
        return answer

    async def reply(self, answer: BufferedResponse) -> None:
        """Send a whole answer."""
        headers = with_header(answer.headers, b"content-length", str(len(answer.body)).encode())
        await self.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def reset(self) -> None:
        """End the connection with a TCP reset."""
        await connection.reset(self.scope, self._receive)

    async def close(self) -> None:
        """End the connection the orderly way."""
        await connection.close(self.scope, self._receive)

    async def wait_for_disconnect(self, seconds: float | None) -> bool:
        """Wait; returns whether the client is still there. With None, wait until it is not."""
        try:
            await asyncio.wait_for(connection.wait_for_disconnect(self._receive), seconds)
        except TimeoutError:
            return True
        return False


def with_header(headers: Headers, name: bytes, value: bytes | None) -> Headers:
    """The headers with ``name`` set to ``value``, or without it for None."""
    others = [(each, text) for each, text in headers if each.lower() != name]
    return others if value is None else [*others, (name, value)]


Action = Callable[[FaultContext], Awaitable[None]]
"""Carries out one kind of fault."""
