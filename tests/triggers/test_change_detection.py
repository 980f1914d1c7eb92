"""What is new in a list since the last look; and how a loop without an end goes."""

from __future__ import annotations

import json
import logging
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsRateLimitError, RingEventsTransportError
from airflow_provider_ringevents.client.validation.datetimes import format_timestamp
from airflow_provider_ringevents.polling.watch_backoff import Backoff
from airflow_provider_ringevents.state.watch_cursor import WatchCursor, ahead_key, min_cursor
from airflow_provider_ringevents.triggers._change_detection import ChangeScan, ChangeSet

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def row(row_id: str, seconds: float) -> dict[str, Any]:
    return {"id": row_id, "updatedAt": format_timestamp(at(seconds))}


def look(since: WatchCursor, *rows: dict[str, Any]) -> ChangeSet:
    reading = ChangeScan(since, "updatedAt")
    for each in rows:
        reading.add(each)
    return reading.changes()


class TestLook:
    def test_nothing_is_nothing(self) -> None:
        since = WatchCursor(NOON, frozenset({"a"}))
        changes = look(since)
        assert (changes.count, changes.cursor) == (0, since)

    def test_the_watermark_is_the_latest_time_with_all_that_have_it(self) -> None:
        changes = look(WatchCursor(NOON), row("b", 2), row("a", 1), row("c", 2))
        assert changes.count == 3
        assert changes.cursor == WatchCursor(at(2), frozenset({"b", "c"}))

    def test_a_row_at_the_watermark_is_new_unless_it_was_seen(self) -> None:
        changes = look(WatchCursor(NOON, frozenset({"a"})), row("a", 0), row("b", 0))
        assert changes.count == 1
        assert changes.cursor == WatchCursor(NOON, frozenset({"a", "b"}))

    def test_rows_without_an_id_at_the_watermark_are_new_once_each(self) -> None:
        ada, bob = ({**row("", 0), "id": None, "email": f"{name}@example.org"} for name in ("ada", "bob"))
        first = look(WatchCursor(NOON), ada)
        assert first.count == 1
        again = look(first.cursor, ada, bob)
        assert again.count == 1, "not Ada again, and not no Bob"
        signed_anew = {**bob, "qrCodeImageUrl": "https://files.example.org/q?signature=2", "id": ""}
        assert look(again.cursor, ada, signed_anew).count == 0
        assert "ada" not in json.dumps(again.cursor.to_json())

    def test_rows_without_an_id_that_are_ahead_are_new_once_each(self) -> None:
        ada, bob = ({**row("", 9999), "id": None, "email": f"{name}@example.org"} for name in ("ada", "bob"))
        reading = ChangeScan(WatchCursor(NOON), "updatedAt")
        for each in (ada, bob, ada):
            reading.add(each, at(300))
        assert reading.changes().count == 2

    def test_a_row_that_is_missed_once_stays_known(self) -> None:
        since = WatchCursor(NOON, frozenset({"a", "b"}))
        assert look(since, row("a", 0)).cursor == since

    def test_a_row_that_changes_again_is_new(self) -> None:
        assert look(WatchCursor(NOON, frozenset({"a"})), row("a", 1)).count == 1

    def test_rows_before_the_watermark_are_not_new_though_the_service_gives_them(self) -> None:
        """It may compare whole seconds, or not know the filter."""
        since = WatchCursor(at(0.5), frozenset({"a"}))
        assert look(since, row("b", 0.25), row("c", -9), row("a", 0.5)).count == 0

    def test_with_more_ties_than_are_kept_the_time_alone_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(defaults, "WATCH_MAX_BOUNDARY_IDS", 2)
        changes = look(WatchCursor(NOON), *(row(name, 1) for name in "abcd"))
        assert (changes.count, changes.cursor) == (4, WatchCursor(at(1), None))
        assert changes.cursor.filter_condition == {"gt": "2026-05-01T12:00:01Z"}
        # Though a service that compares something else gives them again.
        assert look(changes.cursor, row("a", 1)).count == 0
        after = look(changes.cursor, row("e", 2))
        assert (after.count, after.cursor) == (1, WatchCursor(at(2), frozenset({"e"})))

    def test_a_row_without_a_time_is_counted_apart(self) -> None:
        changes = look(WatchCursor(NOON), {"id": "a", "updatedAt": None}, {"id": "b"}, row("c", 1))
        assert (changes.count, changes.unreadable) == (1, 2)

    @pytest.mark.parametrize("seconds", [0.001, 0.0], ids=["one by one", "all at once"])
    def test_memory_does_not_grow_with_the_list(self, seconds: float) -> None:
        rows = [row(f"registration-{number}", 1 + number * seconds) for number in range(10_000)]
        reading = ChangeScan(WatchCursor(NOON), "updatedAt")
        tracemalloc.start()
        for each in rows:
            reading.add(each)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert reading.changes().count == 10_000
        assert peak < 200_000

    @given(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=30),
        st.lists(st.integers(0, 30), max_size=4),
        st.randoms(use_true_random=False),
    )
    def test_every_change_is_found_once_however_time_stands_still(
        self, steps: list[tuple[int, int]], looks: list[int], dice: Any
    ) -> None:
        """Rows change while a clock goes on now and then; looks come in between and read in any order."""
        rows: dict[str, float] = {}
        found: set[tuple[str, float]] = set()
        watermark, now = WatchCursor(NOON), 0
        for place, (name, passed) in enumerate(steps):
            now += passed // 3
            rows[str(name)] = now
            if place in looks or place == len(steps) - 1:
                shown = [row(each, time) for each, time in rows.items() if at(time) >= watermark.time]
                dice.shuffle(shown)
                changes = look(watermark, *shown)
                assert changes.count == len(rows.items() - found)
                found |= rows.items()
                watermark = changes.cursor


class TestBeginning:
    def test_baseline_at_looks_back_to_find_the_service_s_clock_and_calls_nothing_new(self) -> None:
        since = WatchCursor.baseline_at(NOON)
        assert since.filter_condition == {"gte": "2026-05-01T11:00:00Z"}
        changes = look(since, row("a", -600), row("b", -700))
        assert changes.count == 0
        assert changes.cursor == WatchCursor(at(-600), frozenset({"a"}))
        # A service whose clock is ten minutes behind ours.
        assert look(changes.cursor, row("a", -600), row("c", -599)).count == 1

    def test_what_has_changed_since_the_start_is_new_at_the_first_look(self) -> None:
        changes = look(WatchCursor.baseline_at(NOON), row("a", -600), row("b", 5))
        assert changes.count == 1
        assert changes.payload("e1", "updatedAt")["from"] == "2026-05-01T12:00:00Z"


class TestPayload:
    def test_the_window_is_in_whole_seconds_and_holds_all_changes(self) -> None:
        changes = look(WatchCursor(at(0.75)), row("a", 1.999999), row("b", 0.8))
        assert changes.payload("e1", "updatedAt") == {
            "event_id": "e1",
            "window_field": "updatedAt",
            "from": "2026-05-01T12:00:00Z",
            "to": "2026-05-01T12:00:02Z",
            "count": 2,
        }

    def test_a_time_in_whole_seconds_may_have_had_a_fraction(self) -> None:
        assert look(WatchCursor(NOON), row("a", 3)).payload("e1", "updatedAt")["to"] == "2026-05-01T12:00:04Z"

    def test_windows_leave_no_gap(self) -> None:
        first = look(WatchCursor(NOON), row("a", 1.5))
        second = look(first.cursor, row("b", 90))
        assert second.payload("e1", "updatedAt")["from"] <= first.payload("e1", "updatedAt")["to"]


class TestKeeping:
    @pytest.mark.parametrize(
        "watermark",
        [
            WatchCursor(at(0.25), frozenset({"b", "a"})),
            WatchCursor(NOON),
            WatchCursor(NOON, None),
            WatchCursor.baseline_at(NOON),
        ],
    )
    def test_it_survives_json(self, watermark: WatchCursor) -> None:
        assert WatchCursor.from_json(json.loads(json.dumps(watermark.to_json()))) == watermark

    @pytest.mark.parametrize(
        "value",
        [
            "",
            1,
            [],
            {},
            {"time": "x", "ids": [], "baseline": None},
            {"time": "2026-01-01T00:00:00Z", "ids": "a"},
            {"time": "2026-01-01T00:00:00Z", "ids": [], "baseline": None, "ahead": ["abcdefabcdef" + "9" * 30]},
            {"time": "2026-01-01T00:00:00Z", "ids": [], "baseline": None, "ahead": ["abcdefabcdefx"]},
            {"time": "2026-01-01T00:00:00Z", "ids": [], "baseline": None, "ahead": [["far", "2099-01-01T00:00:00Z"]]},
        ],
    )
    def test_what_is_no_cursor_is_refused(self, value: Any) -> None:
        with pytest.raises((LookupError, TypeError, ValueError)):
            WatchCursor.from_json(value)

    def test_the_ids_of_the_most_ties_fit_into_airflow_s_limit(self) -> None:
        ids = frozenset(f"{number:025d}" for number in range(defaults.WATCH_MAX_BOUNDARY_IDS))
        assert len(json.dumps(WatchCursor(NOON, ids).to_json())) < 65_535


class TestEarliest:
    def test_the_least_time_wins(self) -> None:
        assert min_cursor([WatchCursor(at(1)), WatchCursor(NOON, frozenset({"a"}))]) == WatchCursor(
            NOON, frozenset({"a"})
        )

    def test_of_one_time_only_what_all_have_seen_is_known(self) -> None:
        both = [
            WatchCursor(NOON, frozenset({"a", "b"})),
            WatchCursor(NOON, frozenset({"b", "c"})),
            WatchCursor(NOON, None),
        ]
        assert min_cursor(both) == WatchCursor(NOON, frozenset({"b"}))
        assert min_cursor([WatchCursor(NOON, None), WatchCursor(at(1))]) == WatchCursor(NOON, None)

    def test_a_new_one_does_not_reach_back(self) -> None:
        """Its first look does, but only to learn what the service's clock says."""
        kept = WatchCursor(at(-60), frozenset({"a"}))
        assert min_cursor([WatchCursor.baseline_at(NOON), kept]) == kept
        fresh = WatchCursor.baseline_at(NOON)
        assert min_cursor([fresh, WatchCursor(at(60))]) == fresh


class TestPace:
    @pytest.fixture
    def pace(self) -> Backoff:
        return Backoff("watching", logging.getLogger("pace"), uniform=lambda low, high: (low + high) / 2)

    def test_pauses_grow_up_to_ten_minutes_and_start_over(self, pace: Backoff) -> None:
        error = RingEventsTransportError("no answer", sent=False)
        pauses = [pace.on_failure(error, 60) for _ in range(6)]
        assert pauses == pytest.approx([60, 120, 240, 480, 600, 600])
        assert pace.on_success(60) == pytest.approx(60)
        assert pace.on_failure(error, 60) == pytest.approx(60)

    def test_an_interval_of_hours_is_not_cut(self, pace: Backoff) -> None:
        error = RingEventsTransportError("no answer", sent=False)
        assert [pace.on_failure(error, 7200) for _ in range(200)][-1] == pytest.approx(7200)

    def test_retry_after_is_obeyed_within_reason(self, pace: Backoff) -> None:
        assert pace.on_failure(RingEventsRateLimitError("slowly", status=429, retry_after=900.0), 60) == 900
        assert pace.on_failure(RingEventsRateLimitError("never", status=429, retry_after=1e9), 60) == 3600

    def test_many_do_not_go_in_step(self) -> None:
        paces = [Backoff("watching", logging.getLogger("pace")) for _ in range(50)]
        firsts = [pace.initial_delay(60) for pace in paces]
        pauses = [pace.on_success(60) for pace in paces]
        assert len({round(first, 3) for first in firsts}) > 40
        assert all(0 <= first <= defaults.WATCH_INITIAL_JITTER for first in firsts)
        assert len({round(pause, 3) for pause in pauses}) > 40
        assert all(54 <= pause <= 66 for pause in pauses)

    def test_it_complains_at_first_then_every_tenth_time_or_ten_minutes(
        self, pace: Backoff, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr(clock, "monotonic", lambda: now)
        error = RingEventsTransportError("no answer", sent=False)
        said = []
        for number in range(1, 26):
            caplog.clear()
            pace.on_failure(error, 60)
            if caplog.records:
                said.append(number)
            if number == 15:
                now += 600
        assert said == [1, 10, 16, 20]
        caplog.clear()
        with caplog.at_level(logging.INFO):
            pace.on_success(60)
            pace.on_success(60)
        assert [record.message for record in caplog.records] == ["watching: works again after 25 failures in a row"]
        pace.on_failure(error, 60)
        assert "no answer" in caplog.text

    def test_what_nobody_foresaw_is_said_with_where_it_came_from(
        self, pace: Backoff, caplog: pytest.LogCaptureFixture
    ) -> None:
        pace.on_failure(KeyError("id"), 60)
        assert "KeyError" in caplog.text
        assert caplog.records[0].exc_info is not None


class TestRowsAheadOfBothClocks:
    LIMIT = at(300)

    def scan(self, since: WatchCursor, *rows: dict[str, Any]) -> ChangeSet:
        scan = ChangeScan(since, "updatedAt")
        for each in rows:
            scan.add(each, self.LIMIT)
        return scan.changes()

    def test_one_fires_once_and_does_not_move_the_place(self) -> None:
        """Found silencing the watcher for ever: its place was moved to 2099."""
        far = {"id": "far", "updatedAt": "2099-01-01T00:00:00Z"}
        first = self.scan(WatchCursor(NOON), far, row("near", 10))
        assert (first.count, first.cursor.time) == (2, at(10))
        second = self.scan(first.cursor, far, row("next", 20))
        assert (second.count, second.cursor.time) == (1, at(20))
        assert self.scan(WatchCursor.from_json(json.loads(json.dumps(second.cursor.to_json()))), far).count == 0

    def test_one_that_changes_fires_again(self) -> None:
        first = self.scan(WatchCursor(NOON), {"id": "far", "updatedAt": "2099-01-01T00:00:00Z"})
        assert self.scan(first.cursor, {"id": "far", "updatedAt": "2099-01-02T00:00:00Z"}).count == 1

    def test_the_last_year_of_the_calendar_raises_nothing(self) -> None:
        changes = self.scan(WatchCursor(NOON), {"id": "far", "updatedAt": "9999-12-31T23:59:59Z"})
        assert changes.payload("e", "updatedAt")["to"].startswith("9999-12-31T23:59:59")
        assert self.scan(changes.cursor).payload("e", "updatedAt")["to"].startswith("2026-")

    @pytest.mark.parametrize("seconds", [301.0, 400.5, 90 * 86_400.0])
    def test_the_window_of_a_change_holds_a_row_that_is_ahead(self, seconds: float) -> None:
        """Found ending before the row for which it fired, so that no run exported it."""
        changes = self.scan(WatchCursor(NOON), row("near", 10), row("far", seconds))
        assert changes.payload("e", "updatedAt")["to"] > format_timestamp(at(seconds))
        assert changes.cursor.time == at(10)
        again = self.scan(changes.cursor, row("near", 20), row("far", seconds))
        assert again.payload("e", "updatedAt")["to"] == format_timestamp(at(21))

    def test_a_row_whose_time_moves_takes_one_place(self) -> None:
        cursor = WatchCursor(NOON)
        for number in range(5):
            changes = self.scan(cursor, row("far", 1_000 + number))
            assert changes.count == 1
            cursor = changes.cursor
        assert cursor.ahead == {(ahead_key("far"), at(1_004))}

    def test_rows_without_an_id_do_not_fire_for_ever(self) -> None:
        rows = [{"updatedAt": format_timestamp(at(seconds))} for seconds in (1_000, 2_000)]
        first = self.scan(WatchCursor(NOON), *rows)
        assert first.count == 2
        assert self.scan(first.cursor, *rows).count == 0

    def test_a_place_that_is_itself_ahead_does_not_fire_for_ever(self) -> None:
        since = WatchCursor(at(1_000), frozenset({"a"}))
        assert self.scan(since, row("a", 1_000)).count == 0

    def test_a_thousand_are_kept_and_the_others_do_not_fire(self) -> None:
        rows = [{"id": f"r{number}", "updatedAt": "2099-01-01T00:00:00Z"} for number in range(1_500)]
        first = self.scan(WatchCursor(NOON), *rows)
        assert first.count == len(first.cursor.ahead) == defaults.WATCH_MAX_BOUNDARY_IDS
        assert first.ignored == 500
        assert self.scan(first.cursor, *rows).count == 0

    def test_one_that_time_has_reached_is_known(self) -> None:
        first = self.scan(WatchCursor(NOON), row("soon", 400))
        later = ChangeScan(first.cursor, "updatedAt")
        later.add(row("soon", 400), at(900))
        assert later.changes().count == 0
        assert later.changes().cursor == WatchCursor(at(400), frozenset({"soon"}))

    def test_ids_of_any_length_are_kept_short(self) -> None:
        changes = self.scan(WatchCursor(NOON), {"id": "x" * 1_000_000, "updatedAt": "2099-01-01T00:00:00Z"})
        assert len(json.dumps(changes.cursor.to_json())) < 1_000

    @pytest.mark.parametrize("length", [25, 255])
    def test_the_most_that_is_kept_fits_into_airflow_s_limit(self, length: int) -> None:
        """A thousand rows of one time, and a thousand ahead; a place that does not fit would never be kept."""
        number = defaults.WATCH_MAX_BOUNDARY_IDS
        now = [{"id": f"{n:0{length}d}", "updatedAt": format_timestamp(at(10))} for n in range(number)]
        far = [{"id": f"f{n:0{length - 1}d}", "updatedAt": "9999-12-31T23:59:58.123456Z"} for n in range(number)]
        changes = self.scan(WatchCursor(NOON), *now, *far)
        assert changes.count == 2 * number
        stored = json.dumps(changes.cursor.to_json())
        assert len(stored) < 65_535
        again = WatchCursor.from_json(json.loads(stored))
        assert again == changes.cursor
        assert self.scan(again, *now, *far).count == 0

    def test_a_place_that_was_kept_without_them_is_read(self) -> None:
        kept = WatchCursor(NOON, frozenset({"a"})).to_json()
        del kept["ahead"]
        assert WatchCursor.from_json(kept) == WatchCursor(NOON, frozenset({"a"}))
