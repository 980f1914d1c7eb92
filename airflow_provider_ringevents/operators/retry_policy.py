"""Carries a long Retry-After into the delay of a task's retry. Airflow 3.3 and later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy

from airflow_provider_ringevents.client.defaults import RETRY_AFTER_MAX
from airflow_provider_ringevents.client.errors import RingEventsApiError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class RingEventsRetryPolicy(RetryPolicy):
    """Waits as long as the service asked before the task is retried; leaves all else to Airflow's settings."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide on one failure; Airflow asks on the worker."""
        asked = exception.retry_after if isinstance(exception, RingEventsApiError) and exception.retryable else None
        if asked is None or asked <= RETRY_AFTER_MAX:
            return RetryDecision.default()  # the client has waited that long already
        own = getattr(context["task"], "retry_delay", timedelta(0)) if context else timedelta(0)
        return RetryDecision.retry(max(own, timedelta(seconds=asked)), f"the service asked to wait {asked:g} s")

    def serialize(self) -> dict[str, Any]:
        """Nothing to keep: it has no settings."""
        return {}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RingEventsRetryPolicy:
        """Build it again."""
        return cls()
