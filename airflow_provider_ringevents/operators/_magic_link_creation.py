"""The work of the operator that creates magic links; imported when such a task runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents._compat import task_state_store
from airflow_provider_ringevents.bulk.columns import DirectMapping
from airflow_provider_ringevents.bulk.engine import BulkRun
from airflow_provider_ringevents.bulk.options import FAILED, BulkOptions
from airflow_provider_ringevents.bulk.source import ListSource
from airflow_provider_ringevents.bulk.spool import Spool
from airflow_provider_ringevents.bulk.targets import MagicLinkTarget
from airflow_provider_ringevents.client.errors import RingEventsApiError, RingEventsError
from airflow_provider_ringevents.client.secrets import reveal_all
from airflow_provider_ringevents.client.transport.response_errors import ADVICE
from airflow_provider_ringevents.client.types import MagicLink
from airflow_provider_ringevents.operators._xcom import xcom_resource
from airflow_provider_ringevents.state.send_journal import SendJournal

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.operators.magic_links import RingEventsCreateMagicLinkOperator

_SHOWN_FAILURES: Final = 20
"""Failed attendees that the error names, so that an outage does not fill the log."""


def create_magic_links(operator: RingEventsCreateMagicLinkOperator, context: Context) -> list[dict[str, Any]]:
    """Create the magic links that do not exist yet; return the ids of all, and the links with `include_links`."""
    attendees = [operator.attendees] if isinstance(operator.attendees, Mapping) else operator.attendees
    store = task_state_store(context)
    journal = SendJournal(store, context["ti"].try_number) if store is not None else None
    target = MagicLinkTarget(operator.ticket_id, allow_undocumented=operator.allow_undocumented)
    with operator.hook as hook, Spool() as spool:
        options = BulkOptions(concurrency=hook.client.settings.concurrency)
        run = BulkRun(hook.client, target, spool, options, journal=journal)
        run.execute(ListSource("attendees", attendees), DirectMapping())
        counts = spool.counts()
        if any(counts.get(status) for status in FAILED):
            raise _combined_error(run, spool, operator.ticket_id, len(attendees))
        links = [{"id": row.id, "magicLink": row.link} for row in spool.rows()]
    if not operator.include_links:
        return [xcom_resource(link, MagicLink) for link in links]
    return [xcom_resource(reveal_all(link), MagicLink, with_credentials=True) for link in links]


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
