"""Every example parses silently, on its own, and is safe to have in a dags folder."""

from __future__ import annotations

import importlib.util
import socket
import warnings
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow_harness import HAS_TASK_SDK

NEED_AIRFLOW_3 = {"example_ringevents_registrations_sync"}
EXAMPLES = sorted(
    file
    for file in (Path(__file__).parents[2] / "example_dags").glob("*.py")
    if HAS_TASK_SDK or file.stem not in NEED_AIRFLOW_3
)


def load(file: Path) -> list[Any]:
    spec = importlib.util.spec_from_file_location(f"parsed_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [value for value in vars(module).values() if isinstance(value, DAG)]


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_parses_without_a_warning_and_without_the_network(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: socket.socket, address: Any) -> None:
        raise AssertionError(f"parsing opened a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dags = load(file)
    assert dags
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_can_lie_in_a_dags_folder(file: Path) -> None:
    for dag in load(file):
        assert dag.dag_id.startswith("example_ringevents_")
        assert {"example", "ringevents"} <= set(dag.tags)
        assert dag.catchup is False
        assert dag.doc_md


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_tasks_that_wait_in_the_triggerer_do_not_hold_back_their_copies(file: Path) -> None:
    for dag in load(file):
        for task in dag.tasks:
            if getattr(task, "partial_kwargs", vars(task)).get("deferrable"):
                assert getattr(task, "max_active_tis_per_dag", None) is None, "they count from Airflow 3.2 on"


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_sections_that_the_documentation_quotes_are_closed(file: Path) -> None:
    lines = [line.strip() for line in file.read_text().splitlines()]
    started = [line.removeprefix("# [START ").removesuffix("]") for line in lines if line.startswith("# [START ")]
    ended = [line.removeprefix("# [END ").removesuffix("]") for line in lines if line.startswith("# [END ")]
    assert started
    assert started == ended
