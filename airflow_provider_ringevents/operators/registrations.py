"""Operators that create and change registrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client.errors import RingEventsError, invalid_argument
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook


class RingEventsCreateRegistrationOperator(RingEventsBaseOperator):
    """Register a person for an event, once, with ``POST /v1/events/{eventId}/registrations``.

    The operation is not in the API's reference; its source is the vendor's own Postman collection. The service mails
    the person, and each registration takes one seat of the licence.

    The identity of a registration is its event, its ticket and its e-mail address without case. The whole list of the
    event is read before anything is sent, and again after an ambiguous failure. An existing registration is returned
    unchanged, and the log names the fields that differ. For many people, load a file instead: each task reads the whole
    list.

    :param event_id: the id of the event (templated).
    :param ticket_id: the id of the ticket (templated).
    :param email: the e-mail address of the person (templated).
    :param first_name: the first name (templated).
    :param last_name: the last name (templated).
    :param answers: the name or the id of a registration question of the ticket -> the answer, a string or, for several
        options, a list of strings. Names and options are checked before anything is sent (templated).
    :param attributes: ``externalBarcode`` or ``metadata``, under the API's own names (templated).
    :param allow_undocumented: accept attributes that are in none of the sources (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: the registration, a dict with ``id``, without the fields that give access to the event.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsConfigError: an answer does not fit the questions of the ticket; nothing was sent.
    :raises RingEventsError: the request failed.
    """

    template_fields: Sequence[str] = (
        "event_id",
        "ticket_id",
        "attendee_email",
        "first_name",
        "last_name",
        "answers",
        "attributes",
        "allow_undocumented",
        *RingEventsBaseOperator.template_fields,
    )
    switches: Sequence[str] = ("allow_undocumented",)
    renamed_arguments: Mapping[str, str] = {"attendee_email": "email"}

    def __init__(
        self,
        *,
        event_id: str,
        ticket_id: str,
        email: str,
        first_name: str,
        last_name: str,
        answers: Mapping[str, str | Sequence[str]] | None = None,
        attributes: Mapping[str, Any] | None = None,
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.event_id = event_id
        self.ticket_id = ticket_id
        # Not `email`: to Airflow that attribute of a task is who gets a mail when it fails.
        self.attendee_email = email
        self.first_name = first_name
        self.last_name = last_name
        self.answers = answers
        self.attributes = attributes
        self.allow_undocumented = allow_undocumented
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("event_id")
        arguments.identifier("ticket_id")
        own = {
            "ticketId": arguments["ticket_id"],
            "email": arguments["attendee_email"],
            "firstName": arguments.text("first_name"),
            "lastName": arguments.text("last_name"),
        }
        self._check_answers(arguments)
        arguments.request(
            "create_registration", own, attributes="attributes", allow_undocumented=arguments["allow_undocumented"]
        )

    @staticmethod
    def _check_answers(arguments: Arguments) -> None:
        answers = arguments.mapping("answers")
        if not answers:
            return
        # 30 ms, and few registrations have answers.
        from airflow_provider_ringevents.client.validation.answers import check_answer_type, check_question_key

        for key, answer in answers.items():
            if arguments.is_known(key):
                with arguments.gather("answers"):
                    check_question_key(f"answers[{key!r}]", key)
            if arguments.is_known(answer):
                with arguments.gather("answers"):
                    check_answer_type(f"answers[{key!r}]", answer)
        if "answers" in arguments.mapping("attributes"):
            arguments.refuse("attributes['answers']", "left out where `answers` is given")

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Look up the registration, create it if it does not exist, and return it."""
        from airflow_provider_ringevents.operators._registration_creation import RegistrationCreation

        self.validate_rendered()
        attributes = {
            **(self.attributes or {}),
            "ticketId": self.ticket_id,
            "email": self.attendee_email,
            "firstName": self.first_name,
            "lastName": self.last_name,
        }
        with self.hook as hook:
            return RegistrationCreation(
                hook, self.event_id, attributes, self.answers or {}, self.allow_undocumented
            ).run()


class RingEventsUpdateRegistrationOperator(RingEventsBaseOperator):
    """Change a registration, with ``PATCH /v1/registrations/{registrationId}``.

    The API's reference documents ``metadata`` alone; the other attributes are from the vendor's own Postman collection.

    The API does not document whether the service merges or replaces metadata. ``merge=True`` reads the metadata and
    sends the union, which is correct in both cases but not atomic: a concurrent change by someone else may be lost.

    :param registration_id: the id of the registration (templated).
    :param metadata: names and values, all of them strings (templated).
    :param attributes: ``answers``, ``externalBarcode``, ``firstName``, ``headline``, ``lastName`` or ``ticketId``,
        under the API's own names (templated).
    :param merge: keep the metadata that is not named here; False: send ``metadata`` as given (templated).
    :param allow_undocumented: accept attributes that are in none of the sources (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: ``id`` and ``metadata`` of the registration.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: the request failed.
    """

    template_fields: Sequence[str] = (
        "registration_id",
        "metadata",
        "attributes",
        "merge",
        "allow_undocumented",
        *RingEventsBaseOperator.template_fields,
    )
    switches: Sequence[str] = ("merge", "allow_undocumented")

    def __init__(
        self,
        *,
        registration_id: str,
        metadata: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        merge: bool = True,
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.registration_id = registration_id
        self.metadata = metadata
        self.attributes = attributes
        self.merge = merge
        self.allow_undocumented = allow_undocumented
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("registration_id")
        if arguments["metadata"] is None and arguments.knows("attributes") and not arguments["attributes"]:
            arguments.refuse("metadata", "given, or `attributes`", None)
        arguments.request(
            "update_registration",
            {"metadata": arguments["metadata"]},
            attributes="attributes",
            allow_undocumented=arguments["allow_undocumented"],
        )

    @translate_errors()
    def execute(self, context: Context) -> dict[str, Any]:
        """Send the changes, and return the id and the metadata of the registration."""
        from airflow_provider_ringevents.client.types import Registration
        from airflow_provider_ringevents.operators._xcom import xcom_resource

        self.validate_rendered()
        changes = dict(self.attributes or {})
        if self.metadata is not None:
            changes["metadata"] = self.metadata
        with self.hook as hook:
            if self.merge and "metadata" in changes:
                changes["metadata"] = {**self._kept_metadata(hook, changes["metadata"]), **changes["metadata"]}
            updated = hook.update_registration(
                self.registration_id, attributes=changes, allow_undocumented=self.allow_undocumented
            )
        self._require_own("update_registration", updated.get("id", self.registration_id))
        named = [*(self.metadata or {}), *(self.attributes or {})]
        self.log.info("Set %s of registration %s", ", ".join(named), self.registration_id)
        shown = {
            "id": updated.get("id", self.registration_id),
            "metadata": updated.get("metadata", changes.get("metadata")),
        }
        return xcom_resource(shown, Registration)

    def _kept_metadata(self, hook: RingEventsHook, changes: Mapping[str, Any]) -> dict[str, str]:
        """Return the metadata that the registration has beside the changes.

        :raises RingEventsError: they cannot be read, or cannot be sent.
        """
        existing = hook.get_registration(self.registration_id)
        self._require_own("get_registration", existing.get("id"))
        metadata = existing.get("metadata") or {}
        if not isinstance(metadata, Mapping):
            raise RingEventsError(f"get_registration: the metadata are {type(metadata).__name__}, not an object.")
        kept = {name: value for name, value in metadata.items() if name not in changes}
        if unsendable := sorted(name for name, value in kept.items() if not isinstance(value, str)):
            raise invalid_argument(
                "merge", "False where the registration has metadata that are not strings", unsendable
            )
        return kept

    def _require_own(self, operation: str, identifier: Any) -> None:
        if identifier != self.registration_id:
            raise RingEventsError(f"{operation}: the response describes another registration.")
