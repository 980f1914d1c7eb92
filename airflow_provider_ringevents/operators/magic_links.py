"""Operators that create and delete magic links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents.client.errors import RingEventsNotFoundError
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.operators.base import RingEventsBaseOperator, translate_errors


class RingEventsCreateMagicLinkOperator(RingEventsBaseOperator):
    """Create magic links of a ticket, one for each attendee, with ``POST /v1/tickets/{ticketId}/magicLinks``.

    The identity of a link is its ticket and its e-mail address without case, whichever run created it: attendees who
    have a link keep it. If one attendee fails, the others are still tried, unless all of them would fail in the same
    way: the key is rejected, the rate limit is reached, or ten in a row failed with a temporary error.

    According to the vendor's help pages, an event must be published before people can be invited by magic link,
    publishing needs a ticket, and magic links depend on the plan. Otherwise the service may reject the request (403 or
    422).

    :param ticket_id: the id of the ticket (templated).
    :param attendees: one attendee or many, each a mapping under the API's own names: ``email``, ``firstName`` and
        ``lastName``, optionally ``headline``, ``registrationId``, ``extraFields``, ``metadata`` (templated).
        ``registrationId`` is a key of your own, such as the id in a CRM, not the id of a registration.
    :param include_links: also put the links into the result. Anyone who has a link can enter the event, and everyone
        who sees the DAG can read XCom (templated).
    :param allow_undocumented: accept attributes that the API does not document (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: for each attendee, in order, a dict with ``id``, and ``magicLink`` if requested.
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: with all failures; the links of the others exist, and a retry finds them.
    """

    template_fields: Sequence[str] = (
        "ticket_id",
        "attendees",
        "include_links",
        "allow_undocumented",
        *RingEventsBaseOperator.template_fields,
    )
    switches: Sequence[str] = ("include_links", "allow_undocumented")

    def __init__(
        self,
        *,
        ticket_id: str,
        attendees: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        include_links: bool = False,
        allow_undocumented: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ticket_id = ticket_id
        self.attendees = attendees
        self.include_links = include_links
        self.allow_undocumented = allow_undocumented
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("ticket_id")
        rows = arguments["attendees"]
        if isinstance(rows, Mapping):
            rows = [rows]
        if not isinstance(rows, list):
            if arguments.is_known(rows):
                arguments.refuse("attendees", f"a mapping or a list of mappings, not {type(rows).__name__}")
            return
        first_with = dict[str, int]()
        for index, row in enumerate(rows):
            if not isinstance(row, Mapping) and not arguments.is_known(row):
                continue
            attendee = arguments.request(
                "create_magic_link",
                row,
                prefix=f"attendees[{index}]",
                allow_undocumented=arguments["allow_undocumented"],
            )
            email = attendee.get("email")
            if isinstance(email, str) and arguments.is_known(email):
                first = first_with.setdefault(link_identity(email), index)
                if first != index:
                    arguments.refuse(
                        f"attendees[{index}].email", f"another address than that of attendees[{first}]", email
                    )

    @translate_errors()
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Look up which links exist, create the others, and return the ids of all."""
        from airflow_provider_ringevents.operators._magic_link_creation import create_magic_links

        self.validate_rendered()
        return create_magic_links(self, context)


class RingEventsDeleteMagicLinkOperator(RingEventsBaseOperator):
    """Delete a magic link, with ``DELETE /v1/magicLinks/{magicLinkId}``; a missing one is a success.

    :param magic_link_id: the id of the link (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    :raises InvalidArgumentError: an argument is invalid; nothing was sent, and the task is not retried.
    :raises RingEventsError: the request failed.
    """

    template_fields: Sequence[str] = ("magic_link_id", *RingEventsBaseOperator.template_fields)

    def __init__(self, *, magic_link_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.magic_link_id = magic_link_id
        self.validate_literals()

    def check_arguments(self, arguments: Arguments) -> None:
        """Check the arguments, as far as they are known."""
        arguments.identifier("magic_link_id")

    @translate_errors()
    def execute(self, context: Context) -> None:
        """Delete the link."""
        self.validate_rendered()
        with self.hook as hook:
            try:
                hook.delete_magic_link(self.magic_link_id)
            except RingEventsNotFoundError:
                self.log.info("Magic link %s does not exist any more", self.magic_link_id)
            else:
                self.log.info("Deleted magic link %s", self.magic_link_id)


def link_identity(email: str) -> str:
    """Return the form of an e-mail address that identifies the link of an attendee."""
    return email.strip().lower()
