"""Every exception of the package crosses processes: pickled and copied it keeps class, message and attributes."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

import airflow_provider_ringevents
from airflow_provider_ringevents.client.errors import ErrorDetail, RingEventsConfigError, RingEventsError

PACKAGE = airflow_provider_ringevents.__name__
VALUES: dict[str, Any] = {
    "status": 404,
    "errors": [ErrorDetail("code", "title", "detail", "pointer", "parameter")],
    "details": "no such event",
    "request_id": "r-1",
    "retry_after": 2.5,
    "ambiguous": True,
    "retryable": True,
    "sent": True,
    "timed_out": True,
    "reason": "reset",
    "parameter": "timeout",
    "expected": "a number",
    "got": "'x'",
    "problems": (RingEventsConfigError("one", parameter="a"), RingEventsConfigError("two", parameter="b")),
    "rows": 3,
    "count": 5,
    "readings": 2,
}


def every_class() -> list[type[BaseException]]:
    found = set()
    for info in pkgutil.walk_packages(airflow_provider_ringevents.__path__, f"{PACKAGE}."):
        if info.name.endswith("__main__"):
            continue
        for value in vars(importlib.import_module(info.name)).values():
            if inspect.isclass(value) and issubclass(value, BaseException) and value.__module__.startswith(PACKAGE):
                found.add(value)
    return sorted(found, key=lambda cls: (cls.__module__, cls.__qualname__))


CLASSES = every_class()


def make(cls: type[BaseException]) -> BaseException:
    """Return an error with all of its attributes other than their defaults."""
    parameters = inspect.signature(cls.__init__).parameters.values()
    named = {each.name: VALUES[each.name] for each in parameters if each.kind is each.KEYWORD_ONLY}
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return cls("message", **named)
    positional = [each.name for each in parameters if each.kind is each.POSITIONAL_OR_KEYWORD and each.name != "self"]
    return cls(*(VALUES.get(name, "message") for name in positional), **named)


def fail(cls: type[BaseException]) -> None:
    raise make(cls)


def pickled(error: BaseException) -> Any:
    return pickle.loads(pickle.dumps(error))


def seen(value: Any) -> Any:
    """What can be compared of an attribute: an exception has no equality."""
    if isinstance(value, BaseException):
        return type(value), str(value), seen(vars(value))
    if isinstance(value, dict):
        return {name: seen(item) for name, item in value.items() if name != "__notes__"}
    return [seen(item) for item in value] if isinstance(value, list | tuple) else value


def test_all_rooms_are_searched() -> None:
    rooms = {cls.__module__.split(".")[1] for cls in CLASSES}
    assert {"bulk", "cli", "client", "exports", "operators", "storage"} <= rooms
    assert len([cls for cls in CLASSES if issubclass(cls, RingEventsError)]) >= 18


@pytest.mark.parametrize("duplicate", [pickled, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_duplicate_is_the_same_error(cls: type[BaseException], duplicate: Callable[[Any], Any]) -> None:
    error = make(cls)
    again = duplicate(error)
    assert type(again) is cls
    assert (again.args, str(again)) == (error.args, str(error))
    assert seen(vars(again)) == seen(vars(error))


@pytest.mark.integration
def test_each_comes_out_of_a_process_pool() -> None:
    with ProcessPoolExecutor(1) as pool:
        for cls in CLASSES:
            error = pool.submit(fail, cls).exception(60)
            assert type(error) is cls
            assert seen(vars(error)) == seen(vars(make(cls)))
