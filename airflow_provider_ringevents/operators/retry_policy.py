"""A retry policy that carries a long Retry-After into the delay of a task's retry. Airflow 3.3 and later."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_ringevents._compat import AIRFLOW_V_3_3_PLUS
from airflow_provider_ringevents.client.defaults import RETRY_AFTER_MAX
from airflow_provider_ringevents.client.errors import RingEventsApiError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context


def install_retry_policy(operator: BaseOperator) -> None:
    """Let a long Retry-After set the delay of a retry, on Airflow 3.3 and later and unless the user has set a policy.

    Called after the operator's own ``__init__``: a default given to it would win over the user's ``default_args``.
    """
    if AIRFLOW_V_3_3_PLUS and operator.retry_policy is None:
        operator.retry_policy = RingEventsRetryPolicy()


if AIRFLOW_V_3_3_PLUS:
    from airflow.providers.common.compat.sdk import RetryDecision, RetryPolicy

    class RingEventsRetryPolicy(RetryPolicy):
        """A policy that delays a retry as long as the service requested; all else follows the settings of the task."""

        def evaluate(
            self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
        ) -> RetryDecision:
            """Return the decision on one failure; Airflow asks for it on the worker."""
            retry_after = None
            if isinstance(exception, RingEventsApiError) and exception.retryable:
                retry_after = exception.retry_after
            if retry_after is None or retry_after <= RETRY_AFTER_MAX:
                return RetryDecision.default()  # the client has waited that long already
            own = getattr(context["task"], "retry_delay", timedelta(0)) if context else timedelta(0)
            delay = max(own, timedelta(seconds=retry_after))
            return RetryDecision.retry(delay, f"the service asked to wait {retry_after:g} s")

        def serialize(self) -> dict[str, Any]:
            """Return the settings of the policy: there are none."""
            return {}

        @classmethod
        def deserialize(cls, data: dict[str, Any]) -> RingEventsRetryPolicy:
            """Return the policy that :meth:`serialize` described."""
            return cls()
