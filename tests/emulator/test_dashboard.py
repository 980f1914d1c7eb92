"""The page for people: what is there, what was asked, and buttons that do what they say."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx
import pytest

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.emulator.admin.dashboard import BUTTONS


def page(emulator: Any) -> str:
    answer = httpx.get(f"{emulator.url}/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return answer.text


def section(emulator: Any, title: str) -> str:
    """The table below a heading, without tags, cells divided by bars."""
    found = re.search(rf"<h2>{title}.*?</table>", page(emulator), re.DOTALL)
    assert found, title
    return unescape(re.sub(r"<[^>]+>", "|", found[0]))


def test_what_is_there_is_shown_with_ids_to_copy(emulator: Any) -> None:
    shown = unescape(page(emulator))
    for there in (emulator.organization_id, emulator.event_id, emulator.template_id, emulator.connection_json()):
        assert there in shown
    hidden = [owner for owner in emulator.state.organizations if not owner.visible]
    assert hidden
    assert not any(owner.id in shown for owner in hidden)


def test_reports_have_a_status_and_an_age(emulator: Any) -> None:
    emulator.settings.change(report_seconds=3000)
    with Client(emulator.url, emulator.api_key) as client:
        report = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
        assert re.search(rf"{report}.*in progress, ready in 50 min", section(emulator, "Reports"))
        emulator.report(report).ready_at = 0
        assert re.search(rf"{report}.*completed", section(emulator, "Reports"))


def test_requests_are_shown_with_their_answers_and_looking_is_none(emulator: Any) -> None:
    emulator.fault("status", status=503)
    with Client(emulator.url, emulator.api_key, max_attempts=1) as client, pytest.raises(Exception, match="503"):
        client.send(endpoints.get_event("e1"))
    page(emulator)
    assert re.search(r"/v1/events/e1\|.*503.*\|status\|", section(emulator, r"Requests \(1,"))


def test_events_that_were_made_come_first_and_are_not_taken_for_html(emulator: Any) -> None:
    name = "<script>alert(1)</script> & 'more'"
    attributes = {
        "name": name,
        "timeStart": "2027-05-01T09:00:00Z",
        "timeEnd": "2027-05-01T10:00:00Z",
        "timezone": "UTC",
        "currency": "USD",
    }
    with Client(emulator.url, emulator.api_key) as client:
        client.send(endpoints.create_event(emulator.organization_id, attributes))
    assert "<script>alert" not in page(emulator)
    found = re.search(r"<h2>Events.*?<tbody><tr id='(.*?)'><td>(.*?)</td>", page(emulator), re.DOTALL)
    assert found
    assert unescape(found[2]) == name
    assert unescape(found[1]) in {event.slug for event in emulator.state.events.values() if event.name == name}


@pytest.mark.parametrize(("words", "path", "body"), BUTTONS, ids=[button[0] for button in BUTTONS])
def test_every_button_is_understood(emulator: Any, words: str, path: str, body: dict[str, Any]) -> None:
    assert f">{words}</button>" in page(emulator)
    answer = httpx.post(f"{emulator.url}/_emulator/{path}", json=body)
    assert answer.is_success, answer.text
    if path == "faults":
        assert f"<td>{body['kind']}</td>" in page(emulator)
        assert "Clear all faults" in page(emulator)


def test_a_fault_does_not_hit_the_page(emulator: Any) -> None:
    emulator.fault("reset", times=None)
    assert "always" in page(emulator)
