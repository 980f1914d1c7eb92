from __future__ import annotations

import importlib.resources
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from contract import enumeration

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.validation import timezones
from airflow_provider_ringevents.client.validation.timezones import TIME_ZONES, check_timezone, get_zone, iana_name

DOCUMENTED = enumeration("timezone")
TZDATA = frozenset((importlib.resources.files("tzdata") / "zones").read_text().split())
WINTER = datetime(2026, 1, 15, 12)
SUMMER = datetime(2026, 7, 15, 12)


def hours(name: str, when: datetime) -> float:
    offset = when.replace(tzinfo=get_zone(name)).utcoffset()
    assert offset is not None
    return offset / timedelta(hours=1)


def test_names_are_those_of_the_reference() -> None:
    assert sorted(TIME_ZONES) == sorted(DOCUMENTED)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_name_has_a_zone(name: str) -> None:
    assert iana_name(name) in TZDATA
    assert get_zone(name).key == iana_name(name)
    assert check_timezone("timezone", name) == name


def test_tz_database_names_stand_for_themselves() -> None:
    themselves = [name for name in DOCUMENTED if name in TZDATA]
    assert len(themselves) == 597
    assert all(iana_name(name) == name for name in themselves)


@pytest.mark.parametrize("name", sorted(set(DOCUMENTED) - TZDATA - {"Samoa"}))
def test_city_has_the_clock_of_the_tz_database_zone_of_that_name(name: str) -> None:
    namesakes = [known for known in TZDATA if known.rpartition("/")[2] == name.replace(" ", "_")]
    for namesake in namesakes:
        for when in (WINTER, SUMMER):
            assert (
                when.replace(tzinfo=get_zone(name)).utcoffset() == when.replace(tzinfo=ZoneInfo(namesake)).utcoffset()
            )


@pytest.mark.parametrize(
    ("name", "winter", "summer"),
    [
        ("International Date Line West", -12, -12),
        ("American Samoa", -11, -11),
        ("Samoa", 13, 13),
        ("Alaska", -9, -8),
        ("Pacific Time (US & Canada)", -8, -7),
        ("Mountain Time (US & Canada)", -7, -6),
        ("Central Time (US & Canada)", -6, -5),
        ("Eastern Time (US & Canada)", -5, -4),
        ("Indiana (East)", -5, -4),
        ("Atlantic Time (Canada)", -4, -3),
        ("Saskatchewan", -6, -6),
        ("Central America", -6, -6),
        ("Guadalajara", -6, -6),
        ("Quito", -5, -5),
        ("Georgetown", -4, -4),
        ("Newfoundland", -3.5, -2.5),
        ("Brasilia", -3, -3),
        ("Greenland", -2, -1),
        ("Mid-Atlantic", -2, -2),
        ("Cape Verde Is.", -1, -1),
        ("Edinburgh", 0, 1),
        ("West Central Africa", 1, 1),
        ("Bern", 1, 2),
        ("Kyiv", 2, 3),
        ("Pretoria", 2, 2),
        ("St. Petersburg", 3, 3),
        ("Abu Dhabi", 4, 4),
        ("Ekaterinburg", 5, 5),
        ("Islamabad", 5, 5),
        ("Astana", 5, 5),
        ("New Delhi", 5.5, 5.5),
        ("Sri Jayawardenepura", 5.5, 5.5),
        ("Rangoon", 6.5, 6.5),
        ("Hanoi", 7, 7),
        ("Beijing", 8, 8),
        ("Sapporo", 9, 9),
        ("Canberra", 11, 10),
        ("Solomon Is.", 11, 11),
        ("New Caledonia", 11, 11),
        ("Marshall Is.", 12, 12),
        ("Wellington", 13, 12),
        ("Chatham Is.", 13.75, 12.75),
        ("Nuku'alofa", 13, 13),
        ("Tokelau Is.", 13, 13),
    ],
)
def test_offset_of_names_that_are_no_zone_of_the_tz_database(name: str, winter: float, summer: float) -> None:
    assert (hours(name, WINTER), hours(name, SUMMER)) == (winter, summer)


@pytest.mark.parametrize(
    ("given", "suggested"),
    [
        ("Eastern Time (US and Canada)", "'Eastern Time (US & Canada)'"),
        ("europe/berlin", "'Europe/Berlin'"),
        ("ABU DHABI", "'Abu Dhabi'"),
        ("Europe/Berlln", "'Europe/Berlin'"),
        ("New York", "'America/New_York'"),
        ("New_York", "'America/New_York'"),
        # In the tz database since 2025, not in the API.
        ("America/Coyhaique", "'America/"),
    ],
)
def test_near_miss_is_named(given: str, suggested: str) -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        get_zone(given, "event_timezone")
    message = str(caught.value)
    assert (caught.value.parameter, caught.value.got) == ("event_timezone", repr(given))
    assert caught.value.expected == "one of the 746 documented time zones"
    assert message.partition("Did you mean ")[2].startswith(suggested)
    assert "allow_undocumented=True" in message


def test_undocumented_zone_suggests_one_with_the_same_clock() -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        iana_name("America/Coyhaique")
    suggested = str(caught.value).partition("Did you mean ")[2].partition("?")[0].replace("'", "").split(" or ")
    for name in suggested:
        assert WINTER.replace(tzinfo=get_zone(name)).utcoffset() == timedelta(hours=-3)


@pytest.mark.parametrize("name", ["", None, 3])
def test_no_name_is_always_refused(name: object) -> None:
    with pytest.raises(RingEventsConfigError, match="`timezone` must be the name of a time zone"):
        check_timezone("timezone", name, allow_undocumented=True)  # type: ignore[arg-type]


def test_undocumented_name_passes_when_asked() -> None:
    assert check_timezone("timezone", "Mars/Olympus", allow_undocumented=True) == "Mars/Olympus"
    assert get_zone("America/Coyhaique", allow_undocumented=True) == ZoneInfo("America/Coyhaique")


@pytest.mark.parametrize("name", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "America", "a\0b"])
def test_name_without_a_zone_is_refused_all_the_same(name: str) -> None:
    with pytest.raises(RingEventsConfigError, match="`timezone` must be in the tz database"):
        get_zone(name, allow_undocumented=True)


def test_zones_come_from_the_package_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import zoneinfo

    monkeypatch.setattr(zoneinfo, "TZPATH", ())
    assert ZoneInfo.no_cache("US/Eastern").key == "US/Eastern"
    assert all(timezones._load(iana_name(name)) for name in TIME_ZONES)
