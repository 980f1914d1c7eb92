from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from contract import (
    check_request,
    check_response,
    contract,
    enumeration,
    operation,
    operations,
    request_attributes,
)

EVENT = {
    "name": "Summit",
    "timeStart": "2026-05-01T09:00:00Z",
    "timeEnd": "2026-05-01T17:00:00+02:00",
    "timezone": "Eastern Time (US & Canada)",
    "currency": "EUR",
}
EVENTS = "/v1/organizations/o1/events"
REGISTRATIONS = "/v1/events/e1/registrations"
ERRORS = {"errors": [{"code": "c", "detail": "d", "status": "404", "title": "t", "source": {}}]}


def event_body(**changes: Any) -> dict[str, Any]:
    return {"data": {"type": "event", "attributes": {**EVENT, **changes}}}


def test_counts_of_the_reference() -> None:
    described = contract()
    sources = [each["x-source"] for methods in described["paths"].values() for each in methods.values()]
    assert Counter(sources) == {"reference": 33, "vendor-collection": 2}
    assert len(operations()) == 34
    assert len(enumeration("timezone")) == len(set(enumeration("timezone"))) == 746
    signals = request_attributes("create_data_subscription")["properties"]["signals"]["items"]["enum"]
    assert len(signals) == 16
    assert len(enumeration("reportType")) == 28


def test_create_report_has_two_paths() -> None:
    assert operation("create_report")["paths"] == [
        "/v1/events/{eventId}/reports/{reportType}/{reportVersion}",
        "/v1/events/{eventId}/reports/{reportType}",
    ]


def example_path(template: str) -> str:
    return (
        template.replace("{reportType}", "registrations")
        .replace("{reportVersion}", "2")
        .replace("{", "")
        .replace("}", "")
    )


@pytest.mark.parametrize(
    ("name", "template"), [(name, path) for name, described in operations().items() for path in described["paths"]]
)
def test_every_path_leads_to_its_operation(name: str, template: str) -> None:
    bodies = {
        "create_event": event_body(),
        "create_event_from_template": {
            "data": {
                "type": "event",
                "attributes": {
                    **{key: EVENT[key] for key in ("name", "timeStart", "timeEnd", "timezone")},
                    "organizationId": "o1",
                },
            }
        },
        "create_magic_link": {
            "data": {"type": "magicLink", "attributes": {"email": "a@b.example", "firstName": "A", "lastName": "B"}}
        },
        "create_registration": {
            "data": {
                "type": "registration",
                "attributes": {"email": "a@b.example", "firstName": "A", "lastName": "B", "ticketId": "t"},
            }
        },
        "create_redeem_code": {"ticket_id": "t", "first_name": "A", "last_name": "B", "email": "a@b.example"},
    }
    assert check_request(operation(name)["method"], example_path(template), "", bodies.get(name)) == name


@pytest.mark.parametrize(
    "path",
    [
        "/v1/events/",
        "/v1/events/a/b",
        "/v1/events/..",
        "/v1/events/%2E%2e",
        "/v2/health",
        "/v1/events/e1?page=1",
        "v1/health",
        "",
    ],
)
def test_unknown_path_is_refused(path: str) -> None:
    with pytest.raises(AssertionError, match="is not documented"):
        check_request("GET", path)


def test_quoted_slash_stays_inside_its_segment() -> None:
    assert check_request("GET", "/v1/events/..%2Fx") == "get_event"
    assert check_request("GET", "/v1/events/a%2Fb/booths") == "list_booths"


def test_wrong_method_is_refused() -> None:
    with pytest.raises(AssertionError, match="other methods"):
        check_request("DELETE", "/v1/events/e1")


@pytest.mark.parametrize(
    ("path", "word"),
    [("/v1/events/e1/reports/nonsense", "nonsense"), ("/v1/events/e1/reports/all/3", "'3'")],
)
def test_undocumented_path_value_is_refused(path: str, word: str) -> None:
    with pytest.raises(AssertionError, match=word):
        check_request("POST", path)


def test_report_body_has_no_type() -> None:
    attributes = {"attributes": {"segmentType": "expo"}}
    assert check_request("POST", "/v1/events/e1/reports/all/2", body={"data": attributes}) == "create_report"
    with pytest.raises(AssertionError, match="'type' was unexpected"):
        check_request("POST", "/v1/events/e1/reports/all", body={"data": {"type": "report", **attributes}})


@pytest.mark.parametrize(
    "query",
    [
        "",
        "page=2&perPage=100",
        {"page": 2, "perPage": 100},
        "filter[email][eq]=a%40b.example",
        "filter%5Brefunded%5D%5Beq%5D=true",
        [("filter[refunded][eq]", True)],
        "filter[updatedAt][gte]=2026-01-01T00:00:00Z&filter[updatedAt][lt]=2026-01-02T00:00:00Z",
        "filter[createdAt][in]=2026-01-01T00:00:00Z,2026-01-02T00:00:00Z",
    ],
)
def test_documented_query_passes(query: Any) -> None:
    assert check_request("GET", REGISTRATIONS, query) == "list_registrations"


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("per_page=3", "query per_page: not documented"),
        ("page=two", "'two' is not of type 'integer'"),
        ("page=1&page=2", "more than once"),
        ("filter=email", "query filter: not documented"),
        ("filter[email]=a", "not documented"),
        ("page[email][eq]=1", "not documented"),
        ("filter[phone][eq]=1", "'phone' was unexpected"),
        ("filter[includeConfirmAndJoin][eq]=true", "was unexpected"),
        ("filter[email][like]=1", "'like' was unexpected"),
        ("filter[refunded][eq]=True", "is not of type 'boolean'"),
        ("filter[updatedAt][gt]=2026-01-01", "is not a 'date-time'"),
        ("filter[updatedAt][in]=2026-01-01T00:00:00Z,soon", "is not a 'date-time'"),
    ],
)
def test_undocumented_query_is_refused(query: str, word: str) -> None:
    with pytest.raises(AssertionError, match=word):
        check_request("GET", REGISTRATIONS, query)


def test_filter_of_magic_links_is_another() -> None:
    assert (
        check_request("GET", "/v1/tickets/t/magicLinks", "filter[includeConfirmAndJoin][eq]=true") == "list_magic_links"
    )
    with pytest.raises(AssertionError, match="'refunded' was unexpected"):
        check_request("GET", "/v1/tickets/t/magicLinks", "filter[refunded][eq]=true")


def test_body_may_come_as_bytes() -> None:
    assert check_request("POST", EVENTS, body=json.dumps(event_body()).encode()) == "create_event"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (None, "body: missing"),
        (b"{", "body: not JSON"),
        ({"data": {"type": "events", "attributes": EVENT}}, "'events' is not one of"),
        ({"data": {"type": "event", "attributes": {"name": "x"}}}, "'timezone' is a required property"),
        (EVENT, "'data' is a required property"),
        (event_body(colour="#fff"), "'colour' was unexpected"),
        (event_body(timezone="Gotham"), "body.data.attributes.timezone: 'Gotham' is not one of"),
        (event_body(timeStart="2026-05-01T09:00:00"), "is not a 'date-time'"),
        (event_body(timeStart="2026-02-30T09:00:00Z"), "is not a 'date-time'"),
        (event_body(timeStart="20260501T090000Z"), "is not a 'date-time'"),
        (event_body(hidePeopleArea=1), "1 is not of type 'boolean'"),
        (event_body(timerLength=True), "True is not of type 'integer'"),
        (event_body(metadata={}), "'metadata' was unexpected"),
    ],
)
def test_wrong_event_is_refused(body: Any, word: str) -> None:
    with pytest.raises(AssertionError, match=word):
        check_request("POST", EVENTS, body=body)


def test_all_problems_come_together() -> None:
    with pytest.raises(AssertionError) as caught:
        check_request("POST", EVENTS, "page=1", event_body(colour="#fff", timerLength="long"))
    assert str(caught.value).count("\n") == 3


def test_body_where_none_is_documented_is_refused() -> None:
    with pytest.raises(AssertionError, match="body: not documented"):
        check_request("GET", "/v1/health", body={})


def test_metadata_is_open_but_holds_strings() -> None:
    def body(value: object) -> dict[str, Any]:
        return {"data": {"type": "Registration", "attributes": {"metadata": {"seat": value}}}}

    assert check_request("PATCH", "/v1/registrations/r", body=body("A1")) == "update_registration"
    with pytest.raises(AssertionError, match="not of type 'string'"):
        check_request("PATCH", "/v1/registrations/r", body=body(1))
    with pytest.raises(AssertionError, match="'registrations' is not one of"):
        check_request("PATCH", "/v1/registrations/r", body={"data": {"type": "registrations", "attributes": {}}})


@pytest.mark.parametrize("spelling", ["Registration", "registration"])
def test_an_update_has_either_type_and_the_attributes_of_the_collection(spelling: str) -> None:
    attributes = {
        "answers": [{"questionId": "q", "answer": "ACME"}],
        "externalBarcode": "1",
        "firstName": "Ada",
        "headline": "CTO",
        "lastName": "Lovelace",
        "ticketId": "t",
    }
    body = {"data": {"type": spelling, "attributes": attributes}}
    assert check_request("PATCH", "/v1/registrations/r", body=body) == "update_registration"
    body = {"data": {"type": spelling, "attributes": {**attributes, "email": "a@b.org"}}}
    with pytest.raises(AssertionError, match="'email' was unexpected"):
        check_request("PATCH", "/v1/registrations/r", body=body)


def test_a_new_registration_has_what_the_collection_sends() -> None:
    person = {"email": "a@b.org", "firstName": "A", "lastName": "B", "ticketId": "t"}
    body = {"data": {"type": "registration", "attributes": {**person, "metadata": {"crm": "7"}}}}
    assert check_request("POST", REGISTRATIONS, body=body) == "create_registration"
    body = {"data": {"type": "registration", "attributes": {**person, "answers": [{"answer": "ACME"}]}}}
    with pytest.raises(AssertionError, match="'questionId' is a required property"):
        check_request("POST", REGISTRATIONS, body=body)


def test_questions_come_with_and_without_pages() -> None:
    child = {"id": 1, "name": "Which?", "field_type": "text", "defaultAnswer": None, "options": None}
    question: dict[str, Any] = {
        "childQuestions": [child],
        "defaultAnswer": None,
        "fieldType": "singleSelect",
        "id": "q",
        "name": "Diet",
        "options": [{"id": 1, "name": "vegan", "seq": "1", "defaultAnswer": None}],
    }
    data = [{"id": "q", "type": "bank_question", "attributes": question}]
    links = {"first": "a", "last": "a", "self": "a", "prev": None, "next": None}
    check_response("list_bank_questions", 200, {"data": data})
    check_response("list_bank_questions", 200, {"data": data, "meta": {"count": 1}, "links": links})
    question["options"][0]["id"] = "1"
    with pytest.raises(AssertionError, match="'1' is not of type 'integer'"):
        check_response("list_bank_questions", 200, {"data": data})


def test_documented_answers_pass() -> None:
    check_response("health", 200, {"status": "ok"})
    check_response("get_report", 202, b'{"data": {}}')
    check_response("get_report", 200, {"data": {"id": "r", "type": "report", "attributes": {"id": "r", "new": 1}}})
    check_response("duplicate_event", 202, b"")
    check_response("delete_magic_link", 204)
    check_response("download_report", 200, b"a,b\n1,2\n")
    check_response("get_event", 404, ERRORS)
    check_response("duplicate_event", 422)
    check_response("duplicate_event", 422, ERRORS)


@pytest.mark.parametrize(
    ("name", "status", "body", "word"),
    [
        ("get_event", 200, {"data": {"id": "e", "type": "event", "attributes": {"id": "e"}}}, "required property"),
        ("get_report", 200, {"data": {}}, "'id' is a required property"),
        ("get_event", 404, {"errors": [{"code": "x"}]}, "required property"),
        ("get_event", 404, b"", "body is not JSON"),
        ("duplicate_event", 202, {"data": {}}, "a body where none is documented"),
        ("duplicate_event", 422, {"oops": 1}, "'errors' is a required property"),
        ("get_event", 418, None, "status 418 is not documented"),
        ("list_tags", 200, None, "list_tags"),
    ],
)
def test_undocumented_answer_is_refused(name: str, status: int, body: Any, word: str) -> None:
    with pytest.raises((AssertionError, KeyError), match=word):
        check_response(name, status, body)


def test_null_only_where_it_is_documented() -> None:
    item: dict[str, Any] = {
        "area": "stage",
        "areaId": None,
        "areaName": None,
        "createdAt": "2026-01-01T00:00:00Z",
        "description": None,
        "id": "s",
        "name": "Opening",
        "speakers": [],
        "timeEnd": "2026-01-01T02:00:00Z",
        "timeStart": "2026-01-01T01:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
    }
    check_response("get_schedule_item", 200, {"data": {"id": "s", "type": "scheduleItem", "attributes": item}})
    item["name"] = None
    with pytest.raises(AssertionError, match=r"attributes\.name: None is not of type 'string'"):
        check_response("get_schedule_item", 200, {"data": {"id": "s", "type": "scheduleItem", "attributes": item}})
