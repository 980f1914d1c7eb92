"""The dashboard: what it reads, that it never takes text for HTML, and that its buttons do what they say."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import httpx
import pytest

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.emulator.admin.api import MADE_UP
from docs import DOCS


def page(emulator: Any) -> str:
    response = httpx.get(f"{emulator.url}/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return response.text


def overview(emulator: Any) -> Any:
    return httpx.get(f"{emulator.url}/_emulator/overview").json()


def buttons(emulator: Any) -> list[Any]:
    found = re.search(r'<script id="actions" type="application/json">(.*?)</script>', page(emulator), re.DOTALL)
    assert found
    listed: list[Any] = json.loads(found[1])
    return listed


def test_everything_is_shown_with_ids_to_copy(emulator: Any) -> None:
    shown = overview(emulator)
    assert shown["url"] == emulator.url
    assert emulator.event_id in [event["id"] for event in shown["events"]["shown"]]
    assert emulator.template_id in [template["id"] for template in shown["templates"]]
    assert [owner["id"] for owner in shown["organizations"]] == [
        owner.id for owner in emulator.state.organizations if owner.visible
    ]
    hidden = [owner for owner in emulator.state.organizations if not owner.visible]
    assert hidden
    assert not any(owner.id in json.dumps(shown) for owner in hidden)


def test_what_is_made_up_is_named_there_and_in_the_documentation(emulator: Any) -> None:
    assert overview(emulator)["made_up"] == list(MADE_UP)
    assert 'id="made-up"' in page(emulator)
    documented = " ".join((DOCS / "emulator.md").read_text(encoding="utf-8").split())
    assert not [detail for detail in MADE_UP if detail not in documented]


def test_the_shell_line_is_quoted(emulator: Any) -> None:
    emulator.settings.apply(api_key="it's a `key`; $(touch /tmp/x)")
    word, assignment = shlex.split(overview(emulator)["shell"])
    assert word == "export"
    name, _, value = assignment.partition("=")
    assert (name, json.loads(value)) == ("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection())


def test_reports_have_a_status_and_an_age(emulator: Any) -> None:
    emulator.settings.change(report_seconds=3000)
    with Client(emulator.url, emulator.api_key) as client:
        report = client.send(endpoints.create_report(emulator.event_id, "registrations"))["data"]["id"]
        (shown,) = overview(emulator)["reports"]
        assert (shown["id"], shown["ready_in"], shown["age"]) == (report, 3_000_000, 0)
        emulator.report(report).ready_at = 0
        (shown,) = overview(emulator)["reports"]
        assert (shown["status"], shown["failed"]) == ("completed", False)
        assert shown["ready_in"] <= 0


def test_requests_are_shown_with_their_responses_and_reading_the_page_is_none(emulator: Any) -> None:
    emulator.fault("status", status=503)
    with Client(emulator.url, emulator.api_key, max_attempts=1) as client, pytest.raises(Exception, match="503"):
        client.send(endpoints.get_event("e1"))
    page(emulator)
    requests = overview(emulator)["requests"]
    assert requests["count"] == 1
    (seen,) = requests["latest"]
    assert (seen["path"], seen["status"], seen["fault"]) == ("/v1/events/e1", 503, "status")


def test_the_signature_of_a_link_is_not_shown(emulator: Any) -> None:
    httpx.get(f"{emulator.links_url}/reports/x/y.csv?expires=1&signature=secret")
    assert "secret" not in json.dumps(overview(emulator))


def test_created_events_come_first_and_text_is_never_taken_for_html(emulator: Any) -> None:
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
    first = overview(emulator)["events"]["shown"][0]
    assert first["name"] == name
    assert first["slug"] in {event.slug for event in emulator.state.events.values() if event.name == name}
    shown = page(emulator)
    assert name not in shown
    # Every text goes through textContent or a text node; none of the ways that parse HTML is used.
    assert "textContent" in shown
    for parser in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser", "setHTML"):
        assert parser not in shown


def test_every_button_is_understood(emulator: Any) -> None:
    assert len(buttons(emulator)) >= 10
    for words, path, body in buttons(emulator):
        response = httpx.post(f"{emulator.url}/_emulator/{path}", json=body)
        assert response.is_success, (words, response.text)
        if path == "faults":
            assert overview(emulator)["faults"][-1]["kind"] == body["kind"]


def test_a_fault_does_not_hit_the_dashboard(emulator: Any) -> None:
    emulator.fault("reset", times=None)
    page(emulator)
    (fault,) = overview(emulator)["faults"]
    assert (fault["times"], fault["hit_count"]) == (None, 0)


@pytest.mark.parametrize(
    "path",
    ["/", "/_emulator/state", "/_emulator/overview", "/_emulator/settings", "/v1/organizations", "/openapi.json"],
)
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.2", "a@evil.example", "[::1", "["]
)
def test_a_foreign_host_is_refused(emulator: Any, path: str, host: str) -> None:
    response = httpx.get(f"{emulator.url}{path}", headers={"Host": host})
    assert response.status_code == 403
    assert "`Host` must be" in response.json()["error"]
    assert emulator.api_key not in response.text


def test_a_foreign_host_reaches_no_signed_link_and_applies_nothing(emulator: Any) -> None:
    headers = {"Host": "evil.example", "Authorization": f"Bearer {emulator.api_key}"}
    assert httpx.get(f"{emulator.links_url}/reports/x/y.csv", headers=headers).status_code == 403
    url = f"{emulator.url}/v1/events/{emulator.event_id}/reports/registrations"
    response = httpx.post(url, headers=headers, json={"data": {"type": "report"}})
    assert response.status_code == 403
    assert response.json()["errors"][0]["detail"].startswith("`Host` must be 127.0.0.1, localhost,")
    assert list(emulator.reports) == []


def test_the_name_of_a_container_is_taken_where_it_is_allowed() -> None:
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(allowed_host="Emulator.internal") as running:
        for path in ("/_emulator/state", "/openapi.json"):
            for host, status in (("emulator.internal:8765", 200), ("localhost", 200), ("other.internal", 403)):
                assert httpx.get(f"{running.url}{path}", headers={"Host": host}).status_code == status


def test_another_name_of_this_machine_is_taken(emulator: Any) -> None:
    port = emulator.url.rpartition(":")[2]
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", "localhost:9000"):
        assert httpx.get(f"{emulator.url}/_emulator/state", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost"])
def test_a_page_of_another_site_cannot_steer_the_emulator(emulator: Any, origin: str) -> None:
    base = f"{emulator.url}/_emulator"
    for method, path, body in (
        ("POST", "faults", {"kind": "reset"}),
        ("DELETE", "faults", None),
        ("PATCH", "settings", {"latency": 1}),
        ("POST", "registrations", {"add": 1}),
        ("POST", "reset", None),
    ):
        response = httpx.request(method, f"{base}/{path}", json=body, headers={"Origin": origin})
        assert response.status_code == 403, (method, path)
        assert "`Origin` must be" in response.json()["error"]
    assert (list(emulator.faults), emulator.settings.latency) == ([], 0)
    same = httpx.post(f"{base}/registrations", json={}, headers={"Origin": emulator.url})
    assert same.status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_a_body_must_be_declared_as_json(emulator: Any, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for path in ("faults", "registrations", "reset"):
        response = httpx.post(f"{emulator.url}/_emulator/{path}", content=b'{"kind": "reset"}', headers=headers)
        assert response.status_code == 415
        assert "`Content-Type` must be application/json" in response.json()["error"]
    assert not list(emulator.faults)


def test_a_control_body_is_limited(emulator: Any) -> None:
    body = json.dumps({"kind": "body", "body": "x" * (1 << 20)})
    headers = {"Content-Type": "application/json"}
    assert httpx.post(f"{emulator.url}/_emulator/faults", content=body, headers=headers).status_code == 413
    many = [{"kind": "reset"}] * 10_001
    refused = httpx.post(f"{emulator.url}/_emulator/faults", json=many)
    assert refused.status_code == 400
    assert "At most 10000 faults" in refused.json()["error"]
    assert not list(emulator.faults)


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity"])
def test_numbers_are_finite(emulator: Any, number: str) -> None:
    headers = {"Content-Type": "application/json"}
    for path, name in (("faults", "times"), ("faults", "value"), ("settings", "latency")):
        body = f'{{"kind": "delay", "{name}": {number}}}'
        refused = httpx.request(
            "PATCH" if path == "settings" else "POST",
            f"{emulator.url}/_emulator/{path}",
            content=body,
            headers=headers,
        )
        assert (refused.status_code, refused.json()["error"]) == (400, f"Numbers must be finite, got {number}.")
    assert httpx.get(f"{emulator.url}/_emulator/faults").json() == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [("events", 1_000_000), ("registrations", 10**9), ("report_bytes", 2**60), ("report_seconds", 1e300)],
)
def test_numbers_are_capped(emulator: Any, setting: str, value: float) -> None:
    refused = httpx.post(f"{emulator.url}/_emulator/reset", json={setting: value})
    assert refused.status_code == 400
    assert re.search(rf"`{setting}` must be an? (integer|number) from \d+ to \d+, got", refused.json()["error"])
    assert len(emulator.state.events) < 100
