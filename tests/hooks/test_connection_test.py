"""What the Test button of the connection form says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from client_drivers import KEY
from raw_server import RawServer, Request, Response, closed_port, error_response, json_response

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

Connect = Callable[..., str]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses between attempts would take seconds; how long they are is tested with the retry policy."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def organizations(number: int, count: int | None = None) -> Response:
    rows = [{"id": f"o{n}", "type": "organization", "attributes": {"name": f"Org {n}"}} for n in range(number)]
    return json_response({"data": rows, "meta": {"count": number if count is None else count}})


def said(
    connect: Connect, answer: Response | Callable[[Request], Response], **fields: Any
) -> tuple[bool, str, RawServer]:
    handler = answer if callable(answer) else lambda seen: answer
    with RawServer(handler) as server:
        connect(host=server.url, **fields)
        good, text = RingEventsHook().test_connection()
    assert KEY not in text
    return good, text, server


@pytest.mark.parametrize(
    ("number", "count", "text"),
    [
        (0, 0, "Key accepted; sees 0 organizations"),
        (1, 1, "Key accepted; sees 1 organization: Org 0 (id o0)"),
        (2, 2, "Key accepted; sees 2 organizations: Org 0 (id o0), Org 1 (id o1)"),
        (
            5,
            9,
            "Key accepted; sees 9 organizations: Org 0 (id o0), Org 1 (id o1), Org 2 (id o2), Org 3 (id o3),"
            " Org 4 (id o4), ...",
        ),
        (
            9,
            9,
            "Key accepted; sees 9 organizations: Org 0 (id o0), Org 1 (id o1), Org 2 (id o2), Org 3 (id o3),"
            " Org 4 (id o4), ...",
        ),
    ],
)
def test_a_good_key_says_what_it_sees(connect: Connect, number: int, count: int, text: str) -> None:
    good, message, server = said(connect, organizations(number, count))
    assert (good, message) == (True, text)
    assert len(server.requests) == 1
    assert server.requests[0].path == "/v1/organizations"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_without_a_count_the_rows_are_counted(connect: Connect) -> None:
    answer = json_response(
        {"data": [{"id": "o1", "attributes": {"name": "A"}}, {"id": "o2", "attributes": {"name": None}}]}
    )
    good, message, _ = said(connect, answer)
    assert good
    assert message == "Key accepted; sees 2 organizations: A (id o1), None (id o2)"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_said_with_the_services_words(connect: Connect, status: int) -> None:
    good, message, server = said(connect, error_response(status, {"detail": f"bad key {KEY}"}))
    assert not good
    assert message.startswith(f"The key was refused ({status}): ")
    assert "bad key ***" in message
    assert len(server.requests) == 1


def test_a_server_that_is_down_is_said(connect: Connect) -> None:
    address = f"http://127.0.0.1:{closed_port()}"
    connect(host=address)
    good, message = RingEventsHook().test_connection()
    assert not good
    assert message.startswith(f"No answer from {address}: Connection refused. Check the base URL")


def test_a_host_that_nobody_knows_is_said(connect: Connect) -> None:
    connect(host="https://no-such-host.invalid")
    good, message = RingEventsHook().test_connection()
    assert not good
    assert message.startswith("No answer from https://no-such-host.invalid: ")
    assert "RingEvents" not in message
    assert "ConnectError" not in message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (error_response(500, {"detail": "oops"}), "500 Internal Server Error: oops"),
        (error_response(404), "404 Not Found"),
        (Response(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}), "is not valid JSON"),
        (json_response({"status": "ok"}), "'data'"),
        (Response(302, headers={"Location": "https://login.example.org/?token=hunter2"}), "login.example.org"),
        (Response(cut=-1), "no complete response"),
    ],
)
def test_another_failure_is_said(connect: Connect, answer: Response, words: str) -> None:
    good, message, server = said(connect, answer)
    assert not good
    assert words in message
    assert "hunter2" not in message
    assert "No answer from" not in message
    assert len(server.requests) <= defaults.MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": ""}, "must be an API key"),
        ({"host": "http://example.org"}, "unencrypted"),
        ({"extra": {"timeout": "soon"}}, "timeout"),
        ({"extra": {"verify": "/no/such/ca.pem"}}, "verify"),
    ],
)
def test_a_connection_that_cannot_be_used_is_said(connect: Connect, fields: dict[str, Any], words: str) -> None:
    connect(**fields)
    good, message = RingEventsHook().test_connection()
    assert not good
    assert words in message


@pytest.mark.integration  # On Airflow 2 a connection is looked up in the database.
def test_a_missing_connection_is_said() -> None:
    good, message = RingEventsHook("no_such").test_connection()
    assert not good
    assert "no_such" in message


def test_nothing_stays_open_after_a_test(connect: Connect) -> None:
    with RawServer(lambda seen: organizations(1)) as server:
        connect(host=server.url)
        RingEventsHook().test_connection()
        assert server.wait_until_closed()
