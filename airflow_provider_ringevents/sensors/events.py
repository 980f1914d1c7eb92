"""The sensor for events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context, PokeReturnValue

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsNotFoundError
from airflow_provider_ringevents.observability.links import EventLink, LinkStateMixin
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import DEFAULT_DEFERRABLE, translate_errors
from airflow_provider_ringevents.sensors.base import RingEventsBaseSensor
from airflow_provider_ringevents.triggers._payload import parse_payload

if TYPE_CHECKING:
    from airflow_provider_ringevents.polling.events import EventCondition

_LONGEST_OFFSET: Final = timedelta(seconds=defaults.MAX_DURATION)


class RingEventsEventSensor(LinkStateMixin, RingEventsBaseSensor):
    """A sensor that waits until an event exists, is published, has a status, has started or has ended.

    ``GET /v1/events/{eventId}``

    Takes Airflow's own arguments: ``timeout``, ``poke_interval``, ``mode``, ``soft_fail``, ``never_fail``. A deferred
    wait for a known start or end sleeps until that time and then reads the event again, in case it was rescheduled.
    The task has a link to the event's page after the first poke or, if deferred, when the wait has ended.

    :param event_id: the event (templated).
    :param condition: ``exists``, ``published``, ``status``, ``started`` or ``ended`` (templated).
    :param status: the status that the condition ``status`` waits for (templated).
    :param offset: the time after the start or the end; negative: before.
    :param deferrable: wait in the triggerer; default: Airflow's ``[operators] default_deferrable``.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the event's id.
    """

    template_fields: Sequence[str] = ("event_id", "condition", "status", *RingEventsBaseSensor.template_fields)
    operator_extra_links = (EventLink(),)

    def __init__(
        self,
        *,
        event_id: str,
        condition: str = "exists",
        status: str | None = None,
        offset: timedelta = timedelta(0),
        deferrable: bool = DEFAULT_DEFERRABLE,
        **kwargs: Any,
    ) -> None:
        super().__init__(deferrable=deferrable, **kwargs)
        self.event_id = event_id
        self.condition = condition
        self.status = status
        self.offset = offset
        self.validate_literals()

    @property
    def description(self) -> str:
        """Return the event with the condition."""
        return f"event {self.event_id} {self._condition().description}"

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("event_id")
        offset = arguments["offset"]
        if not arguments.is_known(offset):
            return
        if not isinstance(offset, timedelta) or abs(offset) > _LONGEST_OFFSET:
            arguments.refuse("offset", f"a timedelta of at most {_LONGEST_OFFSET.days} days", offset)
        elif arguments.knows("condition", "status") and arguments.is_plain_text("status", "a status", self.status):
            with arguments.gather():
                self._condition()

    def _condition(self) -> EventCondition:
        from airflow_provider_ringevents.polling.events import EventCondition

        return EventCondition(self.condition, self.status, self.offset.total_seconds())

    def execute(self, context: Context) -> str:
        """Wait on the worker or, deferrable, in the triggerer."""
        self.validate_rendered()
        condition = self._condition()
        if self.deferrable:
            from airflow_provider_ringevents.triggers.events import RingEventsEventTrigger

            self.defer(
                trigger=RingEventsEventTrigger(
                    self.event_id,
                    self.ringevents_conn_id,
                    condition.name,
                    condition.status,
                    condition.offset,
                    self.poke_interval,
                    clock.now() + self.timeout,
                ),
                method_name="execute_complete",
            )
        self.wait_on_worker(context)
        return self.event_id

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Return True when the condition is met."""
        from airflow_provider_ringevents.client.endpoints import get_event
        from airflow_provider_ringevents.client.pagination import flatten_resource

        pokes = self.pokes(context)
        if pokes.are_paused:
            return False
        condition = self._condition()
        with translate_errors():
            try:
                with self.hook as hook:
                    event = flatten_resource(
                        hook.client.send(get_event(self.event_id), budget=pokes.budget()).get("data") or {}
                    )
                    if not self.has_event_link:
                        EventLink.persist(context, event, hook.base_url)
            except RingEventsError as error:
                if condition.name == "exists" and isinstance(error, RingEventsNotFoundError):
                    pokes.on_success()
                    pokes.progress_log.log_pending("there is no such event yet")
                else:
                    pokes.on_error(error)
                return False
        pokes.on_success()
        if not condition.is_met(event, clock.now()):
            pokes.progress_log.log_pending(condition.describe_progress(event))
            return False
        pokes.progress_log.log_done(f"Event {self.event_id}: condition {self.condition!r} is met")
        return True

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Return the event's id, from the event of the trigger."""
        if isinstance(event, Mapping):
            EventLink.persist_url(context, event.get("page"))
        with self.translate_trigger_errors():
            event_id: str = parse_payload(event, "event_id")["event_id"]
        self.log.info("Event %s: condition %r is met", event_id, self.condition)
        return event_id
