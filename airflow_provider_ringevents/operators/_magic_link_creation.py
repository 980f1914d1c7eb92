"""The work of the operator that creates magic links; imported when such a task runs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.endpoints import list_magic_links
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsError,
    RingEventsRateLimitError,
)
from airflow_provider_ringevents.operators.magic_links import link_identity

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

log = logging.getLogger(__name__)

_LOG_INTERVAL: Final = 10.0
"""Seconds between two lines of progress."""
_MAX_FAILURES_IN_A_ROW: Final = 10
"""Retryable failures in a row after which the remaining attendees are not tried: the service is down."""
_LOOKUP_DELAY: Final = 2.0
"""Seconds before the lookup of the links whose requests ended ambiguously."""


class MagicLinkCreation:
    """The creation of the magic links of a ticket that do not exist yet.

    :param hook: the hook.
    :param ticket_id: the id of the ticket.
    :param attendees: the attendees, each with a different e-mail address.
    :param allow_undocumented: accept attributes that the API does not document.
    """

    def __init__(
        self,
        hook: RingEventsHook,
        ticket_id: str,
        attendees: Sequence[Mapping[str, Any]],
        allow_undocumented: bool,
    ) -> None:
        self._hook = hook
        self._ticket_id = ticket_id
        self._attendees = attendees
        self._allow_undocumented = allow_undocumented
        self._links: dict[str, dict[str, Any]] = {}
        self._failures: dict[str, RingEventsError] = {}
        self._untried = 0

    def run(self) -> dict[str, dict[str, Any]]:
        """Return the links of all attendees by their identity, those that existed included.

        :raises RingEventsError: with all failures.
        """
        self._lookup()
        if self._links:
            log.info("%d of %d attendees have a link already", len(self._links), len(self._attendees))
        self._create_missing()
        while any(error.ambiguous for error in self._failures.values()):
            clock.sleep(_LOOKUP_DELAY)
            self._lookup()
            self._failures = {key: error for key, error in self._failures.items() if key not in self._links}
            if self._failures or not self._untried:
                break
            self._create_missing()
        if self._failures:
            raise self._combined_error()
        return self._links

    def _lookup(self) -> None:
        """Add the attendees' links that exist; the whole list is read, since a filter may depend on case."""
        identities = {link_identity(attendee["email"]) for attendee in self._attendees}
        found: dict[str, dict[str, Any]] = {}
        for link in self._hook.client.items(list_magic_links(self._ticket_id)):
            identity = link_identity(str(link.get("email") or ""))
            if identity in identities:
                found.setdefault(identity, link)
        self._links.update(found)

    def _create_missing(self) -> None:
        missing = [each for each in self._attendees if link_identity(each["email"]) not in self._links]
        self._failures, self._untried = {}, 0
        in_a_row = 0
        logged_at = clock.monotonic()
        for done, attendee in enumerate(missing, start=1):
            identity = link_identity(attendee["email"])
            try:
                self._links[identity] = self._hook.create_magic_link(
                    self._ticket_id, attendee, allow_undocumented=self._allow_undocumented
                )
                in_a_row = 0
            except RingEventsAuthError:
                raise
            except RingEventsError as error:
                self._failures[identity] = error
                in_a_row = in_a_row + 1 if error.retryable else 0
                log.warning("Attendee %d of %d failed: %s", done, len(missing), error)
            is_limited = isinstance(self._failures.get(identity), RingEventsRateLimitError)
            gives_up = in_a_row >= _MAX_FAILURES_IN_A_ROW or is_limited
            if clock.monotonic() - logged_at >= _LOG_INTERVAL or done == len(missing) or gives_up:
                logged_at = clock.monotonic()
                failed = len(self._failures)
                log.info("%d of %d links created, %d failed", done - failed, len(missing), failed)
            if gives_up:
                self._untried = len(missing) - done
                return

    def _combined_error(self) -> RingEventsError:
        rows = [
            f"attendees[{index}]: {self._failures[identity]}"
            for index, attendee in enumerate(self._attendees)
            if (identity := link_identity(attendee["email"])) in self._failures
        ]
        others = f"{self._untried} were not tried, the others" if self._untried else "the others"
        summary = (
            f"{len(rows)} of {len(self._attendees)} magic links of ticket {self._ticket_id} could not be created;"
            f" {others} exist, and a retry finds them:"
        )
        message = "\n".join([summary, *rows])
        for error in self._failures.values():
            if isinstance(error, RingEventsRateLimitError):
                return RingEventsRateLimitError(message, status=error.status, retry_after=error.retry_after)
        return RingEventsError(message, retryable=any(error.retryable for error in self._failures.values()))
