"""Operations that write rows: their attributes, the records that exist, and the request of a row."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_ringevents.bulk.spool import ExistingRecord
from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.secrets import Secret, conceal_credentials
from airflow_provider_ringevents.client.transport.redaction import clean_value
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier
from airflow_provider_ringevents.client.validation.requests import REQUEST_SCHEMAS, validate_request

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client
    from airflow_provider_ringevents.client.endpoints import Call

Decision = Literal["create", "exists", "update", "unchanged", "invalid"]


class Target(Protocol):
    """An operation that writes one row.

    :ivar noun: the name of a record, for messages.
    :ivar identity: the attribute that identifies a person.
    :ivar attributes: the attributes of a request.
    :ivar maps: those of them that have members of any name.
    :ivar required: those that each row needs.
    :ivar idempotent: sending a row twice has the effect of sending it once.
    """

    noun: str
    identity: str
    attributes: frozenset[str]
    maps: frozenset[str]
    required: frozenset[str]
    idempotent: bool

    def prepare(self, client: Client) -> None:
        """Read from the service what the check of the rows needs.

        :raises RingEventsError: it cannot be read.
        """

    def validate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Check the attributes of a row and return them as they are sent.

        :raises RingEventsConfigError: they cannot be sent; the message names every problem.
        """

    def identity_of(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the normalized identity of a row's person; None if the row has none."""

    def list_call(self) -> Call:
        """Return the list that the operation adds to or changes."""

    def existing(self, client: Client, concurrency: int) -> Iterator[ExistingRecord]:
        """Yield the records that the service has, also those that do not show whose they are.

        :raises RingEventsError: the list cannot be read whole.
        """

    def decide(
        self, attributes: dict[str, Any], found: tuple[ExistingRecord, int] | None
    ) -> tuple[Decision, dict[str, Any], str | None]:
        """Return the decision for a row, the attributes that are sent for it, and a reason.

        :param found: the record with the row's identity, and the number of records that have it.
        """

    def call(self, attributes: Mapping[str, Any], id: str | None) -> Call:
        """Return the request of a row, for which a record may be read.

        :param id: the id of the record that is updated; None for a new one.
        :raises RingEventsError: there is no such request, or the record cannot be read.
        """

    def is_answered_by(self, record: Mapping[str, Any], attributes: Mapping[str, Any], id: str | None) -> bool:
        """Return False if the response to a row's request describes another record.

        :param id: the id of the record that is updated; None for a new one.
        """

    def delete_call(self, id: str) -> Call:
        """Return the request that deletes a record."""


def normalize_email(email: object) -> str:
    """Return an e-mail address in the form in which it is compared: trimmed, composed, without case.

    Some systems write an accent as a character of its own, which is the same address (NFC). In lower case, not folded:
    "straße@" and "strasse@" are two people.
    """
    return unicodedata.normalize("NFC", str(email or "").strip()).lower()


def record_id(row: Mapping[str, Any]) -> str:
    """Return the id of an existing record as a text.

    One that no request can use still stands for a record that exists, and is shortened.
    """
    return row["id"] if is_valid_identifier(row["id"]) else clean_value(row["id"])


def magic_link(record: Mapping[str, Any]) -> Secret | None:
    """Return the link of a record; None where the service sends something else in its place."""
    link = record.get("magicLink")
    return Secret(link) if isinstance(link, str | Secret) and link else None


class MagicLinkTarget:
    """The creation of magic links of a ticket.

    :param identity: ``email``, or ``registrationId`` where one address stands for several people.
    """

    noun = "magic link"
    maps = frozenset({"extraFields", "metadata"})
    idempotent = False

    def __init__(
        self,
        ticket_id: str,
        *,
        identity: Literal["email", "registrationId"] = "email",
        allow_undocumented: bool = False,
    ) -> None:
        self.ticket_id = ticket_id
        self.identity: str = identity
        self.allow_undocumented = allow_undocumented
        schema = REQUEST_SCHEMAS["create_magic_link"]
        self.attributes = frozenset(schema)
        self.required = frozenset(name for name, kind in schema.items() if kind.required) | {identity}

    def prepare(self, client: Client) -> None:
        """Read nothing."""

    def validate(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Check the attributes of a row, its identity included, and return them as they are sent."""
        checked = validate_request("create_magic_link", attributes, allow_undocumented=self.allow_undocumented)
        if not checked.get(self.identity):
            raise invalid_argument(self.identity, "given")
        return checked

    def identity_of(self, attributes: Mapping[str, Any]) -> str | None:
        """Return the address or the id, normalized; None if the row has none."""
        value = attributes.get(self.identity)
        if self.identity == "email":
            return normalize_email(value) or None
        return str(value or "").strip() or None

    def list_call(self) -> Call:
        """Return the list of the ticket's links."""
        return endpoints.list_magic_links(self.ticket_id)

    def existing(self, client: Client, concurrency: int) -> Iterator[ExistingRecord]:
        """Yield the links of the ticket."""
        for link in map(conceal_credentials, client.items(self.list_call(), concurrency=concurrency)):
            yield ExistingRecord(self.identity_of(link) or "", record_id(link), magic_link(link))

    def decide(
        self, attributes: dict[str, Any], found: tuple[ExistingRecord, int] | None
    ) -> tuple[Decision, dict[str, Any], str | None]:
        """Return ``create`` for a person without a link, else ``exists``."""
        return ("create" if found is None else "exists"), attributes, None

    def call(self, attributes: Mapping[str, Any], id: str | None) -> Call:
        """Return the request that creates the link of a row."""
        return endpoints.create_magic_link(self.ticket_id, attributes)

    def is_answered_by(self, record: Mapping[str, Any], attributes: Mapping[str, Any], id: str | None) -> bool:
        """Return False if the response has another identity than the row."""
        return self.identity_of(record) in (None, self.identity_of(attributes))

    def delete_call(self, id: str) -> Call:
        """Return the request that deletes a link."""
        return endpoints.delete_magic_link(id)
