"""Whole lists into files, through Airflow's own task runner and over real HTTP."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from outcomes import run_of

from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.transfers.collection_to_object_storage import (
    RingEventsCollectionToObjectStorageOperator,
)

Export = Callable[..., Run]


@pytest.fixture
def export(emulator: Any, tmp_path: Path, quick: None) -> Export:
    """Make a run of the operator; arguments win over the test's defaults, None leaves one out."""

    def make(**arguments: Any) -> Run:
        given = {
            "task_id": "export",
            "collection": "registrations",
            "parent_id": emulator.event_id,
            "destination": f"file://{tmp_path}/out/rows.jsonl",
            **arguments,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return run_of(RingEventsCollectionToObjectStorageOperator, emulator, **given)

    return make


def files(folder: Path) -> dict[str, bytes]:
    """Everything below a folder: leftovers count, too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def listed(emulator: Any, collection: str, parent_id: str | None) -> list[dict[str, Any]]:
    from airflow_provider_ringevents.client import Client

    with Client(emulator.url, emulator.api_key) as client:
        return list(client.items(COLLECTIONS[collection].call(parent_id)))


def parent_of(emulator: Any, collection: str) -> str | None:
    """A parent whose list has rows."""
    kind = COLLECTIONS[collection].parent
    if kind in (None, "organization"):
        return None
    if kind == "event":
        return emulator.event_id
    above = {"ticket": "tickets", "booth": "booths", "schedule_item": "schedule_items"}[kind]
    candidates = [row["id"] for row in listed(emulator, above, emulator.event_id)]
    return next((id for id in candidates if listed(emulator, collection, id)), candidates[0])


def export_a_report(emulator: Any) -> None:
    from airflow_provider_ringevents.client import Client, endpoints

    emulator.state.settings.report_seconds = 0.0
    with Client(emulator.url, emulator.api_key) as client:
        client.send(endpoints.create_report(emulator.event_id, "registrations"))


# --- what it is for


def test_writes_every_row_in_order_and_says_what_it_did(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.state.settings.max_per_page = 7
    result = export().to_end()

    assert result.state == "success"
    content = (tmp_path / "out/rows.jsonl").read_bytes()
    there = listed(emulator, "registrations", emulator.event_id)
    assert [row["id"] for row in rows_of(tmp_path / "out/rows.jsonl")] == [row["id"] for row in there]
    seconds = result.xcom.pop("seconds")
    assert 0 < seconds < 60
    assert result.xcom == {
        "uri": f"file://{tmp_path}/out/rows.jsonl",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "application/x-ndjson",
        "collection": "registrations",
        "parent_id": emulator.event_id,
        "rows": 40,
        "count": 40,
        "count_stable": True,
        "duplicates_dropped": 0,
        "pages": 6,
        "readings": 1,
        "complete": True,
        "window": None,
    }


def test_the_result_that_the_guide_shows_has_what_a_result_has(export: Export) -> None:
    page = (Path(__file__).parents[2] / "docs/guides/export-a-list.md").read_text(encoding="utf-8")
    shown = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert shown
    assert list(json.loads(shown[1])) == list(export().to_end().xcom)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_list_of_the_api(export: Export, emulator: Any, tmp_path: Path, collection: str) -> None:
    parent = parent_of(emulator, collection)
    if collection == "reports":
        export_a_report(emulator)
    result = export(collection=collection, parent_id=parent).to_end()

    assert result.state == "success"
    rows = rows_of(tmp_path / "out/rows.jsonl")
    there = listed(
        emulator, collection, parent or (emulator.organization_id if COLLECTIONS[collection].parent else None)
    )
    hidden = COLLECTIONS[collection].dropped | COLLECTIONS[collection].credentials
    assert rows == [{name: value for name, value in row.items() if name not in hidden} for row in there]
    assert result.xcom["rows"] == len(rows) > 0


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl.gz", "parquet"])
def test_the_suffix_says_the_format(export: Export, tmp_path: Path, suffix: str) -> None:
    result = export(destination=f"file://{tmp_path}/out/rows.{suffix}").to_end()

    content = (tmp_path / f"out/rows.{suffix}").read_bytes()
    starts = {"csv": b"id,", "csv.gz": b"\x1f\x8b", "jsonl.gz": b"\x1f\x8b", "parquet": b"PAR1"}
    assert content.replace(b'"', b"").startswith(starts[suffix]) or content.startswith(starts[suffix])
    assert result.xcom["rows"] == 40


def parquet_rows(path: Path) -> list[dict[str, Any]]:
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra parquet")
    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def test_local_times_are_read_in_the_zone_of_the_event(export: Export, emulator: Any, tmp_path: Path) -> None:
    export(destination=f"file://{tmp_path}/out/1.parquet").to_end()
    emulator.settings.change(naive_registration_times=True)
    export(destination=f"file://{tmp_path}/out/2.parquet").to_end()
    with_offset, local = (parquet_rows(tmp_path / f"out/{number}.parquet") for number in (1, 2))
    assert [row["createdAt"] for row in local] == [row["createdAt"] for row in with_offset]
    assert {row["_other"] for row in local} == {None}


@pytest.mark.parametrize(("status", "published"), [(503, False), (403, True)])
def test_local_times_are_not_shifted_if_the_zone_of_the_event_cannot_be_read(
    export: Export, emulator: Any, tmp_path: Path, status: int, published: bool
) -> None:
    emulator.settings.change(naive_registration_times=True)
    emulator.fault("status", status=status, method="GET", path=rf"/events/{emulator.event_id}$", times=None)
    result = export(destination=f"file://{tmp_path}/out/rows.parquet").to_end()
    assert result.state == ("success" if published else "failed")
    assert (tmp_path / "out/rows.parquet").exists() is published
    for row in parquet_rows(tmp_path / "out/rows.parquet") if published else ():
        assert row["createdAt"] is None
        assert json.loads(row["_other"])["createdAt"].startswith("20")


def test_a_folder_takes_a_file_named_after_the_list_and_its_parent(
    export: Export, emulator: Any, tmp_path: Path
) -> None:
    result = export(destination=f"file://{tmp_path}/out/", format="csv").to_end()

    assert result.xcom["uri"] == f"file://{tmp_path}/out/registrations-{emulator.event_id}.csv"
    result = export(destination=f"file://{tmp_path}/out/", collection="organizations", parent_id=None).to_end()
    assert result.xcom["uri"] == f"file://{tmp_path}/out/organizations.jsonl"


def test_several_parents_get_an_object_each(export: Export, emulator: Any, tmp_path: Path) -> None:
    events = [row["id"] for row in listed(emulator, "events", emulator.organization_id) if row["published"]][:3]
    result = export(
        parent_id=None, parent_ids=[*events, events[0]], destination=f"file://{tmp_path}/out/{{parent_id}}/r.csv"
    ).to_end()

    assert [manifest["parent_id"] for manifest in result.xcom] == events
    assert set(files(tmp_path)) == {f"out/{event}/r.csv" for event in events}
    assert export(parent_id=None, parent_ids=[], destination=f"file://{tmp_path}/x/").to_end().xcom == []


@pytest.mark.parametrize("folder", ["", "{parent_id}.jsonl"])
def test_parents_whose_ids_are_not_file_names_get_an_object_each(
    export: Export, emulator: Any, tmp_path: Path, folder: str
) -> None:
    emulator.fault("body", path="/registrations$", body='{"data": []}', times=None)
    parents = ["a:b", "a_b", "a|b", "a", "a."]
    result = export(parent_id=None, parent_ids=parents, destination=f"file://{tmp_path}/out/{folder}").to_end()
    assert len({manifest["uri"] for manifest in result.xcom}) == len(files(tmp_path)) == len(parents)


def test_arguments_may_come_from_jinja(export: Export, emulator: Any, tmp_path: Path) -> None:
    result = export(
        collection="{{ params.list }}",
        parent_id="{{ params.event }}",
        destination=f"file://{tmp_path}/{{{{ params.list }}}}.jsonl",
        filter={"email": {"in": ["{{ params.who }}"]}},
        window_field="createdAt",
        window=("{{ params.since }}", "2100-01-01T00:00:00Z"),
        run={
            "params": {
                "list": "registrations",
                "event": emulator.event_id,
                "who": "nobody@example.org",
                "since": "2020-01-01T00:00:00+01:00",
            }
        },
    ).to_end()

    assert result.state == "success"
    assert (result.xcom["rows"], result.xcom["count"], result.xcom["count_stable"]) == (0, 0, True)
    assert result.xcom["window"] == {
        "field": "createdAt",
        "from": "2019-12-31T23:00:00Z",
        "to": "2100-01-01T00:00:00Z",
    }
    assert (tmp_path / "registrations.jsonl").read_bytes() == b""


def test_an_object_that_is_there_is_kept_when_told(export: Export, emulator: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/rows.jsonl").write_text("before")

    skipped = export(if_exists="skip").to_end()
    assert (skipped.state, skipped.xcom["skipped"]) == ("success", True)
    refused = export(if_exists="fail").to_end()
    assert refused.state == "failed"
    assert "a place without an object" in str(refused.exception)
    assert (tmp_path / "out/rows.jsonl").read_text() == "before"
    assert emulator.count("GET", "*/registrations") == 0


# --- secrets


def test_links_and_codes_that_let_people_in_are_exported_only_on_request(
    export: Export, emulator: Any, tmp_path: Path
) -> None:
    from airflow_provider_ringevents.client import Client, endpoints

    ticket = listed(emulator, "tickets", emulator.event_id)[0]["id"]
    with Client(emulator.url, emulator.api_key) as client:
        guest = {"email": "ada@example.org", "firstName": "Ada", "lastName": "L"}
        made = client.send(endpoints.create_magic_link(ticket, guest))["data"]["attributes"]["magicLink"]
    assert made

    export(collection="magic_links", parent_id=ticket).to_end()
    assert made not in (tmp_path / "out/rows.jsonl").read_text()
    result = export(collection="magic_links", parent_id=ticket, include_credentials=True).to_end()
    assert made in (tmp_path / "out/rows.jsonl").read_text()
    assert made not in result.log_text
    assert made not in json.dumps(result.xcoms)


def test_signed_links_of_reports_are_never_exported(export: Export, emulator: Any, tmp_path: Path) -> None:
    export_a_report(emulator)
    assert any(row.get("url") for row in listed(emulator, "reports", emulator.event_id))
    export(collection="reports", include_credentials=True).to_end()

    rows = rows_of(tmp_path / "out/rows.jsonl")
    assert rows
    assert not any("url" in row for row in rows)


@pytest.mark.parametrize("escape", [False, True])
def test_csv_cells_that_start_a_formula_are_escaped_on_request(
    export: Export, emulator: Any, tmp_path: Path, escape: bool
) -> None:
    from airflow_provider_ringevents.client import Client, endpoints

    formula = '=HYPERLINK("https://elsewhere.example","a")'
    ticket = listed(emulator, "tickets", emulator.event_id)[0]["id"]
    with Client(emulator.url, emulator.api_key) as client:
        guest = {"email": "mallory@example.org", "firstName": formula, "lastName": "O'Hara"}
        client.send(endpoints.create_magic_link(ticket, guest))
    destination = f"file://{tmp_path}/rows.csv"
    export(collection="magic_links", parent_id=ticket, destination=destination, escape_formulas=escape).to_end()

    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["email"] == "mallory@example.org")
    assert row["firstName"] == ("'" if escape else "") + formula
    assert row["lastName"] == "O'Hara"


# --- bad input


BAD = {
    "an unknown list": (
        {"collection": "registration"},
        r"`collection` must be an allowed value, got 'registration'.*'registrations'",
    ),
    "no parent": (
        {"parent_id": None},
        r"`parent_id` must be the id of the event that the registrations belong to, got None",
    ),
    "a parent where there is none": (
        {"collection": "organizations"},
        r"`parent_id` must be left out: organizations belong to the key",
    ),
    "both": ({"parent_ids": ["a"]}, r"`parent_ids` must be left out where `parent_id` is given"),
    "a path as parent": ({"parent_id": "../x"}, r"parent_id"),
    "a slash in a parent": (
        {"parent_id": None, "parent_ids": ["a/b"]},
        r"`parent_ids\[0\]` must be an id of 1 to 255 printable characters",
    ),
    "a mapping as parents": ({"parent_id": None, "parent_ids": {"a": 1}}, r"`parent_ids` must be a list of ids"),
    "one object for several": (
        {"parent_id": None, "parent_ids": ["a"]},
        r"`destination` must be one object for each of `parent_ids`, with \{parent_id\} in it",
    ),
    "an unknown filter": ({"filter": {"name": "x"}}, r"documented field of registrations, got 'name'.*Allowed: email"),
    "an unknown operator": ({"filter": {"email": {"like": "x"}}}, r"filter\[email\].*'like'.*Allowed: eq, in"),
    "a filter of a list without": (
        {"collection": "events", "parent_id": None, "filter": {"a": 1}},
        r"`filter` must be left out: the API documents no filter for events",
    ),
    "an unknown format": ({"format": "xml"}, r"`format` must be an allowed value, got 'xml'.*jsonl, csv, parquet"),
    "a format against the suffix": ({"format": "csv"}, r"`format` must be 'jsonl' .*got 'csv'"),
    "a window without a field": ({"window": ("a", "b")}, r"`window_field` must be the field of `window`, got None"),
    "an unknown window field": ({"window_field": "name"}, r"`window_field` must be an allowed value, got 'name'"),
    "a window on a list without": (
        {"collection": "tickets", "window_field": "updatedAt"},
        r"`window_field` must be left out: the API documents no filter by time for tickets",
    ),
    "an empty window": (
        {"window_field": "updatedAt", "window": ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")},
        r"`window` must be a start before its end",
    ),
    "a window that cannot be read": (
        {"window_field": "updatedAt", "window": ("yesterday", "2026-01-01T00:00:00Z")},
        r"window start.*yesterday",
    ),
    "half a window": (
        {"window_field": "updatedAt", "window": ("2026-01-01T00:00:00Z",)},
        r"`window` must be a pair of start and end",
    ),
    "the window's field filtered twice": (
        {
            "window_field": "updatedAt",
            "window": ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
            "filter": {"updatedAt": {"gte": "2026-01-01T00:00:00Z"}},
        },
        r"`filter` must be without a condition on updatedAt",
    ),
    "too many pages in flight": ({"concurrency": 17}, r"`concurrency` .*17"),
    "formulas in what is no CSV": ({"escape_formulas": True}, r"`escape_formulas` must be False for jsonl: only CSV"),
    "an unknown if_exists": ({"if_exists": "append"}, r"`if_exists` must be an allowed value, got 'append'"),
    "a filter without a condition": ({"filter": {"email": {}}}, r"`filter\[email\]` must be a condition"),
    "a filter on a number": ({"filter": {1: "x"}}, r"documented field of registrations, got 1"),
    "a word for a switch": ({"strict": "no"}, r"`strict` must be True or False.*, got 'no'"),
    "another name in braces": (
        {"destination": "file:///tmp/{event_id}.csv"},
        r"`destination` must be free of \{event_id\}, which stands for nothing",
    ),
    "no destination": ({"destination": ""}, r"destination"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_when_the_dag_is_parsed(
    export: Export, emulator: Any, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the message is looked at below)
        export(**arguments).to_end()
    assert re.search(message, str(caught.value)), caught.value
    assert not emulator.requests.entries


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"collection": "{{ 'registration' }}"}, r"`collection` must be an allowed value, got 'registration'"),
        ({"format": "{{ 'xml' }}"}, r"`format` must be an allowed value, got 'xml'"),
        ({"format": "{{ 'jsonl' }}", "escape_formulas": True}, r"`escape_formulas` must be False for jsonl: only CSV"),
        ({"filter": {"email": {"{{ 'like' }}": "x"}}}, r"'like'"),
        ({"window_field": "updatedAt", "window": ["{{ 'x' }}", "{{ 'y' }}"]}, r"window start"),
        ({"parent_id": "{{ 'a/b' }}"}, r"parent_id"),
    ],
)
def test_the_same_is_refused_before_any_request_when_it_is_known_only_then(
    export: Export, emulator: Any, arguments: dict[str, Any], message: str
) -> None:
    result = export(run={"retries": 2}, **arguments).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    assert re.search(message, str(result.exception))
    assert not emulator.requests.entries


def test_parquet_without_pyarrow_names_the_extra(
    export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_ringevents.exports.formats import file_format

    monkeypatch.setattr(file_format, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"airflow-provider-ringevents\[parquet\]"):
        export(destination=f"file://{tmp_path}/rows.parquet").to_end()
