"""The work of the operator that creates a registration; imported when such a task runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.bulk.targets import normalize_email
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsTransportError
from airflow_provider_ringevents.client.secrets import conceal_credentials
from airflow_provider_ringevents.client.transport.redaction import clean_value, list_texts
from airflow_provider_ringevents.client.types import Registration
from airflow_provider_ringevents.client.validation.answers import QuestionIndex, collect_bounded
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier
from airflow_provider_ringevents.operators._xcom import xcom_resource
from airflow_provider_ringevents.provisioning.idempotent_create import LOOKUP_DELAYS, MAX_CREATE_REQUESTS

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

log = logging.getLogger(__name__)

_COMPARED: Final = ("firstName", "lastName", "externalBarcode")


class RegistrationCreation:
    """The creation of one registration, or the lookup of the one that exists.

    :param hook: the hook.
    :param event_id: the id of the event.
    :param attributes: the attributes of the request, under the API's own names.
    :param answers: the name or the id of a question of the ticket -> the answer.
    :param allow_undocumented: accept attributes that are in none of the sources.
    """

    def __init__(
        self,
        hook: RingEventsHook,
        event_id: str,
        attributes: Mapping[str, Any],
        answers: Mapping[str, str | Sequence[str]],
        allow_undocumented: bool,
    ) -> None:
        self._hook = hook
        self._event_id = event_id
        self._attributes = dict(attributes)
        self._answers = answers
        self._allow_undocumented = allow_undocumented

    def run(self) -> dict[str, Any]:
        """Return the registration as it goes into XCom, without the fields that admit their holder.

        :raises RingEventsConfigError: an answer does not fit the questions of the ticket.
        :raises RingEventsError: the request failed; ``ambiguous`` if the registration may exist all the same.
        """
        if self._answers:
            rows = self._hook.list_bank_questions(self._attributes["ticketId"])
            questions = collect_bounded("list_bank_questions", rows)
            self._attributes["answers"] = QuestionIndex(questions).resolve(self._answers)
        registration = self._lookup()
        if registration is None:
            registration = self._create()
        else:
            self._log_existing(registration)
        return xcom_resource(registration, Registration)

    def _create(self) -> dict[str, Any]:
        for request in range(1, MAX_CREATE_REQUESTS + 1):
            try:
                created = self._hook.create_registration(
                    self._event_id, self._attributes, allow_undocumented=self._allow_undocumented
                )
                self._check_created(created)
            except RingEventsError as error:
                if not error.ambiguous:
                    raise
                log.warning("%s Looking up whether the registration was created.", error)
                found = self._lookup_repeatedly()
                if found is not None:
                    log.info("Registration %s was created by the failed request", clean_value(found["id"]))
                    return found
                if request == MAX_CREATE_REQUESTS:
                    raise
                log.warning("The registration does not exist; sending the request once more")
            else:
                log.info("Created registration %s of event %s", created["id"], self._event_id)
                return created
        raise AssertionError("the loop returns or raises")

    def _check_created(self, created: Mapping[str, Any]) -> None:
        """Refuse a response that describes another person or another ticket.

        :raises RingEventsError: it does; ambiguous, since the registration may exist.
        """
        email, ticket = created.get("email"), created.get("ticketId")
        if (email and normalize_email(email) != normalize_email(self._attributes["email"])) or (
            ticket and ticket != self._attributes["ticketId"]
        ):
            raise RingEventsError("create_registration: the response describes another registration.", ambiguous=True)

    def _lookup_repeatedly(self) -> dict[str, Any] | None:
        failure: RingEventsError | None = None
        for delay in LOOKUP_DELAYS:
            clock.sleep(delay)
            try:
                found, failure = self._lookup(), None
            except RingEventsError as error:
                if not error.retryable:
                    raise
                failure = error
                log.warning("A lookup failed: %s", error)
            else:
                if found is not None:
                    return found
        if failure is not None:
            raise RingEventsError(
                f"create_registration: the registration may exist, and looking it up failed: {failure}",
                ambiguous=True,
                retryable=True,
            ) from failure
        return None

    def _lookup(self) -> dict[str, Any] | None:
        """Return the oldest registration of the person, a refunded one only if there is no other.

        The whole list is read, since a filter may depend on case.

        :raises RingEventsError: it cannot be read, none of its rows shows whose it is, or one of the person does not
            show its ticket.
        """
        identity = normalize_email(self._attributes["email"])
        hidden = shown = 0

        def is_same_person(row: Mapping[str, Any]) -> bool:
            nonlocal hidden, shown
            email, ticket = normalize_email(row.get("email")), row.get("ticketId")
            if email and ticket:
                shown += 1
            elif email == identity:
                raise RingEventsTransportError(
                    f"list_registrations: registration {clean_value(row['id'])} has no `ticketId`, so that the person"
                    " cannot be looked up.",
                    sent=True,
                    retryable=False,
                )
            else:
                hidden += 1
            return bool(ticket == self._attributes["ticketId"] and email == identity)

        # Secrets in rows are hidden before any variable holds one while the next page is fetched.
        rows = map(conceal_credentials, self._hook.list_registrations(self._event_id))
        found = list(filter(is_same_person, rows))
        if hidden and not shown:
            raise RingEventsTransportError(
                f"list_registrations: none of the {hidden:,} registrations has `email` and `ticketId`, so that the"
                " person cannot be looked up.",
                sent=True,
                retryable=False,
            )
        if len(found) > 1:
            ids = list_texts(clean_value(row["id"]) for row in found)
            log.warning("%d registrations have this ticket and address: %s. The oldest counts", len(found), ids)
        oldest = min(
            found,
            key=lambda row: (row.get("refunded") is True, str(row.get("createdAt") or ""), str(row["id"])),
            default=None,
        )
        if oldest is not None and not is_valid_identifier(oldest["id"]):
            raise RingEventsError(
                f"list_registrations: the registration has an unusable id ({clean_value(oldest['id'])!r})",
                ambiguous=True,
            )
        return oldest

    def _log_existing(self, registration: Mapping[str, Any]) -> None:
        differing: list[str] = [
            name
            for name in _COMPARED
            if name in self._attributes and registration.get(name) not in (None, self._attributes[name])
        ]
        metadata = registration.get("metadata")
        known = metadata if isinstance(metadata, Mapping) else {}
        wanted = self._attributes.get("metadata") or {}
        differing += [f"metadata[{name!r}]" for name in wanted if known.get(name) != wanted[name]]
        given = {answer["questionId"]: answer["answer"] for answer in self._attributes.get("answers", ())}
        shown = _shown_answers(registration)
        differing += [f"answer {identifier}" for identifier in given if shown.get(identifier) != given[identifier]]
        log.info("Registration %s exists already; nothing is sent", clean_value(registration["id"]))
        if registration.get("refunded") is True:
            log.warning("Registration %s is refunded; it is left as it is", clean_value(registration["id"]))
        if differing:
            log.warning(
                "Registration %s differs from the request in %s; it is left as it is",
                clean_value(registration["id"]),
                ", ".join(differing),
            )


def _shown_answers(registration: Mapping[str, Any]) -> dict[str, Any]:
    fields = _mappings(registration.get("customRegistrationFields"))
    every = [each for field in fields for each in (field, *_mappings(field.get("childQuestions")))]
    return {str(each.get("id")): each.get("value") for each in every}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; empty for anything else that the service may send in its place."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
