"""Operators that create data subscriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors


class RingEventsCreateDataSubscriptionOperator(RingEventsBaseOperator):
    """Subscribe to signals of an event, with ``POST /v1/events/{eventId}/dataSubscriptions``.

    At least once: the API does not list subscriptions, so an interrupted try may leave one whose id is unknown.

    :param event_id: the id of the event (templated).
    :param configuration: ``url``, ``type`` and ``expiresAt`` (ISO 8601 with an offset) (templated).
    :param signals: one or more of the 16 documented signals, such as ``attendance`` (templated).
    :param allow_undocumented: accept signals and attributes that the API does not document (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: ``id``, ``eventId``, ``signals`` and ``expiresAt``; not the configuration, whose URL may hold a secret.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: the request failed.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "configuration",
        "signals",
        "allow_undocumented",
        *RingEventsBaseOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_undocumented",)

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
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("event_id")
        arguments.require("configuration", "signals")
        arguments.request(
            "create_data_subscription",
            {"configuration": self.configuration, "signals": self.signals},
            allow_undocumented=arguments["allow_undocumented"],
        )

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Create the subscription, and return it without its configuration."""
        from airflow_provider_ringevents.client.types import DataSubscription
        from airflow_provider_ringevents.operators._xcom import xcom_resource

        self.validate_rendered()
        with self.hook as hook:
            subscription = hook.create_data_subscription(
                self.event_id, self.configuration, self.signals, allow_undocumented=self.allow_undocumented
            )
        self.log.info("Subscribed to %s of event %s: %s", ", ".join(self.signals), self.event_id, subscription["id"])
        shown = {name: value for name, value in subscription.items() if name != "configuration"}
        return xcom_resource(shown, DataSubscription)
