"""A request and its response while a fault acts on them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_ringevents.emulator.backend.backend import Backend
from airflow_provider_ringevents.emulator.faults.registry import Fault
from airflow_provider_ringevents.emulator.server import connection

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class BufferedResponse:
    """A complete response of the application."""

    status: int
    headers: Headers
    body: bytes


class FaultContext:
    """A request whose body has been read, and the application that answers it."""

    def __init__(
        self,
        fault: Fault,
        backend: Backend,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
        body: bytes,
    ) -> None:
        self.fault = fault
        self.backend = backend
        self.scope = scope
        self.send = send
        self._app = app
        self._receive = receive
        self._body = body

    @classmethod
    async def read(
        cls,
        fault: Fault,
        backend: Backend,
        app: ASGIApp,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> FaultContext:
        """Return the context of a request, with its body read to the end."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body", False):
                return cls(fault, backend, app, scope, receive, send, body)

    async def answer(self, send: Send, query: bytes | None = None) -> None:
        """Run the application and pass its messages to ``send``.

        :param query: replaces the query of the request.
        """
        waiting = [self._body]

        async def receive() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return await self._receive()

        scope = self.scope if query is None else {**self.scope, "query_string": query}
        await self._app(scope, receive, send)

    async def collect(self, query: bytes | None = None) -> BufferedResponse:
        """Run the application and return its response without sending it.

        :param query: replaces the query of the request.
        """
        answer = BufferedResponse(500, [], b"")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = list(message["headers"])
            else:
                answer.body += message.get("body", b"")

        await self.answer(send, query)
        return answer

    async def reply(self, answer: BufferedResponse) -> None:
        """Send a complete response."""
        headers = with_header(answer.headers, b"content-length", str(len(answer.body)).encode())
        await self.send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def reset(self) -> None:
        """End the connection with a TCP reset."""
        await connection.reset(self.scope, self._receive)

    async def close(self) -> None:
        """Close the connection in the orderly way."""
        await connection.close(self.scope, self._receive)

    async def wait_for_disconnect(self, seconds: float | None) -> bool:
        """Return True when the client is still connected after ``seconds``; None waits until it is not."""
        try:
            await asyncio.wait_for(connection.wait_for_disconnect(self._receive), seconds)
        except TimeoutError:
            return True
        return False


def with_header(headers: Headers, name: bytes, value: bytes | None) -> Headers:
    """Return the headers with ``name`` set to ``value``, or without it for None."""
    others = [(each, text) for each, text in headers if each.lower() != name]
    return others if value is None else [*others, (name, value)]


Action = Callable[[FaultContext], Awaitable[None]]
"""Applies one kind of fault to a request."""
