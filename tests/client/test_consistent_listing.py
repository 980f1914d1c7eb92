"""A list is whole, or it is an error: one reading after the other against services that page in their own ways."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.consistent_listing import ListReading
from airflow_provider_ringevents.client.endpoints import Call, list_registrations
from airflow_provider_ringevents.client.errors import (
    RingEventsError,
    RingEventsIncompleteListError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.pagination import Page

BASE = "https://api.example"
Service = Callable[[dict[str, str]], dict[str, Any]]


def rows(start: int, end: int) -> list[dict[str, Any]]:
    return [{"id": str(number), "attributes": {"n": number}} for number in range(start, end)]


def read(service: Service, *, per_page: int = 100, call: Call | None = None, most: int = 500, **settings: Any):
    """Drive a reading as the clients do; give the ids that came, and the reading."""
    reading = ListReading(call or list_registrations("e"), per_page=per_page, base_url=BASE, **settings)
    found: list[str] = []
    requests = 0
    while True:
        call: Call | None = reading.first_call()
        while call is not None:
            requests += 1
            assert requests < most, "endless"
            page = Page.from_envelope(service(dict(call.params)), reading.pages + 1, operation="list_registrations")
            found += [row["id"] for row in reading.accept(page)]
            call = reading.next_call()
        if not reading.begin_next_reading():
            break
    if error := reading.finish():
        raise error
    return found, reading


class PagedService:
    """1,000 rows, numbered pages, counts and links as wanted."""

    def __init__(self, total: int = 1000, **faults: Any) -> None:
        self.total = total
        self.faults = faults
        self.requests: list[dict[str, str]] = []

    def __call__(self, params: dict[str, str]) -> dict[str, Any]:
        self.requests.append(params)
        number, size = int(params["page"]), min(int(params["perPage"]), self.faults.get("largest", 10**6))
        if self.faults.get("page_ignored"):
            number = 1
        first = (number - 1) * size
        data = rows(first, min(first + size, self.total))
        if len(self.requests) <= self.faults.get("broken_requests", 10**6):
            if number == self.faults.get("empty"):
                data = []
            if number == self.faults.get("short"):
                data = data[:40]
            if number == self.faults.get("repeated"):
                data = rows(first - size, first)
        body: dict[str, Any] = {"data": data}
        if self.faults.get("count", True):
            body["meta"] = {"count": self.faults.get("count_is", self.total)}
        if link := self.faults.get("link"):
            more = first + size < self.total or self.faults.get("endless_links")
            body["links"] = {"next": link(number + 1, size) if more else None}
        return body


def text_link(number: int, size: int) -> str:
    return f"{BASE}/v1/events/e/registrations?page={number}&perPage={size}"


class EndlessService:
    """Pages of new rows for ever, each with a link to the next.

    :param count: ``meta.count`` by the number of the page.
    """

    def __init__(self, count: Callable[[int], Any]) -> None:
        self.count = count
        self.rows = 0

    def __call__(self, params: dict[str, str]) -> dict[str, Any]:
        number = int(params["page"])
        self.rows += 1000
        body = {"data": rows((number - 1) * 1000, number * 1000), "links": {"next": text_link(number + 1, 1000)}}
        return body if self.count(number) is None else {**body, "meta": {"count": self.count(number)}}


@pytest.mark.parametrize("count", [lambda number: 2500, lambda number: number * 1000 + 1500], ids=["fixed", "growing"])
def test_pages_without_an_end_are_refused_far_beyond_the_first_count(count: Callable[[int], Any]) -> None:
    service = EndlessService(count)
    with pytest.raises(RingEventsTransportError, match="the list has more than 15000 rows") as caught:
        read(service, per_page=1000)
    assert not caught.value.retryable
    assert service.rows <= 17_000


@pytest.mark.parametrize("count", [1000, 20_000, None], ids=["of the page", "a limit", "none"])
def test_pages_without_an_end_are_refused_at_last(monkeypatch: pytest.MonkeyPatch, count: int | None) -> None:
    monkeypatch.setattr(defaults, "MAX_LIST_ROWS", 60_000)
    service = EndlessService(lambda number: count)
    with pytest.raises(RingEventsTransportError, match="the list has more than 60000 rows"):
        read(service, per_page=1000)
    assert service.rows <= 62_000


def test_a_count_that_is_not_trusted_bounds_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "MAX_LIST_ROWS", 60_000)
    with pytest.raises(RingEventsTransportError, match="the list has more than 60000 rows"):
        read(EndlessService(lambda number: 2500), per_page=1000, trust_count=False)


def test_a_list_that_doubles_while_it_is_read_is_whole() -> None:
    service = PagedService(total=24_900, count_is=12_345, link=text_link)
    found, _ = read(service, per_page=1000)
    assert len(found) == 24_900


ALL = [str(number) for number in range(1000)]


@pytest.mark.parametrize("count", [True, False])
@pytest.mark.parametrize(
    "link",
    [
        pytest.param(text_link, id="text"),
        pytest.param(lambda n, s: {"href": text_link(n, s)}, id="object"),
        pytest.param(lambda n, s: f"?page={n}&perPage={s}", id="relative"),
        pytest.param(lambda n, s: f"https://api.hopin.example:8443/v1/x?page={n}&perPage={s}", id="another host"),
        pytest.param(lambda n, s: f"?page={n}&perPage={s}&filter[email][eq]=a+b@x.org", id="raw plus"),
        pytest.param(lambda n, s: f"?page={n}&perPage=7", id="another page size"),
        None,
    ],
)
def test_a_healthy_list_is_whole_in_one_reading(count: bool, link: Any) -> None:
    service = PagedService(count=count, link=link)
    call = list_registrations("e", {"email": {"eq": "a+b@x.org"}})
    found, reading = read(service, call=call)
    assert found == ALL
    assert reading.readings == 1
    assert len(service.requests) == (10 if count or link else 11)
    assert {request["filter[email][eq]"] for request in service.requests} == {"a+b@x.org"}
    assert {request["perPage"] for request in service.requests} == {"100"}


@pytest.mark.parametrize("fault", ["empty", "short", "repeated"])
@pytest.mark.parametrize("link", [text_link, None], ids=["links", "no links"])
def test_a_bad_page_in_the_middle_is_read_over_and_the_list_read_again(fault: str, link: Any) -> None:
    found, reading = read(PagedService(link=link, broken_requests=10, **{fault: 3}))
    assert sorted(found, key=int) == ALL
    assert reading.readings == 2


@pytest.mark.parametrize("fault", ["empty", "short", "repeated"])
@pytest.mark.parametrize("link", [text_link, None], ids=["links", "no links"])
def test_a_page_that_stays_bad_is_an_error(fault: str, link: Any) -> None:
    with pytest.raises(RingEventsIncompleteListError) as caught:
        read(PagedService(link=link, **{fault: 3}))
    assert caught.value.readings == 3
    assert caught.value.rows == (940 if fault == "short" else 900)
    assert caught.value.retryable


@pytest.mark.parametrize("count", [True, False])
@pytest.mark.parametrize("link", [text_link, None], ids=["links", "no links"])
def test_a_service_that_ignores_page_is_an_error(count: bool, link: Any) -> None:
    service = PagedService(page_ignored=True, count=count, link=link, endless_links=True)
    with pytest.raises(RingEventsTransportError):
        read(service)
    assert len(service.requests) <= 4


def test_a_short_list_that_is_not_paged_ends_where_it_comes_again() -> None:
    assert read(PagedService(total=3, page_ignored=True, count=False))[0] == ["0", "1", "2"]


def test_a_list_of_more_rows_than_asked_for_is_not_paged() -> None:
    service = PagedService(total=250, largest=10**6)
    found, _ = read(lambda params: {"data": rows(0, 250)}, per_page=100)
    assert len(found) == 250
    del service


def test_a_count_that_is_capped_does_not_end_the_list() -> None:
    found, _ = read(PagedService(total=2500, count_is=1000, link=text_link))
    assert len(found) == 2500


@pytest.mark.parametrize("of_pages", [False, True], ids=["rows of the page", "pages"])
def test_a_count_of_something_else_does_not_end_the_list(of_pages: bool) -> None:
    """Rows of the page, or pages, called ``count``, and no links: the rows disprove it."""

    def service(params: dict[str, str]) -> dict[str, Any]:
        first = 100 * (int(params["page"]) - 1)
        data = rows(first, min(first + 100, 1000))
        return {"data": data, "meta": {"count": 10 if of_pages else len(data)}}

    assert read(service)[0] == ALL


@pytest.mark.parametrize(("count", "requests"), [(True, 4), (False, 6)])
def test_links_that_lead_on_for_ever_end_where_nothing_new_comes(count: bool, requests: int) -> None:
    service = PagedService(total=300, link=text_link, endless_links=True, count=count)
    assert len(read(service)[0]) == 300
    assert len(service.requests) == requests


@pytest.mark.parametrize(
    ("settings", "readings"),
    [pytest.param({"count": False}, 2, id="no count"), pytest.param({"count_is": 150}, 3, id="capped count")],
)
def test_an_empty_page_in_the_middle_does_not_end_a_list_whose_links_lead_on(
    settings: dict[str, Any], readings: int
) -> None:
    found, reading = read(PagedService(link=text_link, broken_requests=10, empty=3, **settings))
    assert sorted(found, key=int) == ALL
    assert reading.readings == readings
    with pytest.raises(RingEventsIncompleteListError, match="a page before the last one had no rows") as caught:
        read(PagedService(link=text_link, empty=3, **settings))
    assert (caught.value.readings, caught.value.rows) == (3, 900)


def test_a_server_with_smaller_pages_is_believed() -> None:
    assert read(PagedService(largest=30))[0] == ALL


@pytest.mark.parametrize("count_is", [1001, 10**7])
def test_a_count_that_is_never_reached_is_an_error(count_is: int) -> None:
    with pytest.raises(RingEventsIncompleteListError):
        read(PagedService(count_is=count_is))


def test_an_untrusted_count_ends_at_a_null_link_after_two_equal_readings() -> None:
    found, reading = read(PagedService(count_is=1500, link=text_link), trust_count=False)
    assert found == ALL
    assert reading.readings == 2


def test_an_untrusted_count_without_links_ends_at_an_empty_page() -> None:
    found, reading = read(PagedService(count_is=10), trust_count=False)
    assert found == ALL
    assert reading.readings == 2


def test_with_an_untrusted_count_an_empty_page_does_not_end_a_list_whose_links_lead_on() -> None:
    """The rows of a page may all be such that the key cannot see."""
    found, reading = read(PagedService(count_is=2000, link=text_link, empty=3), trust_count=False)
    assert (len(found), reading.readings) == (900, 2)


@pytest.mark.parametrize("count", ["1000", 1000.0, msgspec.Raw(b"1000.0")], ids=["text", "float", "digits"])
def test_a_count_in_another_spelling_says_that_rows_are_missing(count: Any) -> None:
    for fault in ("short", "empty"):
        with pytest.raises(RingEventsIncompleteListError, match="1000"):
            read(PagedService(count_is=count, link=text_link, **{fault: 5}))


@pytest.mark.parametrize("links", ["absent", None, {}, []], ids=repr)
def test_a_full_page_that_lost_its_links_does_not_end_a_list_whose_links_led_on(links: Any) -> None:
    service = PagedService(count=False, link=text_link)

    def without_links_on_page_two(params: dict[str, str]) -> dict[str, Any]:
        body = service(params)
        if params["page"] == "2":
            body["links"] = links
            if links == "absent":
                del body["links"]
        return body

    assert len(read(without_links_on_page_two)[0]) == 1000
    short = PagedService(950, count=False, link=text_link)
    assert len(read(lambda params: {**short(params), **({"links": links} if params["page"] == "10" else {})})[0]) == 950
    assert len(short.requests) == 10


def test_a_link_past_the_next_page_is_an_error_unless_a_count_shows_what_is_missing() -> None:
    def link(number: int, size: int) -> str:
        return text_link(number + 1 if number == 4 else number, size)

    with pytest.raises(RingEventsTransportError, match=r"links\.next of page 3 leads past the next page, to page 5"):
        read(PagedService(count=False, link=link))
    with pytest.raises(RingEventsTransportError, match="leads past the next page"):
        read(PagedService(link=link), trust_count=False)
    assert len(read(PagedService(link=link))[0]) == 1000


@pytest.mark.parametrize(
    ("after", "count", "size"),
    [(3, 0, 0), (3, 420, 100), (2, 300, 100), (4, 420, 20), (1, 100, 0)],
    ids=["nothing", "fewer", "early", "a short page", "one page"],
)
@pytest.mark.parametrize("lasting", [True, False])
def test_a_count_that_falls_and_begins_anew_as_it_was_tells_of_missing_rows(
    after: int, count: int, size: int, lasting: bool
) -> None:
    """A limit of the depth of pages, or a replica that lags behind: 500 rows by the first page of every reading."""
    readings = 0

    def service(params: dict[str, str]) -> dict[str, Any]:
        nonlocal readings
        page = int(params["page"])
        readings += page == 1
        start = 100 * (page - 1)
        if page <= after or (readings > 1 and not lasting):
            end, counted = min(start + 100, 500), 500
        else:
            end, counted = max(start, min(start + size, count)), count
        link = f"?page={page + 1}" if end < counted else None
        return {"data": rows(start, end), "meta": {"count": counted}, "links": {"next": link}}

    if lasting:
        with pytest.raises(RingEventsIncompleteListError, match="rows are missing"):
            read(service)
    else:
        assert sorted(read(service)[0], key=int) == [str(number) for number in range(500)]


@pytest.mark.parametrize("id", [None, "", "a\ufffd"], ids=ascii)
@pytest.mark.parametrize("faults", [{}, {"count": False}, {"link": text_link}, {"count": False, "link": text_link}])
def test_rows_without_a_readable_id_are_all_kept(faults: dict[str, Any], id: str | None) -> None:
    service = PagedService(**faults)

    def anonymous(params: dict[str, str]) -> dict[str, Any]:
        body = service(params)
        return {**body, "data": [{**row, "id": id} for row in body["data"]]}

    found, reading = read(anonymous)
    assert (len(found), reading.rows) == (1000, 1000)


def test_null_is_an_empty_list_and_a_missing_list_an_error() -> None:
    assert read(lambda params: {"data": None, "meta": {"count": 0}})[0] == []
    with pytest.raises(RingEventsTransportError):
        read(lambda params: {"meta": {"count": 0}})


def test_flat_members_count_as_attributes_and_a_bare_id_is_an_error() -> None:
    page = Page.from_envelope({"data": [{"id": "1", "type": "t", "name": "x", "meta": {"a": 1}}]}, 1, operation="o")
    assert page.items == [{"id": "1", "name": "x", "_other": {"meta": {"a": 1}}}]
    page = Page.from_envelope({"data": [{"id": "1", "attributes": [{"name": "x"}], "a": 1}]}, 1, operation="o")
    assert page.items == [{"id": "1", "a": 1, "_other": {"attributes": [{"name": "x"}]}}]
    with pytest.raises(RingEventsTransportError):
        Page.from_envelope({"data": [{"id": "1", "type": "t"}]}, 1, operation="o")


@pytest.mark.parametrize("counts", [(500, 400, 300, 200, 100), (500, 500, 500, 300, 300), (500, 500, 480, 480, 480)])
def test_a_count_that_falls_in_every_reading_hides_no_rows(counts: tuple[int, ...]) -> None:
    """The fourth page and what follows come empty: a limit of the service."""

    def service(params: dict[str, str]) -> dict[str, Any]:
        number = int(params["page"])
        data = rows(100 * (number - 1), 100 * number) if number < 4 else []
        return {"data": data, "meta": {"count": counts[min(number, 5) - 1]}, "links": {"next": None}}

    with pytest.raises(RingEventsIncompleteListError, match=r"(200|180) rows are missing"):
        read(service)


@pytest.mark.parametrize("seed", range(20))
def test_a_count_that_is_an_estimate_is_no_sign_of_missing_rows(seed: int) -> None:
    dice = random.Random(seed)

    def service(params: dict[str, str]) -> dict[str, Any]:
        number = int(params["page"])
        data = rows(25 * (number - 1), min(25 * number, 200))
        link = text_link(number + 1, 25) if number < 8 else None
        return {"data": data, "meta": {"count": dice.randint(190, 210)}, "links": {"next": link}}

    assert len(read(service, per_page=25)[0]) == 200


@pytest.mark.parametrize(
    ("resource", "row"),
    [
        ({"attributes": {"a": 1}, "ticketId": "t1"}, {"a": 1, "ticketId": "t1"}),
        ({"attributes": {"a": 1}, "checkedIn": False, "tags": []}, {"a": 1, "checkedIn": False, "tags": []}),
        ({"attributes": {"a": None}, "a": 2}, {"a": 2}),
        ({"attributes": {"a": 1}, "a": 1}, {"a": 1}),
        ({"attributes": {"a": 1}, "a": None}, {"a": 1}),
        ({"attributes": {"a": 1}, "a": 2, "meta": {"b": 3}}, {"a": 1, "_other": {"meta": {"b": 3}, "a": 2}}),
        ({"attributes": {"magicLink": "one"}, "magicLink": "two"}, {"magicLink": "one"}),
    ],
)
def test_members_beside_the_attributes_are_kept(resource: dict[str, Any], row: dict[str, Any]) -> None:
    page = Page.from_envelope({"data": [{"id": "1", "type": "t", "links": {}, **resource}]}, 1, operation="o")
    assert page.items == [{"id": "1", **row}]


@pytest.mark.parametrize(
    "keys",
    [
        [("1", "ticket"), ("1", "bundle")],
        [(1, "ticket"), ("1", "ticket")],
        [(True, "ticket"), ("True", "ticket")],
    ],
)
@pytest.mark.parametrize("pages", [1, 2])
def test_rows_of_another_type_or_with_an_id_of_another_type_are_other_rows(
    keys: list[tuple[Any, str | None]], pages: int
) -> None:
    rows = [{"id": id, "type": type, "attributes": {"name": "x"}} for id, type in keys]

    def service(params: dict[str, str]) -> dict[str, Any]:
        number = int(params["page"])
        return {"data": rows if pages == number == 1 else rows[number - 1 : number] if pages == 2 else []}

    found, reading = read(service)
    assert (len(found), reading.duplicates_dropped) == (2, 0)


@pytest.mark.parametrize("fault", ["empty", "short", "repeated"])
@pytest.mark.parametrize("lasting", [True, False])
def test_rows_that_arrive_do_not_hide_a_page_that_lacks_rows(fault: str, lasting: bool) -> None:
    service = PagedService(total=300, **{fault: 2}, link=text_link, broken_requests=10**6 if lasting else 2)

    def growing(params: dict[str, str]) -> dict[str, Any]:
        body = service(params)
        if len(service.requests) <= 30:
            service.total += 60
        return body

    if lasting:
        with pytest.raises(RingEventsIncompleteListError):
            read(growing)
    else:
        found, reading = read(growing)
        assert {str(number) for number in range(300)} <= set(found)
        assert reading.readings > 1


def test_smaller_pages_of_a_list_that_grows_are_no_holes() -> None:
    service = PagedService(total=300, largest=30)

    def growing(params: dict[str, str]) -> dict[str, Any]:
        body = service(params)
        service.total += 1
        return body

    found, _ = read(growing)
    assert {str(number) for number in range(300)} <= set(found)


class Churn:
    """A list that changes between two pages: rows are added, moved to one end, and deleted."""

    def __init__(self, seed: int, *, newest_first: bool, count: str) -> None:
        self.random = random.Random(seed)
        self.newest_first = newest_first
        self.count = count
        self.rows = list(range(self.random.randint(150, 600)))
        self.next_id = len(self.rows)
        self.per_page = 50
        self.budget = self.random.randint(0, 40)
        self.deleted: set[int] = set()
        self.present_throughout = set(self.rows)
        self.cancelled = False

    def change(self) -> None:
        deletions = additions = 0
        for _ in range(self.random.randint(0, 2)):
            if self.budget <= 0 or not self.rows:
                return
            self.budget -= 1
            match self.random.choice(["add", "add", "move", "delete"]):
                case "add":
                    self.rows.insert(0 if self.newest_first else len(self.rows), self.next_id)
                    self.next_id += 1
                    additions += 1
                case "move":
                    row = self.rows.pop(self.random.randrange(len(self.rows)))
                    self.rows.insert(0 if self.newest_first else len(self.rows), row)
                case "delete":
                    row = self.rows.pop(self.random.randrange(len(self.rows)))
                    self.deleted.add(row)
                    self.present_throughout.discard(row)
                    deletions += 1
        self.cancelled = self.cancelled or bool(deletions and additions)

    def __call__(self, params: dict[str, str]) -> dict[str, Any]:
        number, size = int(params["page"]), int(params["perPage"])
        first = (number - 1) * size
        data = [{"id": str(row), "attributes": {"n": row}} for row in self.rows[first : first + size]]
        more = first + size < len(self.rows)
        count = len(self.rows)
        if self.count == "capped":
            count = min(count, 200)
        elif self.count == "approximate":
            count = max(0, count + self.random.randint(-3, 3))
        body = {
            "data": data,
            "meta": {"count": count},
            "links": {"next": text_link(number + 1, size) if more else None},
        }
        self.change()
        return body


def churn(seed: int) -> tuple[str, Churn, set[int]]:
    service = Churn(seed, newest_first=seed % 2 == 0, count=("honest", "capped", "approximate")[seed // 2 % 3])
    try:
        found, reading = read(service, per_page=50)
    except RingEventsError:
        return "failed", service, set()
    missing = service.present_throughout - {int(id) for id in found}
    return ("again" if reading.readings > 1 else "once"), service, missing


@pytest.mark.parametrize("seed", range(10))
def test_no_list_under_churn_is_green_and_short(seed: int) -> None:
    outcome, service, missing = churn(seed)
    assert not missing or service.cancelled, outcome


@pytest.mark.parametrize("size", [1, 3])
def test_a_page_without_ids_that_comes_again_ends_the_list(size: int) -> None:
    page = {"data": [{"attributes": {"name": f"Diet {number}"}} for number in range(size)]}
    found, reading = read(lambda params: page, per_page=100, most=20)
    assert len(found) == reading.rows == size
