"""The base of the operators that create an event once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.observability.links import EventLink, LinkStateMixin
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator

Time = str | datetime


class RingEventsBaseProvisioningOperator(LinkStateMixin, RingEventsBaseOperator):
    """Base of the operators that create an event once; each of them describes the arguments."""

    operation = ""
    """The endpoint whose request schema the attributes are checked by."""

    template_fields: Sequence[str] = (
        "name",
        "time_start",
        "time_end",
        "timezone",
        "organization_id",
        "attributes",
        "idempotency_key",
        "allow_undocumented",
        *RingEventsBaseOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_undocumented",)
    operator_extra_links = (EventLink(),)

    def __init__(
        self,
        *,
        name: str | None = None,
        time_start: Time | None = None,
        time_end: Time | None = None,
        timezone: str | None = None,
        organization_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        settle_timeout: float = defaults.SETTLE_TIMEOUT,
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.name = name
        self.time_start = time_start
        self.time_end = time_end
        self.timezone = timezone
        self.organization_id = organization_id
        self.attributes = attributes
        self.idempotency_key = idempotency_key
        self.settle_timeout = settle_timeout
        self.allow_undocumented = allow_undocumented

    def request_arguments(self) -> dict[str, Any]:
        """Return the arguments that are attributes of the request, under the API's names; None: not given."""
        return {
            "name": self.name,
            "timeStart": self.time_start,
            "timeEnd": self.time_end,
            "timezone": self.timezone,
        }

    def check_arguments(self, arguments: Arguments) -> None:
        """Check what the API would refuse, as far as it is known."""
        # Parsing a DAG without such operators does not pay for it: 12 ms.
        from airflow_provider_ringevents.provisioning.event_identity import validate_idempotency_key

        arguments.duration("settle_timeout")
        arguments.identifier("organization_id", required=False)
        arguments.key("idempotency_key", validate_idempotency_key)
        for name in ("name", "timezone"):
            arguments.text(name)
        arguments.request(
            self.operation,
            self.request_arguments(),
            attributes="attributes",
            allow_undocumented=arguments["allow_undocumented"],
        )
