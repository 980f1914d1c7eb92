"""What exports tell OpenLineage: by the real provider, through its file transport."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Asset, BaseOperator
from airflow_harness import Result, Run
from airflow_harness.lineage import LineageBook, recorded_lineage
from airflow_harness.versions import HAS_TASK_SDK

import airflow_provider_ringevents

pytest.importorskip("airflow.providers.openlineage", reason="needs the OpenLineage provider")

PACKAGE = Path(airflow_provider_ringevents.__file__).parent
Dataset = tuple[str, str]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[LineageBook]:
    (tmp_path / "lineage").mkdir()
    with recorded_lineage(tmp_path / "lineage") as book:
        yield book


def datasets(event: dict[str, Any], side: str) -> list[Dataset]:
    return [(each["namespace"], each["name"]) for each in event[side]]


def statistics(event: dict[str, Any]) -> list[dict[str, int]]:
    """Of each output what is said of its size."""
    facets = [each["outputFacets"]["outputStatistics"] for each in event["outputs"]]
    return [{name: value for name, value in facet.items() if not name.startswith("_")} for facet in facets]


def last(book: LineageBook, kind: str) -> dict[str, Any]:
    """The event that ends the task, after those that begin its sessions."""
    *begun, end = book.events
    assert [event["eventType"] for event in begun] == len(begun) * ["START"]
    assert len(begun) >= 1
    assert not any(event["inputs"] or event["outputs"] for event in begun)
    assert end["eventType"] == kind
    return end


def here(emulator: Any) -> str:
    return f"ringevents://{emulator.url.removeprefix('http://')}"


@pytest.fixture
def lists(emulator: Any, tmp_path: Path, quick: None) -> Callable[..., Result]:
    """Export lists to the end."""

    def run(**arguments: Any) -> Result:
        def task() -> Any:
            from airflow_provider_ringevents.transfers.collection_to_object_storage import (
                RingEventsCollectionToObjectStorageOperator,
            )

            destination = f"file://{tmp_path}/{{parent_id}}.jsonl"
            return RingEventsCollectionToObjectStorageOperator(
                **{"task_id": "export", "collection": "registrations", "destination": destination, **arguments}
            )

        return Run(task, connections={"ringevents_default": emulator.connection_json()}).to_end()

    return run


@pytest.mark.parametrize("version", [None, "2"])
def test_a_report_is_read_and_a_file_written_in_both_modes(
    export: Callable[..., Run], emulator: Any, told: LineageBook, tmp_path: Path, version: str | None
) -> None:
    result = export(report_version=version).to_end()

    assert result.state == "success"
    event = last(told, "COMPLETE")
    path = f"events/{emulator.event_id}/reports/registrations{'/2' if version else ''}"
    assert datasets(event, "inputs") == [(here(emulator), path)]
    assert datasets(event, "outputs") == [("file", f"{tmp_path}/out/report.csv")]
    assert statistics(event) == [{"size": result.xcom["bytes"], "rowCount": 40, "fileCount": 1}]


def test_a_report_that_was_there_is_read_by_its_id(
    export: Callable[..., Run], emulator: Any, told: LineageBook, tmp_path: Path
) -> None:
    from airflow_provider_ringevents.transfers.report_to_object_storage import RingEventsDownloadReportOperator

    report = export().to_end().xcom["report_id"]

    def task() -> Any:
        return RingEventsDownloadReportOperator(task_id="get", report_id=report, destination=f"file://{tmp_path}/in/")

    connections = {"ringevents_default": emulator.connection_json()}
    result = Run(task, connections=connections).to_end()
    event = told.events[-1]
    assert datasets(event, "inputs") == [(here(emulator), f"reports/{report}")]
    assert datasets(event, "outputs") == [("file", result.xcom["uri"].removeprefix("file://"))]


def test_a_list_is_counted(lists: Callable[..., Result], emulator: Any, told: LineageBook, tmp_path: Path) -> None:
    result = lists(parent_id=emulator.event_id)

    event = last(told, "COMPLETE")
    assert datasets(event, "inputs") == [(here(emulator), f"events/{emulator.event_id}/registrations")]
    assert datasets(event, "outputs") == [("file", f"{tmp_path}/{emulator.event_id}.jsonl")]
    assert statistics(event) == [{"rowCount": 40, "size": result.xcom["bytes"], "fileCount": 1}]


def test_each_of_several_lists_is_told_but_for_those_that_were_there(
    lists: Callable[..., Result], emulator: Any, told: LineageBook, tmp_path: Path
) -> None:
    there, *others = [*emulator.state.events][:3]
    (tmp_path / f"{there}.jsonl").write_text("kept")
    lists(parent_ids=[there, *others], if_exists="skip")

    event = last(told, "COMPLETE")
    assert datasets(event, "inputs") == [(here(emulator), f"events/{each}/registrations") for each in others]
    assert datasets(event, "outputs") == [("file", f"{tmp_path}/{each}.jsonl") for each in others]


def test_what_was_there_already_was_neither_read_nor_written(
    export: Callable[..., Run], told: LineageBook, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.csv").write_text("kept")
    assert export(if_exists="skip").to_end().xcom["skipped"]

    event = last(told, "COMPLETE")
    assert event["inputs"] == event["outputs"] == []


def test_a_task_that_fails_tells_what_it_had_published(
    lists: Callable[..., Result], emulator: Any, told: LineageBook, tmp_path: Path
) -> None:
    assert lists(parent_ids=[emulator.event_id, "nobody-knows"]).state == "failed"

    event = last(told, "FAIL")
    assert datasets(event, "inputs") == [(here(emulator), f"events/{emulator.event_id}/registrations")]
    assert datasets(event, "outputs") == [("file", f"{tmp_path}/{emulator.event_id}.jsonl")]


def test_an_object_in_s3_has_its_bucket_for_a_namespace(
    export: Callable[..., Run], told: LineageBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was published is in the manifest; that it can be is shown elsewhere, with a server."""
    from airflow_provider_ringevents.transfers import _report_export

    def published(*_args: Any, **_kwargs: Any) -> dict[str, Any]:
        return {"uri": "s3://exports/2026/report.csv", "bytes": 7, "sha256": "x", "verified": True}

    monkeypatch.setattr(_report_export, "upload_report", published)
    assert export().to_end().state == "success"
    assert datasets(last(told, "COMPLETE"), "outputs") == [("s3://exports", "2026/report.csv")]


class Says(BaseOperator):
    """Says nothing of its own, so that OpenLineage looks at what is declared."""

    def execute(self, context: Any) -> None:
        return None


def test_an_asset_of_the_api_is_the_dataset_that_an_export_reads(
    lists: Callable[..., Result], emulator: Any, told: LineageBook
) -> None:
    from airflow.providers.openlineage.extractors.manager import ExtractorManager

    uri = f"{here(emulator)}/events/{emulator.event_id}/registrations"
    declared = Asset(uri=uri) if HAS_TASK_SDK else Asset(uri)
    if ExtractorManager.convert_to_ol_dataset(declared) is None:
        pytest.skip("this version of the OpenLineage provider does not look at declared assets")
    Run(lambda: Says(task_id="says", inlets=[declared], outlets=[declared])).to_end()
    lists(parent_id=emulator.event_id)

    said, read = [event for event in told.events if event["eventType"] == "COMPLETE"]
    assert datasets(said, "inputs") == datasets(said, "outputs") == datasets(read, "inputs")


def imported_at_once(file: Path) -> set[str]:
    """What a module imports when it is imported itself."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}


def test_nothing_of_openlineage_is_imported_with_the_operators() -> None:
    files = [*PACKAGE.rglob("*.py")]
    assert len(files) > 100
    assert not [one for file in files for one in imported_at_once(file) if "openlineage" in one]


@pytest.mark.parametrize("refused", [0, 3])
def test_a_load_reads_a_file_and_writes_a_list_and_the_results(
    emulator: Any, told: LineageBook, tmp_path: Path, quick: None, refused: int
) -> None:
    from airflow_provider_ringevents.transfers.object_storage_to_magic_links import (
        RingEventsObjectStorageToMagicLinksOperator,
    )

    event = next(event for event in emulator.state.events.values() if event.name == "Unfinished Draft")
    ticket = emulator.state.create_ticket(event, {"name": "VIP"})
    people = "".join(f"guest{number}@people.example,Given,Family\n" for number in range(10))
    (tmp_path / "guests.csv").write_text(f"email,firstName,lastName\n{people}")
    if refused:
        emulator.fault("status", status=422, times=refused, method="POST")

    def task() -> Any:
        return RingEventsObjectStorageToMagicLinksOperator(
            task_id="invite",
            ticket_id=ticket.id,
            source=f"file://{tmp_path}/guests.csv",
            results=f"file://{tmp_path}/results.csv",
        )

    result = Run(task, connections={"ringevents_default": emulator.connection_json()}).to_end()
    assert result.state == ("failed" if refused else "success")
    ended = last(told, "FAIL" if refused else "COMPLETE")
    assert datasets(ended, "inputs") == [("file", f"{tmp_path}/guests.csv")]
    path = f"tickets/{ticket.id}/magicLinks"
    assert datasets(ended, "outputs") == [(here(emulator), path), ("file", f"{tmp_path}/results.csv")]
    created, results = statistics(ended)
    assert created["rowCount"] == 10 - refused
    assert results == {"rowCount": 10, "size": (tmp_path / "results.csv").stat().st_size, "fileCount": 1}
