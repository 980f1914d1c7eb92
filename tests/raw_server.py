"""A small HTTP/1.1 server on a real socket: keeps every request as it came, and answers with any bytes.

For what a well-behaved server cannot do: bodies that are cut, wrong lengths, resets, silence, foreign redirects.
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

REASONS = {200: "OK", 302: "Found", 404: "Not Found"}


@dataclass(frozen=True)
class Request:
    """One request: ``target`` is the raw request target, header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    number: int

    @property
    def path(self) -> str:
        """The raw path, still percent-quoted."""
        return self.target.partition("?")[0]

    @property
    def raw_query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    """What the server does.

    :ivar framing: ``length`` (Content-Length), ``chunked``, or ``close`` (neither: ends when the connection does).
    :ivar declared: a Content-Length other than the body's.
    :ivar cut: bytes of the body that are sent before the connection ends; -1: not even the head.
    :ivar reset: that end is a TCP reset.
    :ivar stall: bytes of the body after which nothing more comes, for as long as the server runs.
    :ivar raw: all that is sent, head and body, as it is.
    :ivar after: and this a tenth of a second later.
    :ivar ends: and then the connection ends, though nothing has said so.
    :ivar drip: what follows ``raw`` again and again, until the client leaves.
    :ivar pause: seconds before each of them.
    :ivar endless: the body is sent again and again until the client leaves.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = field(default_factory=dict)
    framing: str = "length"
    declared: int | None = None
    cut: int | None = None
    reset: bool = False
    stall: int | None = None
    endless: bool = False
    raw: bytes | None = None
    after: bytes = b""
    ends: bool = False
    drip: bytes = b""
    pause: float = 0.1


def json_response(body: Any, status: int = 200, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, json.dumps(body).encode(), {"Content-Type": "application/json", **named})


def error_response(status: int, *details: Mapping[str, Any], **headers: str) -> Response:
    """An error as the API documents it."""
    return json_response({"errors": list(details)}, status, **headers)


NO_RESPONSE = Response(cut=-1)
RESET = Response(cut=-1, reset=True)
SILENCE = Response(body=b" ", stall=-1)

Handler = Callable[[Request], Response]


class RawServer:
    """Listens on 127.0.0.1 in threads, as long as the ``with`` block runs.

    :param handler: called in the connection's thread for each request.
    :param context: speak TLS.
    :param host: ``::1`` for IPv6.
    :ivar requests: all requests in the order in which they were read.
    :ivar peak: most requests that were in the handler at one moment.
    :ivar connections: connections that were accepted.
    :ivar sent_after: how often ``after`` of a response was sent.
    :ivar errors: what went wrong inside handlers.
    """

    def __init__(self, handler: Handler, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.handler = handler
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self.connections = 0
        self.open_connections = 0
        self.in_flight = self.peak = 0
        self.sent_after = 0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._context = context
        self._host = host
        outer = self

        class _Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        class _Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            request_queue_size = 512

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that leaves in the middle is the rule here

            def shutdown_request(self, request: Any) -> None:
                self.close_request(request)  # an orderly end would undo a reset

        self._server = _Server((host, 0), _Connection)
        self.port: int = self._server.server_address[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if context else 'http'}://{shown}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.requests]

    def wait_for_requests(self, count: int, seconds: float = 10.0) -> list[Request]:
        """Wait until so many requests were read, for a client that gave up may be ahead of the server; return all."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.requests) >= count, seconds)
            return list(self.requests)

    def wait_until_closed(self, seconds: float = 5.0) -> bool:
        """Wait until all connections have ended; False when some are left."""
        return self.wait_until(lambda: self.open_connections == 0, seconds)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 10.0) -> bool:
        """Wait for a condition on connections, requests or what was sent after an answer; return whether it holds."""
        with self._changed:
            return self._changed.wait_for(condition, seconds)

    @contextmanager
    def _handling(self) -> Iterator[None]:
        with self._lock:
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
        try:
            yield
        finally:
            with self._lock:
                self.in_flight -= 1

    def _serve(self, sock: socket.socket) -> None:
        with self._changed:
            self.connections += 1
            self.open_connections += 1
            connection = self.connections
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            with sock.makefile("rb") as stream:
                while (request := self._read(stream, sock, connection)) is not None:
                    # Out of the count before the answer: the client's next request may overtake what follows.
                    with self._handling():
                        try:
                            answer = self.handler(request)
                        except Exception as error:
                            self.errors.append(error)
                            answer = Response(599, repr(error).encode())
                    if not self._send(sock, request, answer):
                        return
        except OSError:
            return
        finally:
            sock.close()
            with self._changed:
                self.open_connections -= 1
                self._changed.notify_all()

    def _read(self, stream: Any, sock: socket.socket, connection: int) -> Request | None:
        line = stream.readline(65_536)
        if not line.strip():
            return None
        method, target, _version = line.decode("latin-1").split()
        headers: dict[str, str] = {}
        while (line := stream.readline(65_536)) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        with self._lock:
            seen = Request(method, target, headers, body, connection, len(self.requests))
            self.requests.append(seen)
            self._changed.notify_all()
        return seen

    def _send(self, sock: socket.socket, request: Request, answer: Response) -> bool:
        """Returns whether the connection goes on."""
        if answer.cut == -1:
            self._end(sock, answer.reset)
            return False
        if answer.raw is not None:
            sock.sendall(answer.raw)
            if answer.after:
                self.stopping.wait(0.1)
                sock.sendall(answer.after)
                with self._changed:
                    self.sent_after += 1
                    self._changed.notify_all()
            while answer.drip and not self.stopping.wait(answer.pause):
                sock.sendall(answer.drip)
            if answer.ends:
                self._end(sock, answer.reset)
            elif answer.stall is not None:
                self.stopping.wait()
            return not answer.ends and answer.stall is None
        headers = list(answer.headers.items() if isinstance(answer.headers, Mapping) else answer.headers)
        names = {name.lower() for name, _ in headers}
        bodyless = request.method == "HEAD" or answer.status in (204, 304)
        if answer.framing == "chunked":
            headers.append(("Transfer-Encoding", "chunked"))
        elif answer.framing == "close":
            headers.append(("Connection", "close"))
        elif not bodyless and "content-length" not in names and not answer.endless:
            headers.append(("Content-Length", str(len(answer.body) if answer.declared is None else answer.declared)))
        head = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Whatever')}"]
        head += [f"{name}: {value}" for name, value in headers]
        if answer.stall == -1:
            self.stopping.wait()
            return False
        sock.sendall("\r\n".join([*head, "", ""]).encode("latin-1"))
        while answer.endless and not self.stopping.is_set():
            sock.sendall(answer.body)
        if answer.stall is not None:
            sock.sendall(answer.body[: answer.stall])
            self.stopping.wait()
            return False
        if bodyless:
            return True
        part = answer.body if answer.cut is None else answer.body[: answer.cut]
        if answer.framing == "chunked":
            if part:
                sock.sendall(b"%x\r\n%b\r\n" % (len(part), part))
            if answer.cut is None:
                sock.sendall(b"0\r\n\r\n")
        else:
            sock.sendall(part)
        if answer.cut is not None or answer.framing == "close" or answer.declared is not None:
            self._end(sock, answer.reset)
            return False
        return True

    @staticmethod
    def _end(sock: socket.socket, reset: bool) -> None:
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif not isinstance(sock, ssl.SSLSocket):
            sock.shutdown(socket.SHUT_WR)
        sock.close()


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
