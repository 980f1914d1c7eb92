"""Files of guests into magic links: each person once, a result for each row, whatever the weather."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import HAS_STATE_STORE, Run
from bulk.conftest import GUEST_COLUMNS, guests, read_results, statuses, write_csv
from clocks import FakeClock
from outcomes import failed, succeeded

Load = Callable[..., Run]
POST = {"method": "POST"}


def test_each_guest_gets_a_link_and_a_row_in_the_results(
    load: Load, links: Callable[[], dict[str, Any]], tmp_path: Path, emulator: Any, ticket: Any
) -> None:
    write_csv(tmp_path / "guests.csv", guests(250))
    manifest = succeeded(load().to_end())
    there = links()
    rows = read_results(tmp_path / "results.csv")
    assert [row["number"] for row in rows] == [str(number) for number in range(1, 251)]
    assert [row["identity"] for row in rows] == [email for email, _, _ in guests(250)]
    assert {row["status"] for row in rows} == {"created"}
    assert [(row["id"], row["magicLink"]) for row in rows] == [
        (there[email].id, there[email].attributes()["magicLink"]) for email, _, _ in guests(250)
    ]
    assert manifest["counts"] == {"created": 250}
    assert (manifest["rows"], manifest["ticket_id"], manifest["failures"]) == (250, ticket.id, {})
    assert manifest["uri"] == f"file://{tmp_path}/results.csv"
    assert manifest["bytes"] == (tmp_path / "results.csv").stat().st_size

    emulator.requests.clear()
    again = succeeded(load().to_end())
    assert again["counts"] == {"exists": 250}
    assert emulator.count("POST") == 0
    assert read_results(tmp_path / "results.csv") == [{**row, "status": "exists"} for row in rows]


def test_columns_map_a_crm_s_file(load: Load, links: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    rows = [("7", " Ada@Example.org ", "Ada", "Lovelace", "Engines,\nInc.", "ignored")]
    header = ("Id", "E-Mail", "First name", "Last name", "Company", "Notes")
    write_csv(tmp_path / "guests.csv", rows, header, delimiter=";", encoding="utf-8-sig")
    columns = {
        "email": "E-Mail",
        "firstName": "First name",
        "lastName": "Last name",
        "metadata.crm_id": "Id",
        "extraFields.Company": "Company",
    }
    succeeded(load(columns=columns, delimiter=";").to_end())
    (link,) = links().values()
    assert (link.email, link.metadata, link.extra_fields) == (
        "Ada@Example.org",
        {"crm_id": "7"},
        {"Company": "Engines,\nInc."},
    )
    assert read_results(tmp_path / "results.csv")[0]["identity"] == "ada@example.org"


@pytest.mark.parametrize("name", ["guests.csv.gz", "guests.jsonl", "guests.jsonl.gz", "guests.parquet"])
@pytest.mark.parametrize("results", ["results.csv", "results.jsonl", "results.parquet"])
def test_every_format(load: Load, links: Callable[[], dict[str, Any]], tmp_path: Path, name: str, results: str) -> None:
    people = [dict(zip(GUEST_COLUMNS, person, strict=True)) for person in guests(5)]
    path = tmp_path / name
    if "parquet" in name + results:
        pytest.importorskip("pyarrow")
    if name.endswith(".parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(people), path)
    else:
        lines = "".join(json.dumps(person) + "\n" for person in people)
        if ".csv" in name:
            lines = "\n".join(",".join(row) for row in [GUEST_COLUMNS, *guests(5)])
        path.write_bytes(gzip.compress(lines.encode()) if name.endswith(".gz") else lines.encode())
    succeeded(load(source=f"file://{path}", results=f"file://{tmp_path}/{results}").to_end())
    assert len(links()) == 5
    rows = read_results(tmp_path / results)
    assert [str(row["number"]) for row in rows] == ["1", "2", "3", "4", "5"]
    assert all(row["magicLink"] for row in rows)


def test_results_without_links(load: Load, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(1))
    succeeded(load(include_links="false").to_end())
    assert list(read_results(tmp_path / "results.csv")[0]) == ["number", "identity", "status", "id", "reason"]


def test_families_share_an_address(load: Load, emulator: Any, ticket: Any, tmp_path: Path) -> None:
    rows = [("one@people.example", "A", "B", f"r{number}") for number in range(3)]
    write_csv(tmp_path / "guests.csv", rows, (*GUEST_COLUMNS, "registrationId"))
    succeeded(load(identity="registrationId").to_end())
    assert sorted(link.registration_id for link in emulator.state.ticket_links(ticket)) == ["r0", "r1", "r2"]
    assert succeeded(load(identity="registrationId").to_end())["counts"] == {"exists": 3}
    failed(load().to_end(), "2 rows", "duplicate in the source: 2")


# --- dry run, deletions


def test_a_dry_run_sends_nothing_and_says_what_would_happen(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(2))
    succeeded(load().to_end())
    write_csv(tmp_path / "guests.csv", [*guests(3, first=2), ("bad", "A", "B")])
    emulator.requests.clear()
    manifest = succeeded(load(dry_run="true", delete_missing=True).to_end())
    assert emulator.count("POST") == emulator.count("DELETE") == 0
    assert statuses(tmp_path / "results.csv") == ["exists", "create", "create", "invalid", "delete"]
    assert manifest["counts"] == {"exists": 1, "create": 2, "invalid": 1, "delete": 1}
    assert manifest["dry_run"] is True


def test_missing_people_lose_their_links_within_a_limit(
    load: Load, emulator: Any, links: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    write_csv(tmp_path / "guests.csv", guests(5))
    succeeded(load().to_end())
    write_csv(tmp_path / "guests.csv", guests(4, first=4))
    emulator.requests.clear()
    failed(load(delete_missing=True, max_deletions=2).to_end(), "`max_deletions` must be at least", ", 3, got 2")
    assert emulator.count("POST") == emulator.count("DELETE") == 0
    assert statuses(tmp_path / "results.csv") == [*["exists"] * 2, *["not_tried"] * 5]

    manifest = succeeded(load(delete_missing=True, max_deletions=3).to_end())
    assert manifest["counts"] == {"exists": 2, "created": 2, "deleted": 3}
    assert sorted(links()) == sorted(email for email, _, _ in guests(4, first=4))
    assert statuses(tmp_path / "results.csv")[-3:] == ["deleted"] * 3


def test_nobody_is_deleted_who_may_be_in_a_row_that_cannot_be_read(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(3))
    succeeded(load().to_end())
    (tmp_path / "guests.csv").write_text("email,firstName,lastName\nguest1@people.example,A,B\nguest2@people.example\n")
    result = load(delete_missing=True, max_deletions=10, on_invalid="skip").to_end()
    failed(result, "`delete_missing` must be False")
    assert emulator.count("DELETE") == 0


@pytest.mark.parametrize("row", ["guest3@people", "guest3 at people.example", "", "guest3@people.example,A"])
def test_nobody_is_deleted_who_may_be_behind_an_invalid_address(
    load: Load, emulator: Any, links: Callable[[], dict[str, Any]], tmp_path: Path, row: str
) -> None:
    write_csv(tmp_path / "guests.csv", guests(4))
    succeeded(load().to_end())
    lines = ["email,firstName,lastName", *(",".join(person) for person in guests(2)), f"{row},A,B"]
    (tmp_path / "guests.csv").write_text("\n".join(lines))
    run = load(delete_missing=True, max_deletions=10, on_invalid="skip")
    failed(run.to_end(), "`delete_missing` must be False", "do not show whose they are")
    assert emulator.count("DELETE") == 0
    assert len(links()) == 4


def test_deletions_go_several_at_a_time_and_end_with_the_key(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(40))
    succeeded(load().to_end())
    write_csv(tmp_path / "guests.csv", guests(1))
    emulator.fault("status", status=401, skip=10, times=None, method="DELETE")
    result = load(delete_missing=True, max_deletions=39, concurrency=4).to_end()
    failed(result, "HTTP 401")
    found = statuses(tmp_path / "results.csv")
    assert (found.count("exists"), found.count("deleted")) == (1, 10)
    assert 1 <= found.count("failed") <= 4
    assert found.count("not_tried") == 40 - 11 - found.count("failed")


# --- lists of those who are there that cannot be relied on


@pytest.mark.parametrize("rows", [0, 40], ids=["empty page", "short page"])
def test_on_an_incomplete_list_of_links_nobody_is_taken_for_missing(
    load: Load, emulator: Any, tmp_path: Path, rows: int
) -> None:
    write_csv(tmp_path / "guests.csv", guests(250))
    succeeded(load().to_end())
    write_csv(tmp_path / "guests.csv", guests(260))
    emulator.requests.clear()
    emulator.fault("short_page", value=rows, times=None, method="GET", query="page=2")
    result = load(retries=1, delete_missing=True, max_deletions=500).attempt()
    assert result.state == "up_for_retry"
    assert "rows are missing" in str(result.exception)
    assert emulator.count("POST") == emulator.count("DELETE") == 0

    emulator.faults.clear()
    assert succeeded(load().to_end())["counts"] == {"exists": 250, "created": 10}


def test_links_that_show_no_address_are_no_reason_to_make_others(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(3))
    row = {"id": "link1", "type": "magicLink", "attributes": {"firstName": "Given1", "email": None}}
    body = json.dumps({"data": [row], "meta": {"count": 1}, "links": {"next": None}})
    emulator.fault("body", body=body, times=None, method="GET")
    failed(load().to_end(), "None of the 1 magic link", "has `email`", "Nothing was sent")
    assert emulator.count("POST") == 0


def test_addresses_that_fold_to_the_same_are_two_people(
    load: Load, links: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    write_csv(tmp_path / "guests.csv", [("stra\u00dfe@people.example", "A", "B"), ("strasse@people.example", "A", "B")])
    assert succeeded(load().to_end())["counts"] == {"created": 2}
    assert sorted(links()) == ["strasse@people.example", "stra\u00dfe@people.example"]


def test_an_accent_of_its_own_makes_no_other_person(load: Load, links: Any, tmp_path: Path) -> None:
    composed, decomposed = "j\u00f6rg@people.example", "jo\u0308rg@people.example"
    write_csv(tmp_path / "guests.csv", [(composed, "A", "B"), (decomposed, "A", "B")])
    assert succeeded(load(on_invalid="skip").to_end())["counts"] == {"created": 1, "invalid": 1}
    write_csv(tmp_path / "guests.csv", [(decomposed, "A", "B")])
    assert succeeded(load().to_end())["counts"] == {"exists": 1}
    assert sorted(links()) == [composed]


# --- failures


def test_refused_rows_stop_nobody_and_the_task_fails_without_a_retry(
    load: Load, emulator: Any, links: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    write_csv(tmp_path / "guests.csv", guests(30))
    emulator.fault("status", status=422, skip=3, times=4, **POST)
    result = load(retries=3, failed_rows=f"file://{tmp_path}/failed.csv").to_end()
    failed(result, "4 rows of 30 failed", "`max_failures` allows 0", "HTTP 422: 4")
    assert result.tries == 1
    assert len(links()) == 26
    found = [row for row in read_results(tmp_path / "results.csv") if row["status"] == "failed"]
    assert len(found) == 4
    assert all(row["reason"].startswith("422: ") for row in found)
    again = read_results(tmp_path / "failed.csv")
    assert [row["email"] for row in again] == [row["identity"] for row in found]

    fed = load(source=f"file://{tmp_path}/failed.csv", results=f"file://{tmp_path}/second.csv").to_end()
    assert succeeded(fed)["counts"] == {"created": 4}
    assert len(links()) == 30


def test_some_failures_may_be_allowed(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(30))
    emulator.fault("status", status=422, times=2, **POST)
    assert succeeded(load(max_failures="2").to_end())["counts"] == {"created": 28, "failed": 2}


@pytest.mark.parametrize("kind", ["applied_then_cut", "applied_then_status"])
def test_what_was_applied_without_a_response_is_found(
    load: Load, emulator: Any, links: Callable[[], dict[str, Any]], tmp_path: Path, kind: str
) -> None:
    write_csv(tmp_path / "guests.csv", guests(40))
    emulator.fault(kind, skip=5, times=5, **POST)
    manifest = succeeded(load().to_end())
    assert manifest["counts"] == {"created": 40}
    assert emulator.count("POST") == 40
    there = links()
    assert [row["id"] for row in read_results(tmp_path / "results.csv")] == [
        there[email].id for email, _, _ in guests(40)
    ]


def test_what_is_not_found_is_unknown_and_a_retry_sends_it_after_the_settle_time(
    load: Load, emulator: Any, links: Callable[[], dict[str, Any]], tmp_path: Path, fake_clock: FakeClock
) -> None:
    write_csv(tmp_path / "guests.csv", guests(40))
    emulator.fault("reset", skip=5, times=3, **POST)
    run = load(retries=1)
    result = run.attempt()
    assert result.state == "up_for_retry"
    assert "no response, and not found afterwards: 3" in str(result.exception)
    assert statuses(tmp_path / "results.csv").count("unknown") == 3
    assert fake_clock.pauses[-4:] == [2.0, 5.0, 10.0, 20.0]
    assert emulator.count("POST") == 40

    sent = fake_clock.now()
    assert succeeded(run.attempt())["counts"] == {"exists": 37, "created": 3}
    assert len(links()) == 40
    # With a store the time of the last request counts, 37 s before; without one, the start of this try.
    assert (20 < fake_clock.now() - sent < 30) if HAS_STATE_STORE else (60 <= fake_clock.now() - sent < 70)


def test_a_link_of_another_person_is_not_taken_for_the_row_s(
    load: Load, emulator: Any, links: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    write_csv(tmp_path / "guests.csv", guests(3))
    other = {"email": "eve@people.example", "magicLink": "https://events.example/eve"}
    body = json.dumps({"data": {"type": "magicLink", "id": "L1", "attributes": other}})
    emulator.fault("body", status=201, body=body, method="POST", skip=1)
    assert load(concurrency=1).to_end().state == "failed"
    rows = read_results(tmp_path / "results.csv")
    assert [row["status"] for row in rows] == ["created", "unknown", "created"]
    assert (rows[1]["id"], rows[1]["magicLink"]) == ("", "")
    assert succeeded(load().to_end())["counts"] == {"created": 1, "exists": 2}
    assert len(links()) == 3


def test_a_server_that_is_down_is_not_asked_for_every_row(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(100))
    emulator.fault("status", status=503, skip=20, times=None, **POST)
    result = load(failed_rows=f"file://{tmp_path}/failed.csv", retries=1).attempt()
    assert result.state == "up_for_retry"
    assert "ended early: HTTP 503" in str(result.exception)
    found = statuses(tmp_path / "results.csv")
    assert found.count("created") == 20
    assert 10 <= found.count("unknown") <= 30
    assert found.count("not_tried") == 100 - 20 - found.count("unknown")
    assert len(read_results(tmp_path / "failed.csv")) == 80


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_ends_it_at_once(load: Load, emulator: Any, tmp_path: Path, status: int) -> None:
    write_csv(tmp_path / "guests.csv", guests(100))
    emulator.fault("status", status=status, skip=10, times=None, **POST)
    failed(load(retries=2).to_end(), f"HTTP {status}")
    assert emulator.count("POST") <= 10 + 8 + 4
    assert statuses(tmp_path / "results.csv").count("not_tried") >= 70


def test_429_slows_all_and_nothing_is_lost(load: Load, emulator: Any, links: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(60))
    for skip in (5, 20, 40):  # no more than four in a row, since a row has five attempts
        emulator.fault("status", status=429, headers={"Retry-After": "0"}, skip=skip, times=4, **POST)
    assert succeeded(load(concurrency=8).to_end())["counts"] == {"created": 60}
    assert len(links()) == 60


def test_a_long_retry_after_ends_it_and_is_carried_to_airflow(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(60))
    emulator.fault("status", status=429, headers={"Retry-After": "600"}, skip=10, times=None, **POST)
    result = load(retries=1).attempt()
    assert result.state == "up_for_retry"
    assert getattr(result.exception, "retry_after", None) == 600


def test_a_list_that_cannot_be_read_sends_nothing(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(3))
    emulator.fault("status", status=500, times=None, method="GET")
    assert load(retries=1).attempt().state == "up_for_retry"
    assert emulator.count("POST") == 0
    assert not (tmp_path / "results.csv").exists()


def test_a_killed_try_is_finished_by_the_next(
    load: Load, emulator: Any, links: Callable[[], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_harness import make_killer

    from airflow_provider_ringevents.bulk import engine

    write_csv(tmp_path / "guests.csv", guests(300))
    run = load(retries=1)
    with monkeypatch.context() as patching:
        patching.setattr(engine.BulkRun, "_record", make_killer(20))
        assert run.attempt().state == "up_for_retry"
    made = emulator.count("POST")
    assert 20 <= made < 300
    assert succeeded(run.attempt())["counts"] == {"exists": made, "created": 300 - made}
    assert len(links()) == 300
    assert emulator.count("POST") == 300


@pytest.mark.parametrize(("if_exists", "state"), [("skip", "success"), ("fail", "failed")])
def test_results_that_exist(load: Load, emulator: Any, tmp_path: Path, if_exists: str, state: str) -> None:
    write_csv(tmp_path / "guests.csv", guests(3))
    (tmp_path / "results.csv").write_text("yesterday's")
    result = load(if_exists=if_exists).to_end()
    assert result.state == state
    assert state == "failed" or result.xcom["skipped"] is True
    assert emulator.count("POST") == 0
    assert (tmp_path / "results.csv").read_text() == "yesterday's"


@pytest.mark.parametrize("results", ["results.csv", "results.jsonl.gz", "results.parquet"])
@pytest.mark.parametrize("if_exists", ["skip", "fail"])
@pytest.mark.parametrize("earlier", ["failed", "refused", "dry run"])
def test_results_of_a_load_that_is_not_done_are_no_reason_to_skip(
    load: Load,
    links: Callable[[], dict[str, Any]],
    emulator: Any,
    tmp_path: Path,
    earlier: str,
    if_exists: str,
    results: str,
) -> None:
    if results.endswith("parquet"):
        pytest.importorskip("pyarrow")
    places = {"if_exists": if_exists, "results": f"file://{tmp_path}/{results}"}
    write_csv(tmp_path / "guests.csv", guests(6))
    if earlier == "failed":
        emulator.fault("status", status=422, times=2, **POST)
        assert load(**places).to_end().state == "failed"
    elif earlier == "refused":
        write_csv(tmp_path / "guests.csv", [*guests(5), ("nobody", "Given6", "Family6")])
        assert load(**places).to_end().state == "failed"
        write_csv(tmp_path / "guests.csv", guests(6))
    else:
        assert load(dry_run=True, **places).to_end().state == "success"
    again = load(**places).to_end()
    assert again.state == "success"
    assert "skipped" not in again.xcom
    assert len(links()) == 6
    last = load(**places).to_end()
    assert last.state == ("success" if if_exists == "skip" else "failed")
    assert if_exists == "fail" or last.xcom["skipped"] is True


@pytest.mark.parametrize("results", ["results.csv", "results.jsonl"])
def test_a_dry_run_without_anything_to_send_is_no_load(load: Load, links: Any, tmp_path: Path, results: str) -> None:
    write_csv(tmp_path / "guests.csv", guests(2))
    succeeded(load(results=f"file://{tmp_path}/earlier.csv").to_end())
    arguments = {"results": f"file://{tmp_path}/{results}", "if_exists": "skip"}
    assert succeeded(load(dry_run=True, **arguments).to_end())["counts"] == {"exists": 2}
    assert {row["reason"] for row in read_results(tmp_path / results)} == {"dry run"}
    write_csv(tmp_path / "guests.csv", guests(4))
    assert succeeded(load(**arguments).to_end())["counts"] == {"exists": 2, "created": 2}
    assert succeeded(load(**arguments).to_end())["skipped"] is True
    assert len(links()) == 4


def test_results_that_cannot_be_read_are_no_reason_to_skip(load: Load, emulator: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(3))
    (tmp_path / "results.csv.gz").write_bytes(gzip.compress(b"number,identity,status\n" * 1000)[:-20])
    assert load(if_exists="skip", results=f"file://{tmp_path}/results.csv.gz").to_end().state == "failed"
    assert emulator.count("POST") == 0


@pytest.mark.parametrize("if_exists", ["skip", "fail"])
def test_results_that_appear_during_the_load_are_kept(
    load: Load, links: Callable[[], dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, if_exists: str
) -> None:
    from airflow_provider_ringevents.bulk import engine

    write_csv(tmp_path / "guests.csv", guests(3))
    record = engine.BulkRun._record

    def recording(run: engine.BulkRun, number: int, outcome: Any) -> None:
        (tmp_path / "results.csv").write_text("another's")
        record(run, number, outcome)

    monkeypatch.setattr(engine.BulkRun, "_record", recording)
    result = load(if_exists=if_exists, retries=1).to_end()
    failed(result, "`results` must be a place at which nothing appears", "The object there is kept", "3 created")
    assert result.tries == 1
    assert len(links()) == 3
    assert (tmp_path / "results.csv").read_text() == "another's"


# --- what is seen of it


def test_progress_is_logged(load: Load, emulator: Any, fake_clock: FakeClock, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", guests(40))
    emulator.fault("status", status=429, headers={"Retry-After": "11"}, skip=20, **POST)
    text = load(concurrency=1).to_end().log_text
    assert "40 rows" in text
    assert "left" in text
    assert "40 of 40 rows sent in" in text


def test_asset_events_have_counts(load: Load, tmp_path: Path) -> None:
    from airflow.providers.common.compat.sdk import Asset
    from airflow_harness.versions import HAS_TASK_SDK

    write_csv(tmp_path / "guests.csv", guests(3))
    outlet = Asset(name="links", uri="s3://links/here") if HAS_TASK_SDK else Asset("s3://links/here")
    result = load(outlets=[outlet]).to_end()
    succeeded(result)
    (event,) = result.outlet_events
    assert event["extra"] == {
        "uri": f"file://{tmp_path}/results.csv",
        "rows": 3,
        "bytes": (tmp_path / "results.csv").stat().st_size,
        "rows_created": 3,
    }


def test_rows_are_never_rendered(load: Load, links: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", [("ada@people.example", "{{ 1 + 1 }}", "{% raw %}")])
    succeeded(load().to_end())
    (link,) = links().values()
    assert link.first_name == "{{ 1 + 1 }}"
    assert link.last_name == "{% raw %}"


def test_everything_that_comes_at_run_time_is_templated(load: Load, links: Any, ticket: Any, tmp_path: Path) -> None:
    write_csv(tmp_path / "guests.csv", [*guests(3), ("bad", "A", "B")])
    conf = {
        "ticket_id": ticket.id,
        "source": f"file://{tmp_path}/guests.csv",
        "results": f"file://{tmp_path}/results.jsonl",
        "max_failures": 3,
        "max_deletions": 5,
        "concurrency": 2,
        "settle_timeout": 1.5,
        "on_invalid": "skip",
        "identity": "email",
        "delimiter": ",",
        "encoding": "utf-8",
        "if_exists": "overwrite",
        "format": "csv",
        "failed_rows": f"file://{tmp_path}/failed.csv",
        "dry_run": False,
        "include_links": True,
        "delete_missing": False,
        "allow_undocumented": False,
    }
    arguments = {name: f"{{{{ dag_run.conf['{name}'] }}}}" for name in conf}
    assert succeeded(load(run={"conf": conf}, **arguments).to_end())["counts"] == {"created": 3, "invalid": 1}
    assert len(links()) == 3


@pytest.mark.parametrize("refused", [0, 2])
def test_a_link_on_airflows_pages_leads_to_the_results(
    emulator: Any, ticket: Any, tmp_path: Path, refused: int
) -> None:
    """Also when the task fails: then it is needed most."""
    from s3_server import S3Server

    from airflow_provider_ringevents.transfers.object_storage_to_magic_links import (
        RingEventsObjectStorageToMagicLinksOperator,
    )

    write_csv(tmp_path / "guests.csv", guests(3))
    if refused:
        emulator.fault("status", status=422, times=refused, **POST)
    store = f"links_s3_{refused}"  # Filesystems are cached by their connection.
    with S3Server(tmp_path) as server:
        server.make_bucket("crm")

        def task() -> Any:
            return RingEventsObjectStorageToMagicLinksOperator(
                task_id="invite",
                ticket_id=ticket.id,
                source=f"file://{tmp_path}/guests.csv",
                results=f"s3://{store}@crm/out/links.csv",
            )

        connections = {"ringevents_default": emulator.connection_json(), store: server.airflow_connection()}
        result = Run(task, connections=connections).to_end()
    assert result.state == ("failed" if refused else "success")
    assert result.links["Exported object"].endswith("/s3/object/crm?prefix=out/links.csv")
