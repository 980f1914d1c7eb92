"""Creating tickets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    RingEventsBaseOperator,
    as_mapping,
    is_known,
    is_literal,
    reject_invalid_arguments,
    translate_errors_decorator,
)


class RingEventsCreateTicketOperator(RingEventsBaseOperator):
    """Creates a virtual ticket of an event (beta in the API). ``POST /v1/events/{eventId}/tickets``

    At least once: the API gives a ticket nothing to be known again by, so a try that broke off may have made one.

    :param event_id: the event (templated).
    :param name: the ticket's name (templated).
    :param price: in the event's currency (templated).
    :param count: how many there are (templated).
    :param attributes: ``description`` or ``private``, under the API's own names (templated).
    :param allow_undocumented: let attributes through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the ticket, a dict with ``id``.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "name",
        "price",
        "count",
        "attributes",
        *RingEventsBaseOperator.template_fields,
    )

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
        self._checked(is_literal)

    @reject_invalid_arguments
    def _checked(self, known: Callable[[Any], bool]) -> dict[str, Any]:
        from airflow_provider_ringevents.client.validation.requests import validate_request

        if known(self.event_id):
            validate_identifier("event_id", self.event_id)
        own = {"name": self.name, "price": _number(self.price), "count": _number(self.count)}
        given = {name: value for name, value in own.items() if value is not None}
        if not known(self.attributes):
            return given
        more = as_mapping("attributes", self.attributes)
        if twice := sorted(given.keys() & more.keys()):
            raise RingEventsConfigError(f"attributes: {', '.join(twice)} given twice, as argument and in attributes")
        return validate_request(
            "create_ticket", {**given, **more}, allow_undocumented=self.allow_undocumented, known=known
        )

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Create the ticket."""
        attributes = self._checked(is_known)
        with self.hook as hook:
            ticket = hook.create_ticket(self.event_id, attributes, allow_undocumented=self.allow_undocumented)
        self.log.info("Created ticket %s (%s) of event %s", ticket["id"], ticket.get("name"), self.event_id)
        return ticket


def _number(value: Any) -> Any:
    """What a template has made of a number is text; read it back, and leave what is none to the check."""
    if isinstance(value, str):
        for read in (int, float):
            try:
                return read(value)
            except ValueError:
                continue
    return value
