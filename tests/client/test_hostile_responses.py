"""Input from outside, as odd as it can be made: it is used as it was meant, or refused by an error of ours."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urljoin

import pytest
from client_drivers import SyncDriver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.client.consistent_listing import ListReading
from airflow_provider_ringevents.client.downloads.state import file_name
from airflow_provider_ringevents.client.errors import (
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.filters import REGISTRATIONS_FILTER
from airflow_provider_ringevents.client.pagination import Page, link_params, url_origin
from airflow_provider_ringevents.client.secrets import Secret
from airflow_provider_ringevents.client.transport.responses import Envelope, parse_resource, parse_response
from airflow_provider_ringevents.storage import safe_file_name

GET = endpoints.get_event("e")
LIST = endpoints.list_registrations("e")
TEXT = st.text(max_size=30)
NASTY = st.sampled_from(
    ["\r\nX-Evil: 1", "a\nb", "\0", "%0d%0a", "../", "?", "#", "&", "=", "[", "]", "+", "%", "\u2028", "é", "日本", " "]
)
HOSTILE = st.lists(TEXT | NASTY, max_size=4).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
"""What ``json.dumps`` takes, NaN and infinities among it."""
quick = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
slow = settings(quick, max_examples=40)


@contextmanager
def server_of(answer: Response) -> Iterator[tuple[RawServer, Client]]:
    """A server and a client that stays open over all examples."""
    with RawServer(lambda seen: answer) as server, Client(server.url, "key") as client:
        yield server, client


@pytest.fixture(scope="module")
def listing() -> Iterator[tuple[RawServer, Client]]:
    with server_of(json_response({"data": []})) as both:
        yield both


def outcome(act: Callable[[], Any]) -> tuple[Any, RingEventsError | None]:
    """What a call gives, or the error of ours that it raises; any other error is a failure of the test."""
    try:
        return act(), None
    except RingEventsError as error:
        return None, error


# --- what goes out


@given(id=HOSTILE)
@slow
def test_an_id_cannot_change_the_request(listing: tuple[RawServer, Client], id: str) -> None:
    server, client = listing
    server.requests.clear()
    try:
        call = endpoints.list_tickets(id)
    except RingEventsConfigError:
        return
    list(client.items(call))
    (seen,) = server.requests
    before, between, after = seen.path.partition("/v1/events/")[2].partition("/")
    assert (unquote(before), between, after) == (id, "/", "tickets")
    assert set(seen.query) == {"page", "perPage"}
    assert not any(name.startswith("x-") for name in seen.headers)


@given(email=HOSTILE)
@slow
def test_a_filter_cannot_change_the_request(listing: tuple[RawServer, Client], email: str) -> None:
    server, client = listing
    server.requests.clear()
    try:
        call = endpoints.list_registrations("e", {"email": email})
        list(client.items(call))
    except RingEventsConfigError:
        assert not server.requests
        return
    (seen,) = server.requests
    assert seen.query == {"filter[email][eq]": email, "page": "1", "perPage": "100"}
    assert not any(name.startswith("x-") for name in seen.headers)


@given(filter=st.dictionaries(st.sampled_from(["email", "updatedAt", "refunded"]) | TEXT, VALUES, max_size=3))
@quick
def test_any_filter_is_parameters_or_refused(filter: dict[str, Any]) -> None:
    try:
        params = REGISTRATIONS_FILTER.params(filter)
    except RingEventsConfigError:
        return
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in params.items())


@given(key=HOSTILE)
@slow
def test_a_key_cannot_add_a_header(key: str) -> None:
    with RawServer(lambda seen: json_response({})) as server:
        client, error = outcome(lambda: Client(server.url, key))
        if error is not None:
            assert len(key) < 4 or key not in str(error)
            return
        with client:
            client.send(GET)
        assert server.requests[0].headers["authorization"] == f"Bearer {key}"
        assert not any(name.startswith("x-") for name in server.requests[0].headers)


# --- what comes in


@given(body=st.binary(max_size=60) | VALUES.map(lambda value: json.dumps(value).encode()), status=st.integers(200, 599))
@quick
def test_any_body_is_an_envelope_or_an_error_of_ours(body: bytes, status: int) -> None:
    for call in (GET, LIST):
        envelope, error = outcome(lambda call=call: parse_response(call, status, {}, body, secret=Secret("a key")))
        if error is None:
            assert isinstance(envelope, Envelope)
            _, error = outcome(lambda envelope=envelope: parse_resource(GET, envelope))
            page, error_of_list = outcome(lambda envelope=envelope: Page.from_envelope(envelope, 1, operation="list"))
            assert error_of_list or isinstance(page, Page)
        assert error is None or str(error).isprintable()


def deep(levels: int) -> bytes:
    return b'{"data": {"id": "e", "attributes": {"x": ' + b"[" * levels + b"]" * levels + b"}}}"


ODD = {
    "NaN": b'{"data": {"id": "e", "attributes": {"x": NaN}}}',
    "infinity": b'{"data": {"id": "e", "attributes": {"x": -Infinity}}}',
    "NaN beside half an emoji": b'{"data": {"id": "e", "attributes": {"x": NaN, "y": "\\ud83d"}}}',
    "deep": deep(100_000),
    "deep beside half an emoji": deep(100_000).replace(b'"e"', b'"\\ud83d"'),
    "cut": b'{"data": {"id": "e"',
    "nothing but a mark": b"\xef\xbb\xbf",
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_json_that_is_none_is_an_error_of_ours(driver: type[SyncDriver], body: bytes) -> None:
    with (
        RawServer(lambda seen: Response(200, body)) as server,
        pytest.raises(RingEventsTransportError, match="not valid JSON"),
    ):
        driver(server.url, max_attempts=1).send(GET)


def test_of_names_that_come_twice_the_last_counts(driver: type[SyncDriver]) -> None:
    body = b'{"data": [], "data": {"id": "old", "id": "e", "attributes": {"a": 1, "a": 2}}}'
    with RawServer(lambda seen: Response(200, body)) as server:
        assert driver(server.url).send(GET)["data"] == {"id": "e", "attributes": {"a": 2}}


@pytest.mark.parametrize(
    "number", ["1e400", "-1e400", "1e9999999999999999999", "9" * 30, "9" * 400, "9" * 5_000, "1.5", "-1", "true"]
)
def test_a_count_that_no_list_has_loses_no_row(driver: type[SyncDriver], number: str) -> None:
    """Found raising OverflowError: some counts are too large for a division."""

    def handler(seen: Request) -> Response:
        rows = [{"id": seen.query["page"], "name": "x"}] if int(seen.query["page"]) <= 3 else []
        following = f"?page={int(seen.query['page']) + 1}" if rows else None
        body = json.dumps({"data": rows, "links": {"next": following}, "meta": {"count": "?"}})
        return Response(200, body.replace('"?"', number).encode())

    with RawServer(handler) as server:
        rows, error = outcome(lambda: driver(server.url, max_attempts=1).items(LIST))
    if error is None:
        assert [row["id"] for row in rows] == ["1", "2", "3"]
    else:
        assert "not valid JSON" in str(error)


@pytest.mark.parametrize("count", ["1.0e3", "1E+3", " 1000 ", "1000.00", "+1000", 1e3])
def test_a_count_in_any_spelling_shows_that_rows_are_missing(driver: type[SyncDriver], count: Any) -> None:
    body = {"data": [{"id": "1", "name": "x"}], "links": {"next": None}, "meta": {"count": count}}
    with (
        RawServer(lambda seen: json_response(body)) as server,
        pytest.raises(RingEventsError, match=r"999 rows are missing|the same page again"),
    ):
        driver(server.url, max_attempts=1).items(LIST)


@pytest.mark.parametrize("count", ["1,000", "1 000", "1000 rows", "1.000.000", "~5"])
def test_a_count_that_cannot_be_read_is_an_error_unless_it_is_not_trusted(driver: type[SyncDriver], count: str) -> None:
    def handler(seen: Request) -> Response:
        rows = [{"id": "1", "name": "x"}] if seen.query["page"] == "1" else []
        return json_response({"data": rows, "links": {"next": None}, "meta": {"count": count}})

    with RawServer(handler) as server:
        with pytest.raises(RingEventsTransportError, match=r"meta\.count of page 1 is not a number"):
            driver(server.url, max_attempts=1).items(LIST)
        assert len(driver(server.url, max_attempts=1, trust_count=False).items(LIST)) == 1


@given(rows=st.lists(VALUES, max_size=4), meta=VALUES, links=VALUES)
@quick
def test_any_list_is_a_page_or_an_error_of_ours(rows: list[Any], meta: Any, links: Any) -> None:
    try:
        page = Page.from_envelope({"data": rows, "meta": meta, "links": links}, 1, operation="list")
    except RingEventsTransportError:
        return
    assert len(page.items) == len(rows)
    assert all("id" in item for item in page.items)
    reading = ListReading(LIST, per_page=100, base_url="https://api.example.org")
    assert len(reading.accept(page)) <= len(page.items)
    with contextlib.suppress(RingEventsTransportError):
        reading.next_call()


# --- links of pages


@given(link=HOSTILE | st.builds("{}://{}/{}".format, st.sampled_from(["http", "https", "file", ""]), TEXT, TEXT))
@quick
def test_any_link_to_the_next_page_stays_or_is_refused(link: str) -> None:
    base = "https://api.example.org"
    found, error = outcome(lambda: link_params(link, base, operation="list"))
    if error is not None:
        assert not error.retryable
        return
    params, foreign = found
    assert all(isinstance(value, str) for value in params.values())
    assert (foreign is None) == (url_origin(urljoin(base, link)) == url_origin(base))


@given(links=st.lists(st.integers(0, 6), min_size=1, max_size=7))
@slow
def test_links_in_any_order_end_or_are_refused(links: list[int]) -> None:
    """Page n leads on to page ``links[n]``, by a cursor; a page that is not there is empty."""

    def handler(seen: Request) -> Response:
        at = int(seen.query.get("cursor", 0))
        if at >= len(links):
            return json_response({"data": []})
        return json_response({"data": [{"id": str(at), "name": "x"}], "links": {"next": f"?cursor={links[at]}"}})

    with RawServer(handler) as server, Client(server.url, "key") as client:
        rows, error = outcome(lambda: list(client.items(LIST)))
        if error is None:
            assert len(rows) <= len(links) + 1
        else:
            assert "leads back" in str(error) or "same page again" in str(error)
        assert len(server.requests) <= len(links) + 1, "the first page, and no cursor twice"


# --- names of files


@given(name=HOSTILE, quoted=st.booleans(), folder=st.sampled_from(["", "../", "..\\", "/", "C:\\", "\0/"]))
@quick
def test_whatever_content_disposition_says_the_name_is_one_part_of_a_path(name: str, quoted: bool, folder: str) -> None:
    said = folder + name
    header = f'attachment; filename="{said}"' if quoted else f"attachment; filename={said}"
    safe = safe_file_name(file_name(header), "report.csv")
    assert safe not in ("", ".", "..")
    assert not set(safe) & set('/\\<>:"|?*\0\r\n')
    assert 0 < len(safe.encode()) <= 200
    assert not safe.startswith(".")


# --- sizes


def test_headers_without_end_are_left(driver: type[SyncDriver]) -> None:
    headers = [(f"X-Filler-{number}", "x" * 1_000) for number in range(1_000)]
    with (
        RawServer(lambda seen: Response(200, b"{}", headers)) as server,
        pytest.raises(RingEventsTransportError, match="no complete response"),
    ):
        driver(server.url, max_attempts=1).send(GET)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_of_an_endless_error_page_a_part_is_read(driver: type[SyncDriver], framing: str) -> None:
    page = Response(500, b"x" * 65_536, framing="close", endless=True)
    if framing == "chunked":
        page = Response(500, b"10000\r\n" + b"x" * 65_536 + b"\r\n", {"Transfer-Encoding": "chunked"}, endless=True)
    with RawServer(lambda seen: page) as server:
        with pytest.raises(RingEventsError, match="500"):
            driver(server.url, max_attempts=1).send(GET)
        assert server.wait_until_closed(), "the rest is not read"
        assert len(server.requests) == 1
