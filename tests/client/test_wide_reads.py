"""How much is asked of a socket at a time."""

from __future__ import annotations

from typing import Any

import httpcore
import httpx
import pytest
from raw_server import RawServer, Response

from airflow_provider_ringevents.client import Client, defaults, endpoints
from airflow_provider_ringevents.client.wide_reads import widen


class _Counting(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, asked: list[int]) -> None:
        self._stream, self._asked = stream, asked
        self.write, self.close, self.get_extra_info = stream.write, stream.close, stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._asked.append(max_bytes)
        return self._stream.read(max_bytes, timeout)


class _CountingBackend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self.asked: list[int] = []

    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Counting(httpcore.SyncBackend().connect_tcp(*args, **kwargs), self.asked)


def _health(seen: object) -> Response:
    return Response(200, b'{"data": {"status": "ok"}}', {"Content-Type": "application/json"})


def test_a_client_asks_for_large_pieces() -> None:
    backend = _CountingBackend()
    with RawServer(_health) as api, Client(api.url, "key") as client:
        # Fails when httpx keeps its connections elsewhere: then `widen` does nothing any more.
        client._http._transport._pool._network_backend._backend = backend
        client.send(endpoints.health())
    assert set(backend.asked) == {defaults.SOCKET_READ_SIZE}


def test_a_proxy_of_the_environment_is_widened_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(_health) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "elsewhere.example")
        with Client("http://127.0.0.1:9", "key") as client:
            backend = _CountingBackend()
            for transport in filter(None, client._http._mounts.values()):
                transport._pool._network_backend._backend = backend
            client.send(endpoints.health())
        assert proxy.requests
    assert set(backend.asked) == {defaults.SOCKET_READ_SIZE}


def test_a_transport_of_another_kind_is_left_alone() -> None:
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(204))) as http:
        widen(http)
        assert http.get("http://127.0.0.1/").status_code == 204
