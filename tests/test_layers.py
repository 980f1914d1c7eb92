"""Each test has one layer, by a rule that needs no list of tests."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from layers import LAYERS, layer_of
from raw_server import RawServer

from airflow_provider_ringevents.emulator import Emulator


def _pure() -> int:
    return 1


def _helper() -> None:
    with Emulator():
        pass


def _through_a_helper() -> None:
    _helper()


def _imports_inside() -> None:
    from airflow_harness.run import Run

    Run(lambda: None)


def _raw() -> None:
    RawServer(lambda request: None)  # type: ignore[arg-type,return-value]


def _process() -> None:
    subprocess.run(["true"], check=True)


def _item(function: Any, *marks: str, fixtures: tuple[Any, ...] = (), **params: Any) -> Any:
    definitions = {fixture.__name__: [SimpleNamespace(func=fixture)] for fixture in fixtures}
    return SimpleNamespace(
        function=function,
        nodeid="tests/x.py::test_x",
        iter_markers=lambda: [SimpleNamespace(name=mark) for mark in marks],
        _fixtureinfo=SimpleNamespace(name2fixturedefs=definitions),
        callspec=SimpleNamespace(params=params),
    )


@pytest.mark.unit
@pytest.mark.parametrize(
    ("item", "layer"),
    [
        (_item(_pure), "unit"),
        (_item(_helper), "integration"),
        (_item(_through_a_helper), "integration"),
        (_item(_imports_inside), "integration"),
        (_item(_raw), "integration"),
        (_item(_pure, fixtures=(_helper,)), "integration"),
        (_item(_pure, way=_through_a_helper), "integration"),
        (_item(_process), "system"),
        (_item(_helper, fixtures=(_process,)), "system"),
        (_item(_pure, store="s3"), "system"),
        (_item(_process, "unit"), "unit"),
        (_item(_pure, "parametrize", "system"), "system"),
    ],
)
def test_the_layer_follows_from_what_a_test_refers_to(item: Any, layer: str) -> None:
    assert layer_of(item) == layer


@pytest.mark.unit
def test_two_explicit_layers_are_refused() -> None:
    with pytest.raises(pytest.UsageError, match=r"one layer, got system, unit"):
        layer_of(_item(_pure, "unit", "system"))


@pytest.mark.unit
def test_each_collected_test_has_exactly_one_layer(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        assert len({mark.name for mark in item.iter_markers()} & LAYERS.keys()) == 1, item.nodeid
