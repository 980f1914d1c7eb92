from __future__ import annotations

import pytest

from airflow_provider_ringevents.client import types
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.types import REPORT_TYPES, check_choice, nearest

MANY = tuple(f"value{number}" for number in range(31))


@pytest.mark.parametrize("value", REPORT_TYPES)
def test_documented_value_comes_back(value: str) -> None:
    assert check_choice("report_type", value, REPORT_TYPES) == value


def test_error_names_parameter_value_closest_and_all() -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        check_choice("report_type", "registratons", REPORT_TYPES)
    message = str(caught.value)
    assert message.startswith("report_type: 'registratons' is not a documented value. Did you mean 'registrations'")
    assert all(name in message for name in REPORT_TYPES)
    assert "allow_undocumented=True" in message


def test_same_word_in_other_case_is_named_first() -> None:
    with pytest.raises(RingEventsConfigError, match="Did you mean 'noShows'"):
        check_choice("report_type", "noshows", REPORT_TYPES)


def test_nothing_close_gives_the_list_alone() -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        check_choice("type", "zzz", types.EVENT_TYPES)
    assert "Did you mean" not in str(caught.value)
    assert "Allowed: hidden_event, private_event, public_event." in str(caught.value)


def test_long_list_is_left_out() -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        check_choice("field", "valu30", MANY)
    assert "Did you mean 'value30'" in str(caught.value)
    assert "value17" not in str(caught.value)


def test_newer_value_passes_when_asked() -> None:
    assert check_choice("report_type", "holograms", REPORT_TYPES, allow_undocumented=True) == "holograms"


@pytest.mark.parametrize("value", ["", None, 2, True, ["all"]])
@pytest.mark.parametrize("allow_undocumented", [True, False])
def test_empty_or_no_string_is_always_refused(value: object, allow_undocumented: bool) -> None:
    with pytest.raises(RingEventsConfigError, match="report_version: expected a non-empty string, got"):
        check_choice("report_version", value, types.REPORT_VERSIONS, allow_undocumented=allow_undocumented)  # type: ignore[arg-type]


def test_nearest_ignores_case_and_keeps_its_limit() -> None:
    assert nearest("REGISTRATIONQRCREATED", types.SIGNALS, limit=2) == [
        "registrationQRCreated",
        "registrationQrCreated",
    ]
    assert nearest("", types.SIGNALS) == []
