"""What the operators share that create an event once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, mask_secret

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    RingEventsBaseOperator,
    as_mapping,
    is_known,
    reject_invalid_arguments,
    validate_duration,
)

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.endpoints import Call
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent
    from airflow_provider_ringevents.provisioning.idempotent_create import IdempotentCreation
    from airflow_provider_ringevents.provisioning.request_journal import RequestJournal

Time = str | datetime


class RingEventsBaseProvisioningOperator(RingEventsBaseOperator):
    """Base of the operators that create an event once.

    :param attributes: any other documented attribute, under the API's own name (templated).
    :param organization_id: the organization; default: the connection's (templated).
    :param idempotency_key: what makes two requests the same one. A key of your own, such as a row's id, is looked for
        before anything is sent, and so holds across runs and backfills; None: this task in this run (templated).
    :param settle_timeout: seconds within which the service is taken to show an event that it created.
    :param allow_undocumented: let attributes and values through that the API does not document.
    """

    event_is_known = True
    """Whether what the link to the event needs was kept; a worker session that has only begun has not."""

    operation = ""
    """Which table of :mod:`~airflow_provider_ringevents.client.validation.requests` the attributes are checked by."""

    template_fields: Sequence[str] = (
        "name",
        "time_start",
        "time_end",
        "timezone",
        "organization_id",
        "attributes",
        "idempotency_key",
        *RingEventsBaseOperator.template_fields,
    )

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

    def pre_execute(self, context: Any) -> None:
        """Airflow calls it before each worker session."""
        super().pre_execute(context)
        self.event_is_known = False

    def own_attributes(self) -> dict[str, Any]:
        """The arguments that are attributes of the request, under the API's names; None: not given."""
        return {
            "name": self.name,
            "timeStart": self.time_start,
            "timeEnd": self.time_end,
            "timezone": self.timezone,
        }

    @reject_invalid_arguments
    def check_arguments(self, known: Callable[[Any], bool]) -> None:
        """Refuse what the API would refuse, as far as the arguments are known.

        :raises RingEventsConfigError: with everything that is wrong.
        """
        from airflow_provider_ringevents.provisioning.event_identity import validate_idempotency_key

        validate_duration("settle_timeout", self.settle_timeout)
        if self.organization_id is not None and known(self.organization_id):
            validate_identifier("organization_id", self.organization_id)
        if self.idempotency_key is not None and known(self.idempotency_key):
            validate_idempotency_key(self.idempotency_key)
        if known(self.attributes) or isinstance(self.attributes, Mapping):
            self._request_attributes(known, self.own_attributes())

    def _request_attributes(self, known: Callable[[Any], bool], own: Mapping[str, Any]) -> dict[str, Any]:
        from airflow_provider_ringevents.client.validation.requests import validate_request

        given = {name: value for name, value in own.items() if value is not None}
        more = as_mapping("attributes", self.attributes)
        if twice := sorted(given.keys() & more.keys()):
            raise RingEventsConfigError(f"attributes: {', '.join(twice)} given twice, as argument and in attributes")
        return validate_request(
            self.operation, {**given, **more}, allow_undocumented=self.allow_undocumented, known=known
        )

    def request_attributes(self) -> dict[str, Any]:
        """All attributes of the request, checked, with the event's password kept out of the log."""
        attributes = self._request_attributes(is_known, self.own_attributes())
        if password := attributes.get("password"):
            mask_secret(password)
        return attributes

    def key(self, context: Context) -> str:
        """The key of this task: the user's, or this task instance's own."""
        from airflow_provider_ringevents.provisioning.event_identity import (
            default_idempotency_key,
            validate_idempotency_key,
        )

        if self.idempotency_key is not None:
            validate_idempotency_key(self.idempotency_key)
            return self.idempotency_key
        ti = context["ti"]
        map_index = -1 if ti.map_index is None else ti.map_index
        return default_idempotency_key(ti.dag_id, ti.task_id, ti.run_id, map_index)

    def memory(self, context: Context) -> RequestJournal:
        """What earlier tries of this task have remembered."""
        from airflow_provider_ringevents.provisioning.request_journal import RequestJournal

        return RequestJournal(task_state_store(context), self.key(context))

    def create_once(
        self, context: Context, hook: RingEventsHook, call: Call, wanted: ExpectedEvent, organization_id: str | None
    ) -> IdempotentCreation:
        """The mechanism, set up for this try of this task."""
        from airflow_provider_ringevents.provisioning.event_lookup import EventLookup
        from airflow_provider_ringevents.provisioning.idempotent_create import IdempotentCreation

        return IdempotentCreation(
            hook,
            call,
            wanted,
            EventLookup(hook, organization_id, wanted.source_id),
            self.memory(context),
            key_given=self.idempotency_key is not None,
            first_try=context["ti"].try_number <= 1,
            settle_timeout=self.settle_timeout,
        )


class WaitingOperator(RingEventsBaseProvisioningOperator):
    """Base of those that can wait for what the service does in the background.

    :param poll_interval: the longest pause between polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer.
    """

    def __init__(
        self,
        *,
        poll_interval: float = defaults.POLL_INTERVAL,
        wait_timeout: float = defaults.WAIT_TIMEOUT,
        deferrable: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.poll_interval = poll_interval
        self.wait_timeout = wait_timeout
        self.deferrable = deferrable

    @reject_invalid_arguments
    def check_arguments(self, known: Callable[[Any], bool]) -> None:
        """As the base, and the waits."""
        validate_duration("poll_interval", self.poll_interval)
        validate_duration("wait_timeout", self.wait_timeout)
        super().check_arguments(known)

    def deadline(self) -> float:
        """When a wait that starts now has to be over, in seconds since the epoch."""
        return clock.now() + self.wait_timeout
