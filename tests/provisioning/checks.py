"""How a task must have ended."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow_harness import Result


def failed(result: Result, *words: str) -> None:
    """The task has failed, without retries, and said why."""
    assert result.state == "failed", result.log_text
    assert isinstance(result.exception, AirflowFailException)
    for word in words:
        assert word in str(result.exception)


def succeeded(result: Result) -> dict[str, Any]:
    """The task has succeeded; gives its event."""
    assert result.state == "success", result.log_text
    event: dict[str, Any] = result.xcom
    return event
