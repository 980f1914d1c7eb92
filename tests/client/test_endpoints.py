"""Each documented operation, as it arrives on a server: path, query and body are those of the reference."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from client_drivers import KEY, SyncDriver
from contract import check_request, operations
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.endpoints import Call, quote_segment
from airflow_provider_ringevents.client.errors import RingEventsConfigError

EVENT = {
    "name": "Summit",
    "timeStart": "2026-05-01T09:00:00Z",
    "timeEnd": "2026-05-01T17:00:00Z",
    "timezone": "Abu Dhabi",
    "currency": "USD",
}
SERIES = {"name": "Copy", "organizationId": "o", **{k: EVENT[k] for k in ("timeStart", "timeEnd", "timezone")}}
FILTER = {
    "email": {"in": ["ada@example.org", "b+c@example.org"]},
    "updatedAt": {"gte": "2026-01-01T00:00:00+02:00", "lt": "2026-02-01T00:00:00Z"},
}
LINK = {"email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"}
REGISTRATION = {
    **LINK,
    "ticketId": "t",
    "answers": [{"questionId": "q", "answer": ["Talks", "Expo"]}, {"questionId": "r", "answer": "ACME"}],
    "metadata": {"crm": "7"},
}
SUBSCRIPTION = {"url": "https://example.org/hook", "type": "webhook", "expiresAt": "2026-05-01T09:00:00Z"}

# Operation, the call, the raw path, the query, the body.
CALLS: list[tuple[Call, str, dict[str, str], Any]] = [
    (endpoints.health(), "/v1/health", {}, None),
    (endpoints.list_organizations(), "/v1/organizations", {}, None),
    (endpoints.get_organization("o"), "/v1/organizations/o", {}, None),
    (endpoints.list_templates("o"), "/v1/organizations/o/templates", {}, None),
    (endpoints.list_events("o"), "/v1/organizations/o/events", {}, None),
    (
        endpoints.create_event("o", EVENT),
        "/v1/organizations/o/events",
        {},
        {"data": {"type": "event", "attributes": EVENT}},
    ),
    (
        endpoints.create_event_from_template("t", SERIES),
        "/v1/templates/t/event",
        {},
        {"data": {"type": "event", "attributes": SERIES}},
    ),
    (
        endpoints.duplicate_event("e"),
        "/v1/events/e/duplications",
        {},
        {"data": {"type": "event", "attributes": {}}},
    ),
    (
        endpoints.duplicate_event("e", SERIES),
        "/v1/events/e/duplications",
        {},
        {"data": {"type": "event", "attributes": SERIES}},
    ),
    (endpoints.get_event("e"), "/v1/events/e", {}, None),
    (endpoints.list_registrations("e"), "/v1/events/e/registrations", {}, None),
    (
        endpoints.list_registrations("e", FILTER),
        "/v1/events/e/registrations",
        {
            "filter[email][in]": "ada@example.org,b+c@example.org",
            "filter[updatedAt][gte]": "2025-12-31T22:00:00Z",
            "filter[updatedAt][lt]": "2026-02-01T00:00:00Z",
        },
        None,
    ),
    (endpoints.get_registration("r"), "/v1/registrations/r", {}, None),
    (
        endpoints.update_registration("r", {"crm": "7"}),
        "/v1/registrations/r",
        {},
        {"data": {"type": "Registration", "attributes": {"metadata": {"crm": "7"}}}},
    ),
    (
        endpoints.update_registration("r", attributes={"firstName": "Ada"}),
        "/v1/registrations/r",
        {},
        {"data": {"type": "Registration", "attributes": {"firstName": "Ada"}}},
    ),
    (
        endpoints.create_registration("e", REGISTRATION),
        "/v1/events/e/registrations",
        {},
        {"data": {"type": "registration", "attributes": REGISTRATION}},
    ),
    (
        endpoints.create_report("e", "registrations"),
        "/v1/events/e/reports/registrations",
        {},
        None,
    ),
    (
        endpoints.create_report("e", "attendeeActivity", "2", {"segmentType": "expo"}),
        "/v1/events/e/reports/attendeeActivity/2",
        {},
        {"data": {"attributes": {"segmentType": "expo"}}},
    ),
    (endpoints.list_reports("e"), "/v1/events/e/reports", {}, None),
    (endpoints.get_report("r"), "/v1/reports/r", {}, None),
    (endpoints.list_schedule_items("e"), "/v1/events/e/scheduleItems", {}, None),
    (endpoints.get_schedule_item("s"), "/v1/scheduleItems/s", {}, None),
    (endpoints.list_schedule_item_tags("s"), "/v1/scheduleItems/s/tags", {}, None),
    (endpoints.list_booths("e"), "/v1/events/e/booths", {}, None),
    (endpoints.list_booth_tags("b"), "/v1/booths/b/tags", {}, None),
    (endpoints.list_sessions("e"), "/v1/events/e/sessions", {}, None),
    (endpoints.list_stages("e"), "/v1/events/e/stages", {}, None),
    (endpoints.list_tickets("e"), "/v1/events/e/tickets", {}, None),
    (
        endpoints.create_ticket("e", {"name": "VIP", "price": 10.5, "count": 3, "private": True}),
        "/v1/events/e/tickets",
        {},
        {
            "data": {
                "type": "ticket",
                "attributes": {"name": "VIP", "price": 10.5, "count": 3, "private": True},
            }
        },
    ),
    (endpoints.get_ticket("t"), "/v1/tickets/t", {}, None),
    (endpoints.list_magic_links("t"), "/v1/tickets/t/magicLinks", {}, None),
    (endpoints.list_bank_questions("t"), "/v1/tickets/t/bankQuestions", {}, None),
    (
        endpoints.list_magic_links("t", {"includeConfirmAndJoin": {"eq": True}, "email": "ada@example.org"}),
        "/v1/tickets/t/magicLinks",
        {"filter[includeConfirmAndJoin][eq]": "true", "filter[email][eq]": "ada@example.org"},
        None,
    ),
    (
        endpoints.create_magic_link("t", LINK),
        "/v1/tickets/t/magicLinks",
        {},
        {"data": {"type": "magicLink", "attributes": LINK}},
    ),
    (endpoints.get_magic_link("m"), "/v1/magicLinks/m", {}, None),
    (endpoints.delete_magic_link("m"), "/v1/magicLinks/m", {}, None),
    (
        endpoints.create_data_subscription("e", SUBSCRIPTION, ["attendance", "registrationQrCreated"]),
        "/v1/events/e/dataSubscriptions",
        {},
        {
            "data": {
                "type": "dataSubscription",
                "attributes": {
                    "configuration": SUBSCRIPTION,
                    "signals": ["attendance", "registrationQrCreated"],
                },
            }
        },
    ),
    (
        endpoints.create_redeem_code("t", "Ada", "Lovelace", "ada@example.org", "2026-01-01"),
        "/v1/magic_link",
        {},
        {
            "ticket_id": "t",
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": "ada@example.org",
            "created_at": "2026-01-01",
        },
    ),
]
DOWNLOAD = endpoints.download_report("r")


def anything(seen: Request) -> Response:
    return json_response({"data": {"id": "x", "attributes": {}}})


@pytest.mark.parametrize(("call", "path", "query", "body"), CALLS, ids=lambda part: getattr(part, "operation", ""))
def test_call_arrives_as_the_reference_documents_it(
    driver: type[SyncDriver], call: Call, path: str, query: dict[str, str], body: Any
) -> None:
    with RawServer(anything) as server:
        driver(server.url).send(call)
        (seen,) = server.requests
    assert check_request(seen.method, seen.path, seen.raw_query, seen.body) == call.operation
    assert seen.path == path
    assert seen.query == query
    assert (json.loads(seen.body) if seen.body else None) == body
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers.get("content-type") == ("application/json" if body else None)
    assert seen.headers["user-agent"].startswith("airflow-provider-ringevents/")


def test_download_arrives_as_the_reference_documents_it(driver: type[SyncDriver]) -> None:
    with RawServer(lambda seen: Response(body=b"a,b", headers={"Content-Type": "text/csv"})) as server:
        assert driver(server.url).download(DOWNLOAD).content == b"a,b"
        (seen,) = server.requests
    assert check_request(seen.method, seen.path, seen.raw_query, seen.body) == "download_report"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["accept"] == "*/*"


def test_every_documented_operation_has_its_function() -> None:
    covered = {call.operation for call, *_ in CALLS} | {"download_report"}
    public = {
        name
        for name, member in vars(endpoints).items()
        if inspect.isfunction(member) and member.__module__ == endpoints.__name__ and not name.startswith("_")
    } - {"quote_segment"}
    assert covered == public == set(operations())
    for call, *_ in CALLS:
        assert call.method == operations()[call.operation]["method"]


def test_exactly_the_documented_lists_are_paged() -> None:
    paged = {
        name
        for name, described in operations().items()
        if any(parameter["name"] == "page" for parameter in described.get("parameters", ()))
    }
    assert {call.operation for call, *_ in CALLS if call.paged} == paged


@pytest.mark.parametrize("scheme", ["Bearer", "Token", ""])
def test_authorization_scheme(driver: type[SyncDriver], scheme: str) -> None:
    with RawServer(anything) as server:
        driver(server.url, auth_scheme=scheme).send(endpoints.health())
        assert server.requests[0].headers["authorization"] == f"{scheme} {KEY}".strip()


def test_a_path_in_the_base_url_comes_before_the_path_of_the_call(driver: type[SyncDriver]) -> None:
    with RawServer(anything) as server:
        driver(f"{server.url}/proxy/").send(endpoints.get_event("a:b"))
        assert server.requests[0].target == "/proxy/v1/events/a%3Ab"


# --- ids

STRANGE = {
    "...": "...",
    "..;": "..%3B",
    ":@&=+$,": "%3A%40%26%3D%2B%24%2C",
    "Zoë": "Zo%C3%AB",
    "日本": "%E6%97%A5%E6%9C%AC",
    "{id}": "%7Bid%7D",
    "-._~": "-._~",
    "'\"<>": "%27%22%3C%3E",
}


@pytest.mark.parametrize(("value", "raw"), STRANGE.items())
def test_an_id_stays_one_quoted_segment_of_the_path(driver: type[SyncDriver], value: str, raw: str) -> None:
    with RawServer(anything) as server:
        client = driver(server.url)
        client.send(endpoints.get_event(value))
        client.send(endpoints.create_ticket(value, {"name": "n"}))
        assert server.paths == [f"/v1/events/{raw}", f"/v1/events/{raw}/tickets"]
        assert [seen.raw_query for seen in server.requests] == ["", ""]


def calls_with_id(value: Any) -> list[tuple[str, Any]]:
    """Each way to put an id into a path: the parameter's name, and the call to make."""
    return [
        ("organization_id", lambda: endpoints.get_organization(value)),
        ("organization_id", lambda: endpoints.list_templates(value)),
        ("organization_id", lambda: endpoints.list_events(value)),
        ("organization_id", lambda: endpoints.create_event(value, {})),
        ("template_id", lambda: endpoints.create_event_from_template(value, {})),
        ("event_id", lambda: endpoints.duplicate_event(value)),
        ("event_id", lambda: endpoints.get_event(value)),
        ("event_id", lambda: endpoints.list_registrations(value)),
        ("registration_id", lambda: endpoints.get_registration(value)),
        ("registration_id", lambda: endpoints.update_registration(value, {})),
        ("event_id", lambda: endpoints.create_report(value, "all")),
        ("event_id", lambda: endpoints.list_reports(value)),
        ("report_id", lambda: endpoints.get_report(value)),
        ("report_id", lambda: endpoints.download_report(value)),
        ("event_id", lambda: endpoints.list_schedule_items(value)),
        ("schedule_item_id", lambda: endpoints.get_schedule_item(value)),
        ("schedule_item_id", lambda: endpoints.list_schedule_item_tags(value)),
        ("event_id", lambda: endpoints.list_booths(value)),
        ("booth_id", lambda: endpoints.list_booth_tags(value)),
        ("event_id", lambda: endpoints.list_sessions(value)),
        ("event_id", lambda: endpoints.list_stages(value)),
        ("event_id", lambda: endpoints.list_tickets(value)),
        ("event_id", lambda: endpoints.create_ticket(value, {})),
        ("ticket_id", lambda: endpoints.get_ticket(value)),
        ("ticket_id", lambda: endpoints.list_magic_links(value)),
        ("ticket_id", lambda: endpoints.create_magic_link(value, {})),
        ("magic_link_id", lambda: endpoints.get_magic_link(value)),
        ("magic_link_id", lambda: endpoints.delete_magic_link(value)),
        ("event_id", lambda: endpoints.create_data_subscription(value, {}, [])),
    ]


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\t",
        ".",
        "..",
        "a/b",
        "../x",
        "a\\b",
        "?x=1",
        "#frag",
        "%2F",
        "a b",
        "a\u00a0b",
        "x" * 256,
        "a\nb",
        "a\x00b",
        "a\x7fb",
        "a\u2028b",
        "\ud800",
        None,
        7,
        b"e",
        ["e"],
    ],
    ids=ascii,
)
def test_what_cannot_be_an_id_is_refused_by_name_before_anything_is_sent(value: Any) -> None:
    for parameter, make in calls_with_id(value):
        with pytest.raises(RingEventsConfigError, match=rf"^`{parameter}` must be"):
            make()


@given(st.text(min_size=1, max_size=30))
@settings(derandomize=True, max_examples=500, deadline=None)
def test_any_id_is_one_segment_that_reads_back_as_itself_or_an_error(value: str) -> None:
    if value in (".", "..") or re.search(r"[\s/\\?#%]", value) or not value.isprintable():
        with pytest.raises(RingEventsConfigError, match=r"^`event_id` must be"):
            quote_segment("event_id", value)
        return
    segment = quote_segment("event_id", value)
    assert unquote(segment, errors="strict") == value
    assert segment not in (".", "..")
    assert segment.isascii()
    assert not set(segment) & set("/?#\\ ")


def test_an_undocumented_report_type_or_version_is_refused_by_name_unless_allowed() -> None:
    with pytest.raises(RingEventsConfigError, match=r"`report_type` must be .*'registration'.* 'registrations'"):
        endpoints.create_report("e", "registration")
    with pytest.raises(RingEventsConfigError, match=r"`report_version` must be .*'3'"):
        endpoints.create_report("e", "registrations", "3")
    call = endpoints.create_report("e", "brand/new", "9/9", allow_undocumented=True)
    assert call.path == "/v1/events/e/reports/brand%2Fnew/9%2F9"


@pytest.mark.parametrize("value", ["name=x", 5, [1]], ids=repr)
@pytest.mark.parametrize(
    ("parameter", "make"),
    [
        ("attributes", lambda value: endpoints.create_event("o", value)),
        ("attributes", lambda value: endpoints.create_report("e", "registrations", attributes=value)),
        ("attributes", lambda value: endpoints.update_registration("r", None, value)),
        ("metadata", lambda value: endpoints.update_registration("r", value)),
        ("configuration", lambda value: endpoints.create_data_subscription("e", value, [])),
    ],
)
def test_what_is_no_mapping_is_refused_by_name(parameter: str, make: Any, value: Any) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        make(value)
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("value", ["None", " None", "{{ params.email }}", "{{params.email}}", "{% x %}"])
@pytest.mark.parametrize("operator", ["eq", "in"])
def test_a_filter_by_what_only_a_mistake_can_have_written_is_refused(operator: str, value: str) -> None:
    for operand in (value, ["ada@example.org", value]) if operator == "in" else (value,):
        with pytest.raises(RingEventsConfigError) as caught:
            endpoints.list_registrations("e", {"email": {operator: operand}})
        assert caught.value.parameter == f"filter[email][{operator}]"


def test_a_body_that_json_cannot_say_is_refused_by_name(driver: type[SyncDriver]) -> None:
    with RawServer(anything) as server:
        for value in (object(), {1, 2}, float("nan")):
            with pytest.raises(RingEventsConfigError, match="`create_ticket` must be a request that can be encoded"):
                driver(server.url).send(endpoints.create_ticket("e", {"name": value}))
        assert server.requests == []


def test_a_call_does_not_change_when_its_arguments_do() -> None:
    attributes = {"name": "a"}
    call = endpoints.create_ticket("e", attributes)
    attributes["name"] = "b"
    assert call.body == {"data": {"type": "ticket", "attributes": {"name": "a"}}}
