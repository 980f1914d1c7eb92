"""Runs of one operator against an emulator, and assertions on their outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow_harness import Result, Run


def run_of(
    operator: Any, emulator: Any, *, retries: int = 0, run: Mapping[str, Any] | None = None, **arguments: Any
) -> Run:
    """Return a run of an operator or sensor, connected to an emulator.

    :param run: further arguments of the run; its connections are added.
    """
    options = {"retries": retries, **(run or {})}
    connections = {"ringevents_default": emulator.connection(), **options.pop("connections", {})}
    return Run(lambda: operator(**{"task_id": "task", **arguments}), connections=connections, **options)


def refused(result: Result) -> str:
    """Assert that the task has failed at its first try, for good; return the message."""
    assert (result.state, result.tries) == ("failed", 1), result.log_text
    assert isinstance(result.exception, AirflowFailException)
    return str(result.exception)


def failed(result: Result, *words: str) -> None:
    """Assert that the task has failed without retries, with an error that contains all words."""
    assert result.state == "failed", result.log_text
    assert isinstance(result.exception, AirflowFailException)
    for word in words:
        assert word in str(result.exception)


def succeeded(result: Result) -> Any:
    """Assert that the task has succeeded; return its XCom."""
    assert result.state == "success", result.log_text
    return result.xcom
