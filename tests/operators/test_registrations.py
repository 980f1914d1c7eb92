"""Changing registrations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from airflow_harness import Run
from outcomes import refused, run_of, succeeded

from airflow_provider_ringevents.client import Client, endpoints
from airflow_provider_ringevents.operators.registrations import RingEventsUpdateRegistrationOperator


@pytest.fixture
def registration_id(emulator: Any) -> str:
    with Client(emulator.url, emulator.api_key) as client:
        found: str = next(client.items(endpoints.list_registrations(emulator.event_id)))["id"]
        client.send(endpoints.update_registration(found, {"seat": "A1", "tier": "gold"}))
    emulator.requests.clear()
    return found


def task(emulator: Any, id: str, **arguments: Any) -> Run:
    return run_of(RingEventsUpdateRegistrationOperator, emulator, **{"registration_id": id, **arguments})


def there(emulator: Any, registration_id: str) -> Any:
    with Client(emulator.url, emulator.api_key) as client:
        return client.send(endpoints.get_registration(registration_id))["data"]["attributes"]["metadata"]


@pytest.mark.parametrize("service", ["replace", "merge"])
def test_merging_keeps_what_is_there_whatever_the_service_does(
    emulator: Any, registration_id: str, service: str
) -> None:
    emulator.settings.change(patch_metadata=service)
    result = task(emulator, registration_id, metadata={"seat": "B2", "new": "yes"}).to_end()
    expected = {"seat": "B2", "tier": "gold", "new": "yes"}
    assert succeeded(result) == {"id": registration_id, "metadata": expected}
    assert there(emulator, registration_id) == expected


@pytest.mark.parametrize(
    ("service", "expected"), [("replace", {"seat": "B2"}), ("merge", {"seat": "B2", "tier": "gold"})]
)
def test_without_merging_the_metadata_is_sent_as_given(
    emulator: Any, registration_id: str, service: str, expected: dict[str, str]
) -> None:
    emulator.settings.change(patch_metadata=service)
    assert (
        succeeded(task(emulator, registration_id, metadata={"seat": "B2"}, merge=False).to_end())["metadata"]
        == expected
    )
    assert emulator.count("GET") == 0
    assert there(emulator, registration_id) == expected


def test_the_same_again_changes_nothing(emulator: Any, registration_id: str) -> None:
    emulator.fault("applied_then_cut", method="PATCH")
    succeeded(task(emulator, registration_id, metadata={"seat": "B2"}).to_end())
    assert there(emulator, registration_id) == {"seat": "B2", "tier": "gold"}


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "`metadata` must be given, or `attributes`, got None"),
        ("seat=B2", "`metadata` must be an object"),
        ({"seat": 2, "tier": None}, "`metadata['seat']` must be a string, not int"),
        ({"seat": 2, "tier": None}, "`metadata['tier']` must be a string, not NoneType"),
        ({1: "a"}, "`metadata` must be an object with strings for keys"),
    ],
)
def test_bad_metadata_is_refused_while_the_dag_is_parsed(metadata: Any, words: str) -> None:
    with pytest.raises(ValueError, match="metadata") as caught:
        RingEventsUpdateRegistrationOperator(task_id="update", registration_id="r1", metadata=metadata)
    assert words in str(caught.value)


def test_templates_and_other_tasks_are_checked_when_the_task_runs(emulator: Any, registration_id: str) -> None:
    rendered = {"metadata": {"seat": "{{ 'B' ~ 2 }}"}, "registration_id": f"{{{{ '{registration_id}' }}}}"}
    assert succeeded(task(emulator, registration_id, **rendered).to_end())["metadata"]["seat"] == "B2"

    def make() -> Any:
        return RingEventsUpdateRegistrationOperator(
            task_id="update", registration_id=registration_id, metadata=BaseOperator(task_id="row").output
        )

    emulator.requests.clear()
    run = Run(
        make, task_id="update", connections={"ringevents_default": emulator.connection()}, xcoms={"row": {"seat": 2}}
    )
    assert "`metadata['seat']` must be a string, not int" in refused(run.to_end())
    assert emulator.count() == 0
    with DAG("dag", schedule=None):
        make()


def test_the_values_are_not_logged(emulator: Any, registration_id: str) -> None:
    result = task(emulator, registration_id, metadata={"crm": "canary-4711"}).to_end()
    succeeded(result)
    assert "canary-4711" not in result.log_text


def test_a_registration_that_is_not_there(emulator: Any, registration_id: str) -> None:
    assert "404" in refused(task(emulator, "elsewhere", metadata={"a": "b"}, retries=2).to_end())


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"seat": 1, "tier": "gold", "row": None}, "`merge` must be False where the registration has metadata that"),
        ([["seat", "A1"]], "the metadata are list, not an object"),
        ("seat", "the metadata are str, not an object"),
    ],
)
def test_metadata_of_the_service_that_cannot_be_kept(
    emulator: Any, registration_id: str, metadata: Any, words: str
) -> None:
    body = json.dumps({"data": {"type": "registration", "id": registration_id, "attributes": {"metadata": metadata}}})
    emulator.fault("body", body=body, method="GET")
    assert words in refused(task(emulator, registration_id, metadata={"new": "yes"}, retries=2).to_end())
    assert emulator.count("PATCH") == 0


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_response_that_describes_another_registration(emulator: Any, registration_id: str, method: str) -> None:
    other = {"type": "registration", "id": "another", "attributes": {"metadata": {"seat": "C3"}}}
    emulator.fault("body", body=json.dumps({"data": other}), method=method)
    message = refused(task(emulator, registration_id, metadata={"new": "yes"}, retries=2).to_end())
    assert "the response describes another registration" in message
    assert there(emulator, registration_id)["seat"] == "A1"


def test_attributes_are_changed_beside_the_metadata(emulator: Any, registration_id: str) -> None:
    attributes = {"headline": "CTO", "firstName": "Grace"}
    result = task(emulator, registration_id, metadata={"seat": "B2"}, attributes=attributes).to_end()
    assert succeeded(result) == {"id": registration_id, "metadata": {"seat": "B2", "tier": "gold"}}
    event, index = emulator.state.registration(registration_id)
    shown = event.registrations.attributes(index)
    assert {name: shown[name] for name in attributes} == attributes
    assert "Set seat, headline, firstName of registration" in result.log_text
    assert "Grace" not in result.log_text


@pytest.mark.parametrize("spelling", ["Registration", "registration"])
def test_attributes_alone_need_no_reading(emulator: Any, registration_id: str, spelling: str) -> None:
    emulator.settings.change(registration_type=spelling)
    result = task(emulator, registration_id, attributes={"headline": "CTO"}).to_end()
    assert succeeded(result)["metadata"] == {"seat": "A1", "tier": "gold"}
    assert emulator.count("GET") == 0
    assert emulator.count("PATCH") == (1 if spelling == "Registration" else 2)


def test_metadata_among_the_attributes_is_merged_too(emulator: Any, registration_id: str) -> None:
    result = task(emulator, registration_id, attributes={"metadata": {"seat": "C3"}}).to_end()
    assert succeeded(result)["metadata"] == {"seat": "C3", "tier": "gold"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "`metadata` must be given, or `attributes`"),
        ({"attributes": {}}, "`metadata` must be given, or `attributes`"),
        ({"metadata": {}, "attributes": {"metadata": {}}}, "attributes['metadata']"),
        ({"attributes": {"email": "a@b.org"}}, "`email` must be a documented attribute"),
        ({"attributes": {"answers": [{"answer": "x"}]}}, "`answers[0].questionId` must be given"),
    ],
)
def test_changes_are_checked_while_the_dag_is_parsed(arguments: Any, words: str) -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        RingEventsUpdateRegistrationOperator(task_id="update", registration_id="r1", **arguments)
    assert words in str(caught.value)
