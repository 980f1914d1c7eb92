"""Pages, links, filters, and a million registrations that nobody holds."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_ringevents.emulator import Emulator, ManualClock
from airflow_provider_ringevents.emulator.api.filters import Selection
from airflow_provider_ringevents.emulator.backend.clock import iso
from airflow_provider_ringevents.emulator.backend.ids import Ids, ResourceKey, ResourceType, SeededValues
from airflow_provider_ringevents.emulator.backend.registrations import Registrations
from emulator.conftest import Api

DAY = 86_400_000
START = 1_780_000_000_000


def book(size: int, days: int = 60, seed: int = 1) -> Registrations:
    return Registrations(Ids(seed), SeededValues(seed), 3, size, opened=START, closed=START + days * DAY, attended=True)


# --- pages


def test_pages_of_a_list_by_its_links(event_path: str, api: Api) -> None:
    seen = []
    answer = api.get(f"{event_path}/registrations", perPage=60)
    assert answer["links"]["prev"] is None
    while answer["links"]["next"]:
        seen.append(len(answer["data"]))
        previous = answer["links"]["self"]
        answer = api.get(answer["links"]["next"])
        assert answer["links"]["prev"] == previous
    assert [*seen, len(answer["data"])] == [60, 60, 60, 60, 10]
    assert answer["links"]["self"] == answer["links"]["last"]
    assert answer["meta"] == {"count": 250}


def test_pages_of_a_short_list(event_path: str, api: Api) -> None:
    pages = [api.get(f"{event_path}/booths", perPage=4, page=page) for page in (1, 2, 3)]
    assert [len(page["data"]) for page in pages] == [4, 2, 0]
    assert {page["meta"]["count"] for page in pages} == {6}


def test_page_is_25_rows_by_default(event_path: str, api: Api) -> None:
    assert len(api.get(f"{event_path}/registrations")["data"]) == 25


def test_every_row_is_as_documented(event_path: str, api: Api) -> None:
    for page in (1, 2, 3):
        api.get(f"{event_path}/registrations", perPage=100, page=page)


def test_links_are_absolute_and_keep_the_filter(event_path: str, emulator: Emulator, api: Api) -> None:
    path = f"{event_path}/registrations"
    answer = api.get(path, **{"filter[refunded][eq]": "false", "perPage": 10, "page": 3})
    for name, page in (("first", "1"), ("self", "3"), ("prev", "2"), ("next", "4")):
        link = answer["links"][name]
        assert link.startswith(f"{emulator.url}{path}?")
        wanted = {"filter[refunded][eq]": ["false"], "page": [page], "perPage": ["10"]}
        assert parse_qs(urlsplit(link).query) == wanted


def test_a_page_beyond_the_last_is_empty(event_path: str, api: Api) -> None:
    answer = api.get(f"{event_path}/registrations", page=99)
    assert answer["data"] == []
    assert answer["links"]["next"] is None
    assert "page=10" in answer["links"]["prev"]
    assert answer["meta"] == {"count": 250}


def test_large_pages_are_cut_or_refused(event_path: str, emulator: Emulator, api: Api) -> None:
    emulator.settings.change(max_per_page=30)
    answer = api.get(f"{event_path}/registrations", perPage=1000)
    assert len(answer["data"]) == 30
    assert "perPage=30" in answer["links"]["next"]
    emulator.settings.change(refuse_large_pages=True)
    response = api.http.get(f"{event_path}/registrations", params={"perPage": 31})
    assert response.status_code == 422
    assert [error["source"] for error in api.errors(response)] == [{"parameter": "perPage"}]


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "", "9" * 5000, "²"])
@pytest.mark.parametrize("name", ["page", "perPage"])
def test_pages_that_cannot_be_are_400(name: str, value: str, event_path: str, api: Api) -> None:
    response = api.call("GET", f"{event_path}/stages", 400, params={name: value})
    assert [error["source"] for error in api.errors(response)] == [{"parameter": name}]


def test_templates_are_not_paged(emulator: Emulator, api: Api) -> None:
    answer = api.get(f"/v1/organizations/{emulator.organization_id}/templates")
    assert answer.keys() == {"data"}
    assert len(answer["data"]) == 4


def test_what_a_list_shows_is_there_one_by_one(event_path: str, api: Api) -> None:
    for row in api.rows(f"{event_path}/registrations")[::40]:
        assert api.get(f"/v1/registrations/{row['id']}")["data"]["attributes"] == row
    for row in api.rows(f"{event_path}/scheduleItems"):
        assert api.get(f"/v1/scheduleItems/{row['id']}")["data"]["attributes"] == row
    tags = []
    for kind in ("booths", "scheduleItems"):
        for row in api.rows(f"{event_path}/{kind}"):
            tags += api.rows(f"/v1/{kind}/{row['id']}/tags")
    assert len({tag["id"] for tag in tags}) == len(tags) > 5
    for ticket in api.rows(f"{event_path}/tickets"):
        assert api.get(f"/v1/tickets/{ticket['id']}")["data"]["attributes"] == ticket
        for link in api.rows(f"/v1/tickets/{ticket['id']}/magicLinks"):
            assert api.get(f"/v1/magicLinks/{link['id']}")["data"]["attributes"] == link


def test_things_fit_together(event_path: str, api: Api) -> None:
    tickets = {ticket["id"]: ticket for ticket in api.rows(f"{event_path}/tickets")}
    rows = api.rows(f"{event_path}/registrations")
    for ticket_id, ticket in tickets.items():
        assert ticket["claimed"] == sum(row["ticketId"] == ticket_id for row in rows)
        assert ticket["remaining"] == ticket["count"] - ticket["claimed"] >= 0
    invited = [row for row in rows if row["magicLinkId"]]
    assert len(invited) == 30
    for row in invited[::5]:
        link = api.get(f"/v1/magicLinks/{row['magicLinkId']}")["data"]["attributes"]
        assert (link["registrationId"], link["email"], link["status"]) == (row["id"], row["email"], "registered")
    stages = {stage["id"] for stage in api.rows(f"{event_path}/stages")}
    items = api.rows(f"{event_path}/scheduleItems")
    assert {item["areaId"] for item in items if item["area"] == "stage"} <= stages


def test_rows_show_what_real_ones_do(event_path: str, api: Api) -> None:
    rows = api.rows(f"{event_path}/registrations")
    assert any(not row["firstName"].isascii() for row in rows)
    assert any("," in row["lastName"] for row in rows)
    assert any('"' in row["lastName"] for row in rows)
    for name in ("headline", "phoneNumber", "firstCheckIn", "customRegistrationFields", "bio", "qrCodeData"):
        assert {row[name] is None for row in rows} == {True, False}, name
    answers = [answer for row in rows for answer in row["customRegistrationFields"] or ()]
    assert {answer["type"] for answer in answers} == {"singleLineText", "multiSelect", "date", "conditional"}
    assert any(answer["childQuestions"] for answer in answers)
    assert any("\n" in answer["value"] for answer in answers if answer["type"] == "singleLineText")
    assert any(answer["value"].startswith("=") for answer in answers if answer["type"] == "singleLineText")
    assert [] in [row["customRegistrationFields"] for row in rows]
    assert {bool(row["metadata"]) for row in rows} == {bool(row["utm"]) for row in rows} == {True, False}
    assert len({row["id"] for row in rows}) == len({row["email"] for row in rows}) == 250


# --- filters


def test_filters_select_what_they_say(event_path: str, api: Api) -> None:
    path = f"{event_path}/registrations"
    rows = api.rows(path)
    first, second = rows[20]["email"], rows[200]["email"]
    assert api.rows(path, **{"filter[email][eq]": first}) == [rows[20]]
    assert api.rows(path, **{"filter[email][in]": f"{second},{first},nobody@example.org"}) == [rows[20], rows[200]]
    assert api.rows(path, **{"filter[email][eq]": "nobody.20@example.org"}) == []
    assert api.rows(path, **{"filter[refunded][eq]": "true"}) == [row for row in rows if row["refunded"]] != []
    middle = rows[120]["createdAt"]
    for operator, keep in {
        "gt": lambda time: time > middle,
        "gte": lambda time: time >= middle,
        "lt": lambda time: time < middle,
        "lte": lambda time: time <= middle,
        "eq": lambda time: time == middle,
    }.items():
        found = api.rows(path, **{f"filter[createdAt][{operator}]": middle})
        assert found == [row for row in rows if keep(row["createdAt"])], operator
        found = api.rows(path, **{f"filter[updatedAt][{operator}]": middle, "filter[refunded][eq]": "false"})
        assert found == [row for row in rows if keep(row["updatedAt"]) and not row["refunded"]], operator
    times = f"{rows[3]['createdAt']},{rows[5]['createdAt']}"
    assert api.rows(path, **{"filter[createdAt][in]": times}) == [rows[3], rows[5]]
    window = {"filter[userUpdatedAt][gte]": rows[50]["createdAt"], "filter[userUpdatedAt][lt]": rows[60]["createdAt"]}
    assert 0 < len(api.rows(path, **window)) < 25


def test_registrations_have_ties(event_path: str, api: Api) -> None:
    rows = api.rows(f"{event_path}/registrations")
    assert len({row["createdAt"] for row in rows}) == 225
    assert [row["createdAt"] for row in rows] == sorted(row["createdAt"] for row in rows)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("filter[name][eq]", "x", "please use allowed ones: email, createdAt, refunded, updatedAt, userUpdatedAt"),
        ("filter[email][gt]", "x", "only with eq, in"),
        ("filter[refunded][eq]", "yes", "wrong type"),
        ("filter[refunded][in]", "true", "only with eq"),
        ("filter[createdAt][eq]", "2026-01-01", "wrong type"),
        ("filter[createdAt][eq]", "2026-01-01T00:00:00", "wrong type"),
        ("filter[createdAt][like]", "2026", "only with eq, in, gt, lt, gte, lte"),
        ("filter[createdAt][in]", "2026-01-01T00:00:00Z,x", "wrong type"),
        ("filter", "{}", "filter[field][operator]=value"),
        ("filter[email]", "x", "filter[field][operator]=value"),
    ],
)
def test_filters_that_are_not_documented_are_400(name: str, value: str, text: str, event_path: str, api: Api) -> None:
    response = api.call("GET", f"{event_path}/registrations", 400, params={name: value})
    [error] = api.errors(response)
    assert text in error["detail"]
    assert error["source"] == {"parameter": name}


def test_filters_of_magic_links(event_path: str, api: Api) -> None:
    ticket = api.rows(f"{event_path}/tickets")[0]["id"]
    path = f"/v1/tickets/{ticket}/magicLinks"
    rows = api.rows(path)
    hidden = api.rows(path, **{"filter[includeConfirmAndJoin][eq]": "true"})
    assert len(hidden) == len(rows) + 1
    assert api.rows(path, **{"filter[email][eq]": rows[3]["email"]}) == [rows[3]]
    since = sorted(row["updatedAt"] for row in rows)[4]
    found = api.rows(path, **{"filter[updatedAt][gte]": since})
    assert found == [row for row in rows if row["updatedAt"] >= since]
    response = api.call("GET", path, 400, params={"filter[refunded][eq]": "true"})
    assert api.errors(response)[0]["detail"] == "Invalid filter params, please use allowed ones: updatedAt, email"


# --- changes


def test_changes_show_in_count_order_and_filters(
    event_path: str, emulator: Emulator, api: Api, clock: ManualClock
) -> None:
    path = f"{event_path}/registrations"
    before = api.rows(path)
    clock.advance(100)
    since = iso(emulator.state.now())
    added = emulator.state.add_registrations(emulator.event_id, 3)
    emulator.state.delete_registration(before[10]["id"])
    clock.advance(1)
    emulator.state.update_registration(before[30]["id"], {"a": "b"})
    rows = api.rows(path)
    ids = [row["id"] for row in before if row["id"] != before[10]["id"]] + added
    assert [row["id"] for row in rows] == ids
    assert api.get(path)["meta"] == {"count": 252}
    changed = api.rows(path, **{"filter[updatedAt][gte]": since})
    assert [row["id"] for row in changed] == [before[30]["id"], *added]
    assert [row["id"] for row in api.rows(path, **{"filter[createdAt][gte]": since})] == added
    assert api.get(f"/v1/registrations/{before[30]['id']}")["data"]["attributes"]["metadata"] == {"a": "b"}
    api.call("GET", f"/v1/registrations/{before[10]['id']}", 404)
    assert api.rows(path, **{"filter[email][eq]": before[10]["email"]}) == []


@pytest.mark.parametrize("mode", ["replace", "merge"])
def test_update_of_a_registration(mode: str, emulator: Emulator, event_path: str, api: Api, clock: Any) -> None:
    emulator.settings.change(patch_metadata=mode)
    row = api.rows(f"{event_path}/registrations")[4]
    assert row["metadata"].keys() == {"crmId", "tier"}
    clock.advance(5)
    body = {"data": {"type": "Registration", "attributes": {"metadata": {"tier": "none", "new": "ü"}}}}
    answer = api.call("PATCH", f"/v1/registrations/{row['id']}", json=body).json()["data"]["attributes"]
    kept = {"crmId": row["metadata"]["crmId"]} if mode == "merge" else {}
    changed = {"metadata": {**kept, "tier": "none", "new": "ü"}, "updatedAt": iso(emulator.state.now())}
    assert answer == {**row, **changed}
    untouched = api.call("PATCH", f"/v1/registrations/{row['id']}").json()["data"]["attributes"]
    assert untouched == answer


def test_nothing_is_of_the_future(event_path: str, emulator: Emulator, api: Api) -> None:
    now = iso(emulator.state.now())
    for event in api.rows(f"/v1/organizations/{emulator.organization_id}/events")[:6]:
        for row in api.rows(f"/v1/events/{event['id']}/registrations", perPage=100):
            assert row["createdAt"] <= row["updatedAt"] <= now
            assert row["createdAt"] <= (row["firstCheckIn"] or now) <= now


def test_newest_first_moves_pages_when_somebody_registers(event_path: str, emulator: Emulator, api: Api) -> None:
    emulator.settings.change(registrations_order="newest_first")
    path = f"{event_path}/registrations"
    first = api.get(path, perPage=100)["data"]
    emulator.state.add_registrations(emulator.event_id, 1)
    second = api.get(path, perPage=100, page=2)["data"]
    last = api.get(path, perPage=100, page=3)["data"]
    assert second[0]["id"] == first[-1]["id"]
    assert [len(first), len(second), len(last)] == [100, 100, 51]


def test_selecting_agrees_with_looking_at_every_row() -> None:
    dice = random.Random(2)
    rows = book(1500, days=9)
    closed = START + 9 * DAY
    rows.add(40, closed + 5000)
    rows.add(10, closed + 9000)
    for _ in range(60):
        rows.delete(dice.choice([index for index in range(rows.size) if rows.exists(index)]))
        changed = dice.choice([index for index in range(rows.size) if rows.exists(index)])
        rows.patch(changed, {}, closed + dice.randrange(9000))
    table = {index: _values(rows, index) for index in range(rows.size) if rows.exists(index)}
    for _ in range(90):
        selection = Selection()
        for column in ("createdAt", "updatedAt", "userUpdatedAt"):
            if dice.random() < 0.4:
                moments = sorted({rows.created(dice.randrange(rows.size)) for _ in range(4)})
                points = tuple((moment, moment + 1) for moment in moments)
                edges = (
                    START,
                    closed,
                    closed + 1,
                    dice.randrange(START, closed),
                    dice.randrange(closed, closed + 10_000),
                )
                ends = sorted(dice.sample(edges, 2))
                selection.times[column] = points if dice.random() < 0.3 else ((ends[0], ends[1]),)
        if dice.random() < 0.3:
            selection.booleans["refunded"] = dice.random() < 0.5
        wanted = [index for index, values in table.items() if selection.accepts(strings={}, **values)]
        matches = rows.select(selection)
        assert matches.total == len(wanted)
        assert matches.slice(0, rows.size) == wanted
        start = dice.randrange(len(wanted) + 1)
        assert matches.slice(start, start + 20) == wanted[start : start + 20]


def _values(rows: Registrations, index: int) -> dict[str, Any]:
    shown = rows.attributes(index)
    times = {
        "createdAt": rows.created(index),
        "updatedAt": rows.updated(index),
        "userUpdatedAt": rows.user_updated(index),
    }
    assert (shown["createdAt"], shown["updatedAt"]) == (iso(times["createdAt"]), iso(times["updatedAt"]))
    return {"times": times, "booleans": {"refunded": shown["refunded"]}}


# --- a million


def test_a_million_registrations_are_not_held() -> None:
    with Emulator(seed=3, registrations=1_000_000) as emulator:
        api = Api(emulator)
        path = f"/v1/events/{emulator.event_id}/registrations"
        api.get(path, perPage=100, page=1)
        tracemalloc.start()
        try:
            page = api.get(path, perPage=100, page=9000)
            window = {"filter[updatedAt][gte]": page["data"][0]["attributes"]["createdAt"]}
            late = api.get(path, perPage=100, page=1000, **window)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            api.http.close()
        book = emulator.state.events[emulator.event_id].registrations
        assert [row["id"] for row in page["data"]] == [book.id(index) for index in range(899_900, 900_000)]
        assert page["meta"] == {"count": 1_000_000}
        assert 100_100 <= late["meta"]["count"] < 120_000
        assert len(late["data"]) == 100
        # A row takes more than 500 bytes as JSON: even one byte for each of the million would show.
        assert peak < 8_000_000
        # Page 9,000 looks at its own rows, not at the 900,000 before them.
        calls = _calls(book)
        assert calls < 2_000


def _calls(rows: Registrations) -> int:
    """How often the time of a registration is computed for one late page of a filtered list."""
    calls = 0
    original = rows.created

    def counted(index: int) -> int:
        nonlocal calls
        calls += 1
        return original(index)

    rows.created = counted  # type: ignore[method-assign]
    try:
        spans = ((rows.created(500_000), rows.created(999_000)),)
        assert rows.select(Selection(times={"updatedAt": spans})).slice(400_000, 400_100)
    finally:
        del rows.created  # type: ignore[method-assign]
    return calls


# --- ids and determinism


def test_ids_are_25_letters_and_digits_and_read_back() -> None:
    ids = Ids(5)
    dice = random.Random(1)
    seen = set()
    for _ in range(3000):
        key = ResourceKey(dice.choice(list(ResourceType)), dice.getrandbits(32), dice.getrandbits(40))
        text = ids.encode(key.kind, key.parent, key.index)
        assert len(text) == 25
        assert text.isascii()
        assert text.isalnum()
        assert ids.decode(text) == key
        seen.add(text)
    assert len(seen) == 3000
    for wrong in (
        "",
        "A" * 25,
        text[:-1],
        text + "A",
        text.swapcase(),
        "ä" * 25,
        Ids(6).encode(ResourceType.EVENT, 0, 0),
    ):
        assert ids.decode(wrong) is None


def test_same_seed_same_content() -> None:
    def content(seed: int) -> tuple[list[str], list[dict[str, Any]], list[str]]:
        emulator = Emulator(seed=seed, clock=ManualClock())
        events = list(emulator.state.events.values())
        rows = [events[0].registrations.attributes(index) for index in range(50)]
        return [event.id for event in events], rows, list(events[0].magic_links)

    assert content(1) == content(1)
    for one, other in zip(content(1), content(2), strict=True):
        assert one != other


def test_ids_do_not_depend_on_the_day_or_on_how_many_there_are() -> None:
    small = Emulator(seed=1, clock=ManualClock(1_790_000_000), events=8, registrations=10)
    large = Emulator(seed=1, clock=ManualClock(1_795_000_000), events=50, registrations=1000)
    assert [event.id for event in small.state.events.values() if event.organization.number == 0] == [
        event.id for event in large.state.events.values() if event.organization.number == 0
    ][:8]
    assert {organization.id for organization in small.state.organizations} == {
        organization.id for organization in large.state.organizations
    }
    rows = [each.state.events[each.event_id].registrations for each in (small, large)]
    assert rows[0].id(7) == rows[1].id(7)
    assert rows[0].email(7) == rows[1].email(7)
