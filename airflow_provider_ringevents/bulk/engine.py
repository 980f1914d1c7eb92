"""Rows of a source into the service: checked first, each person once, with an outcome for each row."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.bulk.columns import ColumnMapping, DirectMapping
from airflow_provider_ringevents.bulk.failures import describe_failure, failure_kind
from airflow_provider_ringevents.bulk.loading import RowLoader
from airflow_provider_ringevents.bulk.options import DRY_RUN, BulkOptions, LastSentStore, RowsRefusedError
from airflow_provider_ringevents.bulk.row_progress import LOG_INTERVAL, OnProgress, RowProgress
from airflow_provider_ringevents.bulk.sending import Outcome, RequestPool
from airflow_provider_ringevents.bulk.spool import Deletion, ExistingRecord, Spool, SpooledRow
from airflow_provider_ringevents.bulk.targets import Target, magic_link
from airflow_provider_ringevents.client.errors import (
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsTransportError,
)
from airflow_provider_ringevents.client.secrets import conceal_credentials
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.observability.formatting import format_count, format_duration
from airflow_provider_ringevents.observability.progress_log import LogThrottle

if TYPE_CHECKING:
    from airflow_provider_ringevents.bulk.source import RowSource
    from airflow_provider_ringevents.client.client import Client

log = logging.getLogger(__name__)

LOOKUP_DELAYS: Final = (2.0, 5.0, 10.0, 20.0)
"""Seconds before each lookup of rows whose request ended ambiguously."""
JOURNAL_INTERVAL: Final = 5.0
"""Seconds between two records of the time while requests are sent."""


class BulkRun:
    """One run over a source.

    :param spool: takes all rows and their outcomes.
    :param journal: None where no earlier try can have sent anything.
    :param on_progress: called with the rows done and the rows to do.
    :ivar stopped: the error that ended the run early, if one did.
    """

    def __init__(
        self,
        client: Client,
        target: Target,
        spool: Spool,
        options: BulkOptions,
        *,
        journal: LastSentStore | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._client = client
        self._target = target
        self._spool = spool
        self._options = options
        self._journal = journal
        self._on_progress = on_progress
        self._failures = Counter[str]()
        self._retryable = False
        self._is_final = False
        self._unidentified = 0
        self.stopped: RingEventsError | None = None

    @property
    def retryable(self) -> bool:
        """Return True if another try may succeed for at least one of the failed rows."""
        return self._retryable

    @property
    def failures(self) -> dict[str, int]:
        """Return the number of invalid and failed rows by reason, without personal data."""
        return dict(self._failures.most_common())

    def execute(self, source: RowSource, mapping: ColumnMapping | DirectMapping) -> None:
        """Check the rows, look up who exists, and send the others. The outcomes are in the spool.

        :raises RowsRefusedError: rows are invalid and ``on_invalid`` is ``fail``, or too many records would be
            deleted. Nothing was sent.
        :raises RingEventsConfigError: the source or its columns cannot be used. Nothing was sent.
        :raises RingEventsError: the source or the existing records could not be read whole. Nothing was sent.
        """
        self._target.prepare(self._client)
        loader = RowLoader(self._target, mapping, self._spool, self._failures)
        loader.load(source)
        self._unidentified = loader.unidentified
        self._refuse_invalid(source)
        to_do = self._classify()
        self._refuse_invalid(source)
        if to_do and not self._options.dry_run and (pause := self._settle_delay()) > 0:
            log.info(
                "An earlier try sent requests a short time ago, which the service may still apply; looking again in %s",
                format_duration(pause),
            )
            clock.sleep(pause)
            to_do = self._classify()
        if self._options.delete_missing:
            self._plan_deletions()
        if self._options.dry_run:
            self._spool.mark_deletions("delete")
            return
        if to_do:
            self._send(to_do)
        if self._options.delete_missing:
            self._delete()

    # --- before anything is sent

    def _refuse_invalid(self, source: RowSource) -> None:
        if self._options.on_invalid == "skip" or self._options.dry_run:
            return
        if invalid := self._spool.counts().get("invalid", 0):
            self._spool.mark_rest("not_tried", "other rows are invalid, and on_invalid is 'fail'")
            reasons = ", ".join(f"{reason}: {number:,}" for reason, number in self._failures.most_common(10))
            raise RowsRefusedError(
                f"{format_count(invalid, 'row')} of {source.uri} cannot be sent ({reasons}); nothing was sent."
                " The results name each row; correct them, or set on_invalid='skip' to send the others."
            )

    def _read_existing(self) -> int:
        """Replace the known records by those that the service has now and return their number.

        :raises RingEventsTransportError: none of them shows whose it is.
        """
        noun, identity = self._target.noun, self._target.identity
        throttle = LogThrottle(LOG_INTERVAL)
        throttle.restart()
        anonymous = 0

        def identified() -> Iterator[ExistingRecord]:
            nonlocal anonymous
            records = self._target.existing(self._client, self._options.concurrency)
            for count, record in enumerate(records, start=1):
                if count % 100 == 0 and throttle.is_due():
                    log.info("%s read so far", format_count(count, f"existing {noun}"))
                if record.identity:
                    yield record
                else:
                    anonymous += 1

        known = self._spool.replace_existing(identified())
        if anonymous and not known and identity == "email":
            raise RingEventsTransportError(
                f"None of the {format_count(anonymous, noun)} that the service shows has `{identity}`, so that the"
                " people of the source cannot be looked up. Nothing was sent.",
                sent=True,
                retryable=False,
            )
        if anonymous:
            log.warning("%s have no `%s` and are not compared with the source", format_count(anonymous, noun), identity)
        return known

    def _classify(self) -> int:
        """Compare all rows with the existing records; return the number of those to send."""
        known = self._read_existing()
        log.info("The service has %s", format_count(known, self._target.noun))
        to_do = 0
        for row in self._spool.rows(None):
            if row.identity is None or row.attributes is None:
                continue
            found = self._spool.find_existing(row.identity)
            record = found[0] if found else None
            decision, attributes, reason = self._target.decide(row.attributes, found)
            if decision in ("create", "update"):
                to_do += 1
                if self._options.dry_run:
                    self._spool.update(row.number, decision, id=record.id if record else None)
                elif decision == "update" and record is not None:
                    self._spool.set_request(row.number, attributes, record.id)
                continue
            if decision == "invalid":
                self._failures["no single match"] += 1
                self._spool.update(row.number, decision, reason=reason)
                continue
            self._spool.update(
                row.number,
                decision,
                id=record.id if record else None,
                link=record.link if record else None,
                reason="; ".join(filter(None, (DRY_RUN, reason))) if self._options.dry_run else reason,
            )
        return to_do

    def _settle_delay(self) -> float:
        """Return the seconds until the service shows all that an earlier try has sent."""
        if self._journal is None or self._target.idempotent:
            return 0.0
        sent = self._journal.load()
        if sent is None:
            return 0.0
        now = clock.now()
        return min(sent, now) + JOURNAL_INTERVAL + self._options.settle_timeout - now

    def _plan_deletions(self) -> None:
        count = self._spool.plan_deletions()
        if self._options.dry_run or not count:
            return
        unread = self._unidentified
        limit = self._options.max_deletions
        if not unread and count <= limit:
            return
        self._spool.mark_rest("not_tried", "nothing was sent, since records that are missing cannot be deleted")
        self._spool.mark_deletions("not_tried", "nothing was deleted")
        if unread:
            raise RowsRefusedError(
                f"`delete_missing` must be False while {format_count(unread, 'row')} of the source"
                " do not show whose they are: the people in them would be deleted. Nothing was sent."
            )
        raise RowsRefusedError(
            f"`max_deletions` must be at least the number of records that are missing in the source, {count},"
            f" got {limit}. Nothing was sent.",
            parameter="max_deletions",
        )

    # --- sending

    def _send(self, to_do: int) -> None:
        progress = RowProgress(to_do, self._failures, self._on_progress)
        is_over = False
        while not is_over:
            self._send_rows(progress)
            found, missing = self._find_ambiguous()
            # An outage after which all is found has lost responses alone: the service works again.
            is_over = self.stopped is None or self._is_final or missing > 0 or not found
        if missing:
            self._failures["no response, and not found afterwards"] += missing
            self._retryable = True
        if self.stopped is not None:
            self._retryable = self._retryable or self.stopped.retryable
            self._spool.mark_rest("not_tried", "the run ended early")
        progress.finish()

    def _send_rows(self, progress: RowProgress) -> None:
        """Send the rows that have no outcome."""
        beat = LogThrottle(JOURNAL_INTERVAL)
        journal = None if self._target.idempotent else self._journal

        def record(outcomes: list[tuple[SpooledRow, Outcome]]) -> None:
            if journal is not None and beat.is_due():
                journal.save(clock.now())
            for row, outcome in outcomes:
                self._record(row.number, outcome)
            progress.advance(len(outcomes))
            progress.log_if_due()

        pool = RequestPool(self._write, self._options.concurrency)
        pool.run(self._spool.rows(None), record)
        self.stopped, self._is_final = pool.stopped, pool.is_final

    def _write(self, row: SpooledRow) -> Outcome:
        """Send one row."""
        target = self._target
        try:
            call = target.call(row.attributes or {}, row.id)
        except RingEventsError as error:  # an id of the service that no request can use, or metadata that is unreadable
            return Outcome("failed", error=error)
        try:
            record = conceal_credentials(parse_resource(call, self._client.send(call)))
            if row.id and not record:  # a 202 or 204, which is no failure of an update
                return Outcome("updated", id=row.id)
            validate_identifier("id", record.get("id", ""))
            if not target.is_answered_by(record, row.attributes or {}, row.id):
                raise RingEventsError(
                    f"{call.operation}: the response describes another {target.noun}.", ambiguous=True
                )
        except RingEventsConfigError as error:
            # The service has accepted the request, and its response names no usable id.
            return Outcome("failed" if target.idempotent else "unknown", error=error)
        except RingEventsError as error:
            return Outcome("unknown" if error.ambiguous and not target.idempotent else "failed", error=error)
        return Outcome("updated" if row.id else "created", id=record["id"], link=magic_link(record))

    def _record(self, number: int, outcome: Outcome) -> None:
        if outcome.error is None:
            self._spool.update(number, outcome.status, id=outcome.id, link=outcome.link)
            return
        self._spool.update(number, outcome.status, reason=describe_failure(outcome.error))
        if outcome.status == "failed":
            self._count_failure(outcome.error)

    def _count_failure(self, error: RingEventsError) -> None:
        self._failures[failure_kind(error)] += 1
        self._retryable = self._retryable or error.retryable

    def _find_ambiguous(self) -> tuple[int, int]:
        """Look up the rows whose request may have been applied; those that are not found stay ``unknown``.

        :returns: the number of rows that were found, and of those that were not.
        """
        ambiguous = missing = self._spool.counts().get("unknown", 0)
        for delay in LOOKUP_DELAYS:
            if not missing:
                break
            log.info(
                "%s ended without a usable response; looking for the rows in %g s",
                format_count(missing, "request"),
                delay,
            )
            clock.sleep(delay)
            try:
                self._read_existing()
            except RingEventsAuthError:
                break
            except RingEventsError as error:
                log.warning("The existing records could not be read: %s", failure_kind(error))
                continue
            for row in self._spool.rows("unknown"):
                found = self._spool.find_existing(row.identity or "")
                if found is not None:
                    self._spool.update(row.number, "created", id=found[0].id, link=found[0].link)
                    missing -= 1
        return ambiguous - missing, missing

    # --- deletions

    def _delete(self) -> None:
        if self.stopped is None:
            pool = RequestPool(self._delete_one, self._options.concurrency)
            pool.run(self._spool.deletions(), self._record_deletions)
            self.stopped = pool.stopped
        if self.stopped is not None:
            self._spool.mark_deletions("not_tried", "the run ended early")

    def _delete_one(self, deletion: Deletion) -> Outcome:
        try:
            self._client.send(self._target.delete_call(deletion.id))
        except RingEventsNotFoundError:
            pass
        except RingEventsError as error:
            return Outcome("failed", error=error)
        return Outcome("deleted")

    def _record_deletions(self, outcomes: list[tuple[Deletion, Outcome]]) -> None:
        for deletion, outcome in outcomes:
            if outcome.error is None:
                self._spool.update_deletion(deletion.number, outcome.status)
                continue
            self._spool.update_deletion(deletion.number, outcome.status, describe_failure(outcome.error))
            self._count_failure(outcome.error)
