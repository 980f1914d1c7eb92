"""The attributes of the errors: set by one helper, kept by pickle, copy and the payload of a trigger."""

from __future__ import annotations

import ast
import copy
import itertools
import json
import pickle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ringevents.client import errors
from airflow_provider_ringevents.client.errors import (
    ErrorDetail,
    RingEventsConfigError,
    RingEventsError,
    combine_errors,
    error_from_payload,
    invalid_argument,
)

_ARGUMENTS: dict[str, dict[str, Any]] = {
    "RingEventsConfigError": {"parameter": "timeout", "expected": "a number", "got": "'x'"},
    "RingEventsTransportError": {"sent": True, "timed_out": True, "ambiguous": True, "retryable": False},
}
_API_ARGUMENTS: dict[str, Any] = {
    "status": 503,
    "errors": [ErrorDetail("code", "title", "detail", "pointer", "parameter")],
    "request_id": "r-1",
    "retry_after": 2.5,
    "ambiguous": True,
}


def every_error() -> list[RingEventsError]:
    """One error of each class, with all attributes other than their defaults."""
    classes = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(classes) == 13
    return [
        cls(
            "message",
            **(
                _API_ARGUMENTS
                if issubclass(cls, errors.RingEventsApiError)
                else _ARGUMENTS.get(name, {"retryable": True})
            ),
        )
        for cls in classes
        for name in [cls.__name__]
    ]


def _pickled(error: RingEventsError) -> Any:
    return pickle.loads(pickle.dumps(error))


@pytest.mark.parametrize("duplicate", [_pickled, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_a_duplicate_has_the_class_the_message_and_all_attributes(
    error: RingEventsError, duplicate: Callable[[RingEventsError], RingEventsError]
) -> None:
    again = duplicate(error)
    assert type(again) is type(error)
    assert again is not error
    assert again.args == error.args
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_the_payload_restores_the_class_and_all_but_the_details_of_a_response(error: RingEventsError) -> None:
    again = error_from_payload(json.loads(json.dumps(error.to_payload())))
    assert type(again) is type(error)
    assert str(again) == str(error)
    lost = {"errors": ()} if isinstance(error, errors.RingEventsApiError) else {}
    assert vars(again) == {**vars(error), **lost}


def test_a_subclass_of_elsewhere_travels_as_its_nearest_ancestor() -> None:
    class Elsewhere(errors.RingEventsTransferError):
        def __init__(self) -> None:
            super().__init__("cut", retryable=False)

    again = error_from_payload(Elsewhere().to_payload())
    assert type(again) is errors.RingEventsTransferError
    assert (str(again), again.retryable) == ("cut", False)
    assert vars(copy.copy(Elsewhere())) == {"ambiguous": False, "retryable": False}


def test_an_unknown_kind_becomes_the_base_class() -> None:
    assert type(error_from_payload({"kind": "Other", "message": "m"})) is RingEventsError
    assert str(error_from_payload({})) == "no message came with the error"


def test_invalid_argument_names_parameter_constraint_and_value() -> None:
    error = invalid_argument("timeout", "a number above 0", "x", hint="See the documentation.")
    assert str(error) == "`timeout` must be a number above 0, got 'x'. See the documentation."
    assert (error.parameter, error.expected, error.got) == ("timeout", "a number above 0", "'x'")
    assert not error.retryable


def test_invalid_argument_shows_none_but_no_secret() -> None:
    assert str(invalid_argument("host", "a URL", None)) == "`host` must be a URL, got None."
    error = invalid_argument("password", "a string without spaces")
    assert str(error) == "`password` must be a string without spaces."
    assert error.got is None


def test_a_long_value_is_shortened() -> None:
    error = invalid_argument("name", "a short string", "x" * 10_000)
    assert error.got is not None
    assert len(error.got) <= 210
    assert len(str(error)) < 300


@dataclass
class _Box:
    content: Any


class _Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class _NamelessClass(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise RuntimeError("no name")


class _Nameless(_Broken, metaclass=_NamelessClass):
    pass


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (_Broken, "_Broken"),
        (lambda: [_Broken()], "_Broken"),
        (lambda: _Nameless(), "_Nameless"),
        (lambda: 10**5_000, "an integer of 16610 bits"),  # Python converts no integer of more than 4300 digits to text
        (lambda: -(10**5_000), "an integer"),
        (lambda: [{"a": (10**5_000, {10**5_000})}], "an integer"),
        (lambda: deque([10**5_000]), "an integer"),
        (lambda: Fraction(10**5_000), "Fraction"),
        (lambda: range(10**5_000), "range"),
        (_cycle, "...]"),
        (lambda: _nested(100_000), "...]"),
        (lambda: _Box(_nested(100_000)), "_Box"),
        (lambda: "\ud800", "ud800"),
    ],
    ids=itertools.count(),
)
def test_any_value_can_be_shown(make: Callable[[], Any], shown: str) -> None:
    error = invalid_argument("name", "a string", make())
    assert shown in str(error)
    assert error.got is not None
    assert len(error.got) < 210


class _Address:
    def __repr__(self) -> str:
        return f"_Address('https://user:hunter2{'x' * 500}@example.org')"


@pytest.mark.parametrize(
    "value",
    [
        "https://user:hunter2@example.org",
        f"{'x' * 95}https://user:hunter2{'y' * 500}@example.org",
        "https://hunter2@example.org",
        "s3://key:hunter2@bucket",
        ["a", {"b": "ftp://u:hunter2@h"}],
        b"http://u:hunter2@h",
        _Address(),
    ],
    ids=itertools.count(),
)
def test_a_password_in_a_url_is_not_shown(value: Any) -> None:
    assert "hunter2" not in str(invalid_argument("name", "a URL", value))


def test_the_connection_and_the_path_of_a_url_are_shown() -> None:
    for url in ("s3://aws_default@bucket/key", "https://example.org:8443/a", "user@example.org", "a//b"):
        assert repr(url) in str(invalid_argument("name", "something else", url))


def test_several_problems_are_listed_each_once_and_kept() -> None:
    first, second = invalid_argument("a", "x", 1), invalid_argument("b", "y", 2)
    assert combine_errors("create_event: nothing was sent", [first, first]) is first
    error = combine_errors("create_event: nothing was sent", [first, second, first])
    assert str(error) == f"create_event: nothing was sent:\n- {first}\n- {second}"
    assert error.problems == (first, second)
    assert error.parameter is None
    again = copy.copy(error)
    assert [str(problem) for problem in again.problems] == [str(first), str(second)]


def test_a_config_error_without_a_parameter_has_none() -> None:
    error = RingEventsConfigError("the connection is gone")
    assert (error.parameter, error.expected, error.got, error.problems) == (None, None, None, ())


def test_every_error_of_an_argument_names_it_as_data() -> None:
    package = Path(errors.__file__).parents[1]
    calls = [
        (f"{file.relative_to(package)}:{node.lineno}", {keyword.arg for keyword in node.keywords})
        for file in package.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "RingEventsConfigError"
    ]
    assert calls
    assert [place for place, keywords in calls if not keywords & {"parameter", "problems"}] == []
