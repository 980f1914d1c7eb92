"""Lists in bad weather: rows that come and go while pages are read, and single pages that fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from airflow_provider_ringevents.client import Client, RingEventsAuthError, RingEventsServerError, endpoints
from airflow_provider_ringevents.client.transport.retry import RetryPolicy
from airflow_provider_ringevents.emulator import Emulator, Fault
from emulator.conftest import Api

FIRST_PAGE = r"\bpage=1\b"
SECOND_PAGE = r"\bpage=2\b"
LIST = "/registrations$"


def ids_by_page(api: Api, path: str, pages: int, **params: Any) -> list[list[str]]:
    """What somebody sees who asks for page 1, 2, 3 ... of 100 rows."""
    found = []
    for page in range(1, pages + 1):
        rows = api.get(path, page=page, perPage=100, **params)["data"]
        found.append([row["id"] for row in rows])
    return found


def all_ids(emulator: Emulator) -> list[str]:
    book = emulator.state.events[emulator.event_id].registrations
    return [book.id(index) for index in range(book.size) if book.exists(index)]


@pytest.fixture
def path(event_path: str) -> str:
    return f"{event_path}/registrations"


@pytest.mark.parametrize("order", ["created", "newest_first"])
def test_who_cancels_hides_a_living_row(order: Any, emulator: Emulator, api: Api, path: str) -> None:
    emulator.settings.change(registrations_order=order)
    before = all_ids(emulator) if order == "created" else all_ids(emulator)[::-1]
    fault = emulator.fault("registrations_cancelled", path=LIST, query=FIRST_PAGE)
    pages = ids_by_page(api, path, 3)
    assert pages[0] == before[:100]
    assert fault.hit_count == 1
    # The row at the border has moved from page 2 to page 1, which was read before.
    assert before[100] in all_ids(emulator)
    assert [*pages[1], *pages[2]] == before[101:]
    assert before[0] not in all_ids(emulator)
    assert api.get(path)["meta"] == {"count": 249}


def test_who_cancels_of_a_filtered_list_is_in_it(emulator: Emulator, api: Api, path: str) -> None:
    only: Any = {"filter[refunded][eq]": "true"}
    refunded = [row["id"] for row in api.rows(path, **only)]
    emulator.fault("registrations_cancelled", path=LIST, query=r"filter\[refunded\]\[eq\]=true", value=2)
    api.get(path, **only)
    assert [row["id"] for row in api.rows(path, **only)] == refunded[2:]


def test_more_can_cancel_than_there_are(emulator: Emulator, api: Api, path: str) -> None:
    emulator.settings.change(registrations_order="newest_first")
    emulator.fault("registrations_cancelled", path=LIST, value=10_000)
    assert len(api.get(path, perPage=100)["data"]) == 100
    assert api.get(path) | {"links": None} == {"data": [], "meta": {"count": 0}, "links": None}


def test_who_registers_comes_last_or_makes_a_row_come_twice(emulator: Emulator, api: Api, path: str) -> None:
    before = all_ids(emulator)
    emulator.fault("registrations_added", path=LIST, query=SECOND_PAGE, value=60)
    pages = ids_by_page(api, path, 4)
    assert [len(page) for page in pages] == [100, 100, 100, 10]
    assert [row for page in pages for row in page] == all_ids(emulator)
    assert all_ids(emulator)[:250] == before
    emulator.reset(registrations_order="newest_first")
    emulator.fault("registrations_added", path=LIST, query=SECOND_PAGE)
    first, second, third = ids_by_page(api, path, 3)
    assert second[-1] == third[0]
    assert sorted({*first, *second, *third}) == sorted(before)


def test_only_lists_of_registrations_change(emulator: Emulator, api: Api, event_path: str) -> None:
    fault = emulator.fault("registrations_cancelled", times=None)
    api.get(f"{event_path}/booths")
    api.get("/v1/events/unknown/registrations", 404)
    api.get(f"{event_path}/registrations", 400, page=0)
    assert fault.hit_count == 3
    assert len(all_ids(emulator)) == 250


# --- single pages


def client(emulator: Emulator) -> Client:
    return Client(emulator.url, emulator.api_key, policy=RetryPolicy(initial_delay=0.001), max_attempts=9, per_page=50)


def read(emulator: Emulator, concurrency: int) -> list[str]:
    with client(emulator) as opened:
        call = endpoints.list_registrations(emulator.event_id)
        return [item["id"] for item in opened.items(call, concurrency=concurrency)]


def tries(emulator: Emulator, page: int) -> list[int | None]:
    """The statuses that requests for one page got, in their order."""
    return [seen.status for seen in emulator.requests.entries if f"page={page}&" in seen.query]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_one_page_fails_three_times_and_then_works(concurrency: int, emulator: Emulator) -> None:
    emulator.fault("status", status=503, path=LIST, query=r"\bpage=3\b", times=3)
    assert read(emulator, concurrency) == all_ids(emulator)
    assert tries(emulator, 3) == [503, 503, 503, 200]
    assert tries(emulator, 4) == [200]


def test_one_page_never_works(emulator: Emulator) -> None:
    emulator.fault("status", status=503, path=LIST, query=r"\bpage=3\b", times=None)
    with pytest.raises(RingEventsServerError):
        read(emulator, 1)
    assert set(tries(emulator, 3)) == {503}
    assert tries(emulator, 2) == [200]


def test_the_key_is_refused_in_the_middle(emulator: Emulator) -> None:
    emulator.fault("status", status=401, path=LIST, query=r"\bpage=3\b")
    with pytest.raises(RingEventsAuthError):
        read(emulator, 4)


def test_a_storm_of_429(emulator: Emulator) -> None:
    storm = emulator.fault("status", status=429, path=LIST, headers={"Retry-After": "0"}, times=8, chance=0.7)
    with client(emulator) as opened:
        call = endpoints.list_registrations(emulator.event_id)
        found = [item["id"] for item in opened.items(call, per_page=10, concurrency=8)]
    assert found == all_ids(emulator)
    assert storm.hit_count == 8


def test_a_fault_sees_the_decoded_query(emulator: Emulator, api: Api, path: str) -> None:
    fault = emulator.fault("status", status=500, query=r"^filter\[email\]\[eq\]=a\+b c@example\.org$")
    # The same query as two ways of writing it, and another one.
    for sent in ("filter%5Bemail%5D%5Beq%5D=a%2Bb+c%40example.org", "filter[email][eq]=a%2Bb%20c@example.org"):
        fault.hit_count = 0
        assert api.http.get(f"{path}?{sent}").status_code == 500
    fault.hit_count = 0
    assert api.http.get(f"{path}?filter[email][eq]=x@example.org").status_code == 200


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"kind": "reset", "query": "["},
            "`query` must be a regular expression (unterminated character set",
        ),
        ({"kind": "registrations_added", "value": 0}, "`value` must be an integer from 1 to 100000, got 0"),
        ({"kind": "registrations_cancelled", "value": -3}, "`value` must be an integer from 1 to 100000, got -3"),
    ],
)
def test_faults_that_cannot_be(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=r"^`(query|value)` must be ") as caught:
        Fault.from_json(fields)
    assert text in str(caught.value)


# --- over HTTP


@pytest.fixture
def control(emulator: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emulator.url}/_emulator", verify=False) as opened:
        yield opened


def test_registering_and_cancelling_over_http(control: httpx.Client, emulator: Emulator) -> None:
    before = all_ids(emulator)
    changed = control.post("/registrations", json={"add": 2, "cancel": 1}).json()
    assert changed["event_id"] == emulator.event_id
    assert changed["cancelled"] == before[:1]
    assert all_ids(emulator) == [*before[1:], *changed["added"]]
    other = list(emulator.state.events)[1]
    assert len(control.post("/registrations", json={"event_id": other, "add": 3}).json()["added"]) == 3
    assert all_ids(emulator) == [*before[1:], *changed["added"]]
    nothing = control.post("/registrations", json={}).json()
    assert (nothing["added"], nothing["cancelled"]) == ([], [])


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "must be a JSON object, got list"),
        ({"delete": 1}, "must be among event_id, add, cancel, got delete"),
        ({"event_id": "x"}, "`event_id` must be the id of an event, got 'x'"),
        ({"add": -1}, "`add` must be an integer from 0 to 100000, got -1"),
        ({"add": 1, "cancel": True}, "`cancel` must be an integer"),
        ({"add": "1"}, "`add` must be an integer"),
    ],
)
def test_changes_that_cannot_be(given: Any, text: str, control: httpx.Client, emulator: Emulator) -> None:
    before = all_ids(emulator)
    refused = control.post("/registrations", json=given)
    assert refused.status_code == 400
    assert text in refused.json()["error"]
    assert all_ids(emulator) == before


@pytest.mark.parametrize("name", ["seed", "registrations", "events"])
def test_what_is_seeded_changes_by_starting_over_only(name: str, control: httpx.Client, emulator: Emulator) -> None:
    before, value = getattr(emulator.settings, name), {"seed": 8, "registrations": 30, "events": 9}[name]
    refused = control.patch("/settings", json={name: value, "latency": 9})
    assert refused.status_code == 400
    assert f"{name}: cannot change" in refused.json()["error"]
    assert "POST /_emulator/reset" in refused.json()["error"]
    assert (getattr(emulator.settings, name), emulator.settings.latency) == (before, 0)
    event_id = emulator.event_id
    made = control.post("/reset", json={name: value})
    assert made.json()[name] == value
    assert (emulator.event_id == event_id) is (name != "seed")
    assert len(all_ids(emulator)) == emulator.settings.registrations
    assert control.post("/reset", json={name: -1, "latency": "x"}).status_code == 400
    assert control.post("/reset", json=[1]).status_code == 400
    assert getattr(emulator.settings, name) == value
    assert control.post("/reset").status_code == 204
    assert (getattr(emulator.settings, name), emulator.event_id) == (before, event_id)
