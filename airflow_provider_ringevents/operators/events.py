"""Operators that create events, each event once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.operators._provisioning import RingEventsBaseProvisioningOperator, Time
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import DEFAULT_DEFERRABLE, DeferrableWaitMixin, translate_errors
from airflow_provider_ringevents.triggers._payload import parse_payload


class RingEventsCreateEventOperator(RingEventsBaseProvisioningOperator):
    """Create an event, once, with ``POST /v1/organizations/{organizationId}/events``.

    A plain event carries its key in its ``slug``: a readable name and a short hash, unless ``attributes`` has a
    ``slug``, which then identifies the event.

    :param name: the event's name (templated).
    :param time_start: the start, ISO 8601 or a datetime; without an offset it is local in ``timezone`` (templated).
    :param time_end: the end, likewise, after the start (templated).
    :param timezone: one of the 746 names that the API documents, such as ``Europe/Berlin`` (templated).
    :param currency: the currency, such as ``USD`` (templated).
    :param organization_id: the id of the organization; default: the connection's (templated).
    :param attributes: further documented attributes, under the API's own names, such as ``{"eventType":
        "hidden_event"}`` (templated).
    :param idempotency_key: requests with the same key create one event. A key of your own, such as the id of a row,
        is looked up before anything is sent, and is valid across runs and backfills; None: a key of this task in
        this run (templated).
    :param settle_timeout: seconds within which the service shows an event that it has created.
    :param allow_undocumented: accept attributes and values that the API does not document (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the event, a dict with ``id``.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsConfigError: the key or the slug is used by another event.
    :raises RingEventsError: the request failed; a retry finds the event if it was created.
    """

    operation = "create_event"
    template_fields: Sequence[str] = ("currency", *RingEventsBaseProvisioningOperator.template_fields)

    def __init__(
        self,
        *,
        name: str,
        time_start: Time,
        time_end: Time,
        timezone: str,
        currency: str,
        organization_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            name=name,
            time_start=time_start,
            time_end=time_end,
            timezone=timezone,
            organization_id=organization_id,
            attributes=attributes,
            idempotency_key=idempotency_key,
            **kwargs,
        )
        self.currency = currency
        self.validate_literals()

    def request_arguments(self) -> dict[str, Any]:
        """Return the arguments that are attributes of the request, under the API's names; None: not given."""
        return {**super().request_arguments(), "currency": self.currency}

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Create or find the event, and return it."""
        from airflow_provider_ringevents.operators import _event_creation

        self.validate_rendered()
        return _event_creation.create_event(self, context)


class RingEventsCreateEventFromTemplateOperator(DeferrableWaitMixin, RingEventsBaseProvisioningOperator):
    """Create an event from a template, once, with ``POST /v1/templates/{templateID}/event``.

    The service fills the event in the background; ``wait_for`` is the state to wait for.

    :param template_id: the id of the template (templated).
    :param name: the event's name (templated).
    :param time_start: the start, ISO 8601 or a datetime; without an offset it is local in ``timezone`` (templated).
    :param time_end: the end, likewise, after the start (templated).
    :param timezone: one of the 746 names that the API documents (templated).
    :param organization_id: the id of the organization; default: the connection's (templated).
    :param attributes: ``auto_publish``, ``metadata``, ``password`` or ``type`` (templated).
    :param idempotency_key: requests with the same key create one event. A key of your own, such as the id of a row,
        is looked up before anything is sent, and is valid across runs and backfills; None: a key of this task in
        this run (templated).
    :param wait_for: ``published``, or a status word to wait for; None: do not wait (templated).
    :param settle_timeout: seconds within which the service shows an event that it has created.
    :param poll_interval: the longest delay between two polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: accept attributes and values that the API does not document (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the event, a dict with ``id``.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsConfigError: the key is used by another event.
    :raises RingEventsWaitTimeoutError: the event did not reach the state in time.
    :raises RingEventsError: the request failed; a retry finds the event if it was created.
    """

    operation = "create_event_from_template"
    template_fields: Sequence[str] = ("template_id", "wait_for", *RingEventsBaseProvisioningOperator.template_fields)
    awaited_arguments: Sequence[str] = ("template_id", "organization_id", "idempotency_key")

    def __init__(
        self,
        *,
        template_id: str,
        name: str,
        time_start: Time,
        time_end: Time,
        timezone: str,
        organization_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        wait_for: str | None = None,
        deferrable: bool = DEFAULT_DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            name=name,
            time_start=time_start,
            time_end=time_end,
            timezone=timezone,
            organization_id=organization_id,
            attributes=attributes,
            idempotency_key=idempotency_key,
            deferrable=deferrable,
            **kwargs,
        )
        self.template_id = template_id
        self.wait_for = wait_for
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("template_id")
        word = arguments["wait_for"]
        if word is not None and arguments.is_known(word) and not (isinstance(word, str) and word.strip()):
            arguments.refuse("wait_for", "'published', a status word or None", word)
        arguments.is_plain_text("wait_for", "'published', a status word or None", word)
        super().check_arguments(arguments)

    def request_arguments(self) -> dict[str, Any]:
        """Return the arguments that are attributes of the request, under the API's names; None: not given."""
        own = {**super().request_arguments(), "organizationId": self.organization_id}
        further = self.attributes if isinstance(self.attributes, Mapping) else {}
        if self.organization_id is None and "organizationId" not in further:
            own["organizationId"] = "connection"  # required by the API, and known when the connection is read
        return own

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Create or find the event, wait here or defer the wait, and return the event."""
        from airflow_provider_ringevents.operators import _event_creation

        self.validate_rendered()
        return _event_creation.create_event_from_template(self, context)

    @translate_errors()
    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None, awaited: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return the event as it is after the wait in the triggerer.

        :param event: the payload of the trigger.
        :param awaited: the arguments with which the wait began; another value now is an error.
        """
        from airflow_provider_ringevents.operators import _event_creation

        self.has_event_link = True  # persisted before the task was deferred
        self.validate_rendered()
        self.require_awaited(awaited)
        return _event_creation.fetch_event(self, parse_payload(event, "event_id")["event_id"])


class RingEventsDuplicateEventOperator(DeferrableWaitMixin, RingEventsBaseProvisioningOperator):
    """Copy an event, once, and wait until the copy appears, with ``POST /v1/events/{eventId}/duplications``.

    A copy is a draft unless ``attributes`` has ``auto_publish``, which needs a source with a ticket.

    :param event_id: the id of the event to copy (templated).
    :param name: the copy's name; None: the service chooses it (templated).
    :param time_start: the start, ISO 8601 or a datetime; without an offset it is local in ``timezone`` (templated).
    :param time_end: the end, likewise, after the start (templated).
    :param timezone: one of the 746 names that the API documents (templated).
    :param organization_id: the id of the organization that the copy goes to, sent only if given; None: that of the
        source (templated).
    :param attributes: ``auto_publish``, ``metadata``, ``password`` or ``type`` (templated).
    :param idempotency_key: requests with the same key create one event. A key of your own, such as the id of a row,
        is looked up before anything is sent, and is valid across runs and backfills; None: a key of this task in
        this run (templated).
    :param settle_timeout: seconds within which the service shows an event that it has created.
    :param poll_interval: the longest delay between two polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: accept attributes and values that the API does not document (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the copy, a dict with ``id``.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsConfigError: the key is used by another event, or the organization cannot be determined.
    :raises RingEventsWaitTimeoutError: the copy did not appear in time; a retry does not request another one.
    :raises RingEventsError: the request failed; a retry finds the copy if it was created.
    """

    operation = "duplicate_event"
    template_fields: Sequence[str] = ("event_id", *RingEventsBaseProvisioningOperator.template_fields)
    awaited_arguments: Sequence[str] = ("event_id", "organization_id", "idempotency_key")

    def __init__(
        self,
        *,
        event_id: str,
        name: str | None = None,
        time_start: Time | None = None,
        time_end: Time | None = None,
        timezone: str | None = None,
        organization_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        deferrable: bool = DEFAULT_DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            name=name,
            time_start=time_start,
            time_end=time_end,
            timezone=timezone,
            organization_id=organization_id,
            attributes=attributes,
            idempotency_key=idempotency_key,
            deferrable=deferrable,
            **kwargs,
        )
        self.event_id = event_id
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("event_id")
        name = arguments["name"]
        if isinstance(name, str) and not name.strip():
            arguments.refuse("name", "a name that is not blank, or None", name)
        super().check_arguments(arguments)

    def request_arguments(self) -> dict[str, Any]:
        """Return the arguments that are attributes of the request, under the API's names; None: not given."""
        return {**super().request_arguments(), "organizationId": self.organization_id}

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Request or find the copy, wait here or defer the wait, and return the copy."""
        from airflow_provider_ringevents.operators import _event_creation

        self.validate_rendered()
        return _event_creation.duplicate_event(self, context)

    @translate_errors()
    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None, awaited: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Record the copy that the trigger has found, and return it.

        :param event: the payload of the trigger.
        :param awaited: the arguments with which the wait began; another value now is an error.
        """
        from airflow_provider_ringevents.operators import _event_creation

        self.validate_rendered()
        self.require_awaited(awaited)
        return _event_creation.fetch_copy(self, context, parse_payload(event, "event_id")["event_id"])
