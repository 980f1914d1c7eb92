"""The hook on the emulator: every operation once, as a user would go through them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from contract import operations

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import RingEventsNotFoundError, RingEventsValidationError
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.polling.reports import ReportWaiter
from airflow_provider_ringevents.polling.waiter import wait_until_done

TIMES = {"timeStart": "2030-05-01T09:00:00+02:00", "timeEnd": "2030-05-01T17:00:00Z", "timezone": "Berlin"}


def operation_of(method: str, path: str) -> str:
    """The operation of a request, by its path."""
    (found,) = {
        name
        for name, described in operations().items()
        for template in described["paths"]
        if described["method"] == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)
    }
    return found


@pytest.fixture
def hook(ringevents_conn: str) -> Iterator[RingEventsHook]:
    with RingEventsHook(ringevents_conn) as made:
        yield made


def test_every_operation_works_on_the_emulator(hook: RingEventsHook, emulator: Any) -> None:
    assert hook.test_connection()[0]
    assert hook.health()
    organization = next(hook.list_organizations())["id"]
    assert hook.get_organization(organization)["id"] == organization == hook.organization_id()
    template = next(hook.list_templates())["id"]
    event = next(hook.list_events())["id"]
    assert hook.get_event(event)["id"] == event

    created = hook.create_event(None, {"name": "Ours", "currency": "USD", **TIMES})
    assert hook.get_event(created["id"])["name"] == "Ours"
    series = {"name": "Copy", "organizationId": organization, **TIMES}
    assert hook.create_event_from_template(template, series)["id"]
    assert hook.duplicate_event(event, {"name": "Duplicate"}) is None

    registration = next(hook.list_registrations(emulator.event_id))
    same = hook.list_registrations(emulator.event_id, {"email": registration["email"]})
    assert [row["id"] for row in same] == [registration["id"]]
    assert hook.get_registration(registration["id"]) == registration
    assert hook.update_registration(registration["id"], {"crm": "7"})["metadata"]["crm"] == "7"

    item = next(hook.list_schedule_items(emulator.event_id))
    assert hook.get_schedule_item(item["id"])["id"] == item["id"]
    assert all("name" in tag for tag in hook.list_schedule_item_tags(item["id"]))
    booth = next(hook.list_booths(emulator.event_id))
    assert all("name" in tag for tag in hook.list_booth_tags(booth["id"]))
    assert list(hook.list_sessions(emulator.event_id))
    assert list(hook.list_stages(emulator.event_id))

    ticket = hook.create_ticket(created["id"], {"name": "VIP", "price": 10.5})
    assert [row["id"] for row in hook.list_tickets(created["id"])] == [ticket["id"]]
    assert hook.get_ticket(ticket["id"])["name"] == "VIP"
    person = {"email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"}
    link = hook.create_magic_link(ticket["id"], person)
    assert [row["id"] for row in hook.list_magic_links(ticket["id"], {"email": "ada@example.org"})] == [link["id"]]
    assert hook.get_magic_link(link["id"])["id"] == link["id"]
    assert hook.delete_magic_link(link["id"]) is None
    with pytest.raises(RingEventsNotFoundError):
        hook.get_magic_link(link["id"])
    with pytest.warns(DeprecationWarning, match="magic_link"):
        assert hook.create_redeem_code(ticket["id"], "Ada", "Lovelace", "ada@example.org")
    (first, *_) = hook.list_tickets(emulator.event_id)
    question = next(hook.list_bank_questions(first["id"]))
    answers = [{"questionId": question["id"], "answer": "ACME"}]
    new = hook.create_registration(emulator.event_id, {**person, "ticketId": first["id"], "answers": answers})
    assert hook.get_registration(new["id"])["customRegistrationFields"][0]["value"] == "ACME"
    changed = hook.update_registration(new["id"], {"crm": "8"}, {"headline": "CTO"})
    assert (changed["metadata"], changed["headline"]) == ({"crm": "8"}, "CTO")
    subscription = hook.create_data_subscription(
        event, {"url": "https://example.org/hook", "type": "webhook"}, ["attendance"]
    )
    assert subscription["id"]

    report = hook.create_report(emulator.event_id, "registrations")
    wait_until_done(ReportWaiter(report["id"], None, 0.1, None, lambda *said: None), hook)
    assert report["id"] in [row["id"] for row in hook.list_reports(emulator.event_id)]
    assert hook.get_report(report["id"])["id"] == report["id"]
    with hook.download_report(report["id"]) as download:
        digest = hashlib.sha256(b"".join(download)).hexdigest()
        assert download.state.verified
    assert digest == emulator.report_sha256(report["id"])
    assert emulator.leaked_authorizations == 0

    asked = {(seen.method, seen.path) for seen in emulator.requests.entries if seen.origin == "api"}
    assert {operation_of(method, path) for method, path in asked} == set(operations())


def test_thousands_of_rows_come_once_and_in_order(ringevents_conn: str, emulator: Any) -> None:
    emulator.reset(registrations=1_234)
    for concurrency, per_page in ((1, 100), (4, 100), (16, 37)):
        with RingEventsHook(ringevents_conn, concurrency=concurrency, per_page=per_page) as hook:
            ids = [row["id"] for row in hook.list_registrations(emulator.event_id)]
        assert len(ids) == len(set(ids)) == 1_234

    async def in_a_loop() -> list[str]:
        async with await RingEventsHook(ringevents_conn).get_async_conn() as client:
            return [row["id"] async for row in client.items(endpoints.list_registrations(emulator.event_id))]

    assert asyncio.run(in_a_loop()) == ids


@pytest.mark.parametrize("kind", ["wrong_count", "missing_count"])
def test_rows_are_complete_whatever_the_count_says(ringevents_conn: str, emulator: Any, kind: str) -> None:
    emulator.reset(registrations=333)
    emulator.fault(kind, path="registrations", times=None, **({"value": 7} if kind == "wrong_count" else {}))
    with RingEventsHook(ringevents_conn, per_page=50) as hook:
        assert len({row["id"] for row in hook.list_registrations(emulator.event_id)}) == 333


def test_what_the_service_refuses_is_said_with_its_pointer(hook: RingEventsHook, emulator: Any) -> None:
    call = endpoints.create_event(emulator.organization_id, {"name": "n", "currency": "USD", "timezone": "Mars"})
    with pytest.raises(RingEventsValidationError, match="/data/attributes/") as caught:
        hook.client.send(call)
    assert caught.value.errors
    assert emulator.count("POST") == 1


@pytest.mark.parametrize("kind", ["applied_then_cut", "applied_then_status"])
def test_an_applied_post_whose_answer_is_lost_is_ambiguous_and_sent_once(
    hook: RingEventsHook, emulator: Any, kind: str
) -> None:
    emulator.fault(kind, method="POST")
    with pytest.raises(Exception, match="may have been applied") as caught:
        hook.create_ticket(emulator.event_id, {"name": "n"})
    assert caught.value.ambiguous
    assert emulator.count("POST") == 1
