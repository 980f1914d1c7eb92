"""A fast server of lists over TLS: `python -m benchmarks.list_server CERTIFICATE [--latency SECONDS]`.

It serves registrations as the emulator makes them, in pages of 100: a thousand of them over and over, each time under
other ids. How long a list is stands in the id of its event: `/v1/events/20000/registrations` has 20,000 rows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import sys
from collections.abc import Callable
from urllib.parse import SplitResult, parse_qs, urlsplit

from benchmarks.certificate import server_context

PER_PAGE = 100
TEMPLATES = 10
_SEND_BUFFER = 1 << 20
"""Bytes: a whole page leaves at once."""
_ID = re.compile(r"@id(\d+)@")


class Pages:
    """The bodies of all pages of all lists, made from ten pages of the emulator's rows."""

    def __init__(self) -> None:
        from airflow_provider_ringevents.emulator import Emulator
        from airflow_provider_ringevents.emulator.backend.ids import ResourceType

        emulator = Emulator(registrations=TEMPLATES * PER_PAGE)
        book = emulator.state.events[emulator.event_id].registrations
        self._make, self._kind = emulator.state.ids.encode, ResourceType.REGISTRATION
        self._templates: list[list[bytes]] = []
        for first in range(0, TEMPLATES * PER_PAGE, PER_PAGE):
            rows = [book.to_json(first + place).replace(book.id(first + place), f"@id{place}@") for place in range(100)]
            # Every second piece is the place of a row on its page.
            self._templates.append([piece.encode() for piece in _ID.split(",".join(rows))])

    def body(self, origin: str, path: str, total: int, number: int) -> bytes:
        """One page: JSON as the API writes it. ``total`` is a multiple of 100; pages behind the last are empty."""
        last = max(1, total // PER_PAGE)
        link = f"{origin}{path}?perPage={PER_PAGE}&page="
        following = f'"{link}{number + 1}"' if number < last else "null"
        head = f'{{"links":{{"next":{following},"last":"{link}{last}"}},"meta":{{"count":{total}}},"data":['.encode()
        if number > last or not total:
            return head + b"]}"
        pieces = list(self._templates[number % TEMPLATES])
        first = (number - 1) * PER_PAGE
        ids = [self._make(self._kind, 1, first + place).encode() for place in range(PER_PAGE)]
        pieces[1::2] = [ids[int(place)] for place in pieces[1::2]]
        return b"".join([head, *pieces, b"]}"])

    def response(self, origin: str, target: SplitResult) -> bytes:
        """The body of the response to a request."""
        page = int(parse_qs(target.query).get("page", ["1"])[0])
        return self.body(origin, target.path, int(target.path.split("/")[3]), page)


class Connection(asyncio.Protocol):
    """HTTP/1.1, as far as readers of lists need it: GET, one request at a time, connections stay open.

    :param respond: origin and target of a request -> the body of its response.
    :param latency: seconds before every response.
    """

    def __init__(self, respond: Callable[[str, SplitResult], bytes], latency: float) -> None:
        self._respond = respond
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        host, port = sock.getsockname()[:2]
        self._origin = f"https://{host}:{port}"

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        self._received += data
        while b"\r\n\r\n" in self._received:
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            # Made at once, so that making it is a part of the latency and does not come on top.
            answer = self._answer(request.split(b" ", 2)[1].decode())
            loop.call_at(arrived + self._latency, self._transport.write, answer)

    def _answer(self, target: str) -> bytes:
        body = self._respond(self._origin, urlsplit(target))
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


async def serve(respond: Callable[[str, SplitResult], bytes], certificate: str, latency: float) -> None:
    """Print the origin, and serve until the process is told to end. Arguments as :class:`Connection`."""
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    server = await loop.create_server(
        lambda: Connection(respond, latency), "127.0.0.1", 0, ssl=server_context(certificate)
    )
    host, port = server.sockets[0].getsockname()[:2]
    print(json.dumps(f"https://{host}:{port}"), flush=True)
    await ending.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.list_server", description=__doc__)
    parser.add_argument("certificate", help="file with a key and its certificate")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every response")
    arguments = parser.parse_args()
    asyncio.run(serve(Pages().response, arguments.certificate, arguments.latency))
    sys.exit(0)
