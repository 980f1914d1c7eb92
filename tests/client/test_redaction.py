"""What the HTTP libraries log, with everything switched on, holds no key and no signature."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_drivers import KEY, SyncDriver
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.transport import redaction
from airflow_provider_ringevents.client.transport.redaction import RedactingFilter, redact_text, redact_url

SIGNATURE = "c0ffee5167"
PATH_SECRET = "s3cr3t-path"
CSV = {"Content-Type": "text/csv"}


@pytest.fixture
def log(
    caplog: pytest.LogCaptureFixture, _quiet_http: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that is logged, at the lowest level."""
    # A port may come again that was an API's in an earlier test.
    monkeypatch.setattr(redaction._FILTER, "trusted", set())
    with caplog.at_level(1), caplog.at_level(1, "httpx"), caplog.at_level(1, "httpcore"):
        yield caplog


def check(log: pytest.LogCaptureFixture) -> str:
    text = "\n".join(f"{record.name} {record.getMessage()} {record.msg!r} {record.args!r}" for record in log.records)
    for secret in (KEY, SIGNATURE, PATH_SECRET):
        assert secret not in text
    return text


@pytest.mark.parametrize(
    "query",
    [
        f"X-Amz-Signature={SIGNATURE}",
        f"response-content-disposition=attachment;filename=a(1).csv&sig={SIGNATURE}",
        f"name=it's&sig={SIGNATURE}",
        f"name=%22quoted%22&sig={SIGNATURE}",
        f"list=[1]&sig={SIGNATURE}",
        f"name=a\\b&sig={SIGNATURE}",
    ],
)
def test_a_download_by_redirect_logs_neither_key_nor_signature(
    driver: type[SyncDriver], log: pytest.LogCaptureFixture, query: str
) -> None:
    with RawServer(lambda seen: Response(body=b"x", headers=CSV)) as store:
        link = f"{store.url}/{PATH_SECRET}/1.csv?{query}"
        with RawServer(lambda seen: Response(302, headers={"Location": link, "Set-Cookie": f"s={SIGNATURE}"})) as api:
            assert driver(api.url).download(endpoints.download_report("r7")).content == b"x"
        assert SIGNATURE in store.requests[0].raw_query
    text = check(log)
    assert "/v1/reports/r7/download" in text, "paths of the API itself stay readable"
    assert "receive_response_headers.complete" in text, "the debug log was on"
    assert "HTTP Request: GET" in text


def test_a_signed_link_out_of_an_answer_is_not_logged(driver: type[SyncDriver], log: pytest.LogCaptureFixture) -> None:
    def handler(seen: Request) -> Response:
        if seen.path.endswith("/download"):
            return Response(404)
        if seen.path.startswith("/v1/"):
            url = f"/{PATH_SECRET}?sig={SIGNATURE}"
            return json_response({"data": {"id": "r", "attributes": {"url": store.url + url}}})
        raise AssertionError(seen.path)

    with RawServer(lambda seen: Response(body=b"x", headers=CSV)) as store, RawServer(handler) as api:
        assert driver(api.url).download(endpoints.download_report("r")).content == b"x"
    check(log)


def test_failures_log_and_say_nothing_secret(driver: type[SyncDriver], log: pytest.LogCaptureFixture) -> None:
    with RawServer(lambda seen: Response(cut=-1)) as store:
        link = f"{store.url}/{PATH_SECRET}?sig={SIGNATURE}"

        def handler(seen: Request) -> Response:
            if seen.path.endswith("/download"):
                return Response(302, headers={"Location": link})
            return json_response({"data": {"id": "r", "attributes": {"url": link}}})

        with RawServer(handler) as api, pytest.raises(RingEventsError) as caught:
            driver(api.url).download(endpoints.download_report("r"))
    check(log)
    error: BaseException | None = caught.value
    while error is not None:
        assert SIGNATURE not in str(error)
        assert PATH_SECRET not in str(error)
        error = error.__cause__


def test_a_key_that_the_service_repeats_in_a_header_is_not_logged(
    driver: type[SyncDriver], log: pytest.LogCaptureFixture
) -> None:
    """Found logged: the HTTP library writes all headers of an answer into its debug log."""
    headers = {"X-Request-Id": f"for {KEY}", "WWW-Authenticate": f"Bearer error={KEY}"}
    for key in (KEY, "odd'key\\"):
        sent = {name: value.replace(KEY, key) for name, value in headers.items()}
        with RawServer(lambda seen, sent=sent: Response(401, headers=sent)) as server:
            with pytest.raises(RingEventsError):
                driver(server.url, api_key=key).send(endpoints.get_event("e"))
            assert key in server.requests[0].headers["authorization"]
        assert repr(key)[1:-1] not in check(log)
    assert "for ***" in check(log)


def test_filters_of_lists_are_not_logged(driver: type[SyncDriver], log: pytest.LogCaptureFixture) -> None:
    call = endpoints.list_registrations("e", {"email": f"{SIGNATURE}@example.org"})
    with RawServer(lambda seen: json_response({"data": []})) as server:
        driver(server.url).items(call)
        assert SIGNATURE in server.requests[0].raw_query
    assert "/v1/events/e/registrations?***" in check(log)


def test_an_ipv6_server_can_be_logged(driver: type[SyncDriver], log: pytest.LogCaptureFixture) -> None:
    with RawServer(lambda seen: json_response({"data": []}), host="::1") as server:
        driver(server.url).send(endpoints.list_tickets("e").with_params(page=1))
    assert "[::1]" in check(log)


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("https://host/a/b?c=d#e", "https://host/***?***"),
        ("https://user:pass@host:8443/a", "https://host:8443/***"),
        ("https://host", "https://host"),
        ("https://host/", "https://host/"),
        ("http://[::1]:80/a?b", "http://[::1]:80/***?***"),
        ("https://trusted/v1/x?c=d", "https://trusted/v1/x?***"),
        ("https://trusted:444/v1/x", "https://trusted:444/***"),
        ("http://[::1", "***"),
        ("https://host:99999999/x", "***"),
        ("https://host:port/x", "***"),
    ],
)
def test_what_is_left_of_a_url(url: str, redacted: str) -> None:
    assert redact_url(url, {"https://trusted"}) == redacted


def test_text_keeps_all_but_urls() -> None:
    assert redact_text("at 5 o'clock, why? because (50 %)") == "at 5 o'clock, why? because (50 %)"
    assert redact_text("GET HTTPS://h/x?y=(1)&z='2' HTTP/1.1") == "GET https://h/***?*** HTTP/1.1"
    assert redact_text("to /x?y=1 and <https://h/x?y=1>; rel=next") == "to /x?*** and <https://h/***?***>; rel=next"


@pytest.mark.parametrize(
    "header",
    [
        (b"location", b"/x;secret"),
        (b"Location", b"it's secret"),
        (b"LOCATION", b'it\'s "secret"'),
        (b"set-cookie", b'a="secret"'),
        (b"Authorization", b"Bearer secret"),
        ("Proxy-Authorization", "Basic secret"),
        (b"location", b"back\\slash'secret"),
    ],
    ids=repr,
)
def test_headers_that_hold_secrets_are_blanked_with_any_quotes(header: tuple[bytes | str, bytes | str]) -> None:
    record = logging.LogRecord("httpcore.http11", logging.DEBUG, "f", 1, "%s", ([header, (b"age", b"7")],), None)
    assert RedactingFilter().filter(record)
    assert "secret" not in record.getMessage()
    assert "b'7'" in record.getMessage()


def test_the_filter_is_installed_once_and_keeps_records_that_hold_nothing_secret() -> None:
    for _ in range(3):
        redaction.install("https://api.example.org/base/path")
    logger = logging.getLogger("httpx")
    assert sum(isinstance(each, RedactingFilter) for each in logger.filters) == 1
    record = logging.LogRecord("httpx", logging.INFO, "f", 1, "plain %d", (5,), None)
    assert logger.filter(record)
    assert (record.msg, record.args) == ("plain %d", (5,))


def test_every_logger_of_the_http_library_is_covered() -> None:
    redaction.install("https://api.example.org")
    import httpcore
    import httpx

    names = {
        name
        for package in (httpcore, httpx)
        for file in Path(package.__file__).parent.rglob("*.py")
        for name in re.findall(r"""getLogger\(["']([^"']+)["']\)""", file.read_text(encoding="utf-8"))
    }
    assert {"httpx", "httpcore.http11"} <= names
    for name in names:
        assert any(isinstance(each, RedactingFilter) for each in logging.getLogger(name).filters), name


def test_what_is_no_key_does_not_tear_the_log_apart(caplog: pytest.LogCaptureFixture) -> None:
    for no_key in ("", "=", "?", "%", "[", "x"):
        redaction.install("https://api.example.org", no_key)
    caplog.set_level(logging.INFO, logger="httpx")
    logging.getLogger("httpx").info("GET https://api.example.org/v1/x=[1]?filter=c0ffee")
    assert caplog.messages == ["GET https://api.example.org/v1/x=[1]?***"]
