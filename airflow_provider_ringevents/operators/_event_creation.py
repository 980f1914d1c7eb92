"""The work of the operators that create events; imported when such a task runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context, mask_secret

from airflow_provider_ringevents import clock
from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import RingEventsError
from airflow_provider_ringevents.client.secrets import Secret
from airflow_provider_ringevents.client.types import Event
from airflow_provider_ringevents.client.validation.requests import validate_request
from airflow_provider_ringevents.observability.links import EventLink
from airflow_provider_ringevents.operators._xcom import xcom_resource
from airflow_provider_ringevents.polling.duplications import DuplicationWaiter
from airflow_provider_ringevents.polling.events import EventCondition, EventWaiter
from airflow_provider_ringevents.polling.waiter import wait_until_done
from airflow_provider_ringevents.provisioning.event_identity import (
    ExpectedEvent,
    add_marker,
    build_slug,
    default_idempotency_key,
    slug_suffix_for,
)
from airflow_provider_ringevents.provisioning.event_lookup import EventLookup
from airflow_provider_ringevents.provisioning.idempotent_create import IdempotentCreation
from airflow_provider_ringevents.provisioning.request_journal import RequestJournal, is_usable_id
from airflow_provider_ringevents.triggers.events import RingEventsDuplicationTrigger, RingEventsEventTrigger

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.endpoints import Call
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.operators._provisioning import RingEventsBaseProvisioningOperator
    from airflow_provider_ringevents.operators.events import (
        RingEventsCreateEventFromTemplateOperator,
        RingEventsCreateEventOperator,
        RingEventsDuplicateEventOperator,
    )


def create_event(operator: RingEventsCreateEventOperator, context: Context) -> dict[str, Any]:
    """Create or find a plain event, and return it."""
    key = _key(operator, context)
    attributes = request_attributes(operator)
    with operator.hook as hook:
        organization_id = hook.organization_id(operator.organization_id)
        suffix = None if attributes.get("slug") else slug_suffix_for(key, organization_id)
        if suffix:
            attributes["slug"] = build_slug(attributes["name"], suffix)
        expected = ExpectedEvent(
            key,
            slug=attributes["slug"],
            slug_suffix=suffix,
            name=attributes["name"],
            time_start=attributes["timeStart"],
            time_end=attributes["timeEnd"],
        )
        call = endpoints.create_event(organization_id, attributes)
        event = _creation(operator, context, hook, call, expected, organization_id).create_and_fetch()
        event = xcom_resource(event, Event, secrets=call.secrets)
        EventLink.persist(context, event, hook.base_url)
    return event


def create_event_from_template(operator: RingEventsCreateEventFromTemplateOperator, context: Context) -> dict[str, Any]:
    """Create or find an event from a template, wait for its state here or defer the wait, and return it."""
    key = _key(operator, context)
    condition = _condition(operator.wait_for)
    with operator.hook as hook:
        given = operator.organization_id or (operator.attributes or {}).get("organizationId")
        organization_id = hook.organization_id(given)
        attributes = add_marker({**request_attributes(operator), "organizationId": organization_id}, key)
        expected = ExpectedEvent(
            key,
            name=attributes["name"],
            time_start=attributes["timeStart"],
            time_end=attributes["timeEnd"],
        )
        call = endpoints.create_event_from_template(operator.template_id, attributes)
        event = _creation(operator, context, hook, call, expected, organization_id).create_and_fetch()
        event = xcom_resource(event, Event, secrets=call.secrets)
        EventLink.persist(context, event, hook.base_url)
        if condition is None or condition.is_met(event, clock.now()):
            return event
        if operator.deferrable:
            _defer_event_wait(operator, event["id"], condition)
        deadline = operator.deadline()
        waiter = EventWaiter(event["id"], condition, deadline, operator.poll_interval, operator.log.info)
        wait_until_done(waiter, hook)
        return xcom_resource(hook.get_event(event["id"]), Event, secrets=call.secrets)


def fetch_event(operator: RingEventsCreateEventFromTemplateOperator, event_id: str) -> dict[str, Any]:
    """Return the event as it is after its wait in the triggerer."""
    with operator.hook as hook:
        return xcom_resource(hook.get_event(event_id), Event, secrets=request_secrets(operator))


def duplicate_event(operator: RingEventsDuplicateEventOperator, context: Context) -> dict[str, Any]:
    """Request or find the copy of an event, wait for it here or defer the wait, and return it."""
    key = _key(operator, context)
    attributes = add_marker(request_attributes(operator), key)
    expected = ExpectedEvent(
        key,
        name=attributes.get("name"),
        time_start=attributes.get("timeStart"),
        time_end=attributes.get("timeEnd"),
        source_id=operator.event_id,
    )
    with operator.hook as hook:
        call = endpoints.duplicate_event(operator.event_id, attributes)
        creation = _creation(operator, context, hook, call, expected, attributes.get("organizationId"))
        event = creation.create_or_find()
        if event is None:
            requested_at = creation.journal.load().get("time", clock.now())
            if operator.deferrable:
                _defer_duplication_wait(operator, creation, requested_at)
            event = _wait_for_copy(operator, hook, creation, requested_at)
        event = xcom_resource(event, Event, secrets=call.secrets)
        EventLink.persist(context, event, hook.base_url)
    return event


def fetch_copy(operator: RingEventsDuplicateEventOperator, context: Context, copy_id: str) -> dict[str, Any]:
    """Record the id of the copy that the trigger has found, and return the copy."""
    _record_copy(_journal(operator, context), copy_id)
    with operator.hook as hook:
        copy = xcom_resource(hook.get_event(copy_id), Event, secrets=request_secrets(operator))
        EventLink.persist(context, copy, hook.base_url)
    return copy


def _key(operator: RingEventsBaseProvisioningOperator, context: Context) -> str:
    """Return the user's idempotency key, else the one of this task instance."""
    if operator.idempotency_key is not None:
        return operator.idempotency_key
    ti = context["ti"]
    return default_idempotency_key(ti.dag_id, ti.task_id, ti.run_id, -1 if ti.map_index is None else ti.map_index)


def request_attributes(operator: RingEventsBaseProvisioningOperator) -> dict[str, Any]:
    """Return the attributes of the request as they are sent, and mask the event's password in the log."""
    given = {name: value for name, value in operator.request_arguments().items() if value is not None}
    attributes = validate_request(
        operator.operation, {**given, **(operator.attributes or {})}, allow_undocumented=operator.allow_undocumented
    )
    if password := attributes.get("password"):
        mask_secret(password.reveal())
    return attributes


def request_secrets(operator: RingEventsBaseProvisioningOperator) -> tuple[Secret, ...]:
    """Return the secrets among the attributes of the request."""
    return tuple(value for value in request_attributes(operator).values() if isinstance(value, Secret))


def _journal(operator: RingEventsBaseProvisioningOperator, context: Context) -> RequestJournal:
    return RequestJournal(task_state_store(context), _key(operator, context))


def _creation(
    operator: RingEventsBaseProvisioningOperator,
    context: Context,
    hook: RingEventsHook,
    call: Call,
    expected: ExpectedEvent,
    organization_id: str | None,
) -> IdempotentCreation:
    lookup = EventLookup(hook.client, organization_id, expected.source_id, hook.default_organization_id)
    return IdempotentCreation(
        hook.client,
        call,
        expected,
        lookup,
        _journal(operator, context),
        has_explicit_key=operator.idempotency_key is not None,
        is_first_attempt=context["ti"].try_number <= 1,
        settle_timeout=operator.settle_timeout,
    )


def _condition(wait_for: str | None) -> EventCondition | None:
    if wait_for is None:
        return None
    return EventCondition("published") if wait_for == "published" else EventCondition("status", wait_for)


def _defer_event_wait(
    operator: RingEventsCreateEventFromTemplateOperator, event_id: str, condition: EventCondition
) -> None:
    operator.defer(
        trigger=RingEventsEventTrigger(
            event_id,
            operator.ringevents_conn_id,
            condition.name,
            condition.status,
            poll_interval=operator.poll_interval,
            deadline=operator.deadline(),
        ),
        method_name="execute_complete",
        kwargs={"awaited": operator.awaited()},
    )


def _defer_duplication_wait(
    operator: RingEventsDuplicateEventOperator, creation: IdempotentCreation, requested_at: float
) -> None:
    expected = creation.expected
    operator.defer(
        trigger=RingEventsDuplicationTrigger(
            creation.lookup.resolve_organization_id(),
            operator.event_id,
            expected.key,
            requested_at,
            expected.name,
            expected.time_start,
            expected.time_end,
            operator.ringevents_conn_id,
            operator.poll_interval,
            operator.deadline(),
        ),
        method_name="execute_complete",
        kwargs={"awaited": operator.awaited()},
    )


def _wait_for_copy(
    operator: RingEventsDuplicateEventOperator, hook: RingEventsHook, creation: IdempotentCreation, requested_at: float
) -> dict[str, Any]:
    waiter = DuplicationWaiter(
        creation.lookup.resolve_organization_id(),
        creation.expected,
        requested_at,
        operator.deadline(),
        operator.poll_interval,
        operator.log.info,
    )
    wait_until_done(waiter, hook)
    _record_copy(creation.journal, waiter.copy_id)
    return hook.get_event(waiter.copy_id)


def _record_copy(journal: RequestJournal, copy_id: Any) -> None:
    if not is_usable_id(copy_id):
        raise RingEventsError(f"the service lists the copy under an unusable id ({copy_id!r:.200})", retryable=True)
    journal.record_accepted(copy_id)
