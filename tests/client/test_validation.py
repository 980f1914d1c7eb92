from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from contract import check_request, enumeration, operation, operations, request_attributes

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.secrets import reveal_all
from airflow_provider_ringevents.client.validation import schema
from airflow_provider_ringevents.client.validation.requests import REQUEST_SCHEMAS, validate_request

OPERATIONS = sorted(REQUEST_SCHEMAS)
EVENT: dict[str, Any] = {
    "name": "Summit",
    "timeStart": "2026-05-01T09:00:00",
    "timeEnd": "2026-05-01T17:00:00",
    "timezone": "Eastern Time (US & Canada)",
    "currency": "EUR",
}


def problems(name: str, attributes: Any, **options: bool) -> list[str]:
    with pytest.raises(RingEventsConfigError) as caught:
        validate_request(name, attributes, **options)
    found = caught.value.problems
    if not found:
        return [str(caught.value)]
    assert str(caught.value) == "\n- ".join([f"{name}: nothing was sent:", *map(str, found)])
    return [str(problem) for problem in found]


def parameters(lines: list[str]) -> list[str]:
    """Return the parameters that the messages of problems name."""
    return [re.sub(r"^`(.+?)` must be .*|^(\w+): .*", r"\1\2", line, flags=re.DOTALL) for line in lines]


def schema_of(kind: schema.AttributeType) -> dict[str, Any]:
    """What the reference has to say of an attribute of this kind."""
    match kind:
        case schema.SecretType():
            return {"type": "string"}
        case schema.EnumType():
            return {"type": "string", "enum": list(kind.allowed)}
        case schema.EnumListType():
            return {"type": "array", "items": {"type": "string", "enum": list(kind.allowed)}}
        case schema.TimeZoneType():
            return {"$ref": "#/components/schemas/timezone"}
        case schema.TimestampType():
            return {"type": "string", "format": "date-time"}
        case schema.BooleanType():
            return {"type": "boolean"}
        case schema.IntegerType():
            return {"type": "integer"}
        case schema.NumberType():
            return {"type": "number"}
        case schema.MapType():
            return {"type": "object", "additionalProperties": {"type": "string"} if kind.strings else True}
        case schema.StructType():
            properties = {name: schema_of(known) for name, known in kind.table.items()}
            return {"type": "object", "properties": properties, "additionalProperties": False}
        case schema.StructListType():
            required = sorted(name for name, known in kind.table.items() if known.required)
            return {"type": "array", "items": {**schema_of(schema.StructType(kind.table)), "required": required}}
        case schema.TextOrListType():
            return {"type": ["string", "array"], "items": {"type": "string"}}
        case _:
            return {"type": "string"}


def body_of(name: str, attributes: dict[str, Any]) -> dict[str, Any]:
    schema = operation(name)["requestBody"]["content"]["application/json"]["schema"]
    if "data" not in schema["properties"]:
        return attributes
    kind = schema["properties"]["data"]["properties"].get("type")
    if kind and "$ref" in kind:
        kind = {"enum": enumeration(kind["$ref"].rpartition("/")[2])}
    return {"data": {"attributes": attributes, **({"type": kind["enum"][0]} if kind else {})}}


def request(name: str, attributes: dict[str, Any]) -> str:
    path = operation(name)["paths"][-1].replace("{reportType}", "all").replace("{", "").replace("}", "")
    return check_request(operation(name)["method"], path, body=reveal_all(body_of(name, attributes)))


def sample(name: str, schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return enumeration("timezone")[0]
    if "enum" in schema:
        return schema["enum"][0]
    if name == "email":
        return "ada@example.org"
    if name == "color":
        return "#aBc123"
    if schema.get("format") == "date-time":
        return "2026-05-02T09:00:00+02:00" if name == "timeEnd" else "2026-05-01T09:00:00+02:00"
    if schema["type"] == ["string", "array"]:
        return ["text", "more"]
    if schema["type"] == "array":
        return [sample(name, schema["items"])]
    if schema["type"] == "object":
        known = {key: sample(key, value) for key, value in schema.get("properties", {}).items()}
        return known or {"row": "17"}
    return {"string": "text", "boolean": True, "integer": 3, "number": 9.5}[schema["type"]]


def full(name: str) -> dict[str, Any]:
    properties = request_attributes(name)["properties"]
    return {key: sample(key, schema) for key, schema in properties.items() if key != "attendeesVisiblity"}


ATTRIBUTES = [(name, attribute) for name in OPERATIONS for attribute in full(name)]


def test_every_operation_with_a_body_has_a_table() -> None:
    assert {name for name, described in operations().items() if "requestBody" in described} == set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_tables_are_those_of_the_reference(name: str) -> None:
    documented = request_attributes(name)
    properties = {
        key: {
            word: value
            for word, value in described.items()
            if (word, value) != ("format", "password") and word not in ("description", "pattern", "x-source")
        }
        for key, described in documented["properties"].items()
    }
    assert {key: schema_of(kind) for key, kind in REQUEST_SCHEMAS[name].items()} == properties
    assert {key for key, kind in REQUEST_SCHEMAS[name].items() if kind.required} == set(documented.get("required", ()))
    secret = {key for key, kind in REQUEST_SCHEMAS[name].items() if isinstance(kind, schema.SecretType)}
    assert secret == {key for key in documented["properties"] if key == "password"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_everything_documented_passes_and_is_what_the_reference_allows(name: str) -> None:
    checked = validate_request(name, full(name))
    assert set(checked) == set(full(name))
    assert request(name, checked) == name


@pytest.mark.parametrize(("name", "attribute"), ATTRIBUTES)
def test_missing_and_mistyped_attributes_are_refused(name: str, attribute: str) -> None:
    given = full(name)
    del given[attribute]
    if REQUEST_SCHEMAS[name][attribute].required:
        assert f"`{attribute}` must be given." in problems(name, given)
        assert f"`{attribute}` must be given." in problems(name, {**given, attribute: None})
        assert attribute in parameters(problems(name, {**given, attribute: ""}))
    elif attribute != "timezone":
        assert attribute not in validate_request(name, {**given, attribute: None})
    # A set is no type of JSON, so it is wrong everywhere.
    for allow in (True, False):
        lines = problems(name, {**given, attribute: {1}}, allow_undocumented=allow)
        assert attribute in {parameter.partition("[")[0] for parameter in parameters(lines)}


@pytest.mark.parametrize(
    ("attribute", "value", "word"),
    [
        ("name", 5, "`name` must be a string, got 5"),
        ("name", "  ", "`name` must be a non-empty string"),
        ("timerLength", True, "`timerLength` must be an integer, got True"),
        ("timerLength", 5.0, "`timerLength` must be an integer, got 5.0"),
        ("timerLength", "5", "`timerLength` must be an integer, got '5'"),
        ("hidePeopleArea", 1, "`hidePeopleArea` must be true or false, got 1"),
        ("hidePeopleArea", "true", "`hidePeopleArea` must be true or false, got 'true'"),
        ("color", "fff", "`color` must be a colour in HEX format"),
        ("color", "#ffff", "`color` must be a colour"),
        ("color", "#ggg", "`color` must be a colour"),
        ("color", "#fff\n", "`color` must be a colour"),
        ("eventType", "Hidden_Event", "Did you mean 'hidden_event'"),
        ("networkType", "all", "everyone, ticket_holder"),
        ("timezone", "Eastern Time (US and Canada)", "Did you mean 'Eastern Time (US & Canada)'"),
        ("timeStart", "soon", "`timeStart` must be a time in ISO 8601"),
        ("timeStart", "2026-03-08T02:30:00", "do not skip, got '2026-03-08 02:30:00'"),
        ("timeEnd", "2026-11-01T01:30:00", "`timeEnd` must be 2026-11-01T01:30:00-04:00 or 2026-11-01T01:30:00-05:00"),
        ("description", "x" * 90_000 + "\n", None),
    ],
)
def test_one_wrong_value_is_one_problem(attribute: str, value: Any, word: str | None) -> None:
    if word is None:
        assert validate_request("create_event", {**EVENT, attribute: value})[attribute] == value
        return
    lines = problems("create_event", {**EVENT, attribute: value})
    assert len(lines) == 1
    assert word in lines[0]


def test_all_problems_come_together_one_a_line() -> None:
    wrong = {"name": None, "colour": "#fff", "color": "white\nblack", "timerLength": "x" * 500, "timezone": "Berln"}
    lines = problems("create_event", {**EVENT, **wrong})
    assert sorted(parameters(lines)) == ["color", "colour", "name", "timerLength", "timezone"]
    assert max(map(len, lines)) < 250


def test_unknown_attribute_names_the_nearest() -> None:
    assert "Did you mean timeStart?" in problems("duplicate_event", {"time_start": "2026-05-01T09:00:00Z"})[0]
    assert "Allowed: count, description, name, price, private." in problems("create_ticket", {"zzz": 1})[0]
    assert problems("create_ticket", {"\ufeffname": "x"})[0].startswith("`'\\ufeffname'` must be a documented")


def test_times_are_sent_in_utc() -> None:
    checked = validate_request("create_event", EVENT)
    assert (checked["timeStart"], checked["timeEnd"]) == ("2026-05-01T13:00:00Z", "2026-05-01T21:00:00Z")
    checked = validate_request("duplicate_event", {"timeStart": datetime(2026, 5, 1, 9, tzinfo=UTC)})
    assert checked == {"timeStart": "2026-05-01T09:00:00Z"}


def test_times_without_offset_need_the_zone_in_the_same_call() -> None:
    assert "a time with an offset" in problems("duplicate_event", {"timeStart": "2026-05-01T09:00:00"})[0]
    configuration = {"expiresAt": "2026-05-01T09:00:00"}
    lines = problems("create_data_subscription", {"configuration": configuration})
    assert lines[0].startswith("`configuration.expiresAt` must be a time with an offset")


@pytest.mark.parametrize("end", ["2026-05-01T09:00:00-04:00", "2026-05-01T12:59:59Z"])
def test_end_is_after_start(end: str) -> None:
    lines = problems("create_event", {**EVENT, "timeEnd": end})
    assert len(lines) == 1
    expected = "`timeEnd` must be after the start, 2026-05-01T13:00:00Z in `timeStart`, got '2026-05-01T"
    assert lines[0].startswith(expected)


def test_start_and_end_are_compared_as_instants() -> None:
    later = {**EVENT, "timeStart": "2026-05-01T23:00:00+09:00", "timeEnd": "2026-05-01T15:00:00Z"}
    assert validate_request("create_event", later)["timeStart"] == "2026-05-01T14:00:00Z"


@pytest.mark.parametrize("value", [True, "9.50", math.nan, math.inf, -math.inf, [1]])
def test_price_is_a_finite_number(value: Any) -> None:
    assert problems("create_ticket", {"price": value})[0].startswith("`price` must be a finite number, got")


@pytest.mark.parametrize("value", [0, 9, 9.5, 10**400])
def test_any_finite_number_is_a_price(value: Any) -> None:
    assert validate_request("create_ticket", {"price": value}) == {"price": value}


@pytest.mark.parametrize(
    "email",
    [
        *["ada", "ada@", "@example.org", "ada@example", "a b@example.org", "a@b@c.org", 5, ""],
        *[
            "ada\0@example.org",
            "ada@exam\x07ple.org",
            "ada@example.org\x7f",
            "ada@example.o\x9brg",
        ],
        *[f"ada{invisible}@example.org" for invisible in "\xad\u061c\u200b\u200d\u200f\u202e\u2060\u2066\u2069\ufeff"],
    ],
)
@pytest.mark.parametrize("name", ["create_magic_link", "create_redeem_code"])
def test_email_looks_like_an_address(name: str, email: Any) -> None:
    assert problems(name, {**full(name), "email": email})[0].startswith("`email` must be an e-mail address, got")


@pytest.mark.parametrize(
    "email", ["\u00e4da@\u043f\u0440\u0438\u043c\u0435\u0440.example", "o'hara+tag@a-b.example.org"]
)
def test_addresses_of_any_script_are_sent(email: str) -> None:
    assert validate_request("create_magic_link", {**full("create_magic_link"), "email": email})["email"] == email


def test_metadata_of_links_and_registrations_holds_strings() -> None:
    for name in ("update_registration", "create_magic_link"):
        lines = problems(name, {**full(name), "metadata": {"seat": 5, "row": "a", "gate": None}})
        assert lines == [
            "`metadata['seat']` must be a string, not int.",
            "`metadata['gate']` must be a string, not NoneType.",
        ]


def test_metadata_of_events_holds_what_json_holds() -> None:
    metadata = {"rows": [1, {"a": None}], "on": True}
    assert validate_request("duplicate_event", {"metadata": metadata}) == {"metadata": metadata}
    lines = problems("duplicate_event", {"metadata": {"when": datetime(2026, 1, 1), "nan": [math.nan]}})
    assert parameters(lines) == ["metadata['when']", "metadata['nan']"]
    assert problems("duplicate_event", {"metadata": {1: "x"}})[0].startswith(
        "`metadata` must be an object with strings"
    )
    assert problems("duplicate_event", {"metadata": "{}"})[0].startswith("`metadata` must be an object")


def test_data_subscription() -> None:
    given = {
        "configuration": {"url": "https://example.org/in", "type": None, "expiresAt": "2026-05-01T09:00:00+02:00"},
        "signals": ("attendance", "registrationQrCreated"),
    }
    assert validate_request("create_data_subscription", given) == {
        "configuration": {"url": "https://example.org/in", "expiresAt": "2026-05-01T07:00:00Z"},
        "signals": ["attendance", "registrationQrCreated"],
    }


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"signals": "attendance"}, "`signals` must be a list"),
        ({"signals": []}, "`signals` must be a list with at least one string"),
        (
            {"signals": ["attendance", "atendance"]},
            "`signals[1]` must be a documented value, got 'atendance'. Did you mean 'attendance'",
        ),
        ({"configuration": {"uri": "x"}}, "`configuration.uri` must be a documented attribute. Did you mean url?"),
        ({"configuration": '{"url": "https://u:canary@h"}'}, "`configuration` must be an object, not str"),
    ],
)
def test_wrong_data_subscription_is_refused(given: dict[str, Any], word: str) -> None:
    line = problems("create_data_subscription", given)[0]
    assert line.startswith(word)
    assert "canary" not in line


def test_password_and_metadata_are_never_shown() -> None:
    given = {"password": ["canary-1"], "metadata": {"token": {"canary-2"}}, "timezone": "nowhere"}
    text = "\n".join(problems("duplicate_event", given))
    assert "`password` must be a string, not list" in text
    assert "canary" not in text


def test_undocumented_attributes_and_values_pass_when_asked() -> None:
    given = {**EVENT, "eventType": "hologram", "mood": {"level": 3}, "timezone": "America/Coyhaique"}
    checked = validate_request("create_event", given, allow_undocumented=True)
    assert (checked["eventType"], checked["mood"]) == ("hologram", {"level": 3})
    assert checked["timeStart"] == "2026-05-01T12:00:00Z"


def test_undocumented_attributes_are_still_json_and_types_still_checked() -> None:
    given = {**EVENT, "mood": {1, 2}, "hidePeopleArea": "yes", "timeStart": "soon", "eventType": 4}
    lines = problems("create_event", given, allow_undocumented=True)
    assert set(parameters(lines)) == {"mood", "hidePeopleArea", "timeStart", "eventType"}


def test_misspelt_attribute_passes_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="attendeesVisiblity is deprecated, use attendeesVisibility") as caught:
        checked = validate_request("create_event", {**EVENT, "attendeesVisiblity": "show_all"})
    assert checked["attendeesVisiblity"] == "show_all"
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validate_request("create_event", {**EVENT, "attendeesVisibility": "show_all", "attendeesVisiblity": None})


def test_what_was_given_stays_as_it_was() -> None:
    given = {**EVENT, "description": None, "timeStart": "2026-05-01T09:00:00Z"}
    before = dict(given)
    assert "description" not in validate_request("create_event", given)
    assert given == before


@pytest.mark.parametrize("attributes", [None, [], "name=x"])
def test_no_mapping_is_refused(attributes: Any) -> None:
    with pytest.raises(
        RingEventsConfigError, match="`attributes` must be an object with attributes of create_ticket, not"
    ):
        validate_request("create_ticket", attributes)


# --- what cannot become JSON


@pytest.mark.parametrize("allow_undocumented", [False, True])
@pytest.mark.parametrize("name", [3, None, 1.5, True, ("a", "b"), b"name"])
@pytest.mark.parametrize("value", ["x", None])
def test_names_of_attributes_are_strings_whatever_their_value(name: Any, value: Any, allow_undocumented: bool) -> None:
    lines = problems("create_ticket", {name: value}, allow_undocumented=allow_undocumented)
    assert lines == [f"`attributes` must be a mapping with strings for keys, got {name!r}."]


def test_names_within_attributes_are_strings() -> None:
    assert problems("create_magic_link", {**full("create_magic_link"), "metadata": {None: None}}) == [
        "`metadata` must be an object with strings for keys, not dict."
    ]
    assert problems("create_ticket", {"new": {"a": [{1: 2}]}}, allow_undocumented=True) == [
        "`new` must be a value that JSON can represent, not dict."
    ]


def cycle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["again"] = [made]
    return made


def nest(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("make", [cycle, lambda: nest(65), lambda: nest(5000)], ids=["cycle", "65", "5000"])
def test_cycles_and_endless_nesting_are_refused(make: Callable[[], Any]) -> None:
    value = make()
    expected = "free of cycles and at most 64 levels deep."
    for name in full("create_event"):
        assert f"`{name}` must be {expected}" in problems("create_event", {**EVENT, name: value})
    assert problems("create_ticket", {"new": value}, allow_undocumented=True) == [f"`new` must be {expected}"]
    with pytest.raises(RingEventsConfigError, match=expected):
        endpoints.create_ticket("e", {"new": value})


def test_nesting_that_is_deep_and_ends_is_sent() -> None:
    value = nest(64)
    assert validate_request("create_ticket", {"new": value}, allow_undocumented=True) == {"new": value}
    shared = {"a": 1}
    assert validate_request("create_ticket", {"new": [shared, shared]}, allow_undocumented=True)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_half_of_a_surrogate_pair_is_refused_wherever_it_is(operation: str) -> None:
    half = "a\ud800"
    for name, value in full(operation).items():
        broken = dict.fromkeys(value, half) if isinstance(value, dict) else half
        lines = problems(operation, {**full(operation), name: broken})
        assert any("text without halves of surrogate pairs" in line for line in lines), (name, lines)
        assert all(line.isascii() for line in lines if name in line)


def test_half_of_a_surrogate_pair_in_a_name_and_deep_inside_is_placed() -> None:
    expected = "text without halves of surrogate pairs, which cannot be encoded."
    metadata = {**full("create_magic_link"), "metadata": {"a\udfff": "x"}}
    assert problems("create_magic_link", metadata) == [f"`metadata['a\\udfff']` must be {expected}"]
    nested = {"new": {"list": ["x", "\ud800"]}}
    assert problems("create_ticket", nested, allow_undocumented=True) == [f"`new['list'][1]` must be {expected}"]
    assert problems("create_ticket", {"\ud800": 1}, allow_undocumented=True) == [f"`'\\ud800'` must be {expected}"]
    with pytest.raises(RingEventsConfigError, match="surrogate"):
        endpoints.list_registrations("e", {"email": "\ud800@example.org"})


@pytest.mark.parametrize("value", ["false", "true", "", 0, 1, None, []])
def test_a_word_is_no_switch(value: Any) -> None:
    with pytest.raises(RingEventsConfigError, match="`allow_undocumented` must be True or False, got"):
        validate_request("create_ticket", {}, allow_undocumented=value)
    with pytest.raises(RingEventsConfigError, match="`allow_undocumented` must be True or False, got"):
        endpoints.create_report("e", "registrations", allow_undocumented=value)


def test_errors_call_attributes_as_they_are_told() -> None:
    given = {**EVENT, "timeStart": EVENT["timeEnd"], "name": " "}
    names = {"timeStart": "time_start", "name": "title"}
    with pytest.raises(RingEventsConfigError) as raised:
        validate_request("create_event", given, names=names)
    assert parameters([str(problem) for problem in raised.value.problems]) == ["title", "timeEnd"]
    assert "`timeEnd` must be after the start, " in str(raised.value)
