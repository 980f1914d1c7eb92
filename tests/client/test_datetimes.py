from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.validation.datetimes import (
    format_timestamp,
    is_local_time,
    parse_timestamp,
    to_utc,
)

BERLIN = "Europe/Berlin"
NEW_YORK = "Eastern Time (US & Canada)"


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2026-05-01T09:00:00+02:00", None, datetime(2026, 5, 1, 7)),
        ("2026-05-01T09:00:00Z", BERLIN, datetime(2026, 5, 1, 9)),
        ("  2026-05-01 09:00Z ", None, datetime(2026, 5, 1, 9)),
        ("2026-05-01T09:00:00", BERLIN, datetime(2026, 5, 1, 7)),
        ("2026-12-01T09:00:00", BERLIN, datetime(2026, 12, 1, 8)),
        ("2026-05-01T09:00:00", NEW_YORK, datetime(2026, 5, 1, 13)),
        ("2026-05-01 09:00", "Abu Dhabi", datetime(2026, 5, 1, 5)),
        ("2026-05-01T09:00:00.250", BERLIN, datetime(2026, 5, 1, 7, 0, 0, 250_000)),
        (datetime(2026, 5, 1, 9, tzinfo=timezone(timedelta(hours=5, minutes=30))), None, datetime(2026, 5, 1, 3, 30)),
        (datetime(2026, 5, 1, 9, tzinfo=ZoneInfo("Asia/Tokyo")), BERLIN, datetime(2026, 5, 1, 0)),
        (datetime(2026, 5, 1, 9), BERLIN, datetime(2026, 5, 1, 7)),
        # One minute either side of a change of clocks is no trouble.
        ("2026-03-29T01:59:00", BERLIN, datetime(2026, 3, 29, 0, 59)),
        ("2026-03-29T03:00:00", BERLIN, datetime(2026, 3, 29, 1, 0)),
        ("2026-10-25T01:59:00", BERLIN, datetime(2026, 10, 24, 23, 59)),
        ("2026-10-25T03:00:00", BERLIN, datetime(2026, 10, 25, 2, 0)),
        # The offset decides where the clock shows a time twice.
        ("2026-10-25T02:30:00+02:00", BERLIN, datetime(2026, 10, 25, 0, 30)),
        ("2026-10-25T02:30:00+01:00", BERLIN, datetime(2026, 10, 25, 1, 30)),
    ],
)
def test_time_is_read_as_utc(value: str | datetime, zone: str | None, expected: datetime) -> None:
    read = to_utc("time_start", value, zone)
    assert read == expected.replace(tzinfo=UTC)
    assert read.tzinfo is UTC
    assert type(read) is datetime


def test_pendulum_becomes_a_plain_datetime() -> None:
    pendulum = pytest.importorskip("pendulum")
    aware = to_utc("time_start", pendulum.datetime(2026, 5, 1, 9, tz="Europe/Berlin"), None)
    naive = to_utc("time_start", pendulum.naive(2026, 5, 1, 9), BERLIN)
    assert aware == naive == datetime(2026, 5, 1, 7, tzinfo=UTC)
    assert type(aware) is type(naive) is datetime


@pytest.mark.parametrize(
    "value", ["2026-03-29T02:30:00", datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 2, 30, fold=1)]
)
def test_time_that_the_clocks_skip_is_refused(value: str | datetime) -> None:
    with pytest.raises(
        RingEventsConfigError, match=r"`time_start` .*'Europe/Berlin' do not skip, got '2026-03-29 02:30:00'"
    ):
        to_utc("time_start", value, BERLIN)


@pytest.mark.parametrize("fold", [0, 1])
def test_time_that_happens_twice_asks_for_an_offset(fold: int) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        to_utc("time_end", datetime(2026, 11, 1, 1, 30, fold=fold), NEW_YORK)
    assert (caught.value.parameter, caught.value.got) == ("time_end", "'2026-11-01 01:30:00'")
    assert str(caught.value.expected).startswith("2026-11-01T01:30:00-04:00 or 2026-11-01T01:30:00-05:00, ")


def test_day_that_a_zone_left_out_is_refused() -> None:
    # Samoa went from 29 to 31 December 2011.
    with pytest.raises(RingEventsConfigError, match="'Samoa' do not skip"):
        to_utc("time_start", "2011-12-30T12:00:00", "Samoa")


def test_time_without_offset_needs_a_zone() -> None:
    with pytest.raises(
        RingEventsConfigError,
        match=r"`since` .* an offset, such as .2026-05-01T09:00:00\+02:00., got '2026-05-01 09:00:00'",
    ):
        to_utc("since", "2026-05-01T09:00:00", None)


def test_unknown_zone_is_named() -> None:
    with pytest.raises(RingEventsConfigError, match=r"`timezone` .*'Europe/Berln'.*Did you mean 'Europe/Berlin'"):
        to_utc("time_start", "2026-05-01T09:00:00", "Europe/Berln")


def test_undocumented_zone_is_read_when_asked() -> None:
    read = to_utc("time_start", "2026-05-01T09:00:00", "America/Coyhaique", allow_undocumented=True)
    assert read == datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["", "tomorrow", "2026-05-01", "2026-13-01T00:00:00Z", "09:00", 1777626000, None, ["2026"]]
)
def test_garbage_is_named_with_an_example(value: object) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        to_utc("time_start", value, BERLIN)  # type: ignore[arg-type]
    assert (caught.value.parameter, caught.value.got) == ("time_start", repr(value))
    assert '"2026-05-01T09:00:00+02:00"' in str(caught.value.expected)


def test_a_missing_time_of_pandas_is_named() -> None:
    class NotATime(datetime):
        """Behaves as `pandas.NaT` does: a datetime that equals nothing and whose methods raise ValueError."""

        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = datetime.__hash__

        def utcoffset(self) -> None:
            raise ValueError("NaTType does not support utcoffset")

    with pytest.raises(RingEventsConfigError) as caught:
        to_utc("time_start", NotATime(1, 1, 1), BERLIN)
    assert caught.value.parameter == "time_start"


@pytest.mark.parametrize(
    ("value", "zone"),
    [("0001-01-01T00:00:00+02:00", None), ("0001-01-01T00:00:00", "Asia/Tokyo"), ("9999-12-31T23:59:59-02:00", None)],
)
def test_time_beyond_the_calendar_is_refused(value: str, zone: str | None) -> None:
    with pytest.raises(RingEventsConfigError, match=r"`time_start` must be in the years 1 to 9999"):
        to_utc("time_start", value, zone)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2019, 8, 24, 14, 15, 22, tzinfo=UTC), "2019-08-24T14:15:22Z"),
        (datetime(2019, 8, 24, 14, 15, 22, 5, tzinfo=UTC), "2019-08-24T14:15:22.000005Z"),
        (datetime(2019, 8, 24, 14, 15, tzinfo=ZoneInfo(BERLIN)), "2019-08-24T12:15:00Z"),
    ],
)
def test_api_time(value: datetime, expected: str) -> None:
    assert format_timestamp(value) == expected


def test_api_time_needs_an_offset() -> None:
    with pytest.raises(RingEventsConfigError, match="a time with an offset"):
        format_timestamp(datetime(2019, 8, 24))


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-05-01T09:00:00Z", BERLIN, datetime(2026, 5, 1, 9)),
        ("2026-05-01T09:00:00.000+02:00", None, datetime(2026, 5, 1, 7)),
        ("2026-05-01T09:00:00", NEW_YORK, datetime(2026, 5, 1, 13)),
        ("2026-05-01 09:00", BERLIN, datetime(2026, 5, 1, 7)),
        ("2026-05-01 09:00:00 UTC", BERLIN, datetime(2026, 5, 1, 9)),
        ("2026-05-01 09:00:00 +0200", None, datetime(2026, 5, 1, 7)),
        ("2026-05-01", BERLIN, datetime(2026, 4, 30, 22)),
        ("2026-05-01T09:00:00", None, datetime(2026, 5, 1, 9)),
        ("2026-05-01T09:00:00Z", "Mars/Olympus", datetime(2026, 5, 1, 9)),
        ("2026-05-01T09:00:00", "America/Coyhaique", datetime(2026, 5, 1, 12)),
        # Skipped: the offset before the change. Twice: the first.
        ("2026-03-29T02:30:00", BERLIN, datetime(2026, 3, 29, 1, 30)),
        ("2026-10-25T02:30:00", BERLIN, datetime(2026, 10, 25, 0, 30)),
    ],
)
def test_answered_time_is_read(text: str, zone: str | None, expected: datetime) -> None:
    assert parse_timestamp(text, zone) == expected.replace(tzinfo=UTC)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", 7])
def test_a_time_without_an_offset_is_none_in_a_zone_that_is_not_known(zone: Any) -> None:
    assert parse_timestamp("2026-05-01T09:00:00", zone) is None


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2026-05-01T09:00:00", True),
        ("2026-05-01", True),
        ("2026-05-01T09:00:00Z", False),
        ("2026-05-01 09:00:00 +0200", False),
        ("soon", False),
        ("", False),
        (None, False),
        (5, False),
    ],
)
def test_what_is_a_local_time(text: object, local: bool) -> None:
    assert is_local_time(text) is local


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-01T00:00:00", "0001-01-01T00:00:00+02:00", 5])
def test_unreadable_answered_time_is_none(text: object) -> None:
    assert parse_timestamp(text, "Asia/Tokyo") is None  # type: ignore[arg-type]


NOT_TIMES = (
    "20260501123456Z",
    "1764012312345",
    "20260501T090000Z",
    "2026-05-01x09:00:00Z",
    "2026-05-01T0900Z",
    "2026-W18-5",
    "2026-121",
    "2026-05-01T09:00:00+02:00[Europe/Berlin]",
    "\u0662\u0660\u0662\u0666-05-01T09:00:00Z",
    "2026-05-01T09:00:00Z" + " " * 200,
    "9" * 100_000,
)
"""What the reader of the standard library takes for times, in part: any character separates for it."""


@pytest.mark.parametrize("text", NOT_TIMES, ids=[ascii(text)[:30] for text in NOT_TIMES])
def test_what_is_not_iso_8601_with_separators_is_no_time(text: str) -> None:
    assert parse_timestamp(text, None) is None
    if len(text) < 60:
        with pytest.raises(RingEventsConfigError, match="time_start"):
            to_utc("time_start", text, "UTC")


@pytest.mark.parametrize(
    "text",
    ["2026-05-01T09:00:00Z", "2026-05-01t09:00:00z", "2026-05-01 09:00:00 UTC", "2026-05-01T11:00:00.000000+0200"],
)
def test_spellings_of_services_are_read(text: str) -> None:
    assert parse_timestamp(text, None) == datetime(2026, 5, 1, 9, tzinfo=UTC)
