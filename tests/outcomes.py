"""Assertions on the outcome of a task."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow_harness import Result


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
