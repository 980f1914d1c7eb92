"""Every documented operation: what it answers, and how it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from contract import operations

from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.emulator.backend.ids import ResourceType
from emulator.conftest import Api, operation_of

EVENT = {
    "name": "Launch",
    "currency": "EUR",
    "timezone": "Europe/Berlin",
    "timeStart": "2027-03-01T09:00:00Z",
    "timeEnd": "2027-03-01T17:00:00+02:00",
}


def _paths(emulator: Emulator, *, foreign: bool = False, missing: bool = False) -> dict[str, str]:
    """A path for each operation that has an id in it; of things that are there, are somebody else's, or are not."""
    state = emulator.state
    events = list(state.events.values())
    event = next(event for event in events if event.organization.visible is not foreign)
    organization = event.organization
    number = event.number
    ids = {
        "organizationId": organization.id,
        "templateID": next(each.id for each in state.templates.values() if each.organization is organization),
        "eventId": event.id,
        "registrationId": event.registrations.id(5),
        "ticketId": next(iter(event.tickets)),
        "magicLinkId": next(iter(event.magic_links)),
        "boothId": state.ids.encode(ResourceType.BOOTH, number, 1),
        "scheduleItemId": state.ids.encode(ResourceType.SCHEDULE_ITEM, number, 1),
        "scheduleId": state.ids.encode(ResourceType.SCHEDULE_ITEM, number, 2),
        "reportId": emulator.reports.create(event, "chat", {}).id,
        "reportType": "registrations",
    }
    if missing:
        ids |= {name: "A" * 25 for name in ids if name != "reportType"}
    paths = {}
    for name, described in operations().items():
        template = described["paths"][-1] if name == "create_report" else described["paths"][0]
        if "{" in template:
            for parameter, value in ids.items():
                template = template.replace(f"{{{parameter}}}", value)
            paths[name] = template
    return paths


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "create_event": ("event", EVENT),
    "create_event_from_template": ("event", {**EVENT, "organizationId": "?"}),
    "duplicate_event": ("event", {"name": "Copy"}),
    "create_registration": (
        "registration",
        {"email": "a@b.org", "firstName": "A", "lastName": "B", "metadata": {"a": "b"}},
    ),
    "update_registration": ("Registration", {"metadata": {"a": "b"}}),
    "create_ticket": ("ticket", {"name": "Day pass", "count": 3, "price": 9.5, "private": True, "description": "d"}),
    "create_magic_link": ("magicLink", {"email": "a@b.org", "firstName": "A", "lastName": "B"}),
    "create_data_subscription": (
        "dataSubscription",
        {
            "configuration": {"url": "https://x.org", "type": "webhook", "expiresAt": "2027-01-01T00:00:00Z"},
            "signals": ["attendance"],
        },
    ),
}
STATUS = {
    "create_registration": 201,
    "create_event": 201,
    "create_event_from_template": 201,
    "duplicate_event": 202,
    "create_report": 201,
} | {
    "create_ticket": 201,
    "create_magic_link": 201,
    "create_data_subscription": 201,
    "delete_magic_link": 204,
}


def _body(name: str, emulator: Emulator) -> dict[str, Any] | None:
    if name not in BODIES:
        return None
    kind, attributes = BODIES[name]
    attributes = dict(attributes)
    if name == "create_event_from_template":
        attributes.pop("currency")
        attributes["organizationId"] = emulator.organization_id
    if name == "create_registration":
        attributes["ticketId"] = next(iter(emulator.state.events[emulator.event_id].tickets))
    return {"data": {"type": kind, "attributes": attributes}}


WITH_IDS = sorted(name for name, described in operations().items() if "{" in described["paths"][0])


def test_there_are_34_operations_with_35_paths() -> None:
    assert len(WITH_IDS) == len(operations()) - 3  # health, the organizations and the redeem code have no id
    assert sum(len(described["paths"]) for described in operations().values()) == 35
    assert len(operations()) == 34


@pytest.mark.parametrize("name", WITH_IDS)
def test_operation_answers_as_documented(name: str, emulator: Emulator, api: Api, clock: Any) -> None:
    path = _paths(emulator)[name]
    clock.advance(60)
    method = operations()[name]["method"]
    response = api.call(method, path, STATUS.get(name, 200), json=_body(name, emulator))
    if name == "duplicate_event":
        assert response.content == b""


@pytest.mark.parametrize("name", WITH_IDS)
def test_what_is_not_there_is_404(name: str, emulator: Emulator, api: Api) -> None:
    path = _paths(emulator, missing=True)[name]
    api.call(operations()[name]["method"], path, 404, json=_body(name, emulator))


@pytest.mark.parametrize("name", WITH_IDS)
def test_what_is_somebody_elses_is_403_or_404_as_documented(name: str, emulator: Emulator, api: Api) -> None:
    path = _paths(emulator, foreign=True)[name]
    status = 403 if "403" in operations()[name]["responses"] else 404
    api.call(operations()[name]["method"], path, status, json=_body(name, emulator))


@pytest.mark.parametrize("name", [*WITH_IDS, "health", "list_organizations"])
def test_no_key_or_a_wrong_one_is_401(name: str, emulator: Emulator, api: Api) -> None:
    path = _paths(emulator).get(name, operations()[name]["paths"][0])
    method = operations()[name]["method"]
    for header in ("Bearer wrong", "Basic YTpi", "", f"{emulator.api_key}x"):
        api.call(method, path, 401, json=_body(name, emulator), headers={"Authorization": header})


@pytest.mark.parametrize("auth", ["both", "bearer", "bare"])
def test_forms_of_the_key(auth: str, emulator: Emulator, api: Api) -> None:
    emulator.settings.change(auth=auth)
    forms = {"bearer": f"Bearer {emulator.api_key}", "bare": emulator.api_key}
    for form, header in forms.items():
        api.call("GET", "/v1/health", 200 if auth in ("both", form) else 401, headers={"Authorization": header})


def test_redeem_code(emulator: Emulator, api: Api) -> None:
    ticket = next(iter(next(iter(emulator.state.events.values())).tickets))
    names = {"first_name": "A", "last_name": "B", "email": "a@b.org"}
    response = api.call("POST", "/v1/magic_link", 201, json={"ticket_id": ticket, **names})
    link = api.get(f"/v1/magicLinks/{response.json()['data']['id']}")["data"]["attributes"]
    assert (link["email"], link["magicLink"]) == ("a@b.org", response.json()["data"]["attributes"]["magic_link"])
    response = api.call("POST", "/v1/magic_link", 422, json={"ticket_id": "nothing", **names})
    assert [error["source"] for error in api.errors(response)] == [{"pointer": "/ticket_id"}]
    response = api.call("POST", "/v1/magic_link", 422, json={"ticket_id": ticket, "email": 3})
    pointers = {error["source"]["pointer"] for error in api.errors(response)}
    assert pointers == {"/first_name", "/last_name", "/email"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/organizations/", 404),
        ("DELETE", "/v1/organizations", 405),
        ("PUT", "/v1/health", 405),
        ("GET", "/v1/events/a%2Fb", 404),
        ("GET", "/v1/events/..%2Fhealth", 404),
    ],
)
def test_unknown_paths_and_methods_are_errors_in_the_same_shape(method: str, path: str, status: int, api: Api) -> None:
    response = api.http.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    [error] = response.json()["errors"]
    assert error["status"] == str(status)
    assert error.keys() == {"code", "detail", "status", "title", "source"}


REFUSED: list[tuple[str, Any, list[str]]] = [
    ("create_event", {}, ["currency", "name", "timeEnd", "timeStart", "timezone"]),
    ("create_event", {**EVENT, "timezone": "Berlin/Europe"}, ["timezone"]),
    ("create_event", {**EVENT, "timezone": ["UTC"]}, ["timezone"]),
    ("create_event", {**EVENT, "timeStart": "2027-03-01T09:00:00"}, ["timeStart"]),
    ("create_event", {**EVENT, "timeStart": "2027-02-30T09:00:00Z"}, ["timeStart"]),
    ("create_event", {**EVENT, "timeStart": "tomorrow"}, ["timeStart"]),
    ("create_event", {**EVENT, "timeEnd": EVENT["timeStart"]}, ["timeEnd"]),
    ("create_event", {**EVENT, "name": 5, "currency": None}, ["name", "currency"]),
    ("create_event", {**EVENT, "eventType": "open_event"}, ["eventType"]),
    ("create_event", {**EVENT, "color": "red"}, ["color"]),
    ("create_event", {**EVENT, "hidePeopleArea": "yes"}, ["hidePeopleArea"]),
    ("create_event", {**EVENT, "timerLength": True}, ["timerLength"]),
    ("create_event", {**EVENT, "timerLength": 1.5}, ["timerLength"]),
    ("create_event", {**EVENT, "networkType": "nobody"}, ["networkType"]),
    ("create_event", {**EVENT, "attendeesVisiblity": "show"}, ["attendeesVisiblity"]),
    ("create_event", {**EVENT, "metadata": {}}, ["metadata"]),
    ("create_event", {**EVENT, "a/b~c": 1}, ["a~1b~0c"]),
    ("create_event_from_template", {"organizationId": "x"}, ["name", "timeEnd", "timeStart", "timezone"]),
    ("create_event_from_template", {**EVENT, "organizationId": "x"}, ["currency"]),
    ("duplicate_event", {"metadata": "x", "type": "x", "auto_publish": 1}, ["metadata", "type", "auto_publish"]),
    ("update_registration", {"metadata": {"a": 1, "b": "x"}}, ["metadata/a"]),
    ("update_registration", {"attended": True}, ["attended"]),
    ("update_registration", {"ticketId": "elsewhere"}, ["ticketId"]),
    ("update_registration", {"answers": [{"questionId": "q", "answer": 3}]}, ["answers/0/answer"]),
    ("update_registration", {"answers": [{"questionId": "q", "answer": "x"}]}, ["answers/0/questionId"]),
    ("create_registration", {"email": "a@b.org"}, ["firstName", "lastName", "ticketId"]),
    ("create_ticket", {"count": "3", "price": "free"}, ["count", "price"]),
    ("create_ticket", {"discount": 3}, ["discount"]),
    ("create_magic_link", {"email": "a@b.org"}, ["firstName", "lastName"]),
    (
        "create_magic_link",
        {"email": "a@b.org", "firstName": "A", "lastName": "B", "extraFields": {"x": 1}},
        ["extraFields/x"],
    ),
    ("create_data_subscription", {"signals": ["attendance", "wind"]}, ["signals/1"]),
    ("create_data_subscription", {"configuration": {"expiresAt": "soon"}}, ["configuration/expiresAt"]),
]


@pytest.mark.parametrize(("name", "attributes", "wrong"), REFUSED)
def test_bodies_that_the_reference_does_not_allow(
    name: str, attributes: Any, wrong: list[str], emulator: Emulator, api: Api
) -> None:
    before = (len(emulator.state.events), emulator.state.organizations)
    body = {"data": {"type": BODIES[name][0], "attributes": attributes}}
    response = api.call(operations()[name]["method"], _paths(emulator)[name], 422, json=body)
    pointers = [error["source"]["pointer"] for error in api.errors(response)]
    assert sorted(pointers) == sorted(f"/data/attributes/{place}" for place in wrong)
    assert (len(emulator.state.events), emulator.state.organizations) == before


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        (b"", [""]),
        (b"{", [""]),
        (b'{"data": NaN}', [""]),
        (b"[" * 100_000, [""]),
        (b"[]", [""]),
        (b"{}", ["/data"]),
        (b'{"data": 1}', ["/data"]),
        (b'{"data": {"type": "Event"}}', ["/data/attributes", "/data/type"]),
        (b'{"data": {"attributes": {}, "extra": 1}}', ["/data/extra", "/data/type"]),
    ],
)
def test_bodies_that_are_no_envelope(content: bytes, pointers: list[str], emulator: Emulator, api: Api) -> None:
    response = api.call("POST", _paths(emulator)["create_magic_link"], 422, content=content)
    found = {error["source"]["pointer"] for error in api.errors(response)}
    assert found >= set(pointers)


def test_type_of_an_update_has_a_capital(emulator: Emulator, api: Api) -> None:
    path = _paths(emulator)["update_registration"]
    body = {"data": {"type": "registration", "attributes": {"metadata": {}}}}
    response = api.call("PATCH", path, 422, json=body)
    assert [error["source"]["pointer"] for error in api.errors(response)] == ["/data/type"]


@pytest.mark.parametrize(("kind", "version", "status"), [("chat", "2", 201), ("chat", "3", 422), ("chats", "2", 422)])
def test_report_types_and_versions(kind: str, version: str, status: int, event_path: str, api: Api) -> None:
    path = f"{event_path}/reports/{kind}/{version}"
    if status == 201:
        assert operation_of("POST", path) == "create_report"
    api.call("POST", path, status, json={"data": {"attributes": {"segmentType": "stage"}}})


def test_report_attributes_are_checked(event_path: str, api: Api) -> None:
    body = {"data": {"attributes": {"segmentType": "moon", "virtualSpaceId": 1, "x": 1}}}
    response = api.call("POST", f"{event_path}/reports/chat", 422, json=body)
    pointers = sorted(error["source"]["pointer"] for error in api.errors(response))
    assert pointers == [f"/data/attributes/{name}" for name in ("segmentType", "virtualSpaceId", "x")]
