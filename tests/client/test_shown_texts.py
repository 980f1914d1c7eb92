"""Texts of the service in messages, logs and events of triggers: without secrets, on one line, 500 characters each."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from raw_server import RawServer, json_response

from airflow_provider_ringevents.client import Client
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.report_status import report_status
from airflow_provider_ringevents.client.transport import redaction
from airflow_provider_ringevents.client.transport.responses import Envelope
from airflow_provider_ringevents.client.validation.answers import MAX_QUESTIONS, QuestionIndex, collect_bounded
from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
from airflow_provider_ringevents.observability.links import event_url
from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
from airflow_provider_ringevents.polling.events import EventCondition
from airflow_provider_ringevents.provisioning.event_identity import MARKER_METADATA_KEY, ExpectedEvent
from airflow_provider_ringevents.provisioning.event_lookup import EventLookup
from airflow_provider_ringevents.storage.errors import format_error
from airflow_provider_ringevents.transfers.base import manifest
from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger, RingEventsEventTrigger

KEY = "canary-key-Zq7x3Lm9TfW2"
LETTER = "\N{CYRILLIC SMALL LETTER ZHE}"
HOSTILE = f"\x1b[31m\x9b\u202e{KEY}\r\n https://h.example/x?sig={KEY} {LETTER * 100_000}"
"""A text that is long, is no line, and repeats the key. Its letter is in no message of this package."""
EVENT = {"id": HOSTILE, "name": HOSTILE, "slug": "s", "timeStart": HOSTILE, "timeEnd": HOSTILE, "status": HOSTILE}


@pytest.fixture(autouse=True)
def _known_key() -> None:
    redaction.install("https://api.example.org", KEY)


def check(text: str, times: int = 1) -> None:
    """Require a text to be fit to be shown, with at most so many texts of the service in it."""
    assert 0 < text.count(LETTER) <= 500 * times
    assert text.replace("\n", "").isprintable()
    assert KEY not in text


def message(fails: Callable[[], Any]) -> str:
    with pytest.raises(RingEventsError) as caught:
        fails()
    return str(caught.value)


@pytest.mark.parametrize("name", ["status", "started", "ended"])
def test_the_state_of_an_event(name: str) -> None:
    condition = EventCondition(name, "live" if name == "status" else None)
    assert len(condition.describe_progress(EVENT)) < 1_200
    for value in ({"a": HOSTILE}, [HOSTILE], 7, None):
        assert len(condition.describe_progress({**EVENT, "status": value, "published": value})) < 1_200


def test_the_word_of_a_report() -> None:
    check(str(report_status(Envelope({"data": {"attributes": {"status": HOSTILE}}}, status=200)).word))


def test_events_with_the_marker_of_another() -> None:
    marked = {**EVENT, "metadata": {MARKER_METADATA_KEY: "key"}}
    expected = ExpectedEvent("key", name="Summit", time_start="2027-01-01T00:00:00Z")
    check(message(lambda: expected.match([marked])), times=3)
    check(message(lambda: expected.match([marked] * 50_000)), times=20)


def test_an_event_that_looks_like_the_copy(caplog: pytest.LogCaptureFixture) -> None:
    def waiter() -> DuplicationWaiter:
        return DuplicationWaiter("o", expected, 0.0, None, 60.0, logging.getLogger("wait").info)

    expected = ExpectedEvent("key", source_id="source")
    marked = {**EVENT, "metadata": {MARKER_METADATA_KEY: "key"}}
    wait = waiter()
    check(message(lambda: wait.on_response([marked])))
    assert wait.copy_id == "", "an id that no request can use is not remembered"


@pytest.mark.parametrize("slug", [HOSTILE, "x" * 1_000_000, 7, ["a"], {"a": "b"}, True])
def test_a_slug_that_is_none_makes_no_link(slug: Any) -> None:
    assert event_url({"slug": slug}, "https://api.example.org") is None


def test_the_title_of_a_report() -> None:
    made = manifest({}, report_id="r", event_id="e", report_type="registrations", title=HOSTILE)
    check(str(made["title"]))
    assert manifest({}, report_id="r", event_id="e", report_type="t", title=[1])["title"] is None  # type: ignore[arg-type]


def test_questions_and_their_options() -> None:
    options = [{"name": HOSTILE}] * 50
    named = [{"id": f"{LETTER * 200}{number}", "name": "Diet", "options": options} for number in range(50)]
    hostile = [{"id": f"q{number}", "name": HOSTILE} for number in range(50)]
    check(message(lambda: QuestionIndex(named[:1]).resolve({"Diet": "none"})), times=10)
    check(message(lambda: QuestionIndex(hostile).resolve({"Diets": "none"})), times=10)
    check(message(lambda: QuestionIndex(named).resolve({"Diet": "none"})), times=10)


def test_a_list_of_questions_has_an_end() -> None:
    endless = ({"id": str(number)} for number in iter(int, 1))
    assert f"more than {MAX_QUESTIONS:,} rows" in message(lambda: collect_bounded("list_bank_questions", endless))


def test_an_error_of_a_store() -> None:
    shown = format_error(OSError(HOSTILE.replace(KEY, "")))
    assert shown.count(LETTER) <= 500
    assert shown.isprintable()


# --- over HTTP

SENT = HOSTILE[:-97_000]


@pytest.mark.integration
def test_organizations_among_which_a_copy_is_not_found() -> None:
    rows = [{"id": f"o{number}", "attributes": {"name": SENT}} for number in range(30)]

    def handler(seen: Any) -> Any:
        found = rows if seen.path == "/v1/organizations" else []
        return json_response({"data": found, "meta": {"count": len(found)}})

    with RawServer(handler) as server, Client(server.url, KEY) as client:
        check(message(EventLookup(client, None, "source").resolve_organization_id), times=10)


@pytest.mark.integration
def test_the_test_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"id": SENT, "attributes": {"name": SENT}} for _ in range(5)]
    with RawServer(lambda seen: json_response({"data": rows, "meta": {"count": 5}})) as server:
        connection = {"conn_type": "ringevents", "password": KEY, "host": server.url}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))
        worked, said = RingEventsHook().test_connection()
    assert worked
    check(said, times=2)


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["event", "copy", "refusal"])
def test_the_events_of_triggers(kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    attributes = {**dict.fromkeys(EVENT, SENT), "metadata": {MARKER_METADATA_KEY: "key"}}
    data: Any = {"id": SENT, "attributes": attributes}
    if kind == "copy":
        answer = json_response({"data": [data], "meta": {"count": 1}})
    elif kind == "event":
        answer = json_response({"data": data})
    else:
        entry = dict.fromkeys(("title", "detail", "code"), SENT)
        answer = json_response(
            {"errors": [{**entry, "source": {"pointer": SENT}}] * 2}, 403, X_Request_Id=f"{KEY} {'x' * 3_000}"
        )
    trigger: Any = RingEventsEventTrigger("e", condition="published", deadline=time.time())
    if kind == "copy":
        trigger = RingEventsDuplicationTrigger("o", "source", "key", 0.0, deadline=time.time() + 5)
    with RawServer(lambda seen: answer) as server:
        connection = {"conn_type": "ringevents", "password": KEY, "host": server.url}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))

        async def fire() -> Any:
            return [event.payload async for event in trigger.run()]

        with caplog.at_level(logging.INFO, "airflow_provider_ringevents"):
            (payload,) = asyncio.run(fire())
    assert payload["status"] == "error"
    check(json.dumps(payload, ensure_ascii=False).replace("\\u", "u"), times=10 if kind == "refusal" else 2)
    assert "page" not in payload
    for record in caplog.records:
        said = record.getMessage()
        assert said.count(LETTER) <= 500 * 10
        assert KEY not in said
