"""Lists: every row once, in order, whatever the service says about counts, sizes and links."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from client_drivers import AT_ONCE, KEY, SyncDriver
from raw_server import NO_RESPONSE, RawServer, Request, Response, error_response, json_response

from airflow_provider_ringevents.client import Client, defaults, endpoints
from airflow_provider_ringevents.client.client import PREFETCH_FACTOR
from airflow_provider_ringevents.client.consistent_listing import ListReading
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsConfigError,
    RingEventsIncompleteListError,
    RingEventsRateLimitError,
    RingEventsServerError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.pagination import Page

LIST = endpoints.list_registrations("e")
FILTERED = endpoints.list_registrations("e", {"refunded": False})


class Listing:
    """A list as a service may serve it.

    :param rows: how many there are.
    :param cap: largest page; None: what was asked.
    :param fixed: every page has this size, whatever was asked.
    :param count: ``meta.count``: of a request's page number; None: no ``meta``.
    :param link: ``links.next`` after a page number, or None; ``...``: no ``links``.
    """

    def __init__(
        self,
        rows: int,
        *,
        cap: int | None = None,
        fixed: int | None = None,
        count: Callable[[int], Any] | None = None,
        link: Callable[[int, int], Any] | None = None,
    ) -> None:
        self.rows = rows
        self.cap = cap
        self.fixed = fixed
        self.count = count
        self.link = link

    def __call__(self, seen: Request) -> Response:
        page, size = int(seen.query.get("page", 1)), int(seen.query.get("perPage", 10))
        size = self.fixed or min(size, self.cap or size)
        first = (page - 1) * size
        body: dict[str, Any] = {
            "data": [
                {"id": str(number), "type": "registration", "attributes": {"n": number}}
                for number in range(first, min(first + size, self.rows))
            ]
        }
        if self.count:
            body["meta"] = {"count": self.count(page)}
        if self.link:
            body["links"] = {"next": self.link(page, size)}
        return json_response(body)

    def right_link(self, page: int, size: int) -> str | None:
        if page * size >= self.rows:
            return None
        return f"/v1/events/e/registrations?page={page + 1}&perPage={size}"


def numbers(items: list[dict[str, Any]]) -> list[int]:
    return [item["n"] for item in items]


def counted(rows: int, **options: Any) -> Listing:
    return Listing(rows, count=lambda page: rows, **options)


# --- plans


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 25, 100, 101])
@pytest.mark.parametrize("per_page", [1, 10, 100])
def test_every_row_comes_once_and_in_order(driver: type[SyncDriver], rows: int, per_page: int) -> None:
    with RawServer(counted(rows)) as server:
        items = driver(server.url, per_page=per_page).items(LIST)
        assert numbers(items) == list(range(rows))
        # A count without links that equals a full first page may be that of the page alone: one more page tells.
        assert len(server.requests) == max(1, -(-rows // per_page)) + (rows == per_page)
        assert {seen.query["perPage"] for seen in server.requests} == {str(per_page)}
        assert sorted(int(seen.query["page"]) for seen in server.requests) == list(range(1, len(server.requests) + 1))


def test_a_silent_cap_of_the_page_size_loses_no_row(driver: type[SyncDriver]) -> None:
    with RawServer(counted(95, cap=10)) as server:
        assert numbers(driver(server.url, per_page=50).items(LIST)) == list(range(95))
        assert server.requests[0].query["perPage"] == "50"
        assert {seen.query["perPage"] for seen in server.requests[1:]} == {"10"}
        assert len(server.requests) == 10


def test_a_page_size_that_the_service_fixes_loses_no_row(driver: type[SyncDriver]) -> None:
    with RawServer(counted(95, fixed=20)) as server:
        assert numbers(driver(server.url, per_page=5).items(LIST)) == list(range(95))
        assert len(server.requests) == 5


def test_a_page_size_that_the_service_fixes_with_links_loses_no_row(driver: type[SyncDriver]) -> None:
    listing = counted(95, fixed=20)
    listing.link = listing.right_link
    with RawServer(listing) as server:
        assert numbers(driver(server.url, per_page=5).items(LIST)) == list(range(95))


@pytest.mark.parametrize(
    ("count", "says"),
    [
        (None, "nothing"),
        (lambda page: None, "null"),
        (lambda page: "45", "text"),
        (lambda page: True, "a boolean"),
        (lambda page: -1, "less than nothing"),
        (lambda page: 0, "zero"),
        (lambda page: 10, "only the page's rows"),
        (lambda page: 4, "less than the page's rows"),
        (lambda page: 12, "too few"),
        (lambda page: 45, "the truth"),
        (lambda page: 45.0, "a fraction"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_with_links_any_count_gives_all_rows(driver: type[SyncDriver], count: Any, says: str) -> None:
    listing = Listing(45, count=count)
    listing.link = listing.right_link
    with RawServer(listing) as server:
        assert numbers(driver(server.url, per_page=10).items(LIST)) == list(range(45))
        assert len(server.requests) <= 6 + PREFETCH_FACTOR * defaults.CONCURRENCY


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("count", [46, 1_000_000])
def test_a_count_that_is_never_reached_is_an_error(driver: type[SyncDriver], count: int, links: bool) -> None:
    listing = Listing(45, count=lambda page: count)
    listing.link = listing.right_link if links else None
    with RawServer(listing) as server:
        with pytest.raises(RingEventsIncompleteListError, match=f"{count - 45} rows are missing") as caught:
            driver(server.url, per_page=10).items(LIST)
        assert (caught.value.rows, caught.value.count, caught.value.readings) == (45, count, 3)
        assert len(server.requests) <= 3 * (8 + PREFETCH_FACTOR * defaults.CONCURRENCY)


@pytest.mark.parametrize("part", ["meta", "links"])
@pytest.mark.parametrize("value", [None, [], "x", 5, [1]], ids=repr)
def test_odd_metadata_does_not_break_a_list(driver: type[SyncDriver], part: str, value: Any) -> None:
    body = {"data": [{"id": "1", "attributes": {"n": 0}}], part: value}
    with RawServer(lambda seen: json_response(body)) as server:
        assert numbers(driver(server.url).items(LIST)) == [0]


@pytest.mark.parametrize("data", [{}, "x", 5, [1], [{"id": "1"}, None], [["id", "x"]]], ids=lambda data: repr(data))
def test_an_answer_that_is_no_list_is_an_error_that_names_the_page(driver: type[SyncDriver], data: Any) -> None:
    message = "list_registrations: page 1 came without the list that the API documents under 'data'"
    with (
        RawServer(lambda seen: json_response({"data": data})) as server,
        pytest.raises(RingEventsTransportError, match=message),
    ):
        driver(server.url).items(LIST)


def test_a_list_that_is_not_paged_is_asked_for_without_page_numbers(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: json_response({"data": [{"id": "1", "attributes": {"n": 0}}]})) as server:
        assert numbers(driver(server.url).items(endpoints.list_templates("o"))) == [0]
        assert server.requests[0].raw_query == ""


def test_pages_say_where_they_are(driver: type[SyncDriver]) -> None:
    with RawServer(counted(25)) as server:
        pages = driver(server.url, per_page=10).pages(LIST)
    assert [(page.number, len(page.items), page.count) for page in pages] == [(1, 10, 25), (2, 10, 25), (3, 5, 25)]


@pytest.mark.parametrize(
    ("rows", "count", "link", "planned", "per_page"),
    [
        (10, 45, None, 5, 10),
        (10, 45, "?page=2", 5, 10),
        (10, 45, "?cursor=abc", 1, 10),
        (10, 10, None, 1, 10),
        (10, 10, "?page=2", 1, 10),
        (10, None, None, 1, 10),
        (0, 45, None, 5, 10),
        (0, 0, None, 1, 10),
        (4, 45, None, 12, 4),
        (20, 45, None, 3, 20),
    ],
)
def test_pages_planned_from_the_first_one(
    rows: int, count: int | None, link: str | None, planned: int, per_page: int
) -> None:
    reading = ListReading(LIST, per_page=10, base_url="https://api.example")
    reading.accept(Page(1, [{"id": str(number), "n": 1} for number in range(rows)], count, link))
    assert list(reading.planned()) == list(range(2, planned + 1))
    assert reading.page_call(2).params["perPage"] == str(per_page)


# --- links


def test_without_a_count_links_are_followed(driver: type[SyncDriver]) -> None:
    listing = Listing(45)
    listing.link = listing.right_link
    with RawServer(listing) as server:
        assert numbers(driver(server.url, per_page=10).items(LIST)) == list(range(45))
        assert len(server.requests) == 5


@pytest.mark.parametrize("relative", ["{path}?page={next}&perPage=10", "?page={next}&perPage=10", "?page={next}"])
def test_links_may_be_relative_and_leave_out_the_page_size(driver: type[SyncDriver], relative: str) -> None:
    def link(page: int, size: int) -> str | None:
        return relative.format(path="/v1/events/e/registrations", next=page + 1) if page * size < 45 else None

    with RawServer(Listing(45, cap=10, link=link)) as server:
        assert numbers(driver(server.url, per_page=15).items(LIST)) == list(range(45))


def test_a_link_that_leaves_out_the_filter_does_not_widen_the_list(driver: type[SyncDriver]) -> None:
    listing = Listing(45, link=lambda page, size: f"?page={page + 1}" if page * size < 45 else None)
    with RawServer(listing) as server:
        driver(server.url).items(FILTERED, per_page=10)
        assert len(server.requests) == 5
        assert {seen.query.get("filter[refunded][eq]") for seen in server.requests} == {"false"}


def test_a_filter_goes_with_every_planned_page(driver: type[SyncDriver]) -> None:
    with RawServer(counted(45)) as server:
        driver(server.url).items(FILTERED, per_page=10)
        assert {seen.query["filter[refunded][eq]"] for seen in server.requests} == {"false"}


def test_a_link_with_a_cursor_is_followed_as_it_is(driver: type[SyncDriver]) -> None:
    def handler(seen: Request) -> Response:
        at = int(seen.query.get("cursor", 0))
        link = f"?cursor={at + 1}" if at < 3 else None
        return json_response({"data": [{"id": str(at), "attributes": {"n": at}}], "links": {"next": link}})

    with RawServer(handler) as server:
        assert numbers(driver(server.url).items(LIST)) == [0, 1, 2, 3]
        assert [seen.raw_query for seen in server.requests[1:]] == [f"cursor={at}&perPage=100" for at in (1, 2, 3)]


@pytest.mark.parametrize(
    "link",
    [
        lambda page, size: "?page=1",
        lambda page, size: f"?page={page}",
        lambda page, size: "?page=2",
        lambda page, size: "?cursor=same",
        lambda page, size: f"?cursor={page % 2}",
    ],
    ids=["first", "itself", "second", "cursor", "two cursors"],
)
@pytest.mark.parametrize("count", [None, lambda page: 30], ids=["no count", "three pages"])
def test_links_that_go_round_are_an_error(driver: type[SyncDriver], link: Any, count: Any) -> None:
    with RawServer(Listing(10_000, link=link, count=count)) as server:
        with pytest.raises(
            RingEventsTransportError, match=r"leads back to a page that was read|same page again"
        ) as caught:
            driver(server.url, per_page=10).items(LIST)
        assert len(server.requests) < 12
        assert not caught.value.retryable


@pytest.mark.parametrize(
    "link", ["http://[::1/x", "http://host:99999999/x", "?page=" + "9" * 5_000, "?" + "x" * 65_536]
)
def test_a_link_that_cannot_be_read_is_an_error(driver: type[SyncDriver], link: str) -> None:
    with RawServer(Listing(45, link=lambda page, size: link)) as server:
        with pytest.raises(RingEventsTransportError, match="not followed") as caught:
            driver(server.url, per_page=10).items(LIST)
        assert len(server.requests) == 1
        assert not caught.value.retryable


@pytest.mark.parametrize("count", [None, lambda page: 45], ids=["no count", "count"])
def test_of_a_link_to_another_server_the_query_alone_is_used(
    driver: type[SyncDriver], count: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with RawServer(Listing(45)) as foreign:

        def link(page: int, size: int) -> str | None:
            return f"{foreign.url}/v1/elsewhere?page={page + 1}" if page * size < 45 else None

        with RawServer(Listing(45, link=link, count=count)) as server:
            client = driver(server.url, per_page=10)
            assert numbers(client.items(LIST)) == list(range(45))
            assert {seen.path for seen in server.requests} == {"/v1/events/e/registrations"}
        assert foreign.connections == 0
    assert [f"http://127.0.0.1:{foreign.port}" in record.getMessage() for record in caplog.records].count(True) <= 1


# --- lists that change while they are read


def test_a_list_that_grows_is_read_to_its_new_end(driver: type[SyncDriver]) -> None:
    listing = counted(30)
    listing.link = listing.right_link

    def handler(seen: Request) -> Response:
        if seen.query["page"] == "3":
            listing.rows = 45
        return listing(seen)

    with RawServer(handler) as server:
        assert numbers(driver(server.url, per_page=10).items(LIST)) == list(range(45))


def test_a_list_that_shrinks_ends_early_without_an_error(driver: type[SyncDriver]) -> None:
    listing = Listing(100)
    listing.count = lambda page: listing.rows

    def handler(seen: Request) -> Response:
        if seen.query["page"] == "3":
            listing.rows = 35
        return listing(seen)

    with RawServer(handler) as server:
        assert numbers(driver(server.url, per_page=10, concurrency=1).items(LIST)) == list(range(35))


# --- several pages in flight


def test_order_holds_when_later_pages_are_faster() -> None:
    turn = threading.Condition()
    answered: list[int] = []

    def handler(seen: Request) -> Response:
        page = int(seen.query["page"])
        if page > 1:
            # Of each four pages in flight the last is answered first.
            with turn:
                later = [each for each in range(page + 1, page + 4) if (each - 2) // 4 == (page - 2) // 4 and each <= 9]
                assert turn.wait_for(lambda: set(later) <= set(answered), 10)
                answered.append(page)
                turn.notify_all()
        return counted(90)(seen)

    with RawServer(handler) as server, Client(server.url, KEY, per_page=10, concurrency=8) as client:
        assert numbers(list(client.items(LIST))) == list(range(90))
        assert server.errors == []
    assert answered != sorted(answered)


@pytest.mark.parametrize("concurrency", [1, 2, 4, 16])
def test_so_many_pages_are_in_flight_and_no_more(concurrency: int) -> None:
    together = threading.Barrier(concurrency)

    def handler(seen: Request) -> Response:
        page = int(seen.query["page"])
        if 1 < page <= 1 + concurrency:
            together.wait(10)  # nobody gets an answer before all of them have asked
        return counted(400)(seen)

    with RawServer(handler) as server, Client(server.url, KEY, per_page=10, concurrency=concurrency) as client:
        assert numbers(list(client.items(LIST))) == list(range(400))
        assert server.errors == []
        assert server.peak == concurrency


def test_concurrency_of_one_call_wins_over_the_clients() -> None:
    with RawServer(counted(300)) as server, Client(server.url, KEY, concurrency=16) as client:
        pages = client.pages(LIST, per_page=10, concurrency=1)
        assert numbers([row for page in pages for row in page.items]) == list(range(300))
        assert server.peak == 1


def test_pages_are_held_back_while_nobody_takes_them() -> None:
    with RawServer(counted(1000)) as server, Client(server.url, KEY, per_page=10, concurrency=4) as client:
        items = client.items(LIST)
        for _ in range(15):
            next(items)
        time.sleep(0.2)
        # Page 1 and 2 were taken, two may lie ready for each of the four in flight.
        assert len(server.requests) <= 10
        items.close()


def test_after_429_pages_come_one_at_a_time() -> None:
    together = threading.Barrier(4)
    lock = threading.Lock()
    refused: set[int] = set()
    active = most_after = 0

    def handler(seen: Request) -> Response:
        nonlocal active, most_after
        page = int(seen.query["page"])
        if 2 <= page <= 5 and page not in refused:
            together.wait(10)  # all four are on their way when the service has had enough
            refused.add(page)
            return error_response(429, Retry_After="0.05")
        with lock:
            active += 1
            if len(refused) == 4:
                most_after = max(most_after, active)
        time.sleep(0.002)
        with lock:
            active -= 1
        return counted(200)(seen)

    with (
        RawServer(handler) as server,
        Client(server.url, KEY, policy=AT_ONCE, per_page=10, concurrency=4) as client,
    ):
        assert numbers(list(client.items(LIST))) == list(range(200))
        assert server.errors == []
        assert len(server.requests) == 24
    assert most_after == 1


def test_after_a_429_on_the_first_page_pages_come_one_at_a_time() -> None:
    def handler(seen: Request) -> Response:
        return error_response(429, Retry_After="0") if seen.number == 0 else counted(200)(seen)

    with (
        RawServer(handler) as server,
        Client(server.url, KEY, policy=AT_ONCE, per_page=10, concurrency=8) as client,
    ):
        assert numbers(list(client.items(LIST))) == list(range(200))
        assert len(server.requests) == 21
        assert server.peak == 1


def test_the_error_names_the_page(driver: type[SyncDriver]) -> None:
    def handler(seen: Request) -> Response:
        return error_response(500) if seen.query["page"] == "7" else counted(100)(seen)

    message = r"list_registrations \(GET /v1/events/e/registrations, page 7\)"
    with RawServer(handler) as server, pytest.raises(RingEventsServerError, match=message):
        driver(server.url, per_page=10).items(LIST)


def test_a_page_is_retried_by_itself(driver: type[SyncDriver]) -> None:
    failed: list[str] = []

    def handler(seen: Request) -> Response:
        page = seen.query["page"]
        if failed.count(page) < 2:
            failed.append(page)
            return error_response(503) if int(page) % 2 else NO_RESPONSE
        return counted(60)(seen)

    with RawServer(handler) as server:
        assert numbers(driver(server.url, per_page=10).items(LIST)) == list(range(60))
        assert len(server.requests) == 18


def page_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ringevents-pages")]


@pytest.mark.parametrize("taken", [1, 10, 11, 35])
def test_a_list_that_is_abandoned_leaves_no_thread_and_asks_no_more(taken: int) -> None:
    with RawServer(counted(10_000)) as server, Client(server.url, KEY, per_page=10) as client:
        items = client.items(LIST)
        for _ in range(taken):
            next(items)
        items.close()
        assert page_threads() == []
        asked = len(server.requests)
        assert asked <= 1 + -(-taken // 10) + PREFETCH_FACTOR * defaults.CONCURRENCY
        client.send(endpoints.health())
        assert len(server.requests) == asked + 1


def test_a_list_that_is_abandoned_while_the_service_asks_to_wait_ends_at_once() -> None:
    asked = threading.Event()

    def handler(seen: Request) -> Response:
        if seen.query["page"] in ("1", "2"):
            return counted(1000)(seen)
        asked.set()
        return error_response(429, Retry_After="100")

    with RawServer(handler) as server, Client(server.url, KEY, per_page=10) as client:
        items = client.items(LIST)
        for _ in range(11):
            next(items)
        assert asked.wait(10)
        begun = time.monotonic()
        items.close()
        assert time.monotonic() - begun < 20
        assert page_threads() == []


def test_a_failed_page_leaves_no_thread_either() -> None:
    def handler(seen: Request) -> Response:
        return error_response(404) if seen.query["page"] == "4" else counted(1000)(seen)

    with RawServer(handler) as server, Client(server.url, KEY, per_page=10) as client:
        got = []
        with pytest.raises(RingEventsApiError):  # noqa: PT012 - what came before the error is the point
            for page in client.pages(LIST):
                got.append(page.number)
        assert got == [1, 2, 3]
        assert page_threads() == []


def test_a_long_retry_after_ends_the_list_with_the_error(driver: type[SyncDriver]) -> None:
    def handler(seen: Request) -> Response:
        return error_response(429, Retry_After="300") if seen.query["page"] == "3" else counted(100)(seen)

    with RawServer(handler) as server:
        with pytest.raises(RingEventsRateLimitError, match="page 3") as caught:
            driver(server.url, per_page=10).items(LIST)
        assert caught.value.retry_after == 300


# --- sizes that cannot be


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "10"], ids=repr)
def test_a_page_size_that_cannot_be_is_refused_by_name(driver: type[SyncDriver], value: Any) -> None:
    with RawServer(counted(10)) as server:
        with pytest.raises(RingEventsConfigError, match="`per_page` must be"):
            driver(server.url).items(LIST, per_page=value)
        assert server.requests == []


@pytest.mark.parametrize("value", [0, -1, 17, True, "4"], ids=repr)
def test_a_concurrency_that_cannot_be_is_refused_by_name(value: Any) -> None:
    with RawServer(counted(10)) as server, Client(server.url, KEY) as client:
        with pytest.raises(RingEventsConfigError, match="`concurrency` must be"):
            list(client.items(LIST, concurrency=value))
        assert server.requests == []


def test_rate_limit_spaces_requests(driver: type[SyncDriver]) -> None:
    with RawServer(counted(40)) as server:
        # By the client's own clock: the server may be late to read the first.
        began = time.monotonic()
        driver(server.url, per_page=10, rate_limit=20).items(LIST)
        assert time.monotonic() - began >= 3 * 0.05 - 0.01
        assert len(server.requests) == 4
