"""Operators that create tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client.transport.redaction import clean_value
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors


class RingEventsCreateTicketOperator(RingEventsBaseOperator):
    """Create a virtual ticket of an event (beta in the API), with ``POST /v1/events/{eventId}/tickets``.

    At least once: a ticket has no attribute by which it could be found again, so an interrupted try may leave one.

    :param event_id: the id of the event (templated).
    :param name: the ticket's name (templated).
    :param price: the price in the event's currency (templated).
    :param count: the number of tickets (templated).
    :param attributes: ``description`` or ``private``, under the API's own names (templated).
    :param allow_undocumented: accept attributes that the API does not document (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the ticket, a dict with ``id``.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: the request failed.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "name",
        "price",
        "count",
        "attributes",
        "allow_undocumented",
        *RingEventsBaseOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_undocumented",)

    def __init__(
        self,
        *,
        event_id: str,
        name: str | None = None,
        price: float | None = None,
        count: int | None = None,
        attributes: Mapping[str, Any] | None = None,
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_id = event_id
        self.name = name
        self.price = price
        self.count = count
        self.attributes = attributes
        self.allow_undocumented = allow_undocumented
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("event_id")
        own = {
            "name": arguments.text("name"),
            "price": arguments.number("price"),
            "count": arguments.number("count"),
        }
        arguments.request(
            "create_ticket", own, attributes="attributes", allow_undocumented=arguments["allow_undocumented"]
        )

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Create the ticket, and return it."""
        from airflow_provider_ringevents.client.types import Ticket
        from airflow_provider_ringevents.operators._xcom import xcom_resource

        self.validate_rendered()
        own = {"name": self.name, "price": self.price, "count": self.count}
        attributes = {**{name: value for name, value in own.items() if value is not None}, **(self.attributes or {})}
        with self.hook as hook:
            ticket = hook.create_ticket(self.event_id, attributes, allow_undocumented=self.allow_undocumented)
        self.log.info(
            "Created ticket %s (%s) of event %s", ticket["id"], clean_value(ticket.get("name")), self.event_id
        )
        return xcom_resource(ticket, Ticket)
