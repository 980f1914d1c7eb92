"""The emulator as an object: starting, ending, starting over, settings, limits; and from the command line."""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any

import httpx
import pytest

from airflow_provider_ringevents.emulator import Emulator, ManualClock, Settings
from airflow_provider_ringevents.emulator.__main__ import main
from emulator.conftest import Api, fetch

MODULE = "airflow_provider_ringevents.emulator"


def test_connection_leads_to_the_emulator(emulator: Emulator, api: Api) -> None:
    connection = json.loads(emulator.connection_json())
    assert connection == emulator.connection()
    assert connection["conn_type"] == "ringevents"
    headers = {"Authorization": f"Bearer {connection['password']}"}
    path = f"{connection['host']}/v1/organizations/{connection['extra']['organization_id']}"
    assert fetch(path, **headers).status_code == 200
    assert "\n" not in emulator.connection_json()


def test_airflow_reads_the_connection(emulator: Emulator) -> None:
    from airflow.models import Connection

    connection = Connection.from_json(emulator.connection_json())
    assert (connection.conn_type, connection.password) == ("ringevents", emulator.api_key)
    assert connection.extra_dejson == {"organization_id": emulator.organization_id}


def test_requests_are_logged_without_their_keys(emulator: Emulator, api: Api, event_path: str) -> None:
    api.get(f"{event_path}/stages", perPage=2)
    api.post(f"{event_path}/tickets", {}, "ticket")
    api.call("GET", "/v1/health", 401, headers={"Authorization": "wrong"})
    assert emulator.count() == 3
    assert emulator.count("POST") == 1
    assert emulator.count("GET", "/v1/events/*/stages", status=200, origin="api") == 1
    assert emulator.count(origin="links") == 0
    first, _, last = emulator.requests.entries
    assert (first.query, first.scheme, first.status) == ("perPage=2", "Bearer", 200)
    assert (last.scheme, last.status) == ("", 401)
    assert first.headers["accept"] == "*/*"
    assert emulator.api_key not in repr(emulator.requests)


def test_signed_links_are_in_no_log(emulator: Emulator, api: Api, event_path: str, caplog: Any) -> None:
    """Also when the access log has been turned on, as whoever sets up logging anew does."""
    emulator.settings.change(report_seconds=0)
    report = api.post(f"{event_path}/reports/chat")["data"]["id"]
    url = api.get(f"/v1/reports/{report}")["data"]["attributes"]["url"]
    access = logging.getLogger("uvicorn.access")
    before = access.propagate, access.level
    access.propagate, access.level = True, logging.DEBUG
    with caplog.at_level(logging.DEBUG, "uvicorn"):
        assert fetch(url).status_code == 200
    access.propagate, access.level = before
    assert "signature" not in caplog.text


def test_reset_starts_over(emulator: Emulator, api: Api, event_path: str) -> None:
    before = api.rows(f"{event_path}/registrations")
    emulator.state.add_registrations(emulator.event_id, 5)
    emulator.fault("status", times=None)
    emulator.settings.change(report_seconds=99)
    emulator.reset(max_per_page=50)
    assert emulator.count() == 0
    assert list(emulator.faults) == []
    assert (emulator.settings.report_seconds, emulator.settings.max_per_page) == (2, 50)
    assert api.rows(f"{event_path}/registrations") == before


def test_outage_keeps_everything(clock: ManualClock) -> None:
    with Emulator(seed=1, clock=clock) as emulator:
        api = Api(emulator)
        path = f"/v1/events/{emulator.event_id}"
        report = api.post(f"{path}/reports/chat")["data"]["id"]
        url, links_url = emulator.url, emulator.links_url
        emulator.stop()
        with pytest.raises(httpx.ConnectError):
            api.http.get("/v1/health")
        emulator.start()
        assert (emulator.url, emulator.links_url) == (url, links_url)
        assert [row["id"] for row in api.rows(f"{path}/reports")] == [report]
        api.http.close()


def test_two_emulators_at_once() -> None:
    with Emulator(seed=1) as one, Emulator(seed=2) as other:
        assert one.url != other.url
        assert one.organization_id != other.organization_id
        assert fetch(f"{other.url}/v1/health", Authorization=other.api_key).status_code == 200


def test_starting_twice_is_an_error(emulator: Emulator) -> None:
    with pytest.raises(RuntimeError, match="running already"):
        emulator.start()


def test_a_port_that_is_taken(emulator: Emulator) -> None:
    port = int(emulator.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        Emulator(port=port).start()


def test_ending_does_not_wait_for_anybody(clock: ManualClock) -> None:
    before = set(threading.enumerate())
    emulator = Emulator(seed=1, clock=clock, report_bytes=1 << 40, report_seconds=0)
    emulator.start()
    [server] = set(threading.enumerate()) - before
    api = Api(emulator)
    report = api.post(f"/v1/events/{emulator.event_id}/reports/chat")["data"]["id"]
    emulator.fault("hang", path="health")
    idle = socket.create_connection(("127.0.0.1", int(emulator.url.rpartition(":")[2])))
    errors: list[Exception] = []

    def ask(path: str) -> None:
        try:
            api.http.get(path)
        except httpx.HTTPError as error:
            errors.append(error)

    with api.http.stream("GET", f"/v1/reports/{report}/download") as response:
        next(response.iter_raw())
        emulator.settings.change(latency=60)
        waiting = [threading.Thread(target=ask, args=[path]) for path in ("/v1/health", "/v1/organizations")]
        for thread in waiting:
            thread.start()
        while emulator.count() < 4:
            time.sleep(0.01)
        emulator.stop()
        assert not server.is_alive()
    for thread in waiting:
        thread.join(5)
    assert len(errors) == 2
    idle.close()
    api.http.close()


# --- settings and limits


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"registrations": -1}, "`registrations` must be an integer from 0 to 100000000, got -1"),
        ({"events": 3}, "`events` must be an integer from 8 to 20000, got 3"),
        ({"api_key": ""}, "api_key"),
        ({"auth": "none"}, "`auth` must be one of 'both', 'bearer', 'bare', got 'none'"),
        ({"download": "ftp"}, "download"),
        ({"rate_limit": 0}, "rate_limit"),
        ({"report_bytes": -1}, "report_bytes"),
        ({"report_pending_code": 404}, "report_pending_code"),
        ({"latency": "1"}, "`latency` must be a number from 0 to 3600, got '1'"),
        ({"etag": 1}, "`etag` must be True or False, got 1"),
        ({"events": True}, "`events` must be an integer from 8 to 20000, got True"),
        ({"speed": 3}, "must be among seed, api_key"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        Emulator(**settings)


def test_a_port_that_cannot_be() -> None:
    ports: list[Any] = [None, "x", "8765", -1, 65_536, True, 1.5, [1], math.nan, 10**5_000]
    for port in ports:
        with pytest.raises(ValueError, match=r"^`port` must be an integer from 0 to 65535, got "):
            Emulator(port=port)


_NO_TEXTS = (None, 5, True, b"a", ["a"], "a\ud800")
_NO_HEADERS = (5, b"a", ["a"], "a\r\nb: c", "a\0", "a\u2028b", "\u0416")
UNUSABLE: dict[str, tuple[Any, ...]] = {
    "api_key": (*_NO_TEXTS, "", " ", "k ", "k\r\nX: y", "k\u00e9", "k\0"),
    "allowed_host": (5, True, "", "a/b", "http://a", "a:80", "a b", "a\r\nb", "\ud800"),
    "links_origin": (5, "", "host", "ftp://host", "http://", "http://host/path", "http://u:p@host", "http://a\n"),
    "content_type": (None, *_NO_HEADERS),
    "content_encoding": _NO_HEADERS,
    "disposition": _NO_HEADERS,
    "report_status": _NO_TEXTS[1:],
    "report_pending_status": _NO_TEXTS,
}


def test_every_free_text_is_covered() -> None:
    assert {each.name for each in fields(Settings) if str(each.type).startswith("str")} == set(UNUSABLE)


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_text_that_no_response_can_hold_is_refused_everywhere(name: str, emulator: Emulator) -> None:
    before = asdict(emulator.settings)
    for value in UNUSABLE[name]:
        with pytest.raises(ValueError, match=rf"^`{name}` must be .*, got ") as caught:
            Emulator(**{name: value})
        with pytest.raises(ValueError, match=re.escape(str(caught.value))):
            emulator.settings.change(**{name: value})
        if not isinstance(value, bytes):
            for method, path in (("PATCH", "settings"), ("POST", "reset")):
                refused = httpx.request(
                    method,
                    f"{emulator.url}/_emulator/{path}",
                    content=json.dumps({name: value}),
                    headers={"Content-Type": "application/json"},
                )
                assert (refused.status_code, refused.json()) == (400, {"error": str(caught.value)})
    assert asdict(emulator.settings) == before


_NUMBERS = (math.nan, math.inf, -1e300, 10**5_000, "1", True, [1], None)


@pytest.mark.parametrize("value", _NUMBERS, ids=itertools.count())
def test_numbers_that_cannot_be_are_named_with_their_range(value: Any) -> None:
    for each in fields(Settings):
        kind = str(each.type)
        if not kind.startswith(("int", "float")) or (value is None and kind.endswith("None")):
            continue
        with pytest.raises(ValueError, match=rf"^`{each.name}` must be an? (integer|number) from \S+ to \d+, got "):
            Emulator(**{each.name: value})


def test_a_refused_change_changes_nothing() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="latency"):
        settings.change(max_per_page=5, latency=-1)
    assert settings == Settings()


def test_rate_limit(emulator: Emulator, api: Api, clock: ManualClock) -> None:
    emulator.settings.change(rate_limit=2)
    statuses = [api.http.get("/v1/health").status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    refused = api.http.get("/v1/health")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["errors"][0]["status"] == "429"
    clock.advance(1)
    assert [api.http.get("/v1/health").status_code for _ in range(3)] == [200, 200, 429]


def test_latency_does_not_block_others(emulator: Emulator, api: Api) -> None:
    emulator.settings.change(latency=1)
    started = time.monotonic()
    threads = [threading.Thread(target=fetch, args=(f"{emulator.url}/v1/health",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert emulator.count("GET", "/v1/health", status=401) == 8
    assert time.monotonic() - started >= 1
    assert emulator.requests.peak == 8


def test_every_answer_has_a_request_id(emulator: Emulator, api: Api) -> None:
    ids = [api.http.get(path).headers["x-request-id"] for path in ("/v1/health", "/v1/nothing", "/v1/health")]
    assert len(set(ids)) == 3
    assert ids == [seen.id for seen in emulator.requests.entries]


# --- command line


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """The emulator in a process of its own, and the connection that it printed."""
    arguments = getattr(request, "param", ())
    process = subprocess.Popen(
        [sys.executable, "-m", MODULE, "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    name, _, value = process.stdout.readline().partition("=")
    assert name == "AIRFLOW_CONN_RINGEVENTS_DEFAULT", process.communicate()
    yield process, json.loads(value)
    process.kill()
    process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _output(process: subprocess.Popen[str]) -> tuple[str, str]:
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout as out, process.stderr as err:
        return out.read(), err.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("started", [("--latency", "30")], indirect=True)
def test_command_line_ends_cleanly(number: signal.Signals, started: tuple[subprocess.Popen[str], Any]) -> None:
    process, connection = started
    port = int(connection["host"].rpartition(":")[2])
    idle, waiting = (socket.create_connection(("127.0.0.1", port)) for _ in range(2))
    waiting.sendall(b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    deadline = time.monotonic() + 20
    while fetch(f"{connection['host']}/_emulator/state").json()["requests_in_flight"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(20) == 0
    out, err = _output(process)
    assert err == ""
    assert "Ctrl-C ends it" in out
    idle.close()
    waiting.close()


@pytest.mark.parametrize("started", [("--seed", "7", "--api-key", "it's a k", "--registrations", "9")], indirect=True)
def test_command_line_shows_what_to_copy(started: tuple[subprocess.Popen[str], dict[str, Any]]) -> None:
    process, connection = started
    in_process = Emulator(seed=7)
    assert connection["password"] == "it's a k"
    assert connection["extra"] == {"organization_id": in_process.organization_id}
    key = {"Authorization": "Bearer it's a k"}
    answer = fetch(f"{connection['host']}/v1/events/{in_process.event_id}/registrations", **key)
    assert answer.json()["meta"] == {"count": 9}
    process.terminate()
    assert process.wait(20) == 0
    out, _ = _output(process)
    for identifier in (in_process.organization_id, in_process.event_id, in_process.template_id):
        assert identifier in out
    # The second line does in a shell what it says.
    printed = subprocess.run(
        ["/bin/sh", "-c", f"{out.splitlines()[0]}\nprintenv AIRFLOW_CONN_RINGEVENTS_DEFAULT"],
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert json.loads(printed.stdout) == connection


def test_command_line_with_a_port_that_is_taken(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    port = emulator.url.rpartition(":")[2]
    assert main(["--port", port]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"port {port} cannot be used: Address already in use" in err
    assert "--port 0" in err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--port", "70000"), "--port must be an integer from 0 to 65535, got 70000"),
        (("--registrations", "-5"), "--registrations must be an integer from 0 to 100000000, got -5"),
        (("--host", "0.0.0.0"), "invalid choice: '0.0.0.0'"),
        (("--seed", "x"), "--seed must be an integer from -9223372036854775808 to 9223372036854775808, got 'x'"),
        (("--report-seconds", "nan"), "--report-seconds must be a number from 0 to 315360000, got 'nan'"),
        (("--latency", "1_0"), "--latency must be a number from 0 to 3600, got '1_0'"),
        (("--events", "\u0661\u0662"), "--events must be an integer from 8 to 20000"),
        (("--events", "12.0"), "--events must be an integer from 8 to 20000, got 12.0"),
        (("--events", "9" * 5_000), "--events must be an integer from 8 to 20000"),
        (("--port", "x"), "--port must be an integer from 0 to 65535, got 'x'"),
        (("--port", "-1"), "--port must be an integer from 0 to 65535, got -1"),
        (("--api-key", ""), "--api-key must be a key of printable ASCII characters"),
        (("--api-key", "k\u00e9"), "--api-key must be a key of printable ASCII characters"),
        (("--api-key", "\udcff"), "--api-key must be a key of printable ASCII characters"),
        (("--allowed-host", "a/b"), "--allowed-host must be the name of a host"),
    ],
)
def test_command_line_with_options_that_cannot_be(
    arguments: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert text in capsys.readouterr().err


def test_help_says_what_every_option_does(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for option in ("port", "seed", "report-seconds", "registrations", "latency", "max-per-page", "link-seconds"):
        assert f"--{option} " in shown


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_what_is_missing_is_named_with_the_extra(missing: str) -> None:
    hide = f"import sys, runpy; sys.modules[{missing!r}] = None; sys.argv = ['emulator', '--port', '0']"
    code = f"{hide}; runpy.run_module({MODULE!r}, run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"needs {missing}: pip install 'airflow-provider-ringevents[emulator]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_server_that_cannot_start_says_why_at_once() -> None:
    emulator = Emulator(http="no such protocol")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="no such protocol"):
        emulator.start()
    with Emulator() as another:
        assert another.url
