"""Create once: one event per key, whatever happens to the request, the worker or the DAG run.

One mechanism for plain events, events from a template, and copies. What is remembered (Airflow 3.3 and later) is
``posting`` before a request is sent and ``accepted`` after the service took it; after ``accepted`` nothing is sent
again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsTransportError,
    RingEventsValidationError,
)
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.provisioning.event_identity import CLOCK_SKEW

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.endpoints import Call
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent
    from airflow_provider_ringevents.provisioning.event_lookup import EventLookup
    from airflow_provider_ringevents.provisioning.request_journal import RequestJournal

log = logging.getLogger(__name__)

LOOKUP_DELAYS: Final = (2.0, 5.0, 10.0, 20.0)
"""Seconds before each look for an event whose creation ended ambiguously."""
SLOW_LOOKUP_DELAY: Final = 30.0
"""Seconds before each further look, where the service may still be at work on the request."""
MAX_CREATE_REQUESTS: Final = 2
"""Creating requests in one try of a task."""


@dataclass(slots=True)
class IdempotentCreation:
    """Creates the event of one key, or finds the one that was created before.

    :ivar hook: speaks with the API.
    :ivar call: the creating request, its mark included.
    :ivar wanted: what the event must carry and look like.
    :ivar search: reads the list that the event must appear in.
    :ivar memory: what earlier tries have remembered.
    :ivar key_given: the user gave the key, so that it holds across runs: look before anything is sent.
    :ivar first_try: no earlier try of this task can have sent anything.
    :ivar settle_timeout: seconds; see ``defaults.SETTLE_TIMEOUT``.
    """

    hook: RingEventsHook
    call: Call
    wanted: ExpectedEvent
    search: EventLookup
    memory: RequestJournal
    key_given: bool
    first_try: bool
    settle_timeout: float = defaults.SETTLE_TIMEOUT

    def event(self) -> dict[str, Any]:
        """Create, or find, what the service makes at once.

        :returns: the event.
        :raises RingEventsConfigError: the key is used by another event.
        :raises RingEventsError: the request failed; ``ambiguous`` when the event may exist all the same.
        """
        event = self.run()
        if event is not None:
            return event
        found = self._look_through(self._pauses(self.settle_timeout))
        if found is None:
            raise RingEventsError(
                f"{self.call.operation}: the service took the request, but its list does not show the event",
                retryable=True,
            )
        return self._adopted(found)

    def run(self) -> dict[str, Any] | None:
        """Create, or find.

        :returns: the event; None: the service took the request, and the event cannot be seen yet.
        :raises RingEventsError: as :meth:`event`.
        """
        remembered = self.memory.get()
        if remembered.get("state") == "accepted":
            return self._accepted_before(remembered)
        if remembered:
            found = self._look_for_earlier(remembered)
        elif not self.first_try and not self.memory.lasting:
            # Nothing tells whether an earlier try has sent its request, perhaps a moment ago.
            found = self._look_for_earlier({})
        elif self.key_given or not self.first_try:
            found = self._look()
        else:
            found = None
        return self._adopted(found) if found else self._create()

    # --- creating

    def _create(self) -> dict[str, Any] | None:
        if self.wanted.is_copy:
            self.search.organization()  # before anything is sent that could not be found again
        since = self.memory.get().get("time", clock.now())
        for post in range(1, MAX_CREATE_REQUESTS + 1):
            before = self.memory.get()
            self.memory.posting()
            try:
                envelope = self.hook.client.send(self.call)
            except RingEventsError as error:
                found = self._after_failure(error, before, since)
                if found:
                    return self._adopted(found)
                if post == MAX_CREATE_REQUESTS:
                    raise
                log.warning("The event is not there; sending the request once more")
            else:
                return self._created(envelope.get("data"))
        raise AssertionError("the loop returns or raises")

    def _created(self, data: Any) -> dict[str, Any] | None:
        event = flatten_resource(data) if isinstance(data, Mapping) else {}
        marked = self.wanted.marks(event)
        # A duplication answers nothing; what comes all the same may be a job, or the source.
        event_id = event.get("id") if marked or not self.wanted.is_copy else None
        self.memory.accepted(event_id)
        if not event_id:
            log.info("The service took the request and works on it")
            return None
        if not marked:
            log.warning(
                "Event %s was created, but the service did not keep its mark (%s): create-once is degraded, the event"
                " is known again by this task's memory, its name and its times alone",
                event_id,
                self.wanted.slug or self.wanted.key,
            )
        log.info("Created event %s (%s)", event_id, event.get("name"))
        return event

    def _after_failure(self, error: RingEventsError, before: Mapping[str, Any], since: float) -> dict[str, Any] | None:
        """Find the event after a failed request, if there is one; raises what cannot be got over."""
        if not error.ambiguous:
            self.memory.refused(before)
            found = self._behind_taken_slug(error)
            if found is None:
                raise error
            return found
        log.warning("%s Looking whether the event was created.", error)
        at_work = _may_still_be_processing(error)
        if at_work:
            self.memory.silent()
        return self._look_through(self._pauses(self.settle_timeout, at_work=at_work), since)

    def _behind_taken_slug(self, error: RingEventsError) -> dict[str, Any] | None:
        if self.wanted.slug is None or not _points_at(error, "slug"):
            return None
        log.info("The service refused the slug %s; looking whether an event has it", self.wanted.slug)
        return self._look() or self._look_through(self._pauses(self.settle_timeout))

    # --- finding

    def _look(self) -> dict[str, Any] | None:
        found = self.wanted.find(self.search.events())
        return dict(found) if found else None

    def _look_for_earlier(self, remembered: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look for what an earlier try may have created before it ended without a word.

        :param remembered: of its request; empty: nothing is known of it.
        """
        log.info("An earlier try may have sent its request; looking for its event")
        since = remembered.get("time")
        left = self.settle_timeout - (0.0 if since is None else clock.now() - since)
        pauses = self._pauses(left, at_work=bool(remembered.get("silent")))
        return self._look_through(chain((0.0,), pauses), since)

    def _look_through(self, pauses: Iterable[float], since: float | None = None) -> dict[str, Any] | None:
        """Look after each pause.

        :param since: when the request may have been sent: before it is sent once more, an event without the mark that
            was made since then and is what was asked is taken, too.
        :raises RingEventsError: the last look failed: nothing may be sent blindly.
        """
        events: list[dict[str, Any]] = []
        failure: RingEventsError | None = None
        for pause in pauses:
            clock.sleep(pause)
            try:
                events, failure = self.search.events(), None
            except RingEventsError as error:
                if not error.retryable:
                    raise
                failure = error
                log.warning("A look failed: %s", error)
            else:
                if found := self.wanted.find(events):
                    return dict(found)
        if failure is not None:
            raise RingEventsError(
                f"{self.call.operation}: the event may have been created, and looking for it failed: {failure}",
                ambiguous=True,
                retryable=True,
            ) from failure
        return self._unmarked(events, since) if since is not None else None

    def _unmarked(self, events: list[dict[str, Any]], since: float) -> dict[str, Any] | None:
        found = self.wanted.find_unmarked(events, since - CLOCK_SKEW)
        if found is None:
            return None
        log.warning(
            "Event %s is what was asked and was made just now, but does not carry the mark: taken for the one that was"
            " created. Create-once is degraded: it cannot be told from another one with the same name and times",
            found["id"],
        )
        return dict(found)

    @staticmethod
    def _pauses(within: float, *, at_work: bool = False) -> Iterator[float]:
        """The pauses before the looks, ``within`` seconds in all at most; as many where the service may be at work."""
        for pause in chain(LOOKUP_DELAYS, repeat(SLOW_LOOKUP_DELAY) if at_work else ()):
            if within <= 0:
                return
            yield min(pause, within)
            within -= pause

    def _accepted_before(self, remembered: Mapping[str, Any]) -> dict[str, Any] | None:
        event_id = remembered.get("id")
        if event_id is None:
            log.info("An earlier try was told that the service works on it; nothing is sent again")
            found = self._look()
            return self._adopted(found) if found else None
        event = self._remembered_event(event_id, remembered["time"])
        self.wanted.check(event)
        log.info("Event %s was created by an earlier try", event_id)
        return event

    def _remembered_event(self, event_id: str, since: float) -> dict[str, Any]:
        left = self.settle_timeout - (clock.now() - since)
        for pause in chain((0.0,), self._pauses(left)):
            clock.sleep(pause)
            try:
                return self.hook.get_event(event_id)
            except RingEventsNotFoundError as error:
                log.info("Event %s cannot be seen: %s", event_id, error)
        raise RingEventsConfigError(
            f"idempotency_key: {self.wanted.key!r} stands for event {event_id}, which this task created and which"
            " is gone; to create another one, give another key"
        )

    def _adopted(self, found: Mapping[str, Any]) -> dict[str, Any]:
        log.info("Event %s (%s) is there already; taken over, nothing is sent", found["id"], found.get("name"))
        self.memory.accepted(found["id"])
        return dict(found)


def _points_at(error: RingEventsError, attribute: str) -> bool:
    return isinstance(error, RingEventsValidationError) and any(
        attribute in (detail.parameter, detail.pointer.rstrip("/").rsplit("/", 1)[-1]) for detail in error.errors
    )


def _may_still_be_processing(error: RingEventsError) -> bool:
    """Whether the service may go on with a request that it has not answered: it was slow, not broken."""
    if isinstance(error, RingEventsApiError):
        return error.status in (408, 504)
    return isinstance(error, RingEventsTransportError) and error.timed_out
