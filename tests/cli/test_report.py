"""``check --report``: each behaviour of the service that differs changes its line, and nothing personal is printed."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from airflow_provider_ringevents.cli.check_report.probes import PROBES
from airflow_provider_ringevents.cli.check_report.session import MAX_REQUESTS
from airflow_provider_ringevents.contract import openapi

REQUEST = re.compile(
    r"ringevents: (\d+): (GET /v1/[\w/{}]+(\?[\w\[\]=&.@-]+)?|the address that it leads to)( \(.*\))?\Z"
)


@pytest.fixture
def report(connect: Any, run: Any, emulator: Any) -> Any:
    """Runs it: point -> (fits, seen), and how it ended; with a report of the first event that is ready."""
    emulator.settings.change(report_seconds=0)
    emulator.reports.create(emulator.state.events[emulator.event_id], "registrations", {})

    def report(*arguments: str) -> tuple[dict[str, tuple[str, str]], Any]:
        emulator.requests.clear()
        ran = run("check", "--report", *(arguments or ("--json",)))
        rows = ran.json if not arguments else []
        return {row["point"]: (row["fits"], row["seen"]) for row in rows}, ran

    return report


def test_on_the_emulator_all_is_as_assumed(report: Any, emulator: Any) -> None:
    found, ran = report()
    assert list(found) == list(PROBES)
    assert {point: fits for point, (fits, _) in found.items() if fits != "yes"} == {}
    assert ran.code == 0
    notes = openapi.document()["x-notes"]
    assert [row["assumed"] for row in ran.json] == [notes[point]["assumption"] for point in PROBES]


def test_it_reads_alone_and_lists_each_request_before_it_is_sent(report: Any, emulator: Any) -> None:
    _, ran = report()
    sent = [entry for entry in emulator.requests.entries if entry.origin == "api"]
    listed = ran.err.splitlines()
    assert {entry.method for entry in sent} == {"GET"}
    assert len(sent) == len(listed) <= MAX_REQUESTS
    assert all(REQUEST.match(line) for line in listed), ran.err
    assert [int(REQUEST.match(line)[1]) for line in listed] == list(range(1, len(listed) + 1))  # type: ignore[index]


@pytest.mark.parametrize("output", ["table", "json", "plain"])
def test_nothing_personal_is_printed(report: Any, emulator: Any, output: str) -> None:
    emulator.settings.change(download="redirect", report_status="Ada Lovelace <ada@example.org>")
    emulator.reports.create(emulator.state.events[emulator.event_id], "chat", {})
    _, ran = report("-o", output)
    said = ran.out + ran.err
    assert ran.code == 0
    assert emulator.api_key not in said
    people = [
        emulator.state.events[emulator.event_id].registrations.attributes(index) for index in (*range(30), 99, 100)
    ]
    secrets = {person[name] for person in people for name in ("email", "id", "firstName", "lastName", "userId")}
    state = emulator.state
    secrets |= {*state.events, *state.templates, *(event.name for event in state.events.values())}
    secrets |= {value for owner in state.organizations for value in (owner.id, owner.attributes["name"])}
    secrets |= {*state.events[emulator.event_id].tickets, *state.events[emulator.event_id].magic_links, "signature"}
    secrets |= {"example.org"}
    words = set(re.findall(r"[\w@.'-]+", said))
    assert not {secret for secret in secrets if secret in words or (len(secret) > 12 and secret in said)}


SETTINGS: list[tuple[dict[str, Any], dict[str, tuple[str, str]]]] = [
    ({"auth": "bearer"}, {"authorization": ("yes", "Bearer KEY: 200, the bare key: 401")}),
    ({"auth": "bare"}, {"authorization": ("no", "Bearer KEY: 401, the bare key: 200")}),
    (
        {"max_per_page": 50},
        {
            "page-size": ("no", "25 by default, 50 where 100 are requested"),
            "large-pages": ("yes", "50 rows where 1000 are requested"),
        },
    ),
    ({"refuse_large_pages": True}, {"large-pages": ("no", "422 where 1000 are requested")}),
    ({"ignore_page": True}, {"page-number": ("no", "the same rows on both pages")}),
    (
        {"ignore_filters": True},
        {"filters": ("no", "filter[email][eq]: ignored, filter[email]: ignored, email: ignored")},
    ),
    ({"count": "missing"}, {"count": ("no", "no number in meta.count")}),
    ({"links": "object"}, {"link-form": ("yes", "an object with href")}),
    (
        {"links": "null"},
        {"link-form": ("no", "null, although more rows follow"), "link-host": ("unknown", "not seen")},
    ),
    (
        {"links": "missing"},
        {"link-form": ("no", "absent, although more rows follow"), "link-host": ("unknown", "not seen")},
    ),
    ({"links_origin": "https://api.hopin.com"}, {"link-host": ("no", "another one: https://api.hopin.com")}),
    ({"download": "redirect"}, {"download-answer": ("yes", "a redirect to the file (302, 200)")}),
    (
        {"content_type": "application/octet-stream"},
        {"download-type": ("no", "application/octet-stream, not compressed")},
    ),
    ({"file_encoding": "gzip"}, {"download-type": ("no", "text/csv, gzip")}),
    ({"chunked": True}, {"download-length": ("no", "chunked")}),
    ({"checksum": "content-md5"}, {"download-checksum": ("yes", "content-md5")}),
    ({"checksum": "repr-digest"}, {"download-checksum": ("yes", "repr-digest")}),
    ({"etag": False}, {"download-etag": ("no", "none")}),
    ({"ranges": False}, {"download-ranges": ("no", "200, not the range")}),
    ({"naive_event_times": True}, {"event-times": ("no", "in UTC, seconds; without an offset, seconds")}),
    (
        {"naive_registration_times": True},
        {
            "registration-times": ("no", "without an offset, 3 digits of seconds"),
            "link-times": ("no", "without an offset, 3 digits of seconds"),
        },
    ),
    ({"report_status": "baked"}, {"report-status": ("no", "baked, completed")}),
    ({"bank_questions_paged": False}, {"bank-questions": ("yes", "200, without pages")}),
]


@pytest.mark.parametrize(("settings", "changed"), SETTINGS, ids=lambda value: ",".join(map(str, value)))
def test_each_setting_changes_its_lines_alone(
    report: Any, emulator: Any, settings: dict[str, Any], changed: dict[str, tuple[str, str]]
) -> None:
    before, _ = report()
    emulator.settings.change(**settings)
    # The status words are those of reports that are made from now on.
    emulator.reports.create(emulator.state.events[emulator.event_id], "chat", {})
    after, ran = report()
    assert {point: line for point, line in after.items() if line != before[point]} == changed
    assert ran.code == 0


WITHOUT_A_SETTING = {
    "permissions",
    "ids",
    "rate-limit-headers",
    "request-ids",
    "event-status",
    "new-fields",
    "missing-fields",
    "link-status",
}
"""Points that no setting of the emulator changes; each has its test below."""


def test_every_other_point_has_a_setting_that_changes_it() -> None:
    changed = {point for _, lines in SETTINGS for point in lines}
    assert changed == set(PROBES) - WITHOUT_A_SETTING


def test_status_words_of_events_and_links(report: Any, emulator: Any) -> None:
    emulator.state.events[emulator.event_id].status = "live"
    for event in emulator.state.events.values():
        for number, link in enumerate(event.magic_links.values()):
            link.status = ("declined", None, "ada@example.org")[number // len(event.tickets) % 3]
    found, _ = report()
    assert found["event-status"] == ("yes", "draft, live, published")
    assert found["link-status"] == ("yes", "(not shown), declined, null")


def test_fields_beside_the_id_are_read_as_the_client_reads_them(report: Any, emulator: Any) -> None:
    before, _ = report()
    emulator.settings.change(row_form="flat")
    after, _ = report()
    # The type of an event stands where the type of the resource does.
    differing = {point: line for point, line in after.items() if line != before[point]}
    assert differing == {"missing-fields": ("no", "event.type")}
    emulator.settings.change(row_form="bare")
    bare, _ = report()
    assert bare["missing-fields"][0] == "no"
    assert "registration.email" in bare["missing-fields"][1]


@pytest.mark.parametrize("body", ['{"data": 5, "meta": 3, "links": []}', "[]", "<html>", '{"data": null}'])
def test_nonsense_ends_in_lines_that_are_unknown(report: Any, emulator: Any, body: str) -> None:
    emulator.fault("body", body=body, times=None)
    found, ran = report()
    assert ran.code == 0
    assert found["page-size"] == ("unknown", "not seen")


def test_a_status_that_is_no_word_is_not_shown(report: Any, emulator: Any) -> None:
    rows = [
        {"id": f"{number:025}", "attributes": {"status": status}} for number, status in enumerate(({"a": 1}, [], 7))
    ]
    emulator.fault("body", body=json.dumps({"data": rows}), path="/(events|magicLinks)$", times=None)
    found, _ = report()
    assert found["event-status"] == ("no", "(not shown); published is not true or false everywhere")


def test_ids_names_and_the_key_are_not_shown_as_words(report: Any, emulator: Any) -> None:
    event = emulator.state.events[emulator.event_id]
    person = event.registrations.attributes(0)
    words = ["Grand Summit", emulator.event_id, emulator.api_key, person["firstName"], "sold out", "phase2"]
    words += [f"{person['firstName']} {person['lastName']}", "token7f3a9c0d2e4b"]
    rows = [
        {"id": f"e{number}", "attributes": {"name": "Grand Summit", "published": True, "status": word, word: 1}}
        for number, word in enumerate(words)
    ]
    rows[0]["id"] = emulator.event_id
    emulator.fault("body", body=json.dumps({"data": rows}), path="/organizations/[^/]+/events$", times=None)
    found, ran = report()
    assert found["event-status"] == ("yes", "(not shown), phase2, sold out")
    assert found["new-fields"] == ("no", "event.(not shown), event.phase2")
    assert not [word for word in words if word not in ("sold out", "phase2") and word in ran.out]


def test_ids_and_fields_of_another_form(report: Any, emulator: Any, connect: Any) -> None:
    rows = [each.attributes() for each in emulator.state.events[emulator.event_id].tickets.values()]
    for number, row in enumerate(rows):
        row |= {"id": f"t-{number}", "colour": "red", "ada@example.org": 1}
        del row["slug"]
    data = [{"id": row["id"], "type": "ticket", "attributes": row} for row in rows]
    emulator.fault("body", body=json.dumps({"data": data}), path="/tickets$", times=None)
    found, ran = report()
    assert found["ids"] == ("no", "3 to 25 characters, other characters, too")
    assert found["new-fields"] == ("no", "ticket.(not shown), ticket.colour")
    assert found["missing-fields"] == ("no", "ticket.slug")
    assert "ada@example.org" not in ran.out


def test_headers_and_fields_that_are_not_known(report: Any, emulator: Any) -> None:
    emulator.fault("headers", headers={"X-RateLimit-Remaining": "7", "X-Trace-Id": "abc"}, times=None)
    found, ran = report()
    assert found["rate-limit-headers"] == ("no", "x-ratelimit-remaining")
    assert found["request-ids"] == ("yes", "x-request-id, x-trace-id")
    assert "abc" not in ran.out


def test_what_the_key_may_not_read_is_named_by_its_operation(report: Any, emulator: Any) -> None:
    emulator.fault("status", status=403, path="/magicLinks$", times=None)
    found, _ = report()
    assert found["permissions"] == ("no", "403 for list_magic_links")
    assert found["link-status"] == ("unknown", "not seen")


def test_a_429_is_waited_for_and_counts(report: Any, emulator: Any) -> None:
    emulator.fault("status", status=429, headers={"Retry-After": "0"}, path="/tickets$", times=2)
    found, ran = report()
    assert found["bank-questions"][0] == "yes"
    assert ran.err.count("/tickets\n") == 3
    assert found["rate-limit-headers"] == ("yes", "retry-after")


def test_no_more_requests_than_are_allowed(report: Any, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_ringevents.cli.check_report.session.MAX_REQUESTS", 7)
    found, ran = report()
    assert emulator.count("GET") == 7
    assert found["page-size"] == ("unknown", "not seen")
    assert "not seen: RequestBudgetError" in ran.err


def test_without_a_report_the_lines_of_its_file_are_unknown(report: Any, emulator: Any) -> None:
    emulator.reset()
    found, _ = report()
    unknown = {point for point, (fits, _) in found.items() if fits == "unknown"}
    assert unknown == {"report-status", *(point for point in PROBES if point.startswith("download-"))}


def test_a_key_that_is_refused_leaves_all_unknown(report: Any, connect: Any) -> None:
    connect(password="another-key")
    found, ran = report()
    assert found["authorization"] == ("no", "Bearer KEY: 401, the bare key: 401")
    assert {fits for point, (fits, _) in found.items() if point not in ("authorization", "permissions")} <= {
        "unknown",
        "yes",
    }
    assert "another-key" not in ran.out + ran.err


def test_nobody_there(report: Any, emulator: Any) -> None:
    emulator.stop()
    found, ran = report()
    assert {fits for fits, _ in found.values()} == {"unknown"}
    assert "not seen: RingEventsTransportError" in ran.err


def test_every_probe_is_a_note_of_the_contract() -> None:
    notes = openapi.document()["x-notes"]
    assert [point for point, note in notes.items() if note["probe"]] == list(PROBES)


def test_the_output_is_one_array(report: Any) -> None:
    _, ran = report("-o", "json")
    assert {tuple(row) for row in json.loads(ran.out)} == {("point", "fits", "seen", "assumed")}
