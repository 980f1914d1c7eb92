"""The work of the operator that creates magic links; imported when such a task runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents.bulk.columns import DirectMapping
from airflow_provider_ringevents.bulk.engine import BulkRun
from airflow_provider_ringevents.bulk.options import FAILED, BulkOptions, LastSentStore
from airflow_provider_ringevents.bulk.source import ListSource
from airflow_provider_ringevents.bulk.spool import Spool
from airflow_provider_ringevents.bulk.targets import MagicLinkTarget
from airflow_provider_ringevents.client.errors import RingEventsApiError, RingEventsError
from airflow_provider_ringevents.client.transport.response_errors import ADVICE

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client

_SHOWN_FAILURES: Final = 20
"""Failed attendees that the error names, so that an outage does not fill the log."""


def create_magic_links(
    client: Client,
    ticket_id: str,
    attendees: Sequence[Mapping[str, Any]],
    *,
    allow_undocumented: bool,
    journal: LastSentStore | None,
) -> list[dict[str, Any]]:
    """Create the magic links of a ticket that do not exist yet.

    :param attendees: the attendees, each with a different e-mail address.
    :param allow_undocumented: accept attributes that the API does not document.
    :param journal: the times of sending of earlier tries; None: there were none.
    :returns: ``id`` and ``magicLink`` of each attendee, in order; the links are secrets.
    :raises RingEventsError: with all failures; the other links exist.
    """
    target = MagicLinkTarget(ticket_id, allow_undocumented=allow_undocumented)
    options = BulkOptions(concurrency=client.settings.concurrency)
    with Spool() as spool:
        run = BulkRun(client, target, spool, options, journal=journal)
        run.execute(ListSource("attendees", attendees), DirectMapping())
        counts = spool.counts()
        if any(counts.get(status) for status in FAILED):
            raise _combined_error(run, spool, ticket_id, len(attendees))
        return [{"id": row.id, "magicLink": row.link} for row in spool.rows()]


def _combined_error(run: BulkRun, spool: Spool, ticket_id: str, total: int) -> RingEventsError:
    counts = spool.counts()
    untried = counts.get("not_tried", 0)
    failed = sum(counts.get(status, 0) for status in FAILED) - untried
    others = f"{untried:,} were not tried, the others" if untried else "the others"
    lines = [
        f"{failed:,} of {total:,} magic links of ticket {ticket_id} could not be created; {others} exist, and a retry"
        " finds them:"
    ]
    for row in spool.rows("failed", "unknown"):
        if len(lines) > _SHOWN_FAILURES:
            lines.append(f"and {failed - _SHOWN_FAILURES:,} more")
            break
        lines.append(f"attendees[{row.number - 1}]: {row.reason}")
    stopped = run.stopped
    if isinstance(stopped, RingEventsApiError) and stopped.status in ADVICE:
        lines.append(ADVICE[stopped.status])
    message = "\n".join(lines)
    if isinstance(stopped, RingEventsApiError):
        return type(stopped)(message, status=stopped.status, retry_after=stopped.retry_after)
    return RingEventsError(message, retryable=run.retryable)
