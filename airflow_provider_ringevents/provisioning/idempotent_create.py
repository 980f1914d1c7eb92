"""Idempotent creation: one event per key, whatever happens to the request, the worker or the DAG run.

Plain events, events from a template and copies share one mechanism. On Airflow 3.3 and later a journal records
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
from airflow_provider_ringevents.client.endpoints import get_event
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsTransportError,
    RingEventsValidationError,
)
from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.secrets import without_secrets
from airflow_provider_ringevents.client.transport.redaction import clean_value
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.provisioning.request_journal import is_usable_id

if TYPE_CHECKING:
    from airflow_provider_ringevents.client import Client
    from airflow_provider_ringevents.client.endpoints import Call
    from airflow_provider_ringevents.provisioning.event_identity import ExpectedEvent
    from airflow_provider_ringevents.provisioning.event_lookup import EventLookup
    from airflow_provider_ringevents.provisioning.request_journal import RequestJournal

log = logging.getLogger(__name__)

LOOKUP_DELAYS: Final = (2.0, 5.0, 10.0, 20.0)
"""Seconds before each lookup of an event whose creation ended ambiguously."""
SLOW_LOOKUP_DELAY: Final = 30.0
"""Seconds before each further lookup, where the service may still be processing the request."""
MAX_CREATE_REQUESTS: Final = 2
"""Creating requests in one try of a task."""


@dataclass(slots=True)
class IdempotentCreation:
    """The creation of the event of one key, or the adoption of the one that exists already.

    :ivar client: the client.
    :ivar call: the creating request, including the marker.
    :ivar expected: the identity of the event.
    :ivar lookup: the reader of the list in which the event must appear.
    :ivar journal: the records of earlier tries.
    :ivar has_explicit_key: the user gave the key, which therefore holds across runs: look up before anything is sent.
    :ivar is_first_attempt: no earlier try of this task can have sent anything.
    :ivar settle_timeout: seconds within which the service shows a new event, see ``defaults.SETTLE_TIMEOUT``.
    """

    client: Client
    call: Call
    expected: ExpectedEvent
    lookup: EventLookup
    journal: RequestJournal
    has_explicit_key: bool
    is_first_attempt: bool
    settle_timeout: float = defaults.SETTLE_TIMEOUT

    def create_and_fetch(self) -> dict[str, Any]:
        """Create or find an event that the service creates at once, and return it.

        :raises RingEventsConfigError: the key is used by another event.
        :raises RingEventsError: the request failed; ``ambiguous`` if the event may exist all the same.
        """
        event = self.create_or_find()
        if event is not None:
            return event
        found = self._lookup_repeatedly(self._delays(self.settle_timeout))
        if found is None:
            raise RingEventsError(
                f"{self.call.operation}: the service accepted the request, but its list does not show the event",
                retryable=True,
            )
        return self._adopt(found)

    def create_or_find(self) -> dict[str, Any] | None:
        """Create or find the event, and return it.

        :returns: the event; None if the service accepted the request and the event is not visible yet.
        :raises RingEventsError: as :meth:`create_and_fetch`.
        """
        record = self.journal.load()
        if record.get("state") == "accepted":
            return self._load_accepted(record)
        if record:
            found = self._lookup_earlier(record)
        elif not self.is_first_attempt and not self.journal.is_durable:
            # An earlier try may have sent its request, perhaps a moment ago.
            found = self._lookup_earlier({})
        elif self.has_explicit_key or not self.is_first_attempt:
            found = self._lookup()
        else:
            found = None
        return self._adopt(found) if found else self._create()

    # --- creation

    def _create(self) -> dict[str, Any] | None:
        if self.expected.is_copy:
            self.lookup.resolve_organization_id()  # fails before anything is sent that could not be found again
        since = self.journal.load().get("time", clock.now())
        for request in range(1, MAX_CREATE_REQUESTS + 1):
            before = self.journal.load()
            self.journal.record_intent()
            try:
                created = _created_event(self.client.send(self.call))
            except RingEventsError as error:
                found = self._find_after_failure(error, before, since)
                if found:
                    return self._adopt(found)
                if request == MAX_CREATE_REQUESTS:
                    raise
                log.warning("The event does not exist; sending the request once more")
            else:
                return self._record_created(created)
        raise AssertionError("the loop returns or raises")

    def _record_created(self, event: dict[str, Any]) -> dict[str, Any] | None:
        has_marker = self.expected.has_marker(event)
        # The response to a duplication has no body; if there is one, it may be of a job or of the source.
        event_id = event.get("id") if has_marker or not self.expected.is_copy else None
        if event_id is not None and not is_usable_id(event_id):
            log.warning(
                "The response holds an unusable event id (%r); looking for the event in the list",
                clean_value(event_id, self.call.secrets),
            )
            event_id = None
        self.journal.record_accepted(event_id)
        if event_id is None:
            log.info("The service accepted the request and is processing it")
            return None
        if not has_marker:
            log.warning(
                "Event %s was created, but the service did not store its marker (%s): idempotency is degraded, later"
                " tries recognize the event by the journal of this task, its name and its times alone",
                event_id,
                self.expected.slug or self.expected.key,
            )
        log.info("Created event %s (%s)", event_id, self._shown_name(event))
        return event

    def _find_after_failure(
        self, error: RingEventsError, before: Mapping[str, Any], since: float
    ) -> dict[str, Any] | None:
        """Look up the event after a failed request; raise the error if it cannot have been created."""
        if not error.ambiguous:
            self.journal.roll_back(before)
            found = self._find_by_taken_slug(error)
            if found is None:
                raise error
            return found
        log.warning("%s Looking up whether the event was created.", error)
        still_processing = _may_still_be_processing(error)
        if still_processing:
            self.journal.record_no_response()
        return self._lookup_repeatedly(self._delays(self.settle_timeout, still_processing=still_processing), since)

    def _find_by_taken_slug(self, error: RingEventsError) -> dict[str, Any] | None:
        if self.expected.slug is None or not _points_at(error, "slug"):
            return None
        log.info("The service refused the slug %s; looking up whether an event has it", self.expected.slug)
        return self._lookup() or self._lookup_repeatedly(self._delays(self.settle_timeout))

    def _shown_name(self, event: Mapping[str, Any]) -> str:
        return clean_value(event.get("name"), self.call.secrets)

    # --- lookup

    def _lookup(self) -> dict[str, Any] | None:
        found = self.expected.match(self.lookup.list_events(self.expected.may_match))
        return dict(found) if found else None

    def _lookup_earlier(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """Look up the event that an earlier, interrupted try may have created.

        :param record: the journal's record of its request; empty if there is none.
        """
        log.info("An earlier try may have sent its request; looking up its event")
        since = record.get("time")
        remaining = self.settle_timeout - (0.0 if since is None else clock.now() - since)
        delays = self._delays(remaining, still_processing=bool(record.get("silent")))
        return self._lookup_repeatedly(chain((0.0,), delays), since)

    def _lookup_repeatedly(self, delays: Iterable[float], since: float | None = None) -> dict[str, Any] | None:
        """Look up the event after each delay.

        :param since: when the request may have been sent, in seconds since the epoch: an event without the marker that
            was created since then and has the requested attributes is adopted rather than requested once more.
        :raises RingEventsError: the last lookup failed, so that no request may be sent.
        """
        events: list[dict[str, Any]] = []
        failure: RingEventsError | None = None
        for delay in delays:
            clock.sleep(delay)
            try:
                events, failure = self.lookup.list_events(self.expected.may_match), None
            except RingEventsError as error:
                if not error.retryable:
                    raise
                failure = error
                log.warning("A lookup failed: %s", error)
            else:
                if found := self.expected.match(events):
                    return dict(found)
        if failure is not None:
            raise RingEventsError(
                f"{self.call.operation}: the event may have been created, and looking it up failed: {failure}",
                ambiguous=True,
                retryable=True,
            ) from failure
        return self._match_without_marker(events, since) if since is not None else None

    def _match_without_marker(self, events: list[dict[str, Any]], since: float) -> dict[str, Any] | None:
        found = self.expected.match_without_marker(events, since)
        if found is None:
            return None
        log.warning(
            "Event %s has the requested attributes and was created just now, but does not carry the marker: it is"
            " adopted. Idempotency is degraded: another event with the same name and times could not be distinguished",
            clean_value(found["id"], self.call.secrets),
        )
        return dict(found)

    @staticmethod
    def _delays(within: float, *, still_processing: bool = False) -> Iterator[float]:
        """Yield the delays before the lookups, ``within`` seconds in total; further ones while the service may work."""
        for delay in chain(LOOKUP_DELAYS, repeat(SLOW_LOOKUP_DELAY) if still_processing else ()):
            if within <= 0:
                return
            yield min(delay, within)
            within -= delay

    def _load_accepted(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        event_id = record.get("id")
        if event_id is None:
            log.info("The service accepted the request of an earlier try; nothing is sent again")
            found = self._lookup()
            return self._adopt(found) if found else None
        event = self._fetch_created(event_id, record["time"])
        self.expected.require_match(event)
        log.info("Event %s was created by an earlier try", event_id)
        return event

    def _fetch_created(self, event_id: str, since: float) -> dict[str, Any]:
        remaining = self.settle_timeout - (clock.now() - since)
        call = get_event(event_id)
        for delay in chain((0.0,), self._delays(remaining)):
            clock.sleep(delay)
            try:
                return without_secrets(parse_resource(call, self.client.send(call)))
            except RingEventsNotFoundError as error:
                log.info("Event %s is not visible: %s", event_id, error)
        raise RingEventsConfigError(
            f"`idempotency_key` {self.expected.key!r} belongs to event {event_id}, which this task created and which"
            " no longer exists. Give another key to create another event.",
            parameter="idempotency_key",
        )

    def _adopt(self, found: Mapping[str, Any]) -> dict[str, Any]:
        if not is_usable_id(found["id"]):
            raise RingEventsError(
                f"{self.call.operation}: the service lists the event under an unusable id"
                f" ({clean_value(found['id'], self.call.secrets)!r})",
                ambiguous=True,
                retryable=True,
            )
        log.info(
            "Event %s (%s) exists already; it is adopted and nothing is sent", found["id"], self._shown_name(found)
        )
        if self._publishes() and found.get("published") is False:
            log.warning(
                "Event %s is a draft. `auto_publish` takes effect only when an event is created: unless an earlier try"
                " created it just now, publish it in the web application",
                found["id"],
            )
        self.journal.record_accepted(found["id"])
        return dict(found)

    def _publishes(self) -> bool:
        body = self.call.body or {}
        return body.get("data", {}).get("attributes", {}).get("auto_publish") is True


def _created_event(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of a response without its password, empty without one."""
    data = envelope.get("data")
    return without_secrets(flatten_resource(data)) if isinstance(data, Mapping) else {}


def _points_at(error: RingEventsError, attribute: str) -> bool:
    return isinstance(error, RingEventsValidationError) and any(
        attribute in (detail.parameter, detail.pointer.rstrip("/").rsplit("/", 1)[-1]) for detail in error.errors
    )


def _may_still_be_processing(error: RingEventsError) -> bool:
    """Return True if the service may go on with a request that it has not answered: it was slow, not broken."""
    if isinstance(error, RingEventsApiError):
        return error.status in (408, 504)
    return isinstance(error, RingEventsTransportError) and error.timed_out
