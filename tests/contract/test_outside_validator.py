"""The description and the traffic of every operation, judged by openapi-core, which knows nothing of this package."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.client.endpoints import Call
from airflow_provider_ringevents.contract import openapi
from airflow_provider_ringevents.contract._generated import OPERATIONS
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.emulator.backend.ids import ResourceType

openapi_core = pytest.importorskip("openapi_core")
testing = pytest.importorskip("openapi_core.testing")
spec_validator = pytest.importorskip("openapi_spec_validator")

HOST = openapi.document()["servers"][0]["url"]
TIMES = {"timeStart": "2027-03-01T09:00:00Z", "timeEnd": "2027-03-01T17:00:00+02:00", "timezone": "Abu Dhabi"}
pytestmark = pytest.mark.integration
PERSON = {"email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"}


@pytest.fixture(scope="module")
def validator() -> Any:
    """OpenAPI defines `deepObject` for flat objects alone: the filters are left out."""
    document = copy.deepcopy(openapi.document())
    for methods in document["paths"].values():
        for described in methods.values():
            kept = [each for each in described.get("parameters", ()) if each["name"] != "filter"]
            described["parameters"] = kept
    return openapi_core.OpenAPI.from_dict(document)


def request_of(method: str, url: str, body: bytes | None) -> Any:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items() if not name.startswith("filter[")}
    return testing.MockRequest(HOST, method.lower(), unquote(parts.path), args=query, data=body or None)


def problems(result: Any) -> list[str]:
    causes = [(error, error.__cause__) for error in result.errors]
    return [f"{error} {cause} {getattr(cause, 'schema_errors', '')}" for error, cause in causes]


class Recorder(Client):
    """A client that shows each request and its response to the validator."""

    validator: Any
    seen: set[str]
    found: list[str]

    def _exchange(self, call: Call, request: Any, *more: Any) -> Any:
        response, body = super()._exchange(call, request, *more)
        shown = request_of(request.method, str(request.url), request.content)
        media = response.headers.get("content-type", "application/json").partition(";")[0]
        answer = testing.MockResponse(bytes(body), response.status_code, content_type=media)
        self.seen.add(call.operation)
        self.found += problems(self.validator.unmarshal_request(shown))
        self.found += problems(self.validator.unmarshal_response(shown, answer))
        return response, body


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(report_seconds=0, duplicate_seconds=0) as running:
        yield running


@pytest.fixture
def client(emulator: Emulator, validator: Any) -> Iterator[Recorder]:
    with Recorder(emulator.url, emulator.api_key) as client:
        client.validator, client.seen, client.found = validator, set(), []
        yield client


def test_the_description_is_valid() -> None:
    spec_validator.validate(openapi.document())


def calls(emulator: Emulator) -> Iterator[Call]:
    """Yield a call of every operation, with all attributes that a request may have."""
    state, organization, event_id = emulator.state, emulator.organization_id, emulator.event_id
    event = state.events[event_id]
    ticket, link = next(iter(event.tickets)), next(iter(event.magic_links))
    booth = state.ids.encode(ResourceType.BOOTH, event.number, 1)
    item = state.ids.encode(ResourceType.SCHEDULE_ITEM, event.number, 1)
    report = emulator.reports.create(event, "chat", {}).id
    question = state.ids.encode(ResourceType.QUESTION, event.number, 1)
    answers = [{"questionId": question, "answer": ["Talks"]}]
    yield endpoints.health()
    yield endpoints.list_organizations()
    yield endpoints.get_organization(organization)
    yield endpoints.list_templates(organization)
    yield endpoints.list_events(organization)
    yield endpoints.create_event(organization, {"name": "Summit", "currency": "EUR", "color": "#fff", **TIMES})
    attributes = {"name": "From a template", "organizationId": organization, "metadata": {"a": "b"}, **TIMES}
    yield endpoints.create_event_from_template(emulator.template_id, attributes)
    yield endpoints.get_event(event_id)
    yield endpoints.duplicate_event(event_id)
    yield endpoints.duplicate_event(event_id, {"name": "Copy", "metadata": {"a": "b"}})
    yield endpoints.list_registrations(event_id)
    yield endpoints.list_registrations(event_id, {"email": "ada@example.org"})
    yield endpoints.create_registration(event_id, {**PERSON, "ticketId": ticket})
    more = {"answers": answers, "externalBarcode": "42", "metadata": {"crm": "7"}}
    yield endpoints.create_registration(event_id, {**PERSON, "ticketId": ticket, **more})
    registration = event.registrations.id(3)
    yield endpoints.get_registration(registration)
    yield endpoints.update_registration(registration, {"a": "b"})
    changes = {"answers": answers, "externalBarcode": "42", "firstName": "A", "headline": "CTO", "lastName": "B"}
    yield endpoints.update_registration(registration, attributes={**changes, "ticketId": ticket})
    yield endpoints.list_tickets(event_id)
    yield endpoints.create_ticket(event_id, {"name": "Day", "count": 3, "price": 9.5, "private": True})
    yield endpoints.get_ticket(ticket)
    yield endpoints.list_bank_questions(ticket)
    yield endpoints.list_magic_links(ticket)
    yield endpoints.create_magic_link(ticket, {**PERSON, "registrationId": "crm-7", "extraFields": {"a": "b"}})
    yield endpoints.get_magic_link(link)
    yield endpoints.delete_magic_link(link)
    yield endpoints.create_redeem_code(ticket, "Ada", "Lovelace", "ada@example.org")
    yield endpoints.list_booths(event_id)
    yield endpoints.list_booth_tags(booth)
    yield endpoints.list_stages(event_id)
    yield endpoints.list_sessions(event_id)
    yield endpoints.list_schedule_items(event_id)
    yield endpoints.get_schedule_item(item)
    yield endpoints.list_schedule_item_tags(item)
    yield endpoints.list_reports(event_id)
    yield endpoints.create_report(event_id, "all")
    yield endpoints.create_report(event_id, "participation", "2", {"segmentType": "expo"})
    yield endpoints.get_report(report)
    yield endpoints.download_report(report)
    yield endpoints.create_data_subscription(event_id, {"url": "https://example.org", "type": "w"}, ["attendance"])


@pytest.mark.filterwarnings("ignore:create_redeem_code")
def test_every_operation_is_as_described(client: Recorder, emulator: Emulator) -> None:
    for call in calls(emulator):
        if call.operation == "download_report":
            # A file is no JSON, which is all that the validator could say of it.
            client._exchange(call, client._build_request(call))
        else:
            client.send(call)
    assert client.found == []
    assert client.seen == set(OPERATIONS)


@pytest.mark.parametrize("paged", [True, False])
def test_questions_with_and_without_pages_are_as_described(client: Recorder, emulator: Emulator, paged: bool) -> None:
    emulator.settings.change(bank_questions_paged=paged)
    ticket = next(iter(emulator.state.events[emulator.event_id].tickets))
    assert len(list(client.items(endpoints.list_bank_questions(ticket)))) == 4
    assert client.found == []


@pytest.mark.parametrize("spelling", ["Registration", "registration"])
def test_both_types_of_an_update_are_as_described(client: Recorder, emulator: Emulator, spelling: Any) -> None:
    emulator.settings.change(registration_type=spelling)
    registration = emulator.state.events[emulator.event_id].registrations.id(3)
    client.send(endpoints.update_registration(registration, {"a": "b"}))
    assert client.found == []


@pytest.mark.parametrize("operation", ["create_registration", "update_registration"])
def test_a_request_that_is_not_as_described_is_found(validator: Any, operation: str) -> None:
    method, (path,), _ = OPERATIONS[operation]
    body = json.dumps({"data": {"type": "registration", "attributes": {"email": 7}}}).encode()
    assert problems(validator.unmarshal_request(request_of(method, path, body)))


def test_a_response_that_is_not_as_described_is_found(validator: Any) -> None:
    request = request_of("GET", "/v1/tickets/t/bankQuestions", None)
    question = {"id": "q", "type": "bank_question", "attributes": {"id": "q"}}
    answer = testing.MockResponse(json.dumps({"data": [question]}).encode(), 200)
    assert "childQuestions" in "".join(problems(validator.unmarshal_response(request, answer)))
