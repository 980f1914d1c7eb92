"""Events that are made, copied, and shown; tickets, links and subscriptions that are made."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_ringevents.client.validation.timezones import TIME_ZONES, iana_name
from airflow_provider_ringevents.emulator import Emulator, ManualClock
from airflow_provider_ringevents.emulator.backend.clock import parse_instant
from emulator.conftest import Api
from emulator.test_operations import EVENT

TIMES = {name: EVENT[name] for name in ("timezone", "timeStart", "timeEnd")}


def _event(answer: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = answer["data"]["attributes"]
    return attributes


@pytest.fixture
def events_path(emulator: Emulator) -> str:
    return f"/v1/organizations/{emulator.organization_id}/events"


@pytest.fixture
def template_path(emulator: Emulator) -> str:
    return f"/v1/templates/{emulator.template_id}/event"


def test_seeded_events_are_of_every_sort(events_path: str, emulator: Emulator, api: Api) -> None:
    events = api.rows(events_path)
    now = emulator.state.now()
    starts = [parse_instant(event["timeStart"]) or 0 for event in events]
    ends = [event["timeEnd"] and parse_instant(event["timeEnd"]) for event in events]
    assert len(events) == 12
    assert any(end and end < now - 86_400_000 for end in ends)
    assert any(start < now < (end or 0) for start, end in zip(starts, ends, strict=True))
    assert any(start > now for start in starts)
    assert None in ends
    assert {event["status"] for event in events} == {"published", "draft"}
    assert all(event["published"] is (event["status"] == "published") for event in events)
    assert any(iana_name(event["timezone"]) != event["timezone"] for event in events)
    assert len({event["slug"] for event in events}) == 12
    first = next(event for event in events if event["id"] == emulator.event_id)
    assert (parse_instant(first["timeEnd"]) or 0) < now


def test_two_organizations_are_visible(api: Api) -> None:
    organizations = api.rows("/v1/organizations")
    assert len(organizations) == 2
    ids = [{event["id"] for event in api.rows(f"/v1/organizations/{each['id']}/events")} for each in organizations]
    assert ids[0] & ids[1] == set()
    assert len(ids[1]) == 3


def test_order_of_events_is_not_that_of_their_making(events_path: str, emulator: Emulator, api: Api) -> None:
    shuffled = [event["id"] for event in api.rows(events_path)]
    emulator.settings.change(events_order="created")
    created = [event["id"] for event in api.rows(events_path)]
    assert sorted(shuffled) == sorted(created)
    assert shuffled != created
    assert created == [each.id for each in emulator.state.events.values() if each.organization.number == 0]


def test_created_event_is_there_at_once(events_path: str, api: Api) -> None:
    event = _event(api.post(events_path, {**EVENT, "slug": "our-launch", "eventType": "private_event"}))
    assert event["timeEnd"] == "2027-03-01T15:00:00Z"
    assert (event["slug"], event["status"], event["published"], event["metadata"]) == ("our-launch", "draft", False, {})
    assert event["type"] == "private_event"
    assert _event(api.get(f"/v1/events/{event['id']}")) == event
    assert event in api.rows(events_path)
    assert api.rows(f"/v1/events/{event['id']}/registrations") == []
    assert api.rows(f"/v1/events/{event['id']}/booths") == []


def test_slug_is_unique(events_path: str, api: Api) -> None:
    api.post(events_path, {**EVENT, "slug": "taken"})
    response = api.call(
        "POST", events_path, 422, json={"data": {"type": "event", "attributes": {**EVENT, "slug": "taken"}}}
    )
    assert [error["source"] for error in api.errors(response)] == [{"pointer": "/data/attributes/slug"}]
    assert sum(event["slug"] == "taken" for event in api.rows(events_path)) == 1
    without = [_event(api.post(events_path, EVENT))["slug"] for _ in range(2)]
    assert without[0] != without[1]


def test_every_documented_zone_is_accepted(events_path: str, api: Api) -> None:
    assert len(TIME_ZONES) == 746
    for zone in TIME_ZONES[::25]:
        assert _event(api.post(events_path, {**EVENT, "timezone": zone}))["timezone"] == zone


def test_template_starts_a_job(template_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    given = {"name": "Webinar 7", **TIMES, "organizationId": emulator.organization_id, "metadata": {"row": {"n": 7}}}
    published = _event(api.post(template_path, {**given, "auto_publish": True, "type": "hidden_event"}))
    draft = _event(api.post(template_path, given))
    for event in (published, draft):
        assert (event["status"], event["published"], event["metadata"]) == ("templating", False, {"row": {"n": 7}})
    clock.advance(emulator.settings.template_seconds)
    states = [_event(api.get(f"/v1/events/{event['id']}")) for event in (published, draft)]
    assert [(event["status"], event["published"]) for event in states] == [("published", True), ("draft", False)]
    assert states[0]["type"] == "hidden_event"


def test_template_needs_an_organization_that_is_there(template_path: str, emulator: Emulator, api: Api) -> None:
    for organization in ("nothing", emulator.state.organizations[2].id):
        api.post(template_path, {"name": "x", **TIMES, "organizationId": organization}, status=404)


def test_copy_appears_later(
    event_path: str, events_path: str, emulator: Emulator, api: Api, clock: ManualClock
) -> None:
    before = {event["id"] for event in api.rows(events_path)}
    source = _event(api.get(event_path))
    api.post(f"{event_path}/duplications", {"name": "Next year", **TIMES, "auto_publish": True}, status=202)
    api.post(f"{event_path}/duplications", status=202)
    assert {event["id"] for event in api.rows(events_path)} == before
    hidden = [event.id for event in emulator.state.events.values() if event.id not in before][-2:]
    api.get(f"/v1/events/{hidden[0]}", 404)
    clock.advance(emulator.settings.duplicate_seconds)
    copies = {event["name"]: event for event in api.rows(events_path) if event["id"] not in before}
    assert copies.keys() == {"Next year", f"{source['name']} (copy)"}
    assert copies["Next year"]["timeStart"] == "2027-03-01T09:00:00Z"
    assert copies["Next year"]["published"]
    same = ("timeStart", "timeEnd", "timezone", "type", "description")
    plain = copies[f"{source['name']} (copy)"]
    assert [plain[name] for name in same] == [source[name] for name in same]
    assert plain["slug"] != source["slug"]


def test_copy_goes_where_it_is_sent(event_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    _, other, foreign = emulator.state.organizations
    api.post(f"{event_path}/duplications", {"organizationId": other.id, "name": "There"}, status=202)
    clock.advance(60)
    assert "There" in [event["name"] for event in api.rows(f"/v1/organizations/{other.id}/events")]
    api.post(f"{event_path}/duplications", {"organizationId": foreign.id}, status=403)
    api.post(f"{event_path}/duplications", {"organizationId": "nothing"}, status=404)


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("echo", [True, False])
def test_metadata_of_copies(
    keeps: bool, echo: bool, emulator: Emulator, template_path: str, api: Api, clock: Any
) -> None:
    emulator.settings.change(copy_keeps_metadata=keeps, echo_metadata=echo)
    given = {"name": "Source", **TIMES, "organizationId": emulator.organization_id, "metadata": {"a": 1, "b": 2}}
    source = _event(api.post(template_path, given))
    assert source["metadata"] == ({"a": 1, "b": 2} if echo else {})
    path = f"/v1/events/{source['id']}/duplications"
    api.post(path, {"name": "The copy", "metadata": {"b": 3}}, status=202)
    clock.advance(60)
    events = api.rows(f"/v1/organizations/{emulator.organization_id}/events")
    [copy] = [event for event in events if event["name"] == "The copy"]
    assert copy["metadata"] == ({**({"a": 1} if keeps else {}), "b": 3} if echo else {})


def test_new_events_may_be_listed_late(events_path: str, emulator: Emulator, api: Api, clock: ManualClock) -> None:
    emulator.settings.change(visible_seconds=30)
    event = _event(api.post(events_path, EVENT))
    api.get(f"/v1/events/{event['id']}")
    clock.advance(29)
    assert event not in api.rows(events_path)
    clock.advance(1)
    assert event in api.rows(events_path)


def test_times_may_be_local(events_path: str, emulator: Emulator, api: Api) -> None:
    event = _event(api.post(events_path, {**EVENT, "timezone": "Eastern Time (US & Canada)"}))
    emulator.settings.change(naive_event_times=True)
    shown = _event(api.get(f"/v1/events/{event['id']}"))["timeStart"]
    local = datetime.fromisoformat(shown)
    assert local.tzinfo is None
    aware = local.replace(tzinfo=ZoneInfo("America/New_York"))
    assert aware == datetime.fromisoformat("2027-03-01T09:00:00+00:00")


def test_status_word_may_be_any(event_path: str, emulator: Emulator, api: Api) -> None:
    emulator.state.events[emulator.event_id].status = "archived"
    assert _event(api.get(event_path))["status"] == "archived"


def test_events_come_and_go(events_path: str, emulator: Emulator, api: Api) -> None:
    emulator.state.add_events(emulator.organization_id, 300)
    assert len(api.rows(events_path, perPage=100)) == 312
    gone = emulator.event_id
    emulator.state.delete_event(gone)
    api.get(f"/v1/events/{gone}", 404)
    api.get(f"/v1/events/{gone}/registrations", 404)
    assert len(api.rows(events_path, perPage=100)) == 311


def test_ticket(event_path: str, api: Api) -> None:
    made = _event(api.post(f"{event_path}/tickets", {"name": "Day pass", "count": 5, "price": 9.5}, "ticket"))
    assert {name: made[name] for name in ("name", "count", "price", "private", "claimed", "remaining")} == {
        "name": "Day pass",
        "count": 5,
        "price": 9.5,
        "private": False,
        "claimed": 0,
        "remaining": 5,
    }
    assert api.rows(f"{event_path}/tickets")[-1] == made
    assert _event(api.get(f"/v1/tickets/{made['id']}")) == made


def test_magic_links_come_and_go(event_path: str, api: Api) -> None:
    ticket = _event(api.post(f"{event_path}/tickets", {}, "ticket"))["id"]
    path = f"/v1/tickets/{ticket}/magicLinks"
    person = {"email": "a@b.org", "firstName": "Ü", "lastName": "B", "metadata": {"k": "v"}, "extraFields": {"x": "y"}}
    link = _event(api.post(path, person, "magicLink"))
    assert {name: link[name] for name in person} == person
    assert api.rows(path) == [link]
    again = _event(api.post(path, person, "magicLink"))
    assert again["id"] != link["id"]
    assert api.call("DELETE", f"/v1/magicLinks/{link['id']}", 204).content == b""
    api.call("DELETE", f"/v1/magicLinks/{link['id']}", 404)
    api.get(f"/v1/magicLinks/{link['id']}", 404)
    assert api.rows(path) == [again]


def test_data_subscription(event_path: str, emulator: Emulator, api: Api) -> None:
    given = {
        "configuration": {"url": "https://x.org", "type": "webhook", "expiresAt": "2027-01-01T00:00:00Z"},
        "signals": ["attendance", "registrationQRCreated"],
    }
    made = _event(api.post(f"{event_path}/dataSubscriptions", given, "dataSubscription"))
    assert made["configuration"] == {"url": "https://x.org", "type": "webhook"}
    assert (made["expiresAt"], made["signals"]) == ("2027-01-01T00:00:00Z", given["signals"])
    assert made["eventId"] == emulator.event_id
    assert [each["id"] for each in emulator.state.events[emulator.event_id].subscriptions] == [made["id"]]
    api.post(f"{event_path}/dataSubscriptions")
