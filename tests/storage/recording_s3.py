"""A server that answers uploads as S3 does and records the headers of every request."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


class RecordingS3:
    """The server as a context manager.

    :ivar url: where it listens.
    :ivar conn_id: an id for its connection that no other server has.
    :ivar requests: operation and headers of every request, in order.
    :ivar missing_heads: how many HEAD requests for an object that is there are answered with 404.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, list[bytes]] = {}
        self.missing_heads = 0
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_POST(self) -> None:
                key, query, _ = self._read()
                if "uploads" in query:
                    recorder.parts[key] = []
                    self._answer("create_upload", 200, "<R><Bucket>b</Bucket><UploadId>1</UploadId></R>")
                else:
                    recorder.objects[key] = b"".join(recorder.parts.pop(key))
                    self._answer("complete_upload", 200, "<R><ETag>1</ETag></R>")

            def do_PUT(self) -> None:
                key, query, body = self._read()
                if "partNumber" in query:
                    recorder.parts[key].append(body)
                    self._answer("upload_part", 200, ETag='"1"')
                else:
                    recorder.objects[key] = body
                    self._answer("put", 200, ETag='"1"')

            def do_DELETE(self) -> None:
                key, _, _ = self._read()
                recorder.parts.pop(key, None)
                self._answer("abort_upload", 204)

            def do_GET(self) -> None:
                self._read()
                self._answer("list", 200, "<R><IsTruncated>false</IsTruncated></R>")

            def do_HEAD(self) -> None:
                key, _, _ = self._read()
                found = recorder.objects.get(key)
                if found is not None and recorder.missing_heads:
                    recorder.missing_heads -= 1
                    found = None
                recorder.requests.append(("head", {}))
                self.send_response(404 if found is None else 200)
                self.send_header("Content-Length", str(len(found or b"")))
                self.end_headers()

            def _read(self) -> tuple[str, dict[str, list[str]], bytes]:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                return parts.path, parse_qs(parts.query, keep_blank_values=True), body

            def _answer(self, operation: str, status: int, text: str = "", **headers: str) -> None:
                recorder.requests.append((operation, {name.lower(): value for name, value in self.headers.items()}))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.conn_id = f"recording_s3_{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def headers_of(self, operation: str) -> dict[str, str]:
        """Return the headers of the one request of an operation."""
        (headers,) = [headers for name, headers in self.requests if name == operation]
        return headers

    def airflow_connection(self) -> dict[str, Any]:
        return {
            "conn_type": "aws",
            "login": "key",
            "password": "secret",
            "extra": {"endpoint_url": self.url, "region_name": "us-east-1"},
        }
