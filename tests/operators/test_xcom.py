"""Results of operators: documented fields alone, and what is too large for XCom is left out whole, and named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow_harness import Result, Run
from operator_arguments import OPERATORS, make, working_arguments
from raw_server import RawServer, Request, Response, json_response

from airflow_provider_ringevents.client import types
from airflow_provider_ringevents.emulator import Emulator
from airflow_provider_ringevents.operators._xcom import MAX_FIELD_BYTES, xcom_resource


@pytest.mark.parametrize(("size", "omitted"), [(MAX_FIELD_BYTES - 2, False), (MAX_FIELD_BYTES, True)])
def test_a_field_that_is_too_large_is_left_out_whole_and_named(size: int, omitted: bool) -> None:
    def handler(seen: Request) -> Response:
        attributes = {"name": "VIP", "description": "x" * size}
        return json_response({"data": {"id": "t1", "type": "ticket", "attributes": attributes}}, 201)

    def task() -> Any:
        from airflow_provider_ringevents.operators.tickets import RingEventsCreateTicketOperator

        return RingEventsCreateTicketOperator(task_id="ticket", event_id="e", name="VIP")

    with RawServer(handler) as server:
        connection = f'{{"conn_type": "ringevents", "host": "{server.url}", "password": "key"}}'
        result = Run(task, connections={"ringevents_default": connection}).to_end()
    assert result.state == "success"
    assert ("description" in result.xcom) is not omitted
    assert result.xcom.get("_omitted") == (["description"] if omitted else None)
    assert ("Left out of the result" in result.log_text) is omitted
    assert result.xcom["name"] == "VIP"


MARK = "undocumented-value"
CREDENTIALS = ("magicLink", "password", "qrCodeData", "qrCodeImageUrl", "url")


def add_fields(resource: dict[str, Any]) -> None:
    """Add what the API does not document to a resource: fields, resources in it, and credentials."""
    attributes = resource.setdefault("attributes", {})
    for field in attributes.get("customRegistrationFields") or ():
        field["internal"] = MARK
    attributes |= {"internal": MARK, "nested": {"deep": [MARK]}, "apiKey": MARK, "password": MARK}


@contextmanager
def talkative(emulator: Emulator) -> Iterator[str]:
    """The emulator behind a server that adds undocumented fields to each resource."""

    def forward(seen: Request) -> Response:
        headers = {name: value for name, value in seen.headers.items() if name not in ("host", "accept-encoding")}
        answer = client.request(seen.method, seen.target, headers=headers, content=seen.body)
        content = answer.content
        if "json" in answer.headers.get("content-type", "") and isinstance(body := json.loads(content or "{}"), dict):
            data = body.get("data")
            for resource in data if isinstance(data, list) else [data] if isinstance(data, dict) else []:
                add_fields(resource)
            content = json.dumps(body).encode()
        kept = {name: value for name, value in answer.headers.items() if name in ("content-type", "location", "etag")}
        return Response(answer.status_code, content if answer.status_code != 204 else b"", kept)

    with (
        httpx.Client(base_url=emulator.url, trust_env=False, timeout=30) as client,
        RawServer(forward) as server,
    ):
        yield server.url


def run_talkative(emulator: Emulator, task: Callable[[], Any]) -> Result:
    with talkative(emulator) as url:
        return Run(task, connections={"ringevents_default": {**emulator.connection(), "host": url}}).to_end()


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda cls: cls.__name__)
def test_no_undocumented_field_and_no_credential_reaches_xcom(operator: type[Any], tmp_path: Path) -> None:
    with Emulator(seed=1, registrations=3, report_seconds=0, template_seconds=0, duplicate_seconds=0) as emulator:
        arguments = working_arguments(emulator, tmp_path)[operator.__name__]
        result = run_talkative(emulator, lambda: make(operator, **arguments))
    assert result.state == "success", result.log_text
    assert MARK not in json.dumps(dict(result.xcoms))
    assert not any(f'"{name}"' in json.dumps(result.xcom) for name in CREDENTIALS)


@pytest.mark.parametrize("name", ["RingEventsCreateEventFromTemplateOperator", "RingEventsDuplicateEventOperator"])
def test_none_after_a_deferred_wait(name: str, tmp_path: Path) -> None:
    (operator,) = [cls for cls in OPERATORS if cls.__name__ == name]
    more: dict[str, Any] = {"deferrable": True, "poll_interval": 0.1}
    if "Template" in name:
        more |= {"wait_for": "published", "attributes": {"auto_publish": True}}
    with Emulator(seed=1, registrations=3, template_seconds=1, duplicate_seconds=1) as emulator:
        arguments = {**working_arguments(emulator, tmp_path)[name], **more}
        result = run_talkative(emulator, lambda: make(operator, **arguments))
    assert result.state == "success", result.log_text
    assert "deferred" in result.sessions
    assert MARK not in json.dumps(dict(result.xcoms))


def test_links_reach_xcom_on_request_alone(tmp_path: Path) -> None:
    with Emulator(seed=1, registrations=3) as emulator:
        (operator,) = [cls for cls in OPERATORS if cls.__name__ == "RingEventsCreateMagicLinkOperator"]
        arguments = {**working_arguments(emulator, tmp_path)[operator.__name__], "include_links": True}
        result = run_talkative(emulator, lambda: make(operator, **arguments))
    (link,) = result.xcom
    assert link.keys() == {"id", "magicLink"}


def test_fields_of_resources_within_a_resource() -> None:
    field = {"id": "1", "name": "Diet", "type": "select", "value": "x", "internal": 1}
    registration = {
        "id": "r",
        "customRegistrationFields": [{**field, "childQuestions": [{**field}]}],
        "utm": {"utmSource": "mail", "utmInternal": 1},
        "metadata": {"anything": {"of": "theirs"}},
        "qrCodeData": "opens the door",
    }
    known = {name: value for name, value in field.items() if name != "internal"}
    assert xcom_resource(registration, types.Registration) == {
        "id": "r",
        "customRegistrationFields": [{**known, "childQuestions": [known]}],
        "utm": {"utmSource": "mail"},
        "metadata": {"anything": {"of": "theirs"}},
    }


def test_columns_that_are_too_large_are_left_out_of_a_manifest(tmp_path: Path) -> None:
    header = ",".join(f"column {number:06}" for number in range(8_000))

    def task() -> Any:
        from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsDownloadReportOperator

        return RingEventsDownloadReportOperator(task_id="d", report_id="r", destination=f"file://{tmp_path}/r.csv")

    def handler(seen: Request) -> Response:
        if seen.path.endswith("/download"):
            return Response(200, f"{header}\n".encode(), {"Content-Type": "text/csv"})
        return json_response({"data": {"id": "r", "type": "report", "attributes": {"status": "completed"}}})

    with RawServer(handler) as server:
        connection = f'{{"conn_type": "ringevents", "host": "{server.url}", "password": "key"}}'
        result = Run(task, connections={"ringevents_default": connection}).to_end()
    assert result.state == "success", result.log_text
    assert "columns" not in result.xcom
    assert result.xcom["_omitted"] == ["columns"]
    assert result.xcom["rows"] == 0
