"""Creating events, each once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, conf

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.observability.links import EventLink
from airflow_provider_ringevents.operators._provisioning import (
    RingEventsBaseProvisioningOperator,
    Time,
    WaitingOperator,
)
from airflow_provider_ringevents.operators.base import (
    is_known,
    is_literal,
    reject_invalid_arguments,
    translate_errors_decorator,
)
from airflow_provider_ringevents.triggers._payload import parse_payload

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.polling.events import EventCondition
    from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent
    from airflow_provider_ringevents.provisioning.idempotent_create import IdempotentCreation

_DEFERRABLE = conf.getboolean("operators", "default_deferrable", fallback=False)


class RingEventsCreateEventOperator(RingEventsBaseProvisioningOperator):
    """Creates an event, once. ``POST /v1/organizations/{organizationId}/events``

    A plain event carries its key in its ``slug``: a readable name and a short hash, unless ``attributes`` has a
    ``slug``, which then is what the event is known by.

    :param name: the event's name (templated).
    :param time_start: ISO 8601 or a datetime; without an offset it is local in ``timezone`` (templated).
    :param time_end: likewise, after the start (templated).
    :param timezone: one of the 746 names that the API documents, e.g. ``Europe/Berlin`` (templated).
    :param currency: e.g. ``USD`` (templated).
    :param organization_id: the organization; default: the connection's (templated).
    :param attributes: any other documented attribute, under the API's own name, e.g. ``{"eventType":
        "hidden_event"}`` (templated).
    :param idempotency_key: what makes two requests the same one. A key of your own, such as a row's id, is looked for
        before anything is sent, and so holds across runs and backfills; None: this task in this run (templated).
    :param settle_timeout: seconds within which the service is taken to show an event that it created.
    :param allow_undocumented: let attributes and values through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the event, a dict with ``id``.
    """

    operation = "create_event"
    template_fields: Sequence[str] = ("currency", *RingEventsBaseProvisioningOperator.template_fields)
    operator_extra_links = (EventLink(),)

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
        self.check_arguments(is_literal)

    def own_attributes(self) -> dict[str, Any]:
        """The arguments under the API's names."""
        return {**super().own_attributes(), "currency": self.currency}

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Create the event, or find it."""
        from airflow_provider_ringevents.client.endpoints import create_event
        from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent, build_slug, slug_suffix_for

        self.check_arguments(is_known)
        key = self.key(context)
        attributes = self.request_attributes()
        with self.hook as hook:
            organization_id = hook.organization_id(self.organization_id)
            tail = None if attributes.get("slug") else slug_suffix_for(key, organization_id)
            if tail:
                attributes["slug"] = build_slug(attributes["name"], tail)
            wanted = ExpectedEvent(
                key,
                slug=attributes["slug"],
                tail=tail,
                name=attributes["name"],
                time_start=attributes["timeStart"],
                time_end=attributes["timeEnd"],
            )
            call = create_event(organization_id, attributes)
            event = self.create_once(context, hook, call, wanted, organization_id).event()
            EventLink.keep(context, event, hook.base_url)
        return event


class RingEventsCreateEventFromTemplateOperator(WaitingOperator):
    """Creates an event from a template, once. ``POST /v1/templates/{templateID}/event``

    The service fills the event in the background; ``wait_for`` says which state to wait for.

    :param template_id: the template (templated).
    :param name: the event's name (templated).
    :param time_start: ISO 8601 or a datetime; without an offset it is local in ``timezone`` (templated).
    :param time_end: likewise, after the start (templated).
    :param timezone: one of the 746 names that the API documents (templated).
    :param organization_id: the organization; default: the connection's (templated).
    :param attributes: ``auto_publish``, ``metadata``, ``password`` or ``type`` (templated).
    :param idempotency_key: what makes two requests the same one. A key of your own, such as a row's id, is looked for
        before anything is sent, and so holds across runs and backfills; None: this task in this run (templated).
    :param wait_for: ``published``, or a status word to wait for; None: do not wait (templated).
    :param settle_timeout: seconds within which the service is taken to show an event that it created.
    :param poll_interval: the longest pause between polls, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: let attributes and values through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the event, a dict with ``id``.
    """

    operation = "create_event_from_template"
    template_fields: Sequence[str] = ("template_id", "wait_for", *RingEventsBaseProvisioningOperator.template_fields)
    operator_extra_links = (EventLink(),)

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
        deferrable: bool = _DEFERRABLE,
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
        self.check_arguments(is_literal)

    @reject_invalid_arguments
    def check_arguments(self, known: Callable[[Any], bool]) -> None:
        """As the base, and the template's id and the state to wait for."""
        if known(self.template_id):
            validate_identifier("template_id", self.template_id)
        word = self.wait_for
        if word is not None and known(word) and not (isinstance(word, str) and word.strip()):
            raise RingEventsConfigError(f"wait_for: 'published', a status word or None is wanted, got {word!r}")
        super().check_arguments(known)

    def own_attributes(self) -> dict[str, Any]:
        """The arguments under the API's names; which organization is known when the task runs."""
        own = super().own_attributes()
        own["organizationId"] = self.organization_id
        if self.organization_id is None and "organizationId" not in (self.attributes or {}):
            own["organizationId"] = "the connection's"
        return own

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Create the event, or find it; wait here, or defer the wait."""
        from airflow_provider_ringevents.client.endpoints import create_event_from_template
        from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent, add_marker

        self.check_arguments(is_known)
        key = self.key(context)
        condition = self._condition()
        with self.hook as hook:
            given = self.organization_id or (self.attributes or {}).get("organizationId")
            organization_id = hook.organization_id(given)
            attributes = add_marker({**self.request_attributes(), "organizationId": organization_id}, key)
            wanted = ExpectedEvent(
                key,
                name=attributes["name"],
                time_start=attributes["timeStart"],
                time_end=attributes["timeEnd"],
            )
            call = create_event_from_template(self.template_id, attributes)
            event = self.create_once(context, hook, call, wanted, organization_id).event()
            event_id: str = event["id"]
            EventLink.keep(context, event, hook.base_url)
            if condition is None or condition.is_met(event, clock.now()):
                return event
            if self.deferrable:
                from airflow_provider_ringevents.triggers.events import RingEventsEventTrigger

                self.defer(
                    trigger=RingEventsEventTrigger(
                        event_id,
                        self.ringevents_conn_id,
                        condition.name,
                        condition.status,
                        poll_interval=self.poll_interval,
                        deadline=self.deadline(),
                    ),
                    method_name="execute_complete",
                )
            from airflow_provider_ringevents.polling.events import EventWaiter
            from airflow_provider_ringevents.polling.waiter import wait_until_done

            wait_until_done(EventWaiter(event_id, condition, self.deadline(), self.poll_interval, self.log.info), hook)
            return hook.get_event(event_id)

    def _condition(self) -> EventCondition | None:
        from airflow_provider_ringevents.polling.events import EventCondition

        if self.wait_for is None:
            return None
        if self.wait_for == "published":
            return EventCondition("published")
        return EventCondition("status", self.wait_for)

    @translate_errors_decorator
    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Take the trigger's event and read the event as it is now."""
        self.event_is_known = True  # kept before the task was deferred
        event_id: str = parse_payload(event, "event_id")["event_id"]
        with self.hook as hook:
            return hook.get_event(event_id)


class RingEventsDuplicateEventOperator(WaitingOperator):
    """Copies an event, once, and waits until the copy appears. ``POST /v1/events/{eventId}/duplications``

    :param event_id: the event to copy (templated).
    :param name: the copy's name; None: the service's choice (templated).
    :param time_start: ISO 8601 or a datetime; without an offset it is local in ``timezone`` (templated).
    :param time_end: likewise, after the start (templated).
    :param timezone: one of the 746 names that the API documents (templated).
    :param organization_id: where the copy goes; sent only if given. None: where the source is (templated).
    :param attributes: ``auto_publish``, ``metadata``, ``password`` or ``type`` (templated).
    :param idempotency_key: what makes two requests the same one. A key of your own, such as a row's id, is looked for
        before anything is sent, and so holds across runs and backfills; None: this task in this run (templated).
    :param settle_timeout: seconds within which the service is taken to show an event that it created.
    :param poll_interval: the longest pause between looks, in seconds.
    :param wait_timeout: seconds from the start of the wait to its deadline, the same in both modes.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param allow_undocumented: let attributes and values through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the copy, a dict with ``id``.
    """

    operation = "duplicate_event"
    template_fields: Sequence[str] = ("event_id", *RingEventsBaseProvisioningOperator.template_fields)
    operator_extra_links = (EventLink(),)

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
        deferrable: bool = _DEFERRABLE,
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
        self.check_arguments(is_literal)

    @reject_invalid_arguments
    def check_arguments(self, known: Callable[[Any], bool]) -> None:
        """As the base, and the source's id."""
        if known(self.event_id):
            validate_identifier("event_id", self.event_id)
        super().check_arguments(known)

    def own_attributes(self) -> dict[str, Any]:
        """The arguments under the API's names."""
        return {**super().own_attributes(), "organizationId": self.organization_id}

    @translate_errors_decorator
    def execute(self, context: Context) -> dict[str, Any]:
        """Ask for the copy, or find it; wait here, or defer the wait."""
        from airflow_provider_ringevents.client.endpoints import duplicate_event
        from airflow_provider_ringevents.provisioning.event_identity import add_marker

        self.check_arguments(is_known)
        attributes = add_marker(self.request_attributes(), self.key(context))
        wanted = self._wanted(context, attributes)
        with self.hook as hook:
            call = duplicate_event(self.event_id, attributes)
            once = self.create_once(context, hook, call, wanted, attributes.get("organizationId"))
            event = once.run() or self._wait(hook, once)
            EventLink.keep(context, event, hook.base_url)
        return event

    def _wanted(self, context: Context, attributes: Mapping[str, Any]) -> ExpectedEvent:
        from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent

        return ExpectedEvent(
            self.key(context),
            name=attributes.get("name"),
            time_start=attributes.get("timeStart"),
            time_end=attributes.get("timeEnd"),
            source_id=self.event_id,
        )

    def _wait(self, hook: RingEventsHook, once: IdempotentCreation) -> dict[str, Any]:
        asked_at = once.memory.get().get("time", clock.now())
        wanted = once.wanted
        if self.deferrable:
            from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger

            self.defer(
                trigger=RingEventsDuplicationTrigger(
                    once.search.organization(),
                    self.event_id,
                    wanted.key,
                    asked_at,
                    wanted.name,
                    wanted.time_start,
                    wanted.time_end,
                    self.ringevents_conn_id,
                    self.poll_interval,
                    self.deadline(),
                ),
                method_name="execute_complete",
            )
        from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
        from airflow_provider_ringevents.polling.waiter import wait_until_done

        waiter = DuplicationWaiter(
            once.search.organization(), wanted, asked_at, self.deadline(), self.poll_interval, self.log.info
        )
        wait_until_done(waiter, hook)
        once.memory.accepted(waiter.copy_id)
        return hook.get_event(waiter.copy_id)

    @translate_errors_decorator
    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Take the trigger's event, remember the copy and read it."""
        copy_id: str = parse_payload(event, "event_id")["event_id"]
        self.memory(context).accepted(copy_id)
        with self.hook as hook:
            copy = hook.get_event(copy_id)
            EventLink.keep(context, copy, hook.base_url)
        return copy
