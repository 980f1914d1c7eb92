"""Create once: one event per key, whatever happens to the request, the worker or the DAG run.

One mechanism for plain events, events from a template, and copies. What is remembered (Airflow 3.3 and later) is
``posting`` before a request is sent and ``accepted`` after the service took it; after ``accepted`` nothing is sent
again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.endpoints import Call, list_events
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsTransportError,
    RingEventsValidationError,
)
from airflow_provider_ringevents.client.paging import resource
from airflow_provider_ringevents.marking import Wanted

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

log = logging.getLogger(__name__)

LOOK_PAUSES: Final = (2.0, 5.0, 10.0, 20.0)
"""Seconds before each look for an event whose creation ended ambiguously."""
SLOW_LOOK_PAUSE: Final = 30.0
"""Seconds before each further look, where the service may still be at work on the request."""
LOOK_PER_PAGE: Final = 1000
"""Rows asked for when looking: the largest page is not documented, so much is asked and what comes is believed."""
MAX_POSTS: Final = 2
"""Creating requests in one try of a task."""

_KEY = "ringevents_event"


class Memory:
    """What a task remembers of its creating request, over its tries.

    :param store: Airflow's task state store, or None where there is none (before 3.3).
    :param key: the key; what was remembered for another is not ours.
    """

    def __init__(self, store: Any | None, key: str) -> None:
        self._store = store
        self._key = key

    @property
    def lasting(self) -> bool:
        """What is remembered outlives this try."""
        return self._store is not None

    def get(self) -> dict[str, Any]:
        """``state``, ``time`` (seconds since the epoch) and perhaps ``id``; empty where nothing is remembered."""
        saved = self._store.get(_KEY) if self._store is not None else None
        return saved if isinstance(saved, dict) and saved.get("key") == self._key else {}

    def posting(self) -> None:
        """A creating request is about to be sent."""
        self._set(state="posting", time=clock.now())

    def accepted(self, event_id: str | None = None) -> None:
        """The service took it; its id, once it is known."""
        self._set(state="accepted", time=self.get().get("time", clock.now()), id=event_id)

    def refused(self) -> None:
        """The service did not take it, or it never left."""
        if self._store is not None:
            self._store.delete(_KEY)

    def _set(self, **values: Any) -> None:
        if self._store is not None:
            self._store.set(_KEY, {"key": self._key, **values})


@dataclass(slots=True)
class CreateOnce:
    """Creates the event of one key, or finds the one that was created before.

    :ivar hook: speaks with the API.
    :ivar call: the creating request, its mark included.
    :ivar wanted: what the event must carry and look like.
    :ivar organization_id: whose list is searched; None: the one that holds the source of a copy.
    :ivar memory: what earlier tries have remembered.
    :ivar key_given: the user gave the key, so that it holds across runs: look before anything is sent.
    :ivar first_try: no earlier try of this task can have sent anything.
    :ivar settle_timeout: seconds; see ``defaults.SETTLE_TIMEOUT``.
    """

    hook: RingEventsHook
    call: Call
    wanted: Wanted
    organization_id: str | None
    memory: Memory
    key_given: bool
    first_try: bool
    settle_timeout: float = defaults.SETTLE_TIMEOUT

    def run(self) -> dict[str, Any] | None:
        """Create, or find.

        :returns: the event; None: the service makes it in the background, and it cannot be seen yet.
        :raises RingEventsConfigError: the key is used by another event.
        :raises RingEventsError: the request failed; ``ambiguous`` when the event may exist all the same.
        """
        remembered = self.memory.get()
        if remembered.get("state") == "accepted":
            return self._accepted_before(remembered)
        if remembered:
            found = self._look_until_settled(clock.now() - remembered["time"])
        elif not self.first_try and not self.memory.lasting:
            # Nothing tells whether an earlier try has sent its request, perhaps a moment ago.
            found = self._look_until_settled(0.0)
        elif self.key_given or not self.first_try:
            found = self.look()
        else:
            found = None
        return self._adopted(found) if found else self._create()

    def look(self) -> dict[str, Any] | None:
        """Search the organization's whole list, since its order is not documented."""
        events = self.events()
        found = self.wanted.find(events, self.memory.get().get("id"))
        return dict(found) if found else None

    def events(self) -> list[dict[str, Any]]:
        """All events of the organization."""
        return self._list(self.organization())

    def organization(self) -> str:
        """Whose list is searched.

        :raises RingEventsConfigError: none is given, and none that the key sees holds the source of the copy.
        """
        if self.organization_id is None:
            self.organization_id = self._organization_of_source()
        return self.organization_id

    # --- creating

    def _create(self) -> dict[str, Any] | None:
        for post in range(1, MAX_POSTS + 1):
            self.memory.posting()
            try:
                envelope = self.hook.client.send(self.call)
            except RingEventsError as error:
                found = self._after_failure(error)
                if found:
                    return self._adopted(found)
                if post == MAX_POSTS:
                    raise
                log.warning("The event is not there; sending the request once more")
            else:
                return self._created(envelope.get("data"))
        raise AssertionError("the loop returns or raises")

    def _created(self, data: Any) -> dict[str, Any] | None:
        event = resource(data) if isinstance(data, Mapping) else {}
        event_id = event.get("id")
        self.memory.accepted(event_id)
        if not event_id:
            log.info("The service took the request and works on it")
            return None
        if not self.wanted.marks(event):
            log.warning(
                "Event %s was created, but the service did not keep its mark (%s): create-once is degraded, the event"
                " is known again by this task's memory alone",
                event_id,
                self.wanted.slug or self.wanted.key,
            )
        log.info("Created event %s (%s)", event_id, event.get("name"))
        return event

    def _after_failure(self, error: RingEventsError) -> dict[str, Any] | None:
        """Find the event after a failed request, if there is one; raises what cannot be got over."""
        if self.wanted.slug is not None and _points_at(error, "slug"):
            log.info("The slug %s is taken; looking whose it is", self.wanted.slug)
            found = self.look() or self._look_through(self._pauses(slow=False))
            if found:
                return found
        if not error.ambiguous:
            self.memory.refused()
            raise error
        log.warning("%s Looking whether the event was created.", error)
        return self._look_through(self._pauses(slow=_may_be_at_work(error)))

    def _look_until_settled(self, age: float) -> dict[str, Any] | None:
        """Look for what an earlier try may have created before it ended without a word.

        :param age: seconds since it may have sent its request.
        """
        found = self.look()
        if found:
            return found
        log.info("An earlier try may have sent its request %.0f s ago, and nothing is there yet", age)
        left, passed = [], 0.0
        for pause in self._pauses(slow=False):
            passed += pause
            if passed > age:
                left.append(min(pause, passed - age))
        return self._look_through(left)

    def _look_through(self, pauses: list[float]) -> dict[str, Any] | None:
        for pause in pauses:
            clock.sleep(pause)
            try:
                found = self.look()
            except RingEventsError as error:
                if not error.retryable:
                    raise
                log.warning("A look failed: %s", error)
            else:
                if found:
                    return found
        return None

    def _pauses(self, *, slow: bool) -> list[float]:
        """The pauses before the looks; ``slow`` goes on until the settle timeout."""
        pauses = list(LOOK_PAUSES)
        if slow:
            more = max(0.0, self.settle_timeout - sum(pauses))
            pauses += [SLOW_LOOK_PAUSE] * int(-(-more // SLOW_LOOK_PAUSE))
        return pauses

    # --- finding

    def _accepted_before(self, remembered: Mapping[str, Any]) -> dict[str, Any] | None:
        event_id = remembered.get("id")
        if event_id is None:
            log.info("An earlier try was told that the service works on it; nothing is sent again")
            found = self.look()
            return self._adopted(found) if found else None
        try:
            event = self.hook.get_event(event_id)
        except RingEventsNotFoundError as error:
            raise RingEventsConfigError(
                f"idempotency_key: {self.wanted.key!r} stands for event {event_id}, which this task created and which"
                " is gone; to create another one, give another key"
            ) from error
        self.wanted.check(event)
        log.info("Event %s was created by an earlier try", event_id)
        return event

    def _adopted(self, found: Mapping[str, Any]) -> dict[str, Any]:
        log.info("Event %s (%s) is there already; taken over, nothing is sent", found["id"], found.get("name"))
        self.memory.accepted(found["id"])
        return dict(found)

    def _list(self, organization_id: str) -> list[dict[str, Any]]:
        call = list_events(organization_id)
        try:
            return list(self.hook.client.items(call, per_page=LOOK_PER_PAGE))
        except RingEventsValidationError as error:
            log.info("The service does not take pages of %d rows: %s", LOOK_PER_PAGE, error)
            return list(self.hook.client.items(call))

    def _organization_of_source(self) -> str:
        organizations = list(self.hook.list_organizations())
        if len(organizations) == 1:
            only: str = organizations[0]["id"]
            return only
        default = self.hook.default_organization_id
        organizations.sort(key=lambda organization: organization["id"] != default)
        for organization in organizations:
            if any(event["id"] == self.wanted.source_id for event in self._list(organization["id"])):
                found: str = organization["id"]
                return found
        named = ", ".join(f"{item['id']} ({item.get('name')})" for item in organizations) or "none"
        raise RingEventsConfigError(
            f"organization_id: event {self.wanted.source_id} is in none of the organizations that the key sees"
            f" ({named}); name the one that the copy goes to"
        )


def _points_at(error: RingEventsError, attribute: str) -> bool:
    return isinstance(error, RingEventsValidationError) and any(
        detail.pointer.rstrip("/").rsplit("/", 1)[-1] == attribute for detail in error.errors
    )


def _may_be_at_work(error: RingEventsError) -> bool:
    """Whether the service may go on with a request that it has not answered: it was slow, not broken."""
    if isinstance(error, RingEventsApiError):
        return error.status in (408, 504)
    return isinstance(error, RingEventsTransportError) and error.timed_out
