"""A pytest plugin that gives each test exactly one layer, a marker: ``unit``, ``integration`` or ``system``.

The layer follows from what the test, its fixtures and the helpers of its module refer to. An explicit marker wins.
"""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

LAYERS = {
    "unit": "no socket, no process, no metadata database",
    "integration": "real HTTP on loopback, or tasks run through Airflow's own machinery",
    "system": "processes of their own, object stores, a browser",
}
INTEGRATION = (
    "airflow_harness",
    "airflow_provider_ringevents.emulator",
    "client_drivers",
    "raw_server",
    "sample_rows",
    "socket",
    "socketserver",
)
SYSTEM = (
    "azure_server",
    "browser",
    "cluster",
    "gcs_server",
    "local_airflow",
    "multiprocessing",
    "s3_server",
    "storage.stores.AzureStore",
    "storage.stores.S3Store",
    "subprocess",
)

_OF_EVERY_TEST = ("_fresh", "_network_guard")
_TESTS = str(Path(__file__).parent)


def layer_of(item: pytest.Item) -> str:
    """Return the layer of a test.

    :raises pytest.UsageError: The test has several explicit markers of layers.
    """
    explicit = {mark.name for mark in item.iter_markers() if mark.name in LAYERS}
    if len(explicit) > 1:
        raise pytest.UsageError(f"{item.nodeid} must have one layer, got {', '.join(sorted(explicit))}.")
    if explicit:
        return explicit.pop()
    referred = frozenset().union(*map(_all_references, _functions(item)))
    if _any_of(referred, SYSTEM):
        return "system"
    return "integration" if _any_of(referred, INTEGRATION) else "unit"


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in LAYERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.pluginmanager.register(_Durations(), "layer-durations")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        layer = layer_of(item)
        if item.get_closest_marker(layer) is None:
            item.add_marker(layer)


class _Durations:
    """Adds up the time and the number of tests of each layer, over all processes."""

    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()
        self._tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for layer in LAYERS:
            if layer in report.keywords:
                self._seconds[layer] += report.duration  # type: ignore[assignment]
                self._tests[layer] += report.when == "setup"

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        spent = [
            f"{layer} {self._seconds[layer]:.1f} s ({self._tests[layer]})" for layer in LAYERS if self._tests[layer]
        ]
        if spent:
            terminalreporter.write_line(f"Time of all processes by layer: {', '.join(spent)}")


def _functions(item: pytest.Item) -> Iterator[Any]:
    """Yield the test's function, those of its fixtures, and the values of its parameters."""
    function = getattr(item, "function", None)
    yield getattr(getattr(function, "hypothesis", None), "inner_test", function)
    definitions = getattr(item, "_fixtureinfo", None)
    for name, found in (definitions.name2fixturedefs if definitions else {}).items():
        if name not in _OF_EVERY_TEST:
            yield found[-1].func
    callspec = getattr(item, "callspec", None)
    for value in callspec.params.values() if callspec else ():
        yield value
        # A fixture that is looked up by the value of a parameter is known only by its name.
        if value in ("s3", "azure"):
            yield _StoreProcess


class _StoreProcess:
    """Stands for a fixture that starts the server of an object store."""


_StoreProcess.__module__ = "s3_server"


_KNOWN: dict[int, tuple[Any, frozenset[str]]] = {}


def _all_references(subject: Any) -> frozenset[str]:
    """Return what `_references` yields, once for each object: the tests of one function share it and its fixtures."""
    if id(subject) not in _KNOWN:
        # The object is kept, so that no other one gets its id.
        _KNOWN[id(subject)] = subject, frozenset(_references(subject, set()))
    return _KNOWN[id(subject)][1]


def _references(subject: Any, visited: set[int]) -> Iterator[str]:
    """Yield the qualified names to which a function refers, also through the helpers of test modules."""
    subject = inspect.unwrap(getattr(subject, "func", subject)) if callable(subject) else subject
    if id(subject) in visited:
        return
    visited.add(id(subject))
    if isinstance(subject, ModuleType):
        yield subject.__name__
        return
    if isinstance(subject, list | tuple):
        for each in subject:
            yield from _references(each, visited)
        return
    owner = subject if isinstance(subject, type) or inspect.isroutine(subject) else type(subject)
    yield f"{getattr(owner, '__module__', '')}.{getattr(owner, '__qualname__', '')}"
    if not _is_test_code(owner):
        return
    for function in vars(owner).values() if isinstance(owner, type) else (owner,):
        function = getattr(function, "__func__", getattr(function, "fget", function))
        if not inspect.isfunction(function):
            continue
        for name in _names(function.__code__):
            if "." in name:  # a module that the function imports
                yield name
            elif name in function.__globals__:
                yield from _references(function.__globals__[name], visited)
        for cell in function.__closure__ or ():
            try:
                yield from _references(cell.cell_contents, visited)
            except ValueError:  # the variable has no value yet
                continue


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@functools.cache
def _is_test_code(owner: Any) -> bool:
    try:
        return (inspect.getsourcefile(owner) or "").startswith(_TESTS)
    except (OSError, TypeError):
        return False


@functools.cache
def _any_of(names: frozenset[str], prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for name in names for prefix in prefixes)
