"""Registrations of an event as targets of a bulk load: created, or updated where they exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from airflow_provider_ringevents.bulk.spool import ExistingRecord
from airflow_provider_ringevents.bulk.targets import Decision, normalize_email, record_id
from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import RingEventsError, invalid_argument
from airflow_provider_ringevents.client.secrets import conceal_credentials
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.client.validation.answers import QuestionIndex, collect_bounded
from airflow_provider_ringevents.client.validation.requests import REQUEST_SCHEMAS, validate_request

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client
    from airflow_provider_ringevents.client.endpoints import Call

_MAPS: Final = frozenset({"metadata", "answers"})
_UNMERGED: Final = "\0unmerged"
"""A key beside the attributes of an update whose record did not show the metadata to keep."""


class _Questions:
    """The questions of an event's tickets, read when a row has answers.

    :param ticket_id: the ticket of rows that name none; None: all tickets of the event.
    """

    def __init__(self, client: Client, event_id: str, ticket_id: str | None) -> None:
        self._client = client
        self._event_id = event_id
        self._ticket_id = ticket_id
        self._by_ticket: dict[str | None, QuestionIndex] = {}

    def resolve(self, answers: Mapping[str, Any], ticket_id: str | None) -> list[dict[str, Any]]:
        """Return answers by the name or the id of their question in the form in which they are sent.

        :raises RingEventsConfigError: an answer fits no question, or is not among the question's options.
        """
        ticket_id = ticket_id or self._ticket_id
        if ticket_id not in self._by_ticket:
            self._by_ticket[ticket_id] = self._read(ticket_id)
        return self._by_ticket[ticket_id].resolve(answers, "answers.{}")

    def _read(self, ticket_id: str | None) -> QuestionIndex:
        if ticket_id is not None:
            tickets = [ticket_id]
        else:
            rows = collect_bounded("list_tickets", self._client.items(endpoints.list_tickets(self._event_id)))
            tickets = [ticket["id"] for ticket in rows]
        questions: list[Mapping[str, Any]] = []
        for ticket in tickets:
            asked = self._client.items(endpoints.list_bank_questions(ticket))
            questions += collect_bounded("list_bank_questions", asked)
        return QuestionIndex(questions)


class _RegistrationTarget:
    noun = "registration"
    maps = _MAPS

    def __init__(self, operation: str, event_id: str, ticket_id: str | None, allow_undocumented: bool) -> None:
        self.event_id = event_id
        self.ticket_id = ticket_id
        self._operation = operation
        self._allow_undocumented = allow_undocumented
        self._client: Client | None = None
        self._questions: _Questions | None = None

    def prepare(self, client: Client) -> None:
        """Keep the client, for the questions of rows with answers and for metadata that lists do not show."""
        self._client = client
        self._questions = _Questions(client, self.event_id, self.ticket_id)

    def list_call(self) -> Call:
        """Return the list of the event's registrations."""
        return endpoints.list_registrations(self.event_id)

    def _checked(self, attributes: dict[str, Any]) -> dict[str, Any]:
        answers = attributes.get("answers")
        if isinstance(answers, Mapping):
            assert self._questions is not None, "prepare() comes first"  # noqa: S101
            attributes = {
                **attributes,
                "answers": self._questions.resolve(answers, attributes.get("ticketId")),
            }
        return validate_request(self._operation, attributes, allow_undocumented=self._allow_undocumented)

    def delete_call(self, id: str) -> Call:
        """Refuse: the API deletes no registrations."""
        raise invalid_argument("delete_missing", "False: the API deletes no registrations")


class CreateRegistrationTarget(_RegistrationTarget):
    """The registration of people who have none, known by their e-mail address.

    :param ticket_id: the ticket of rows without a ``ticketId``; None: each row has one.
    """

    identity: str = "email"
    idempotent: bool = False

    def __init__(self, event_id: str, ticket_id: str | None = None, *, allow_undocumented: bool = False) -> None:
        super().__init__("create_registration", event_id, ticket_id, allow_undocumented)
        schema = REQUEST_SCHEMAS["create_registration"]
        self.attributes = frozenset(schema)
        self.required = frozenset(name for name, kind in schema.items() if kind.required) - (
            {"ticketId"} if ticket_id else set()
        )

    def validate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Check the attributes of a row and return them as they are sent, with the ticket."""
        return self._checked({"ticketId": self.ticket_id, **attributes})

    def identity_of(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the normalized address; None if the row has none."""
        return normalize_email(attributes.get("email")) or None

    def existing(self, client: Client, concurrency: int) -> Iterator[ExistingRecord]:
        """Yield the registrations of the event."""
        for row in map(conceal_credentials, client.items(self.list_call(), concurrency=concurrency)):
            refunded = {"refunded": True} if row.get("refunded") is True else None
            yield ExistingRecord(normalize_email(row.get("email")), record_id(row), None, refunded)

    def decide(
        self, attributes: dict[str, Any], found: tuple[ExistingRecord, int] | None
    ) -> tuple[Decision, dict[str, Any], str | None]:
        """Return ``create`` for a person who is not registered, else ``exists``."""
        if found is None:
            return "create", attributes, None
        record, copies = found
        return "exists", attributes, "the registration is refunded" if copies == 1 and record.attributes else None

    def call(self, attributes: Mapping[str, Any], id: str | None) -> Call:
        """Return the request that registers the person of a row."""
        return endpoints.create_registration(self.event_id, attributes)

    def is_answered_by(self, record: Mapping[str, Any], attributes: Mapping[str, Any], id: str | None) -> bool:
        """Return False if the response has another address or another ticket than the row."""
        return self.identity_of(record) in (None, self.identity_of(attributes)) and record.get("ticketId") in (
            None,
            attributes.get("ticketId"),
        )


class UpdateRegistrationTarget(_RegistrationTarget):
    """The update of registrations that exist.

    :param identity: ``email``, or ``registrationId``: the attribute that names the registration.
    :param ticket_id: the ticket whose questions the answers name; None: those of all tickets of the event.
    :param merge: keep the metadata that a row does not name.
    """

    idempotent: bool = True

    def __init__(
        self,
        event_id: str,
        *,
        identity: Literal["email", "registrationId"] = "email",
        ticket_id: str | None = None,
        merge: bool = True,
        allow_undocumented: bool = False,
    ) -> None:
        super().__init__("update_registration", event_id, ticket_id, allow_undocumented)
        self.identity: str = identity
        self._merge = merge
        self.attributes = frozenset(REQUEST_SCHEMAS["update_registration"]) | {self.identity}
        self.required: frozenset[str] = frozenset([self.identity])

    def validate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Check the attributes of a row, its identity included."""
        changes = {name: value for name, value in attributes.items() if name != self.identity}
        value = attributes.get(self.identity)
        if not value:
            raise invalid_argument(self.identity, "given")
        checked = self._checked(changes)
        if not checked:
            raise invalid_argument(self.identity, "beside at least one attribute that changes")
        return {self.identity: value, **checked}

    def identity_of(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the normalized address, or the id; None if the row has none."""
        value = attributes.get(self.identity)
        return (normalize_email(value) if self.identity == "email" else str(value or "").strip()) or None

    def existing(self, client: Client, concurrency: int) -> Iterator[ExistingRecord]:
        """Yield the registrations of the event with the attributes that can be compared."""
        for row in map(conceal_credentials, client.items(self.list_call(), concurrency=concurrency)):
            identity = normalize_email(row.get("email")) if self.identity == "email" else record_id(row)
            shown = {name: row[name] for name in self.attributes - {self.identity} if name in row}
            yield ExistingRecord(identity, record_id(row), None, shown)

    def decide(
        self, attributes: dict[str, Any], found: tuple[ExistingRecord, int] | None
    ) -> tuple[Decision, dict[str, Any], str | None]:
        """Return ``update`` with what changes; what the list does not show, such as answers, is always sent."""
        if found is None:
            return "invalid", attributes, f"no registration of the event has this {self.identity}"
        record, copies = found
        if copies > 1:
            return "invalid", attributes, f"{copies} registrations have this {self.identity}"
        shown = record.attributes or {}
        wanted = {name: value for name, value in attributes.items() if name != self.identity}
        known = shown.get("metadata")
        is_shown = "metadata" in shown and (known is None or isinstance(known, Mapping))
        if self._merge and "metadata" in wanted and is_shown:
            wanted["metadata"] = _merged(known, wanted["metadata"])
        changed = {name: value for name, value in wanted.items() if name not in shown or shown[name] != value}
        if self._merge and "metadata" in changed and not is_shown:
            changed[_UNMERGED] = True
        return ("update", changed, None) if changed else ("unchanged", attributes, None)

    def call(self, attributes: Mapping[str, Any], id: str | None) -> Call:
        """Return the request that changes a registration, whose metadata is read first if the list did not show it."""
        if _UNMERGED in attributes:
            attributes = {name: value for name, value in attributes.items() if name != _UNMERGED}
            assert self._client is not None, "prepare() comes first"  # noqa: S101
            reading = endpoints.get_registration(str(id))
            known = parse_resource(reading, self._client.send(reading))
            if not self.is_answered_by(known, attributes, id):
                raise RingEventsError(f"{reading.operation}: the response describes another {self.noun}.")
            attributes["metadata"] = _merged(known.get("metadata"), attributes["metadata"])
        return endpoints.update_registration(str(id), attributes=attributes)

    def is_answered_by(self, record: Mapping[str, Any], attributes: Mapping[str, Any], id: str | None) -> bool:
        """Return False if the response has the id of another registration."""
        return record.get("id") == id


def _merged(known: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of a registration with those of a request added.

    :raises RingEventsError: what the service shows is no object.
    """
    if known is not None and not isinstance(known, Mapping):
        raise RingEventsError(f"get_registration: the metadata are {type(known).__name__}, not an object.")
    return {**(known or {}), **metadata}
