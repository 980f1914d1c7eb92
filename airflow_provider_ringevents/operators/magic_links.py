"""Creating and deleting magic links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.common.compat.sdk import Context

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
)
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.operators.base import (
    RingEventsBaseOperator,
    is_known,
    is_literal,
    reject_invalid_arguments,
    translate_errors_decorator,
)

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

_LOG_EVERY: Final = 10.0
_FAILURES: Final = 10
"""Failures in a row that a retry may mend: a service that is down is not asked for each of a thousand attendees."""
_LOOK_AGAIN: Final = 2.0
"""Seconds before looking whether requests that ended ambiguously have made their links."""


class RingEventsCreateMagicLinkOperator(RingEventsBaseOperator):
    """Creates magic links of a ticket, one for each attendee. ``POST /v1/tickets/{ticketId}/magicLinks``

    A link is known by its ticket and e-mail address, upper and lower case being the same, whichever run made it:
    attendees who have one are left alone. When one attendee fails the others are still tried, unless all the next ones
    would fail alike: the key is refused, the rate limit is reached, or ten in a row failed in a way that may pass.

    :param ticket_id: the ticket (templated).
    :param attendees: one attendee or many, each a mapping under the API's own names: ``email``, ``firstName`` and
        ``lastName``, perhaps ``headline``, ``registrationId``, ``extraFields``, ``metadata`` (templated).
    :param include_links: put the links themselves into the result, too. Whoever has one gets in; XCom can be read by
        everybody who sees the DAG.
    :param allow_undocumented: let attributes through that the API does not document.
    :param ringevents_conn_id: the Airflow connection (templated).
    :returns: for each attendee, in order, a dict with ``id``, and ``magicLink`` if asked for.
    :raises RingEventsError: with all failures; the others' links exist, and a retry finds them.
    """

    template_fields: Sequence[str] = ("ticket_id", "attendees", *RingEventsBaseOperator.template_fields)

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
        if is_literal(attendees) or isinstance(attendees, (Mapping, list, tuple)):
            self._checked(is_literal)

    @reject_invalid_arguments
    def _checked(self, known: Callable[[Any], bool]) -> list[dict[str, Any]]:
        from airflow_provider_ringevents.client.validation.requests import validate_request

        if known(self.ticket_id):
            validate_identifier("ticket_id", self.ticket_id)
        rows: Any = [self.attendees] if isinstance(self.attendees, Mapping) else self.attendees
        if isinstance(rows, str) or not isinstance(rows, Sequence):
            raise RingEventsConfigError(f"attendees: a mapping or a list of them is wanted, got {type(rows).__name__}")
        checked, seen, problems = [], dict[str, int](), list[str]()
        for index, row in enumerate(rows):
            if not known(row) and not isinstance(row, Mapping):
                continue
            try:
                attendee = validate_request(
                    "create_magic_link", row, allow_undocumented=self.allow_undocumented, known=known
                )
            except RingEventsConfigError as error:
                problems.append(f"attendees[{index}]: {error}")
                continue
            checked.append(attendee)
            if known(attendee["email"]):
                email = _identity(attendee["email"])
                if email in seen:
                    problems.append(f"attendees[{index}]: the same e-mail address as attendees[{seen[email]}]")
                seen.setdefault(email, index)
        if problems:
            raise RingEventsConfigError("\n".join(problems))
        return checked

    @translate_errors_decorator
    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Look which links exist, and create the others."""
        attendees = self._checked(is_known)
        with self.hook as hook:
            links = self._existing(hook, attendees)
            if links:
                self.log.info("%d of %d attendees have their link already", len(links), len(attendees))
            failures, untried = self._create(hook, attendees, links)
            while any(error.ambiguous for error in failures.values()):
                clock.sleep(_LOOK_AGAIN)
                links.update(self._existing(hook, attendees))
                failures = {email: error for email, error in failures.items() if email not in links}
                if failures or not untried:
                    break
                failures, untried = self._create(hook, attendees, links)
        if failures:
            raise self._failed(attendees, failures, untried)
        wanted = ("id", "magicLink") if self.include_links else ("id",)
        return [{name: links[_identity(attendee["email"])].get(name) for name in wanted} for attendee in attendees]

    def _existing(self, hook: RingEventsHook, attendees: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """The attendees' links that there are, by identity; the whole list is read, since a filter may mind case."""
        from airflow_provider_ringevents.client.consistent_listing import list_consistently
        from airflow_provider_ringevents.client.endpoints import list_magic_links

        wanted = {_identity(attendee["email"]) for attendee in attendees}
        links: dict[str, dict[str, Any]] = {}
        for link in list_consistently(hook.client, list_magic_links(self.ticket_id)):
            identity = _identity(str(link.get("email") or ""))
            if identity in wanted:
                links.setdefault(identity, link)
        return links

    def _create(
        self, hook: RingEventsHook, attendees: Sequence[Mapping[str, Any]], links: dict[str, dict[str, Any]]
    ) -> tuple[dict[str, RingEventsError], int]:
        """Create what is missing, into ``links``; gives the failures by identity, and how many were not tried."""
        missing = [attendee for attendee in attendees if _identity(attendee["email"]) not in links]
        failures: dict[str, RingEventsError] = {}
        in_a_row = 0
        logged = clock.monotonic()
        for done, attendee in enumerate(missing, start=1):
            identity = _identity(attendee["email"])
            try:
                links[identity] = hook.create_magic_link(
                    self.ticket_id, attendee, allow_undocumented=self.allow_undocumented
                )
                in_a_row = 0
            except RingEventsAuthError:
                raise
            except RingEventsError as error:
                failures[identity] = error
                in_a_row = in_a_row + 1 if error.retryable else 0
                self.log.warning("Attendee %d of %d failed: %s", done, len(missing), error)
            hopeless = in_a_row >= _FAILURES or isinstance(failures.get(identity), RingEventsRateLimitError)
            if clock.monotonic() - logged >= _LOG_EVERY or done == len(missing) or hopeless:
                logged = clock.monotonic()
                self.log.info("%d of %d links made, %d failed", done - len(failures), len(missing), len(failures))
            if hopeless:
                return failures, len(missing) - done
        return failures, 0

    def _failed(
        self, attendees: Sequence[Mapping[str, Any]], failures: Mapping[str, RingEventsError], untried: int
    ) -> RingEventsError:
        rows = [
            f"attendees[{index}]: {failures[identity]}"
            for index, attendee in enumerate(attendees)
            if (identity := _identity(attendee["email"])) in failures
        ]
        others = f"{untried} were not tried, the others" if untried else "the others"
        said = "\n".join(
            [
                f"{len(rows)} of {len(attendees)} magic links of ticket {self.ticket_id} could not be made;"
                f" {others} are there, and a retry finds them:",
                *rows,
            ]
        )
        for error in failures.values():
            if isinstance(error, RingEventsRateLimitError):
                return RingEventsRateLimitError(said, status=error.status, retry_after=error.retry_after)
        return RingEventsError(said, retryable=any(error.retryable for error in failures.values()))


class RingEventsDeleteMagicLinkOperator(RingEventsBaseOperator):
    """Deletes a magic link; one that is gone already is fine. ``DELETE /v1/magicLinks/{magicLinkId}``

    :param magic_link_id: the link's id (templated).
    :param ringevents_conn_id: the Airflow connection (templated).
    """

    template_fields: Sequence[str] = ("magic_link_id", *RingEventsBaseOperator.template_fields)

    def __init__(self, *, magic_link_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.magic_link_id = magic_link_id
        self._check(is_literal)

    @reject_invalid_arguments
    def _check(self, known: Callable[[Any], bool]) -> None:
        if known(self.magic_link_id):
            validate_identifier("magic_link_id", self.magic_link_id)

    @translate_errors_decorator
    def execute(self, context: Context) -> None:
        """Delete the link."""
        self._check(is_known)
        with self.hook as hook:
            try:
                hook.delete_magic_link(self.magic_link_id)
            except RingEventsNotFoundError:
                self.log.info("Magic link %s is gone already", self.magic_link_id)
            else:
                self.log.info("Deleted magic link %s", self.magic_link_id)


def _identity(email: str) -> str:
    return email.strip().casefold()
