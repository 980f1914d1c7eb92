"""Creating data subscriptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    RingEventsBaseOperator,
    is_known,
    is_literal,
    reject_invalid_arguments,
    require,
    translate_errors_decorator,
)


class RingEventsCreateDataSubscriptionOperator(RingEventsBaseOperator):
    """Subscribes to signals of an event. ``POST /v1/events/{eventId}/dataSubscriptions``

    At least once: the API has no list of subscriptions, so a try that broke off may have made one that nobody knows.

    :param event_id: the event (templated).
    :param configuration: ``url``, ``type`` and ``expiresAt`` (ISO 8601 with an offset) (templated).
    :param signals: which of the 16 documented signals, e.g. ``attendance`` (templated).
    :param allow_undocumented: let signals and attributes through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: ``id``, ``eventId``, ``signals`` and ``expiresAt``; not the configuration, whose URL may hold a secret.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "configuration",
        "signals",
        *RingEventsBaseOperator.template_fields,
    )

    def __init__(
        self,
        *,
        event_id: str,
        configuration: Mapping[str, Any],
        signals: Sequence[str],
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_id = event_id
        self.configuration = configuration
        self.signals = signals
        self.allow_undocumented = allow_undocumented
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        from airflow_provider_ringevents.client.validation.requests import validate_request

        if known(self.event_id):
            validate_identifier("event_id", self.event_id)
        require(configuration=self.configuration, signals=self.signals)
        validate_request(
            "create_data_subscription",
            {"configuration": self.configuration, "signals": self.signals},
            allow_undocumented=self.allow_undocumented,
            known=known,
        )

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Create the subscription."""
        self._check(is_known)
        with self.hook as hook:
            subscription = hook.create_data_subscription(
                self.event_id, self.configuration, self.signals, allow_undocumented=self.allow_undocumented
            )
        self.log.info("Subscribed to %s of event %s: %s", ", ".join(self.signals), self.event_id, subscription["id"])
        return {name: value for name, value in subscription.items() if name != "configuration"}
