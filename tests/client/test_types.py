from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from contract import contract, enumeration, request_attributes

from airflow_provider_ringevents.client import types
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.types import REPORT_TYPES, closest_matches, validate_choice

MANY = tuple(f"value{number}" for number in range(31))


@pytest.mark.parametrize("value", REPORT_TYPES)
def test_documented_value_comes_back(value: str) -> None:
    assert validate_choice("report_type", value, REPORT_TYPES) == value


def test_error_names_parameter_value_closest_and_all() -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        validate_choice("report_type", "registratons", REPORT_TYPES)
    message = str(caught.value)
    assert message.startswith(
        "`report_type` must be a documented value, got 'registratons'. Did you mean 'registrations'"
    )
    assert all(name in message for name in REPORT_TYPES)
    assert "allow_undocumented=True" in message


def test_same_word_in_other_case_is_named_first() -> None:
    with pytest.raises(RingEventsConfigError, match="Did you mean 'noShows'"):
        validate_choice("report_type", "noshows", REPORT_TYPES)


def test_nothing_close_gives_the_list_alone() -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        validate_choice("type", "zzz", types.EVENT_TYPES)
    assert "Did you mean" not in str(caught.value)
    assert "Allowed: hidden_event, private_event, public_event." in str(caught.value)


def test_long_list_is_left_out() -> None:
    with pytest.raises(RingEventsConfigError) as caught:
        validate_choice("field", "valu30", MANY)
    assert "Did you mean 'value30'" in str(caught.value)
    assert "value17" not in str(caught.value)


def test_newer_value_passes_when_asked() -> None:
    assert validate_choice("report_type", "holograms", REPORT_TYPES, allow_undocumented=True) == "holograms"


@pytest.mark.parametrize("value", ["", None, 2, True, ["all"]])
@pytest.mark.parametrize("allow_undocumented", [True, False])
def test_empty_or_no_string_is_always_refused(value: object, allow_undocumented: bool) -> None:
    with pytest.raises(RingEventsConfigError, match="`report_version` must be a non-empty string, got"):
        validate_choice("report_version", value, types.REPORT_VERSIONS, allow_undocumented=allow_undocumented)  # type: ignore[arg-type]


def test_nearest_ignores_case_and_keeps_its_limit() -> None:
    assert closest_matches("REGISTRATIONQRCREATED", types.SIGNALS, limit=2) == [
        "registrationQRCreated",
        "registrationQrCreated",
    ]
    assert closest_matches("", types.SIGNALS) == []


@pytest.mark.parametrize(
    ("documented", "ours"),
    [
        (enumeration("reportType"), types.REPORT_TYPES),
        (enumeration("reportVersion"), types.REPORT_VERSIONS),
        (request_attributes("create_data_subscription")["properties"]["signals"]["items"]["enum"], types.SIGNALS),
        (request_attributes("create_report")["properties"]["segmentType"]["enum"], types.SEGMENT_TYPES),
        (
            request_attributes("create_report")["properties"]["participationReportType"]["enum"],
            types.PARTICIPATION_REPORT_TYPES,
        ),
        (request_attributes("create_event")["properties"]["eventType"]["enum"], types.EVENT_TYPES),
        (request_attributes("duplicate_event")["properties"]["type"]["enum"], types.EVENT_TYPES),
        (request_attributes("create_event")["properties"]["attendeesVisibility"]["enum"], types.ATTENDEES_VISIBILITIES),
        (request_attributes("create_event")["properties"]["networkType"]["enum"], types.NETWORK_TYPES),
    ],
)
def test_our_enumerations_are_those_of_the_reference(documented: list[str], ours: tuple[str, ...]) -> None:
    assert tuple(documented) == ours


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("organization", types.Organization),
        ("template", types.Template),
        ("event", types.Event),
        ("registration", types.Registration),
        ("ticket", types.Ticket),
        ("magicLink", types.MagicLink),
        ("booth", types.Booth),
        ("stage", types.Stage),
        ("session", types.Session),
        ("scheduleItem", types.ScheduleItem),
        ("tag", types.Tag),
        ("report", types.Report),
        ("dataSubscription", types.DataSubscription),
    ],
)
def test_our_resources_are_those_of_the_reference(name: str, resource: Any) -> None:
    attributes = contract()["components"]["schemas"][name]["properties"]["attributes"]
    assert set(resource.__annotations__) == set(attributes["properties"])
    # Annotations are strings here: what is marked as optional has to be found in their text.
    optional = {field for field, kind in resource.__annotations__.items() if "NotRequired" in str(kind)}
    assert optional == set(attributes["properties"]) - set(attributes["required"])
    nullable = {field for field, kind in resource.__annotations__.items() if "None" in str(kind)}
    assert nullable == {field for field, schema in attributes["properties"].items() if "null" in schema.get("type", ())}


def test_resources_are_made_only_when_asked_for() -> None:
    code = (
        "import sys; from airflow_provider_ringevents.client import types;"
        "assert 'airflow_provider_ringevents.contract._generated_resources' not in sys.modules;"
        "assert types.Event.__name__ == 'Event'; assert not hasattr(types, 'Evnt')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
