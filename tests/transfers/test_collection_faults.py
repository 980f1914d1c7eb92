"""A list that changes while it is read, a service that fails, a disk that fills up: each row once, or nothing."""

from __future__ import annotations

import hashlib
import json
import logging
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run
from outcomes import run_of
from s3_server import S3Server

from airflow_provider_ringevents.transfers.collection_to_object_storage import (
    RingEventsCollectionToObjectStorageOperator,
)

Export = Callable[..., Run]


@pytest.fixture
def emulator() -> Iterator[Any]:
    """An event with six pages of registrations."""
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1, registrations=60, max_per_page=10) as running:
        yield running


@pytest.fixture
def export(emulator: Any, tmp_path: Path, quick: None) -> Export:
    def make(**arguments: Any) -> Run:
        given = {
            "task_id": "export",
            "collection": "registrations",
            "parent_id": emulator.event_id,
            "destination": f"file://{tmp_path}/rows.jsonl",
            **arguments,
        }
        return run_of(RingEventsCollectionToObjectStorageOperator, emulator, **given)

    return make


@pytest.fixture
def before(tmp_path: Path) -> Callable[[], bool]:
    """Put an object at the destination; whether it is all that is there."""
    there = tmp_path / "rows.jsonl"
    there.write_bytes(b"yesterday's")
    return lambda: list(tmp_path.iterdir()) == [there] and there.read_bytes() == b"yesterday's"


def ids(tmp_path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]


def everybody(emulator: Any) -> list[str]:
    from airflow_provider_ringevents.client import Client, endpoints

    with Client(emulator.url, emulator.api_key) as client:
        return [row["id"] for row in client.items(endpoints.list_registrations(emulator.event_id))]


# --- a list that changes


@pytest.mark.parametrize("concurrency", [1, 4])
def test_rows_that_move_onto_the_next_page_are_written_once(
    export: Export, emulator: Any, tmp_path: Path, concurrency: int
) -> None:
    emulator.state.settings.registrations_order = "newest_first"
    there = everybody(emulator)
    emulator.fault("registrations_added", path="/registrations$", query=r"\bpage=1\b", value=3)
    result = export(concurrency=concurrency).to_end()

    assert result.state == "success"
    written = ids(tmp_path)
    assert len(written) == len(set(written))
    assert set(there) <= set(written)
    assert result.xcom["duplicates_dropped"] == 3
    assert set(written) == set(everybody(emulator))
    assert (result.xcom["rows"], result.xcom["count"], result.xcom["readings"]) == (63, 63, 2)
    assert "the list changed while it was read" in result.log_text


def test_rows_that_slip_when_others_are_deleted_are_found_by_a_second_reading(
    export: Export, emulator: Any, tmp_path: Path
) -> None:
    emulator.fault("registrations_cancelled", path="/registrations$", query=r"\bpage=1\b", value=2)
    result = export().to_end()

    assert result.state == "success"
    written = ids(tmp_path)
    assert len(written) == len(set(written)) == 60
    assert set(everybody(emulator)) <= set(written)
    assert (result.xcom["count"], result.xcom["readings"], result.xcom["complete"]) == (58, 2, True)


@pytest.mark.parametrize("change", ["registrations_added", "registrations_cancelled"])
def test_strict_publishes_nothing_of_a_list_that_changed_and_all_of_it_on_the_retry(
    export: Export, emulator: Any, tmp_path: Path, before: Callable[[], bool], change: Any
) -> None:
    emulator.fault(change, path="/registrations$", query=r"\bpage=1\b", times=None)
    run = export(strict=True, retries=1)
    first = run.attempt()
    emulator.faults.clear()

    assert first.state == "up_for_retry"
    assert "strict: list_registrations changed while it was read" in str(first.exception)
    assert before()
    assert run.to_end().state == "success"
    assert ids(tmp_path) == everybody(emulator)


def test_a_count_that_is_too_small_loses_no_row(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.fault("wrong_count", times=None, value=10)
    result = export().to_end()

    assert result.state == "success"
    assert ids(tmp_path) == everybody(emulator)
    assert result.xcom["count_stable"] is False


def test_a_count_that_is_never_reached_publishes_nothing_or_says_so(
    export: Export, emulator: Any, tmp_path: Path, before: Callable[[], bool]
) -> None:
    emulator.fault("wrong_count", times=None, value=100)
    failed = export(retries=1).attempt()
    assert failed.state == "up_for_retry"
    assert "40 rows are missing" in str(failed.exception)
    assert before()

    result = export(on_incomplete="warn").to_end()
    assert result.state == "success"
    assert (result.xcom["complete"], result.xcom["readings"]) == (False, 3)
    emulator.faults.clear()
    assert ids(tmp_path) == everybody(emulator)
    assert "40 rows are missing" in result.log_text


def test_without_a_count_links_are_followed(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.fault("missing_count", times=None)
    result = export().to_end()

    assert ids(tmp_path) == everybody(emulator)
    assert (result.xcom["rows"], result.xcom["count"], result.xcom["count_stable"]) == (60, None, None)
    strict = export(strict=True).to_end()
    assert strict.state == "failed"
    assert "strict: the service gave no meta.count" in str(strict.exception)


def test_links_that_go_round_publish_nothing(export: Export, emulator: Any, before: Callable[[], bool]) -> None:
    emulator.fault("next_loop", times=None, query=r"\bpage=3\b")
    emulator.fault("missing_count", times=None)
    result = export().to_end()
    assert result.state == "failed"
    assert before()


# --- a service that fails


def test_a_page_that_fails_three_times_and_then_works(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.fault("status", status=503, path="/registrations$", query=r"\bpage=3\b", times=3)
    result = export().to_end()

    assert (result.state, result.tries) == ("success", 1)
    assert ids(tmp_path) == everybody(emulator)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "reset"},
        {"kind": "html"},
        {"kind": "truncated_json"},
        {"kind": "cut_body", "after": 100},
    ],
    ids=lambda fault: fault["kind"],
)
def test_a_page_that_never_works_publishes_nothing_and_is_named(
    export: Export, emulator: Any, before: Callable[[], bool], fault: dict[str, Any]
) -> None:
    emulator.fault(path="/registrations$", query=r"\bpage=4\b", times=None, **fault)
    result = export().to_end()

    assert result.state == "failed"
    assert "page 4" in str(result.exception)
    assert before()


def test_a_key_that_is_refused_in_the_middle(export: Export, emulator: Any, before: Callable[[], bool]) -> None:
    emulator.fault("status", status=401, query=r"\bpage=3\b", times=None)
    result = export(retries=2).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    assert "401" in str(result.exception)
    assert before()
    assert emulator.api_key not in result.log_text


def test_a_storm_of_429_slows_the_list_down_and_loses_nothing(export: Export, emulator: Any, tmp_path: Path) -> None:
    emulator.fault("status", status=429, headers={"Retry-After": "0"}, query=r"\bpage=[2-5]\b", times=4)
    result = export(concurrency=4).to_end()

    assert result.state == "success"
    assert ids(tmp_path) == everybody(emulator)


# --- a store that fails


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process grows beyond ``size`` bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_leaves_what_was_there(emulator: Any, tmp_path: Path, before: Callable[[], bool]) -> None:
    from airflow_provider_ringevents.client import Client
    from airflow_provider_ringevents.client.errors import RingEventsTransferError
    from airflow_provider_ringevents.exports.catalog import COLLECTIONS
    from airflow_provider_ringevents.exports.formats.file_format import FileFormat
    from airflow_provider_ringevents.storage import Destination
    from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection

    export = CollectionExport(COLLECTIONS["registrations"], FileFormat("jsonl"))
    destination = Destination.resolve(f"{tmp_path}/rows.jsonl")
    with (
        Client(emulator.url, emulator.api_key) as client,
        small_files(20_000),
        pytest.raises(RingEventsTransferError, match="Nothing was published"),
    ):
        upload_collection(client, export, emulator.event_id, destination)
    assert before()


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3Server, Path]]:
    for name in ("aiobotocore", "botocore", "s3fs", "urllib3", "fsspec", "asyncio"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.WARNING)
        logging.getLogger(name)._cache.clear()
    with S3Server(tmp_path / "s3") as server:
        name = f"lists_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(server.airflow_connection()))
        yield server, server.make_bucket(name.replace("_", "-"))


def test_on_s3_the_object_is_the_old_one_until_the_new_one_is_whole(
    export: Export, emulator: Any, s3: tuple[S3Server, Path]
) -> None:
    server, bucket = s3
    uri = f"s3://{bucket.name.replace('-', '_')}@{bucket.name}/rows.jsonl"
    (bucket / "rows.jsonl").write_bytes(b"yesterday's")
    emulator.fault("status", status=500, query=r"\bpage=6\b", times=None)

    assert export(destination=uri).to_end().state == "failed"
    assert [path.read_bytes() for path in bucket.rglob("*")] == [b"yesterday's"]
    assert server.open_uploads(bucket.name) == []
    emulator.faults.clear()
    result = export(destination=uri).to_end()
    assert result.state == "success"
    assert result.xcom["uri"] == f"s3://{bucket.name}/rows.jsonl"
    content = (bucket / "rows.jsonl").read_bytes()
    assert result.xcom["sha256"] == hashlib.sha256(content).hexdigest()
    assert content.count(b"\n") == 60
