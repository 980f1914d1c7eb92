"""Which part of a list a run exports, and what it tells afterwards."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from airflow_harness import Run
from airflow_harness.versions import HAS_STATE_STORE, HAS_TASK_SDK
from outcomes import succeeded

from airflow_provider_ringevents import _compat, clock
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsTransferError
from airflow_provider_ringevents.exports.window import data_interval_window, parse_window
from airflow_provider_ringevents.state.export_watermark import RUNS_KEPT, ExportWatermark

Export = Callable[..., Run]
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@pytest.fixture
def export(emulator: Any, tmp_path: Path, quick: None) -> Export:
    """Make a run of the operator over a window; arguments win over the test's defaults."""

    def make(*, run: dict[str, Any] | None = None, outlets: Callable[[], list[Any]] = list, **arguments: Any) -> Run:
        def task() -> Any:
            from airflow_provider_ringevents.transfers.collection_to_object_storage import (
                RingEventsCollectionToObjectStorageOperator,
            )

            given = {
                "task_id": "export",
                "collection": "registrations",
                "parent_id": emulator.event_id,
                "destination": f"file://{tmp_path}/rows.jsonl",
                "window_field": "createdAt",
                **arguments,
            }
            return RingEventsCollectionToObjectStorageOperator(outlets=outlets(), **given)

        return Run(task, connections={"ringevents_default": emulator.connection_json()}, **(run or {}))

    return make


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()]


def created(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["createdAt"])


def query(emulator: Any) -> dict[str, str]:
    return dict(parse_qsl(emulator.requests.entries[-1].query))


def asset(uri: str = "s3://lake/registrations") -> Any:
    from airflow.providers.common.compat.sdk import Asset

    return Asset(uri=uri)


# --- windows


def test_the_start_belongs_to_a_window_and_the_end_to_the_next(export: Export, tmp_path: Path) -> None:
    export(window=YEAR).to_end()
    everything = rows(tmp_path)
    assert len(everything) == 40
    moments = sorted({created(row) for row in everything})
    middle = moments[len(moments) // 2]

    export(window=(YEAR[0].isoformat(), middle.isoformat())).to_end()
    before = rows(tmp_path)
    export(window=(middle, YEAR[1])).to_end()
    after = rows(tmp_path)
    assert {row["id"] for row in before} | {row["id"] for row in after} == {row["id"] for row in everything}
    assert len(before) + len(after) == len(everything)
    assert max(map(created, before)) < middle == min(map(created, after))


def test_the_data_interval_is_the_window_where_none_is_given(export: Export, tmp_path: Path, emulator: Any) -> None:
    result = export(run={"data_interval": YEAR}).to_end()

    assert result.state == "success"
    assert result.xcom["window"] == {
        "field": "createdAt",
        "from": "2026-01-01T00:00:00Z",
        "to": "2027-01-01T00:00:00Z",
    }
    assert len(rows(tmp_path)) == 40
    asked = query(emulator)
    assert asked["filter[createdAt][gte]"] == "2026-01-01T00:00:00Z"
    assert asked["filter[createdAt][lt]"] == "2027-01-01T00:00:00Z"


EMPTY = [YEAR[0], YEAR[0]]


@pytest.mark.parametrize(
    "interval",
    [
        EMPTY,
        pytest.param(None, marks=pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 gives every run an interval")),
    ],
    ids=["empty", "missing"],
)
def test_a_run_without_an_interval_fails_and_names_the_timetables(
    export: Export, tmp_path: Path, emulator: Any, interval: Any
) -> None:
    result = export(run={"data_interval": interval, "retries": 1}).to_end()

    assert (result.state, result.tries) == ("failed", 1)
    said = str(result.exception)
    assert re.search(
        r"`window` must be given, since (the data interval of this run is empty|this run has no data interval)", said
    )
    assert "CronDataIntervalTimetable" in said
    assert "create_cron_data_intervals" in said
    assert not emulator.requests.entries
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_windows_conditions_come_besides_the_filters(export: Export, emulator: Any) -> None:
    export(window=YEAR, filter={"refunded": {"eq": False}}).to_end()
    assert set(query(emulator)) >= {
        "filter[refunded][eq]",
        "filter[createdAt][gte]",
        "filter[createdAt][lt]",
    }


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("2026-01-01", "`window` must be a pair of start and end"),
        ((1, 2, 3), "`window` must be a pair of start and end"),
        (("2026-01-01T00:00:00", "2026-01-02T00:00:00Z"), "`window start` must be a time with an offset"),
        (
            ("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"),
            "`window` must be a start before its end, got .*2026-01-02.*2026-01-01",
        ),
    ],
)
def test_a_window_that_cannot_be(window: Any, message: str) -> None:
    with pytest.raises(RingEventsConfigError, match=message):
        parse_window("updatedAt", window)


def test_an_interval_is_read_in_its_own_offset() -> None:
    start, end = datetime.fromisoformat("2026-01-01T00:00:00+02:00"), datetime.fromisoformat("2026-01-01T01:00:00Z")
    window = data_interval_window("updatedAt", {"data_interval_start": start, "data_interval_end": end})
    assert str(window) == "updatedAt from 2025-12-31T22:00:00Z to before 2026-01-01T01:00:00Z"


# --- watermark


needs_store = pytest.mark.skipif(not HAS_STATE_STORE, reason="assets have a state on Airflow 3.3 and later")


class _Store(dict[str, Any]):
    def set(self, key: str, value: Any) -> None:
        self[key] = json.loads(json.dumps(value))

    def delete(self, key: str) -> None:
        del self[key]


def mark(store: _Store, run: str = "r1", request: str = "request", due: datetime | None = None) -> ExportWatermark:
    return ExportWatermark(store, request, run, due, 60.0)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says: the only item."""
    time = [datetime(2026, 5, 1, tzinfo=UTC).timestamp()]
    monkeypatch.setattr(clock, "now", lambda: time[0])
    return time


def test_windows_under_a_watermark_follow_each_other_without_a_gap(now: list[float]) -> None:
    store = _Store()
    first = mark(store).next_window("updatedAt")
    assert str(first) == "updatedAt from the beginning to before 2026-04-30T23:59:00Z"
    assert "gte" not in first.merge_into(None)["updatedAt"]
    mark(store).advance(first)
    now[0] += 3600.5
    second = mark(store, "r2").next_window("updatedAt")
    assert (second.start, second.end) == (first.end, first.end + timedelta(seconds=3600))  # whole seconds


def test_a_run_that_is_repeated_gets_its_own_window_and_moves_nothing(now: list[float]) -> None:
    store = _Store()
    windows = {}
    for run in ("r1", "r2", "r3"):
        windows[run] = mark(store, run).next_window("updatedAt")
        mark(store, run).advance(windows[run])
        now[0] += 100
    for run, window in windows.items():
        assert mark(store, run).next_window("updatedAt") == window
        mark(store, run).advance(window)
    assert mark(store, "r4").next_window("updatedAt").start == windows["r3"].end


def test_runs_at_the_same_time_leave_no_gap(now: list[float]) -> None:
    store = _Store()
    early = mark(store, "r1").next_window("updatedAt")
    now[0] += 100
    late = mark(store, "r2").next_window("updatedAt")
    mark(store, "r2").advance(late)
    mark(store, "r1").advance(early)
    now[0] += 100
    assert mark(store, "r3").next_window("updatedAt").start == late.end


def test_a_run_so_old_that_its_window_is_forgotten_is_refused(now: list[float]) -> None:
    store = _Store()
    due = {}
    for number in range(RUNS_KEPT + 2):
        run = f"r{number}"
        due[run] = datetime.fromtimestamp(now[0], UTC)
        mark(store, run, due=due[run]).advance(mark(store, run, due=due[run]).next_window("updatedAt"))
        now[0] += 100
    assert len(json.dumps(store)) < 16_000
    with pytest.raises(RingEventsConfigError, match=r"`watermark` .*got 'a run of 2026-05-01T00:00:00Z'.*Start a new"):
        mark(store, "r0", due=due["r0"]).next_window("updatedAt")
    assert mark(store, "r5", due=due["r5"]).next_window("updatedAt").start is not None
    assert mark(store, "new", due=datetime.fromtimestamp(now[0], UTC)).next_window("updatedAt")


def test_each_request_has_a_place_of_its_own(now: list[float]) -> None:
    store = _Store()
    mark(store).advance(mark(store).next_window("updatedAt"))
    assert mark(store, "r2", "another").next_window("updatedAt").start is None
    mark(store, "r2", "another").advance(mark(store, "r2", "another").next_window("updatedAt"))
    now[0] += 100
    assert mark(store, "r3").next_window("updatedAt").start is not None


@pytest.mark.parametrize("kept", ["2026", 7, {"to": "x", "runs": {}}, {"to": "2026-01-01T00:00:00Z"}, []])
def test_a_watermark_that_cannot_be_read_begins_anew(kept: Any, now: list[float]) -> None:
    store = _Store()
    mark(store).advance(mark(store).next_window("updatedAt"))
    store[next(iter(store))] = kept
    assert mark(store, "r2").next_window("updatedAt").start is None


def test_a_clock_that_went_back_is_an_error_that_a_retry_may_mend(now: list[float]) -> None:
    store = _Store()
    mark(store).advance(mark(store).next_window("updatedAt"))
    now[0] -= 100
    with pytest.raises(RingEventsTransferError, match=r"watermark: .*60 s before now.*clock") as caught:
        mark(store, "r2").next_window("updatedAt")
    assert caught.value.retryable


@needs_store
def test_each_run_exports_what_came_since_the_last(export: Export, emulator: Any, tmp_path: Path) -> None:
    store: dict[tuple[str, str], Any] = {}

    def of(run_id: str) -> Run:
        run = {"asset_store": store, "run_id": run_id}
        return export(watermark=True, watermark_delay=0.001, outlets=lambda: [asset()], run=run)

    first = of("r1").to_end()
    assert first.xcom["window"]["from"] is None
    there = first.xcom["rows"]
    assert there == sum(created(row) < datetime.now(UTC) for row in rows(tmp_path)) > 0

    emulator.state.add_registrations(emulator.event_id, 2)
    time.sleep(1.01)  # A window ends at a whole second.
    second = of("r2").to_end()
    assert second.xcom["window"]["from"] == first.xcom["window"]["to"]
    assert second.xcom["rows"] == 2

    again = of("r1").to_end()
    assert (again.xcom["window"], again.xcom["rows"]) == (first.xcom["window"], there)
    time.sleep(1.01)
    assert of("r3").to_end().xcom["window"]["from"] == second.xcom["window"]["to"]


@needs_store
def test_a_retry_after_the_place_has_moved_writes_the_same_file_again(
    export: Export, emulator: Any, tmp_path: Path
) -> None:
    store: dict[tuple[str, str], Any] = {}
    run = export(watermark=True, outlets=lambda: [asset()], run={"asset_store": store, "retries": 1})
    first = run.attempt()
    written = (tmp_path / "rows.jsonl").read_bytes()
    assert first.xcom["rows"] > 0
    run.clear()
    assert run.to_end().xcom["window"] == first.xcom["window"]
    assert (tmp_path / "rows.jsonl").read_bytes() == written


@needs_store
def test_parents_that_come_from_a_task_have_places_of_their_own(export: Export, emulator: Any, tmp_path: Path) -> None:
    class Lazy(Sequence[str]):
        """Shows nothing of itself, as what a mapped task has returned."""

        def __init__(self, *ids: str) -> None:
            self._ids = ids

        def __len__(self) -> int:
            return len(self._ids)

        def __getitem__(self, index: Any) -> Any:
            return self._ids[index]

        def __repr__(self) -> str:
            return "Lazy()"

    from airflow_provider_ringevents.client import Client, endpoints

    with Client(emulator.url, emulator.api_key) as client:
        events = [event["id"] for event in client.items(endpoints.list_events(emulator.organization_id))][:2]
    store: dict[tuple[str, str], Any] = {}
    for number, event in enumerate(events):
        result = export(
            watermark=True,
            parent_id=None,
            parent_ids=Lazy(event),
            destination=f"file://{tmp_path}/{{parent_id}}.jsonl",
            outlets=lambda: [asset()],
            run={"asset_store": store, "run_id": f"r{number}"},
        ).to_end()
        assert result.xcom[0]["window"]["from"] is None
    assert len(store) == 2


@needs_store
@pytest.mark.parametrize(
    ("mapped", "watermarks"),
    [
        ({"destination": 2}, 2),
        ({"destination": 2, "parent_id": 2}, 4),
        ({"format": ["jsonl", "jsonl"]}, 2),
        ({"parent_id": 2}, 2),
        ([{"destination": 0}, {"destination": 1}], 2),
    ],
    ids=["destination", "destination and parent", "format", "parent", "expand_kwargs"],
)
def test_instances_of_a_mapped_task_share_no_watermark(
    emulator: Any, tmp_path: Path, quick: None, mapped: Any, watermarks: int
) -> None:
    events = list(emulator.state.events)[:2]
    places = [f"file://{tmp_path}/{number}.jsonl" for number in range(2)]
    chosen: Any
    if isinstance(mapped, list):
        chosen = [{"destination": places[each["destination"]]} for each in mapped]
    else:
        values = {"destination": places, "parent_id": events}
        chosen = {name: values.get(name, value) for name, value in mapped.items()}

    def task() -> Any:
        from airflow_provider_ringevents.transfers.collection_to_object_storage import (
            RingEventsCollectionToObjectStorageOperator,
        )

        partial = RingEventsCollectionToObjectStorageOperator.partial(
            task_id="export",
            collection="registrations",
            window_field="createdAt",
            watermark=True,
            outlets=[asset()],
            **(
                {}
                if "destination" in str(mapped)
                else {"destination": f"file://{tmp_path}/{{{{ ti.map_index }}}}.jsonl"}
            ),
            **({} if "parent_id" in mapped else {"parent_id": events[0]}),
        )
        return partial.expand_kwargs(chosen) if isinstance(chosen, list) else partial.expand(**chosen)

    store: dict[tuple[str, str], Any] = {}
    for index in range(watermarks):
        run = Run(
            task,
            connections={"ringevents_default": emulator.connection_json()},
            map_index=index,
            asset_store=store,
        )
        assert succeeded(run.to_end())["window"]["from"] is None
    assert len(store) == watermarks


@needs_store
def test_a_watermark_of_a_parent_does_not_depend_on_the_order_of_the_mapped_parents(
    emulator: Any, tmp_path: Path, quick: None
) -> None:
    events = list(emulator.state.events)[:2]
    order = list(events)

    def task() -> Any:
        from airflow_provider_ringevents.transfers.collection_to_object_storage import (
            RingEventsCollectionToObjectStorageOperator,
        )

        return RingEventsCollectionToObjectStorageOperator.partial(
            task_id="export",
            collection="registrations",
            window_field="createdAt",
            watermark=True,
            watermark_delay=0.001,
            outlets=[asset()],
            destination=f"file://{tmp_path}/{{{{ task.parent_id }}}}.jsonl",
        ).expand(parent_id=order)

    store: dict[tuple[str, str], Any] = {}

    def begins(index: int, run_id: str) -> Any:
        connections = {"ringevents_default": emulator.connection_json()}
        run = Run(task, connections=connections, map_index=index, asset_store=store, run_id=run_id)
        return succeeded(run.to_end())["window"]["from"]

    assert begins(0, "r1") is None
    order.reverse()
    time.sleep(1.01)  # A window ends at a whole second.
    assert begins(1, "r2") is not None


@needs_store
def test_the_place_moves_only_after_publishing(export: Export, emulator: Any, tmp_path: Path) -> None:
    store: dict[tuple[str, str], Any] = {}
    arguments = {"watermark": True, "outlets": lambda: [asset()], "run": {"asset_store": store}}
    emulator.fault("status", path="/registrations$", status=400, times=None)

    assert export(**arguments).to_end().state == "failed"
    assert store == {}
    emulator.faults.clear()
    assert export(**arguments).to_end().state == "success"
    assert len(store) == 1


BAD_WATERMARKS = {
    "no outlet": ({"outlets": list}, r"`outlets` must be exactly one asset with `watermark`.*, got \[\]"),
    "two outlets": ({"outlets": lambda: [asset(), asset("s3://lake/other")]}, r"`outlets` must be exactly one asset"),
    "with a window": ({"window": YEAR}, r"`window` must be left out with `watermark`"),
    "leaving objects out": (
        {"if_exists": "skip"},
        r"`if_exists` must be 'overwrite' or 'fail' with `watermark`, got 'skip'",
    ),
    "without a field": ({"window_field": None}, r"`window_field` must be given with `watermark`"),
}


@needs_store
@pytest.mark.parametrize(("arguments", "message"), BAD_WATERMARKS.values(), ids=BAD_WATERMARKS)
def test_a_watermark_without_a_place_is_refused_at_parse(
    export: Export, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        export(**{"watermark": True, "outlets": lambda: [asset()], **arguments}).to_end()


def test_without_asset_states_a_watermark_is_refused_in_words(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compat, "AIRFLOW_V_3_3_PLUS", False)
    with pytest.raises(ValueError, match=r"`watermark` must be False before Airflow 3\.3.*data intervals"):
        export(watermark=True, outlets=lambda: [asset()]).to_end()


# --- outlets


def test_outlets_are_told_sizes_and_the_window_and_no_row(export: Export, emulator: Any, tmp_path: Path) -> None:
    result = export(window=YEAR, outlets=lambda: [asset()]).to_end()

    assert [event["uri"] for event in result.outlet_events] == ["s3://lake/registrations"]
    assert result.outlet_events[0]["extra"] == {
        "uri": f"file://{tmp_path}/rows.jsonl",
        "rows": 40,
        "bytes": result.xcom["bytes"],
        "window_field": "createdAt",
        "window_from": "2026-01-01T00:00:00Z",
        "window_to": "2027-01-01T00:00:00Z",
    }


def test_an_alias_gets_an_asset_for_each_object_without_the_connection(
    export: Export, emulator: Any, tmp_path: Path
) -> None:
    from airflow.providers.common.compat.sdk import AssetAlias

    result = export(
        parent_id=None,
        parent_ids=[emulator.event_id],
        window=YEAR,
        destination=f"file://{tmp_path}/{{parent_id}}.jsonl",
        outlets=lambda: [AssetAlias("exports")],
    ).to_end()

    assert [event["uri"] for event in result.outlet_events] == [f"file://{tmp_path}/{emulator.event_id}.jsonl"]
    assert result.outlet_events[0]["extra"]["rows"] == 40


def test_the_event_of_an_asset_has_the_partition_where_airflow_knows_them(export: Export) -> None:
    result = export(window=YEAR, outlets=lambda: [asset()], partition_key="{{ '2026' }}").to_end()

    assert result.state == "success"
    assert result.outlet_events[0]["extra"]["rows"] == 40
    if HAS_STATE_STORE:  # both came with Airflow 3.3
        assert [event["partition_key"] for event in result.outlet_events] == ["2026"]
    else:
        assert "partition_key is left out" in result.log_text


BAD_PARTITIONS = {
    "no asset": ({"outlets": list}, r"`partition_key` must be left out without an asset in `outlets`, got '2026'"),
    "a number": ({"partition_key": 20260101}, r"`partition_key` must be a text of 1 to 250 characters, got 20260101"),
    "nothing": ({"partition_key": " "}, r"`partition_key` must be a text of 1 to 250 characters"),
    "too long": ({"partition_key": 251 * "x"}, r"`partition_key` must be a text of 1 to 250 characters"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD_PARTITIONS.values(), ids=BAD_PARTITIONS)
def test_a_partition_that_airflow_would_not_take_is_refused_at_parse(
    export: Export, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        export(**{"partition_key": "2026", "outlets": lambda: [asset()], **arguments}).to_end()


REFERENCES = {"by name": {"name": "lake"}, "by URI": {"uri": "s3://lake/registrations"}}


@pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 has no references to assets")
@pytest.mark.parametrize("reference", REFERENCES.values(), ids=REFERENCES)
def test_a_reference_to_an_asset_is_told_as_the_asset(export: Export, reference: dict[str, str]) -> None:
    from airflow.sdk import Asset

    known = {"assets": {"lake": "s3://lake/registrations"}}
    result = export(window=YEAR, outlets=lambda: [Asset.ref(**reference)], run=known).to_end()

    (told,) = result.outlet_events
    assert (told["name"], told["uri"]) == ("lake", "s3://lake/registrations")
    assert told["extra"]["rows"] == 40


@pytest.mark.skipif(not HAS_TASK_SDK, reason="Airflow 2 has no references to assets")
def test_a_reference_to_no_asset_is_said_and_fails_nothing(export: Export) -> None:
    from airflow.sdk import Asset

    result = export(window=YEAR, outlets=lambda: [Asset.ref(name="nobody's")]).to_end()

    assert result.state == "success"
    assert not result.outlet_events
    assert 'No asset event for AssetNameRef(name="nobody\'s"): the asset is unknown to Airflow' in result.log_text


@pytest.mark.skipif(not HAS_STATE_STORE, reason="assets have a state and partitions on Airflow 3.3 and later")
def test_a_reference_has_partitions_and_a_watermark(export: Export) -> None:
    from airflow.sdk import Asset

    store: dict[tuple[str, str], Any] = {}
    run = {"assets": {"kept": "s3://lake/kept"}, "asset_store": store}
    arguments = {"watermark": True, "partition_key": "2026", "outlets": lambda: [Asset.ref(name="kept")]}
    result = export(**arguments, run=run).to_end()

    assert result.state == "success"
    assert [event["partition_key"] for event in result.outlet_events] == ["2026"]
    assert [asset for asset, _key in store] == ["kept"]

    refused = export(**{**arguments, "outlets": lambda: [Asset.ref(name="gone")]}).to_end()
    assert "`outlets` must be an asset that a DAG declares" in str(refused.exception)
    assert refused.state == "failed"


def test_several_objects_are_summed_up(export: Export, emulator: Any, tmp_path: Path) -> None:
    result = export(
        collection="tickets",
        window_field=None,
        parent_id=None,
        parent_ids=[emulator.event_id, emulator.event_id],
        destination=f"file://{tmp_path}/out/",
        outlets=lambda: [asset()],
    ).to_end()
    assert result.outlet_events[0]["extra"]["rows"] == result.xcom[0]["rows"]


def test_the_report_export_tells_its_outlets_too(emulator: Any, tmp_path: Path, quick: None) -> None:
    def task() -> Any:
        from airflow_provider_ringevents.transfers.report_to_object_storage import (
            RingEventsReportToObjectStorageOperator,
        )

        return RingEventsReportToObjectStorageOperator(
            task_id="export",
            event_id=emulator.event_id,
            report_type="registrations",
            destination=f"file://{tmp_path}/report.csv",
            poll_interval=0.05,
            outlets=[asset("s3://lake/report")],
        )

    result = Run(task, connections={"ringevents_default": emulator.connection_json()}).to_end()
    told = {name: result.xcom[name] for name in ("uri", "bytes", "columns", "rows")}
    assert result.outlet_events[0]["extra"] == told
    assert told["rows"] == 40
