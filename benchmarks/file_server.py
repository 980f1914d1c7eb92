"""A server of one large report over TLS: `python -m benchmarks.file_server CERTIFICATE BYTES`.

It answers every request at once: `/v1/reports/ID/download` with the file, everything else with a report that is ready.
The file of the report `quoted` has quotes around each value.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import threading

from benchmarks.certificate import server_context


def rows(*, quoted: bool) -> bytes:
    """Return some 3 MiB of rows as reports of registrations have them."""
    mark = '"' if quoted else ""
    lines = []
    for number in range(16_384):
        values = [
            f"{number * 2_654_435_761 % 2**32:08x}-0000-4000-8000-{number:012x}",
            f"person.{number}@example.org",
            "Alexandra",
            f"Robertson-{number % 97}",
            "General admission",
            "registered",
            f"2026-05-{number % 28 + 1:02d}T09:{number % 60:02d}:{number % 59:02d}.000Z",
            "Vice President of Engineering",
            "Example Corporation Ltd",
            "United Kingdom",
        ]
        lines.append(",".join(f"{mark}{value}{mark}" for value in values))
    return "\r\n".join([*lines, ""]).encode()


_BLOCKS = {quoted: rows(quoted=quoted) for quoted in (False, True)}
_REPORT = {"data": {"id": "1", "type": "report", "attributes": {"status": "completed", "type": "registrations"}}}


def _serve(connection: ssl.SSLSocket, size: int) -> None:
    received = b""
    try:
        connection.do_handshake()
        with connection:
            while part := connection.recv(65_536):
                received += part
                while b"\r\n\r\n" in received:
                    request, _, received = received.partition(b"\r\n\r\n")
                    _respond(connection, request.split(b" ", 2)[1], size)
    except OSError:
        connection.close()


def _respond(connection: ssl.SSLSocket, target: bytes, size: int) -> None:
    is_download = target.endswith(b"/download")
    body = b"" if is_download else json.dumps(_REPORT).encode()
    kind, length = ("text/csv", size) if is_download else ("application/json", len(body))
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + body)
    left = size if is_download else 0
    block = memoryview(_BLOCKS[b"/quoted/" in target])
    while left:
        piece = block[:left]
        connection.sendall(piece)
        left -= len(piece)


def main() -> None:
    certificate, size = sys.argv[1], int(sys.argv[2])
    context = server_context(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        print(json.dumps(f"https://{host}:{port}"), flush=True)
        while True:
            plain, _ = listener.accept()
            connection = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=_serve, args=(connection, size), daemon=True).start()


if __name__ == "__main__":
    main()
