"""Each fault, as a client on a real connection sees it."""

from __future__ import annotations

import gzip
import http.client
import itertools
import json
import math
import socket
import time
from collections.abc import Iterator
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from airflow_provider_ringevents.emulator import Emulator, Fault, ManualClock
from airflow_provider_ringevents.emulator.faults.registry import KINDS
from airflow_provider_ringevents.emulator.server.middleware import ACTIONS
from emulator.conftest import Api, fetch
from emulator.test_operations import EVENT

SIZE = 300_000
STREAMING = httpx.Client(verify=False)


@pytest.fixture(scope="module", params=["httptools", "h11"])
def shared_emulator(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Emulator]:
    """All of it with both of uvicorn's protocols: a plain install has h11 only."""
    with Emulator(seed=7, clock=clock, http=request.param) as running:
        yield running


class Raw:
    """One HTTP/1.1 connection, byte by byte."""

    def __init__(self, emulator: Emulator, url: str | None = None) -> None:
        parts = urlsplit(url or emulator.url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        self._key = "" if url else f"Authorization: Bearer {emulator.api_key}\r\n"

    def ask(self, path: str, method: str = "GET", body: str = "") -> None:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._key}{length}\r\n{body}".encode())

    def answer(self) -> int:
        """Read one answer with a Content-Length; returns its status."""
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        response.read()
        return response.status

    def rest(self) -> bytes:
        """All bytes until the server ends the connection the orderly way; raises when it is reset."""
        pieces = []
        while piece := self.socket.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.fixture
def raw(emulator: Emulator) -> Iterator[Raw]:
    raw = Raw(emulator)
    yield raw
    raw.socket.close()


@pytest.fixture
def link(emulator: Emulator, api: Api, clock: ManualClock, event_path: str) -> str:
    """A signed link to a file of SIZE bytes."""
    emulator.settings.change(report_bytes=SIZE)
    report = api.post(f"{event_path}/reports/chat")["data"]["id"]
    clock.advance(60)
    url: str = api.get(f"/v1/reports/{report}")["data"]["attributes"]["url"]
    return url


@pytest.fixture
def content(link: str) -> bytes:
    return fetch(link).content


def _events(emulator: Emulator) -> int:
    return len(emulator.state.events)


def _wait_for_events(emulator: Emulator, number: int) -> None:
    deadline = time.monotonic() + 10
    while _events(emulator) != number and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _events(emulator) == number


def _create(emulator: Emulator, api: Api) -> httpx.Response:
    path = f"/v1/organizations/{emulator.organization_id}/events"
    return api.http.post(path, json={"data": {"type": "event", "attributes": EVENT}})


def test_every_kind_has_an_action() -> None:
    assert set(KINDS) == ACTIONS.keys()


# --- no answer


def test_reset_is_a_tcp_reset(emulator: Emulator, raw: Raw) -> None:
    fault = emulator.fault("reset")
    raw.ask("/v1/health")
    with pytest.raises(ConnectionResetError):
        raw.rest()
    assert fault.hit_count == 1
    assert emulator.requests.entries[-1].status is None


def test_close_is_the_end_without_an_answer(emulator: Emulator, raw: Raw) -> None:
    emulator.fault("close")
    raw.ask("/v1/health")
    assert raw.rest() == b""


@pytest.mark.parametrize("kind", ["reset", "close", "hang", "status"])
def test_nothing_is_applied(kind: str, emulator: Emulator, api: Api) -> None:
    before = _events(emulator)
    emulator.fault(kind, seconds=0)
    if kind == "status":
        assert _create(emulator, api).status_code == 500
    else:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            _create(emulator, api)
    assert _events(emulator) == before
    assert _create(emulator, api).status_code == 201


def test_hang_lasts_until_the_client_leaves(emulator: Emulator, api: Api) -> None:
    emulator.fault("hang")
    with pytest.raises(httpx.ReadTimeout):
        api.http.get("/v1/health", timeout=1)
    api.get("/v1/health")


# --- applied, but the answer is lost


def test_applied_then_cut(emulator: Emulator, api: Api) -> None:
    before = _events(emulator)
    emulator.fault("applied_then_cut", method="POST")
    with pytest.raises(httpx.ReadError):
        _create(emulator, api)
    assert _events(emulator) == before + 1


def test_applied_then_status(emulator: Emulator, api: Api) -> None:
    before = _events(emulator)
    emulator.fault("applied_then_status", status=503)
    assert _create(emulator, api).status_code == 503
    assert _events(emulator) == before + 1


def test_applied_then_hang(emulator: Emulator, api: Api) -> None:
    before = _events(emulator)
    emulator.fault("applied_then_hang")
    with pytest.raises(httpx.ReadTimeout):
        api.http.post(
            f"/v1/organizations/{emulator.organization_id}/events",
            json={"data": {"type": "event", "attributes": EVENT}},
            timeout=1,
        )
    _wait_for_events(emulator, before + 1)


def test_applied_late(emulator: Emulator, api: Api) -> None:
    before = _events(emulator)
    emulator.fault("applied_late", seconds=0.7)
    with pytest.raises(httpx.ReadError):
        _create(emulator, api)
    assert _events(emulator) == before
    _wait_for_events(emulator, before + 1)


# --- other answers


def test_status_with_headers_and_the_documented_errors(emulator: Emulator, api: Api) -> None:
    emulator.fault("status", status=429, headers={"Retry-After": "7"})
    response = api.http.get("/v1/health")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    [error] = response.json()["errors"]
    assert (error["status"], error["title"]) == ("429", "Too Many Requests")


def test_any_body(emulator: Emulator, api: Api) -> None:
    emulator.fault("body", body='{"data": [NaN, "\\u0000"]}', headers={"Content-Type": "application/x"})
    response = api.http.get("/v1/health")
    assert (response.status_code, response.text) == (200, '{"data": [NaN, "\\u0000"]}')
    assert response.headers["content-type"] == "application/x"


def test_html(emulator: Emulator, api: Api) -> None:
    emulator.fault("html")
    response = api.http.get("/v1/health")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<html>" in response.text


def test_redirect(emulator: Emulator, api: Api) -> None:
    emulator.fault("redirect", url="http://127.0.0.1:9/x", status=307)
    response = api.http.get("/v1/health")
    assert (response.status_code, response.headers["location"]) == (307, "http://127.0.0.1:9/x")


def test_endless_goes_on_until_the_client_leaves(emulator: Emulator, api: Api) -> None:
    emulator.fault("endless", status=502)
    received = 0
    with api.http.stream("GET", "/v1/health") as response:
        assert response.status_code == 502
        for piece in response.iter_raw():
            received += len(piece)
            if received > 1_000_000:
                break
    api.get("/v1/health")


def test_headers(emulator: Emulator, api: Api) -> None:
    emulator.fault("headers", headers={"X-Extra": "1", "Content-Type": "text/plain"})
    response = api.http.get("/v1/health")
    assert (response.headers["x-extra"], response.headers["content-type"]) == ("1", "text/plain")
    assert response.json() == {"status": "ok"}


def test_content_type(emulator: Emulator, api: Api) -> None:
    emulator.fault("content_type", body="text/html")
    assert api.http.get("/v1/health").headers["content-type"] == "text/html"


def test_gzip(emulator: Emulator, link: str, content: bytes) -> None:
    emulator.fault("gzip", origin="links")
    with STREAMING.stream("GET", link, headers={"Accept-Encoding": "identity"}) as response:
        assert response.headers["content-encoding"] == "gzip"
        compressed = b"".join(response.iter_raw())
    assert gzip.decompress(compressed) == content


# --- changed JSON


def test_truncated_json(emulator: Emulator, api: Api) -> None:
    whole = api.http.get("/v1/organizations").content
    emulator.fault("truncated_json")
    response = api.http.get("/v1/organizations")
    assert response.content == whole[: len(whole) // 2]
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_counts(emulator: Emulator, api: Api) -> None:
    emulator.fault("wrong_count", value=99)
    emulator.fault("missing_count")
    assert api.http.get("/v1/organizations").json()["meta"] == {"count": 99}
    assert "meta" not in api.http.get("/v1/organizations").json()
    assert api.http.get("/v1/organizations").json()["meta"] == {"count": 2}


def test_next_links(emulator: Emulator, api: Api) -> None:
    emulator.fault("next_loop")
    emulator.fault("next_foreign", url="https://evil.example")
    links = api.http.get("/v1/organizations").json()["links"]
    assert links["next"] == links["self"]
    links = api.http.get("/v1/organizations").json()["links"]
    assert links["next"] == links["self"].replace(emulator.url, "https://evil.example")


def test_expired_links(emulator: Emulator, api: Api, link: str) -> None:
    report = urlsplit(link).path.split("/")[2]
    fault = emulator.fault("expired_link", origin="links")
    refused = fetch(link)
    assert (refused.status_code, b"Request has expired" in refused.content) == (403, True)
    assert fetch(link).status_code == 200
    assert fault.hit_count == 1
    emulator.fault("expired_link", origin="api", path=f"/v1/reports/{report}$")
    url = api.http.get(f"/v1/reports/{report}").json()["data"]["attributes"]["url"]
    assert b"Request has expired" in fetch(url).content
    emulator.settings.change(download="redirect")
    emulator.fault("expired_link", origin="api", path="download")
    location = api.http.get(f"/v1/reports/{report}/download").headers["location"]
    assert b"Request has expired" in fetch(location).content


# --- broken bodies


def test_cut_body(emulator: Emulator, link: str, content: bytes) -> None:
    emulator.fault("cut_body", after=100_000)
    raw = Raw(emulator, link)
    raw.ask(link.removeprefix(emulator.links_url))
    head, body = raw.rest().split(b"\r\n\r\n", 1)
    raw.socket.close()
    assert b"content-length: 300000" in head
    assert body == content[:100_000]
    emulator.fault("cut_body")
    with pytest.raises(httpx.RemoteProtocolError, match="received 150000 bytes, expected 300000"):
        fetch(link)


def test_cut_body_with_a_reset(emulator: Emulator, link: str) -> None:
    emulator.fault("cut_body", after=100_000, rst=True)
    raw = Raw(emulator, link)
    raw.ask(link.removeprefix(emulator.links_url))
    with pytest.raises(ConnectionResetError):
        raw.rest()
    raw.socket.close()


@pytest.mark.parametrize("after", [SIZE, SIZE + 1])
def test_a_cut_behind_the_end_is_none(after: int, emulator: Emulator, link: str, content: bytes) -> None:
    emulator.fault("cut_body", after=after)
    assert fetch(link).content == content


def test_cut_json(emulator: Emulator, api: Api) -> None:
    emulator.fault("cut_body")
    with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
        api.http.get("/v1/organizations")


def test_truncate_chunked(emulator: Emulator, link: str) -> None:
    emulator.fault("truncate_chunked", after=70_000)
    raw = Raw(emulator, link)
    raw.ask(link.removeprefix(emulator.links_url))
    head, body = raw.rest().split(b"\r\n\r\n", 1)
    raw.socket.close()
    assert b"transfer-encoding: chunked" in head.lower()
    assert b"content-length" not in head.lower()
    assert 70_000 <= len(body) < 70_100
    assert not body.endswith(b"0\r\n\r\n")
    emulator.fault("truncate_chunked", after=70_000)
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        fetch(link)


@pytest.mark.parametrize("after", [None, 0, 100_000])
def test_close_delimited(after: int | None, emulator: Emulator, link: str, content: bytes) -> None:
    emulator.fault("close_delimited", after=after)
    response = fetch(link)
    assert not response.headers.keys() & {"content-length", "transfer-encoding"}
    assert response.headers["connection"] == "close"
    assert response.content == content[:after]


def test_slow_body(emulator: Emulator, api: Api) -> None:
    whole = api.http.get("/v1/organizations").content
    emulator.fault("slow_body", rate=len(whole) * 4)
    started = time.monotonic()
    assert api.http.get("/v1/organizations").content == whole
    assert time.monotonic() - started > 0.2
    emulator.fault("slow_body", rate=1)
    with pytest.raises(httpx.ReadTimeout), api.http.stream("GET", "/v1/organizations", timeout=0.5) as response:
        response.read()
    api.get("/v1/health")


def test_stall(emulator: Emulator, link: str, content: bytes) -> None:
    emulator.fault("stall", after=1000, seconds=0.2)
    assert fetch(link).content == content
    emulator.fault("stall", after=1000)
    with STREAMING.stream("GET", link, timeout=1) as response:
        pieces = response.iter_raw()
        received = b""
        while len(received) < 1000:
            received += next(pieces)
        with pytest.raises(httpx.ReadTimeout):
            next(pieces)
    assert received == content[:1000]


def test_flip_byte(emulator: Emulator, link: str, content: bytes) -> None:
    emulator.fault("flip_byte", after=290_000)
    changed = fetch(link).content
    different = [place for place in range(SIZE) if changed[place] != content[place]]
    assert different == [290_000]


def test_delay(emulator: Emulator, api: Api) -> None:
    before = _events(emulator)
    emulator.fault("delay", seconds=0.2)
    started = time.monotonic()
    assert _create(emulator, api).status_code == 201
    assert time.monotonic() - started > 0.2
    emulator.fault("delay", seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        api.http.post(f"/v1/organizations/{emulator.organization_id}/events", timeout=1)
    api.get("/v1/health")
    assert _events(emulator) == before + 1


def test_connections_go_on_after_faults_that_do_not_end_them(emulator: Emulator, raw: Raw) -> None:
    emulator.fault("status", status=500)
    emulator.fault("html")
    statuses = []
    for _ in range(3):
        raw.ask("/v1/organizations", "POST", '{"x": 1}')
        statuses.append(raw.answer())
    assert statuses == [500, 200, 405]


# --- which requests are hit


def test_faults_are_hit_as_they_say(emulator: Emulator, api: Api, event_path: str) -> None:
    emulator.fault("status", status=500, path="/stages$", skip=1, times=2)
    statuses = [api.http.get(f"{event_path}/stages").status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert api.http.get(f"{event_path}/booths").status_code == 200
    always = emulator.fault("status", status=503, method="get", origin="api", times=None)
    assert [api.http.get("/v1/health").status_code for _ in range(4)] == [503] * 4
    assert api.http.post(f"{event_path}/tickets").status_code == 201
    assert always.hit_count == 4
    emulator.faults.remove(always)
    assert api.http.get("/v1/health").status_code == 200
    emulator.fault("status", origin="links")
    assert api.http.get("/v1/health").status_code == 200


def test_chance_is_seeded(emulator: Emulator, api: Api) -> None:
    def draw() -> list[int]:
        emulator.faults.clear()
        emulator.fault("status", status=500, times=None, chance=0.5)
        return [api.http.get("/v1/health").status_code for _ in range(30)]

    first = draw()
    assert {200, 500} == set(first)
    assert draw() == first


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kind": "explode"}, "got 'explode'"),
        ({"kind": "reset", "origin": "moon"}, "origin"),
        ({"kind": "reset", "path": "("}, "`path` must be a regular expression"),
        ({"kind": "redirect"}, "`url` must be given for the fault redirect"),
        ({"kind": "slow_body", "rate": 0}, "rate"),
        ({"kind": "status", "status": 99}, "got 99"),
        ({"kind": "reset", "time": 1}, "got time"),
        ({}, "`kind` must be given"),
        ({"kind": "slow_body", "rate": "fast"}, "`rate` must be a number from 0.001 to"),
        (5, "A fault must be a JSON object, got int"),
        ([], "A fault must be a JSON object, got list"),
    ],
)
def test_faults_that_cannot_be(fields: Any, text: str) -> None:
    with pytest.raises(ValueError, match=r" must be ") as caught:
        Fault.from_json(fields)
    assert text in str(caught.value)


_NO_COUNT = (-1, 1.5, math.nan, math.inf, True, "1", [1], 10**5_000)
WRONG_FIELDS: dict[str, tuple[Any, ...]] = {
    "kind": (None, 5, ["status"], "Status", 10**5_000),
    "method": (5, True, "", "GET /", "G\r\nT", ["GET"]),
    "path": (5, "(", "*", ["a"], {}),
    "query": (5, "[", True, ["a"]),
    "origin": (5, "moon", ["api"], ""),
    "times": _NO_COUNT,
    "skip": (*_NO_COUNT, None),
    "chance": (-0.1, 1.1, 2, math.nan, math.inf, True, "0.5", None),
    "status": (*_NO_COUNT, 99, 199, 600, "x"),
    "headers": (
        *(None, [1], "X: y", 5),
        *({"": "a"}, {"a b": "c"}, {"a\r\nb": "c"}, {"\u0416": "a"}),
        *({"X": "a\r\nb"}, {"X": 5}, {"X": None}, {"X": "a\0"}, {"X": "\ud800"}),
    ),
    "body": (5, True, ["a"], b"a", {}, "\ud800"),
    "url": (5, True, ["a"], "https://a\r\nX: y", "\ud800"),
    "after": _NO_COUNT,
    "seconds": (-1, math.nan, math.inf, True, "1", [1], 1e300),
    "rate": (0, -1, math.nan, math.inf, True, "1", None, 1e300),
    "value": (1.5, math.nan, True, "1", [1], 10**5_000, -1),
    "rst": (None, 0, 1, "true"),
}


def test_every_field_is_covered() -> None:
    assert {*WRONG_FIELDS, "hit_count"} == {each.name for each in fields(Fault)}


@pytest.mark.parametrize("name", WRONG_FIELDS)
def test_a_field_that_cannot_be_is_named_everywhere(name: str, emulator: Emulator) -> None:
    for value in WRONG_FIELDS[name]:
        given = {"kind": "status", name: value}
        with pytest.raises(ValueError, match=rf"^`{name}(\[.*\])?` must be .*, got ") as caught:
            Fault(**given)
        with pytest.raises(ValueError, match=rf"^`{name}") as again:
            emulator.fault(**given)
        assert str(again.value) == str(caught.value)
        is_json = not isinstance(value, float | int) or abs(value) < 10**100  # NaN is refused as no number
        if is_json and not isinstance(value, bytes):
            refused = httpx.post(
                f"{emulator.url}/_emulator/faults",
                content=json.dumps([{"kind": "status"}, given]),
                headers={"Content-Type": "application/json"},
            )
            assert (refused.status_code, refused.json()) == (400, {"error": str(caught.value)})
        assert not list(emulator.faults)


@pytest.mark.parametrize("kind", ["redirect", "next_foreign"])
@pytest.mark.parametrize("url", [None, ""])
def test_a_fault_that_leads_elsewhere_needs_a_url(kind: str, url: str | None, emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=f"^`url` must be given for the fault {kind}"):
        emulator.fault(kind, url=url)


def test_the_body_of_the_fault_content_type_is_a_header(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=r"^`body` must be the value of a header"):
        emulator.fault("content_type", body="text/html\r\nX: y")
    emulator.fault("body", body="two\r\nlines")


def test_the_ends_of_ranges(emulator: Emulator) -> None:
    for given in ({"times": 0, "skip": 0, "chance": 0, "after": 0, "seconds": 0}, {"chance": 1, "status": 200}):
        emulator.fault("status", **given)
    emulator.fault("status", method="get", status=599, times=None, after=None, seconds=None, headers={"X-Y": "a\tb"})
    emulator.fault("wrong_count", value=-1)


def test_an_unknown_field_is_named(emulator: Emulator) -> None:
    with pytest.raises(ValueError, match=r"^Fields must be among kind, .*, got time\.$"):
        emulator.fault("status", time=1)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "The body must be JSON in UTF-8: Expecting property name"),
        (b"\xff", "The body must be JSON in UTF-8: "),
        (b"[" * 100_000, "The body must be JSON in UTF-8: maximum recursion"),
        (b"5", "A fault must be a JSON object, got int."),
        (b"[5]", "A fault must be a JSON object, got int."),
        (b'{"kind": "status", "status": ' + b"9" * 5_000 + b"}", "Integers must have at most 100 digits, got 5000."),
        (b'{"kind": "status", "self": 1}', "Fields must be among kind"),
    ],
    ids=itertools.count(),
)
def test_a_control_body_that_cannot_be(body: bytes, text: str, emulator: Emulator) -> None:
    headers = {"Content-Type": "application/json"}
    refused = httpx.post(f"{emulator.url}/_emulator/faults", content=body, headers=headers)
    assert refused.status_code == 400
    assert refused.json()["error"].startswith(text)
    for method, path in (("PATCH", "settings"), ("POST", "reset")):
        refused = httpx.request(method, f"{emulator.url}/_emulator/{path}", content=body, headers=headers)
        assert refused.status_code == 400


# --- over HTTP


def test_faults_over_http(emulator: Emulator, api: Api) -> None:
    control = httpx.Client(base_url=f"{emulator.url}/_emulator", verify=False)
    made = control.post("/faults", json={"kind": "status", "status": 503, "times": 2})
    assert made.status_code == 201
    assert made.json()[0]["status"] == 503
    assert control.post("/faults", json=[{"kind": "html"}, {"kind": "delay", "seconds": 0}]).status_code == 201
    assert api.http.get("/v1/health").status_code == 503
    assert [(fault["kind"], fault["hit_count"]) for fault in control.get("/faults").json()] == [
        ("status", 1),
        ("html", 0),
        ("delay", 0),
    ]
    assert control.delete("/faults").status_code == 204
    assert control.get("/faults").json() == []
    assert api.http.get("/v1/health").status_code == 200
    for wrong in (b"{", b'{"kind": "x"}', b"[1]"):
        refused = control.post("/faults", content=wrong, headers={"Content-Type": "application/json"})
        assert refused.status_code == 400
        assert refused.json()["error"]
    control.close()


def test_state_settings_and_reset_over_http(emulator: Emulator, api: Api) -> None:
    control = httpx.Client(base_url=f"{emulator.url}/_emulator", verify=False)
    _create(emulator, api)
    api.http.get("/v1/nothing")
    state = control.get("/state").json()
    assert state["requests"] == 2
    assert state["requests_by_status"] == {"201": 1, "404": 1}
    assert state["events"] == _events(emulator)
    assert control.get("/settings").json()["registrations"] == 250
    changed = control.patch("/settings", json={"latency": 0.01, "max_per_page": 10})
    assert changed.json()["max_per_page"] == emulator.settings.max_per_page == 10
    assert control.patch("/settings", json={"latency": -1, "max_per_page": 5}).status_code == 400
    assert control.patch("/settings", json={"speed": 1}).status_code == 400
    assert emulator.settings.max_per_page == 10
    assert control.post("/reset").status_code == 204
    assert emulator.settings.max_per_page == 100
    assert control.get("/state").json()["requests"] == 0
    assert emulator.api_key not in control.get("/settings").text
    control.close()
