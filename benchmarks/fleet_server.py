"""What a fleet of waits polls: `python -m benchmarks.fleet_server CERTIFICATE [--latency SECONDS] [--limit REQUESTS]`.

It speaks as much of four services as their waits ask for. When something is ready stands in its id, so that nothing is
kept for it: see :func:`job`. `/stats` says what was asked since it was asked last, as :class:`Stats`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import signal
import sys
import time
from dataclasses import asdict, dataclass, field

from benchmarks.certificate import server_context

STATS = "/stats"
_IDS = 100_000
_REASONS = {200: "OK", 202: "Accepted", 404: "Not Found", 429: "Too Many Requests"}
_JOB = re.compile(r"/(\d+)/?(?:\?|$)")


def job(number: int, ready: float) -> int:
    """The id of a thing that is ready from ``ready`` on, in seconds of `time.monotonic`; one clock serves a machine."""
    return round(ready * 1000) * _IDS + number


def is_ready(job_id: int, now: float) -> bool:
    """Whether it is, at a moment of the same clock."""
    return now * 1000 >= job_id // _IDS


@dataclass
class Stats:
    """What was asked.

    :ivar polls: when, in seconds of `time.monotonic`.
    :ivar refused: how many of them were answered with 429.
    :ivar connections: most that were open at one moment.
    :ivar opened: all that were opened.
    """

    polls: list[float] = field(default_factory=list)
    refused: int = 0
    connections: int = 0
    opened: int = 0


class Service:
    """Everything but the sockets.

    :param limit: requests per second; more are answered with 429 and a Retry-After in whole seconds. None: no limit.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.stats = Stats()
        self.open = 0
        self._limit = limit
        self._tokens = limit or 0.0
        self._filled = 0.0

    def connected(self) -> None:
        """A connection was opened by a wait."""
        self.open += 1
        self.stats.opened += 1
        self.stats.connections = max(self.stats.connections, self.open)

    def answer(self, target: str, now: float) -> tuple[int, dict[str, object], float | None]:
        """Status, body and Retry-After of an answer."""
        if target == STATS:
            told, self.stats = asdict(self.stats), Stats(connections=self.open)
            return 200, told, None
        self.stats.polls.append(now)
        if (missing := self._taken(now)) is not None:
            self.stats.refused += 1
            return 429, {"errors": [{"title": "Too many requests"}]}, math.ceil(missing)
        found = _JOB.search(target)
        job_id = int(found[1]) if found else 0
        return *_told(target, job_id, is_ready(job_id, now)), None

    def _taken(self, now: float) -> float | None:
        """Take a token of a bucket that holds a second's worth; seconds until there is one where there is none."""
        if self._limit is None:
            return None
        self._tokens = min(self._limit, self._tokens + (now - self._filled) * self._limit)
        self._filled = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        return (1 - self._tokens) / self._limit


def _told(target: str, job_id: int, ready: bool) -> tuple[int, dict[str, object]]:
    if target.startswith("/v1/reports/"):
        attributes: dict[str, object] = {"type": "registrations", "status": "completed" if ready else "in_progress"}
        if ready:
            attributes["url"] = "https://files.invalid/report.csv"
        return 200 if ready else 202, {"data": {"id": str(job_id), "type": "report", "attributes": attributes}}
    if target.startswith("/api/v2/accounts/"):
        run = {"id": job_id, "account_id": 1, "status": 10 if ready else 3, "is_complete": ready}
        return 200, {"status": {"code": 200, "is_success": True}, "data": run}
    if "/jobs/" in target:
        told = "succeeded" if ready else "running"
        return 200, {"jobId": job_id, "status": told, "jobType": "sync", "startTime": "", "connectionId": ""}
    return (200, {"ready": True}) if ready else (404, {"ready": False})


class Connection(asyncio.Protocol):
    """HTTP/1.1, as far as waits need it: bodies of requests are passed over, connections stay open."""

    def __init__(self, service: Service, latency: float) -> None:
        self._service = service
        self._latency = latency
        self._received = b""
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._service.open -= self._counted

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
            size = int(length[1]) if length else 0
            if len(rest) < size:
                return
            self._received = rest[size:]
            target = head.split(b" ", 2)[1].decode()
            if not self._counted and target != STATS:
                self._counted = True
                self._service.connected()
            loop.call_later(self._latency, self._write, self._answer(target))

    def _answer(self, target: str) -> bytes:
        status, told, retry_after = self._service.answer(target, time.monotonic())
        body = json.dumps(told).encode()
        lines = [f"HTTP/1.1 {status} {_REASONS[status]}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(body)}", *([f"Retry-After: {retry_after}"] if retry_after else [])]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def _serve(certificate: str, latency: float, limit: float | None) -> None:
    loop, service, ending = asyncio.get_running_loop(), Service(limit), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ending.set)
    server = await loop.create_server(
        lambda: Connection(service, latency), "127.0.0.1", 0, ssl=server_context(certificate), backlog=4096
    )
    host, port = server.sockets[0].getsockname()[:2]
    print(json.dumps(f"https://{host}:{port}"), flush=True)
    await ending.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_server", description=__doc__)
    parser.add_argument("certificate", help="file with a key and its certificate")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before every answer")
    parser.add_argument("--limit", type=float, help="requests per second; more are answered with 429")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.certificate, arguments.latency, arguments.limit))
    sys.exit(0)
