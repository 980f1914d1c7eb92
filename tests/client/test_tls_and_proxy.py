"""Certificates that are not trusted, CA bundles of one's own, and proxies."""

from __future__ import annotations

import json
import logging
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from certificates import Authority
from client_drivers import KEY, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import RingEventsTransportError

HEALTH = endpoints.health()
POST = endpoints.create_ticket("e", {"name": "n"})
OK = json_response({"status": "ok", "data": {"id": "x"}})


# --- certificates


@pytest.mark.parametrize("call", [HEALTH, POST], ids=["GET", "POST"])
def test_a_certificate_that_is_not_trusted_is_refused_without_retries(
    driver: type[SyncDriver], trusted: ssl.SSLContext, call: endpoints.Call
) -> None:
    told: list[BaseException] = []
    with RawServer(lambda seen: OK, context=trusted) as server:
        with pytest.raises(RingEventsTransportError, match=r"certificate is not trusted.*'verify'") as caught:
            driver(server.url).send(call, on_retry=told.append)
        assert server.connections == 1
        assert server.requests == []
    assert told == []
    assert not caught.value.sent
    assert not caught.value.ambiguous
    assert not caught.value.retryable


def test_an_expired_certificate_is_refused(driver: type[SyncDriver], authority: Authority) -> None:
    context = authority.context("expired.pem", days=-1)
    with (
        RawServer(lambda seen: OK, context=context) as server,
        pytest.raises(RingEventsTransportError, match="not trusted"),
    ):
        driver(server.url, verify=str(authority.bundle)).send(HEALTH)


def test_a_certificate_for_another_host_is_refused(driver: type[SyncDriver], authority: Authority) -> None:
    context = authority.context("other.pem", host="192.0.2.1")
    with (
        RawServer(lambda seen: OK, context=context) as server,
        pytest.raises(RingEventsTransportError, match="not trusted"),
    ):
        driver(server.url, verify=str(authority.bundle)).send(HEALTH)


def test_a_ca_bundle_makes_it_trusted(driver: type[SyncDriver], authority: Authority, trusted: ssl.SSLContext) -> None:
    with RawServer(lambda seen: OK, context=trusted) as server:
        assert driver(server.url, verify=str(authority.bundle)).send(HEALTH)["status"] == "ok"
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_verification_can_be_switched_off(driver: type[SyncDriver], trusted: ssl.SSLContext) -> None:
    with RawServer(lambda seen: OK, context=trusted) as server:
        assert driver(server.url, verify=False).send(HEALTH)["status"] == "ok"


def test_the_environments_ca_bundle_is_honoured(
    driver: type[SyncDriver], authority: Authority, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents.client.transport.http import ssl_context

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    ssl_context.cache_clear()
    try:
        with RawServer(lambda seen: OK, context=trusted) as server:
            assert driver(server.url).send(HEALTH)["status"] == "ok"
    finally:
        ssl_context.cache_clear()


def test_a_file_on_a_server_that_is_not_trusted_is_not_had(driver: type[SyncDriver], trusted: ssl.SSLContext) -> None:
    with RawServer(lambda seen: Response(200, b"x"), context=trusted) as store:

        def handler(seen: Request) -> Response:
            link = f"{store.url}/f?secret"
            if seen.path.endswith("/download"):
                return Response(302, headers={"Location": link})
            return json_response({"data": {"id": "r", "attributes": {"url": link}}})

        with RawServer(handler) as api, pytest.raises(RingEventsTransportError, match="not trusted") as caught:
            driver(api.url).download(endpoints.download_report("r"))
        assert store.requests == []
    assert "secret" not in str(caught.value)


def test_plain_http_on_a_tls_port_is_an_error_of_ours(driver: type[SyncDriver]) -> None:
    with (
        RawServer(lambda seen: OK) as server,
        pytest.raises(RingEventsTransportError, match="could not be reached"),
    ):
        driver(server.url.replace("http://", "https://"), max_attempts=1, timeout=0.5).send(HEALTH)


def test_one_tls_context_serves_all_clients_of_a_setting(authority: Authority) -> None:
    from airflow_provider_ringevents.client.transport.http import ssl_context

    assert ssl_context(True) is ssl_context(True)
    assert ssl_context(True) is not ssl_context(False)
    assert ssl_context(str(authority.bundle)) is ssl_context(str(authority.bundle))
    assert ssl_context(True).verify_mode is ssl.CERT_REQUIRED


# --- proxies


class Tunnel:
    """A proxy that knows CONNECT alone.

    :ivar heads: the head of each request.
    """

    def __init__(self, refuse: bytes = b"") -> None:
        self.heads: list[bytes] = []
        outer = self

        class _Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                head = b""
                while line := self.rfile.readline():
                    head += line
                    if line == b"\r\n":
                        break
                outer.heads.append(head)
                if refuse:
                    self.wfile.write(refuse)
                    return
                host, _, port = head.split()[1].rpartition(b":")
                with socket.create_connection((host.decode(), int(port))) as far:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    pair = {self.connection: far, far: self.connection}
                    while True:
                        for ready in select.select(list(pair), [], [], 5)[0]:
                            part = ready.recv(65_536)
                            if not part:
                                return
                            pair[ready].sendall(part)

        class _Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Tunnel:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def tunnel() -> Iterator[Tunnel]:
    with Tunnel() as running:
        yield running


def test_plain_http_goes_by_the_proxy(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: OK) as proxy:
        driver("http://127.0.0.1:9", proxy=proxy.url).send(HEALTH)
        assert proxy.requests[0].target == "http://127.0.0.1:9/v1/health"


def test_https_goes_through_the_proxy_which_never_sees_the_key(
    driver: type[SyncDriver], tunnel: Tunnel, authority: Authority, trusted: ssl.SSLContext
) -> None:
    with RawServer(lambda seen: OK, context=trusted) as server:
        client = driver(server.url, verify=str(authority.bundle), proxy=f"http://user:hunter2@{tunnel.address}")
        assert client.send(HEALTH)["status"] == "ok"
        assert len(server.requests) == 1
    (head,) = tunnel.heads
    assert head.startswith(f"CONNECT 127.0.0.1:{server.port} ".encode())
    assert b"proxy-authorization: basic" in head.lower()
    assert KEY.encode() not in head


def test_the_certificate_is_checked_through_the_proxy_too(
    driver: type[SyncDriver], tunnel: Tunnel, trusted: ssl.SSLContext
) -> None:
    with RawServer(lambda seen: OK, context=trusted) as server:
        with pytest.raises(RingEventsTransportError, match="not trusted"):
            driver(server.url, proxy=f"http://{tunnel.address}").send(HEALTH)
        assert server.requests == []


def test_a_proxy_of_the_environment_is_honoured(driver: type[SyncDriver], monkeypatch: pytest.MonkeyPatch) -> None:
    with Tunnel(refuse=b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n") as tunnel:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{tunnel.address}")
        with pytest.raises(RingEventsTransportError):
            driver("https://api.example.org", max_attempts=1).send(HEALTH)
    assert [head.partition(b" HTTP")[0] for head in tunnel.heads] == [b"CONNECT api.example.org:443"]


def test_no_proxy_of_the_environment_gets_what_goes_to_loopback(
    driver: type[SyncDriver], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(lambda seen: OK) as proxy, RawServer(lambda seen: OK) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        driver(server.url).send(HEALTH)
        assert (len(proxy.requests), len(server.requests)) == (0, 1)


def test_a_proxy_that_is_down_or_refuses_means_that_nothing_was_sent(driver: type[SyncDriver]) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with Tunnel(refuse=refusal) as tunnel, pytest.raises(RingEventsTransportError) as caught:
        driver("https://example.org", proxy=f"http://u:hunter2@{tunnel.address}", max_attempts=3).send(POST)
    assert len(tunnel.heads) == 3
    assert not caught.value.ambiguous
    assert "hunter2" not in str(caught.value)


def test_a_proxys_password_is_not_logged(
    driver: type[SyncDriver],
    tunnel: Tunnel,
    trusted: ssl.SSLContext,
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy = f"http://user:hunter2@{tunnel.address}"
    with (
        caplog.at_level(logging.DEBUG),
        caplog.at_level(logging.DEBUG, "httpx"),
        caplog.at_level(logging.DEBUG, "httpcore"),
        RawServer(lambda seen: OK, context=trusted) as server,
    ):
        driver(server.url, verify=str(authority.bundle), proxy=proxy).send(HEALTH)
    assert "CONNECT" in caplog.text
    assert "hunter2" not in caplog.text
    assert "dXNlcjpodW50ZXIy" not in caplog.text, "user:hunter2 in Base64"


def test_the_test_of_a_connection_says_what_helps_with_a_certificate(
    authority: Authority, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

    with RawServer(lambda seen: OK, context=trusted) as server:
        connection = {"conn_type": "ringevents", "host": server.url, "password": KEY}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))
        good, message = RingEventsHook().test_connection()
    assert not good
    assert "set 'verify'" in message
