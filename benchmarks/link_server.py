"""A server of magic links that takes next to no time itself: `python -m benchmarks.link_server --latency SECONDS`.

How many links a ticket has at the start stands in its id: `/v1/tickets/200000/magicLinks` lists 200,000, in pages of
1,000. A POST is answered with a link, and is not added to the list.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import ssl
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from benchmarks import certificate

PER_PAGE = 1_000


def page(ticket: str, number: int) -> bytes:
    """One page of the links of a ticket."""
    total = int(ticket)
    first, end = (number - 1) * PER_PAGE, min(number * PER_PAGE, total)
    rows = [
        {
            "type": "magicLink",
            "attributes": {
                "id": f"link{row}",
                "email": f"guest{row}@people.example",
                "magicLink": f"https://l.example/{row}",
            },
        }
        for row in range(first, end)
    ]
    following = f"/v1/tickets/{ticket}/magicLinks?page={number + 1}&perPage={PER_PAGE}" if end < total else None
    return json.dumps({"data": rows, "meta": {"count": total}, "links": {"next": following}}).encode()


class Connection(asyncio.Protocol):
    """HTTP/1.1, as far as clients need it: one request at a time, connections stay open."""

    made = 0

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
            length = lengths[0] if lengths else 0
            if len(rest) < length:
                return
            body, self._received = rest[:length], rest[length:]
            method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
            status, answer = self._answer(method, target.decode(), body)
            response = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
                status,
                len(answer),
                answer,
            )
            loop.call_at(arrived + self._latency, self._transport.write, response)

    def _answer(self, method: bytes, target: str, body: bytes) -> tuple[bytes, bytes]:
        parts = urlsplit(target)
        ticket = parts.path.split("/")[3]
        if method == b"GET":
            return b"200 OK", page(ticket, int(parse_qs(parts.query).get("page", ["1"])[0]))
        Connection.made += 1
        attributes = json.loads(body)["data"]["attributes"]
        made = {**attributes, "id": f"new{Connection.made}", "magicLink": f"https://l.example/new{Connection.made}"}
        return b"201 Created", json.dumps({"data": {"type": "magicLink", "attributes": made}}).encode()


async def serve(latency: float) -> None:
    """Print base URL and certificate once it listens, and end on SIGTERM."""
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    with tempfile.TemporaryDirectory() as folder:
        bundle = certificate.make(Path(folder))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(bundle)
        server = await loop.create_server(lambda: Connection(latency), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        print(json.dumps({"base_url": f"https://127.0.0.1:{port}", "verify": str(bundle)}), flush=True)
        async with server:
            await done.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0)
    asyncio.run(serve(parser.parse_args().latency))
    return 0


if __name__ == "__main__":
    sys.exit(main())
