"""Rows of a source into the service: checked first, each person once, with an outcome for each row."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event, Lock
from typing import TYPE_CHECKING, Final, Literal, Protocol

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.bulk.columns import ColumnMapping, DirectMapping
from airflow_provider_ringevents.bulk.failures import describe_failure, describe_problems, failure_kind, problem_kind
from airflow_provider_ringevents.bulk.spool import ExistingRecord, Spool, SpooledRow
from airflow_provider_ringevents.bulk.targets import Target, magic_link
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
)
from airflow_provider_ringevents.client.secrets import Secret, conceal_credentials
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.observability.formatting import format_count, format_duration
from airflow_provider_ringevents.observability.progress_log import LogThrottle

if TYPE_CHECKING:
    from airflow_provider_ringevents.bulk.source import RowSource, SourceRow
    from airflow_provider_ringevents.client.client import Client

log = logging.getLogger(__name__)

LOOKUP_DELAYS: Final = (2.0, 5.0, 10.0, 20.0)
"""Seconds before each lookup of rows whose request ended ambiguously."""
MAX_FAILURES_IN_A_ROW: Final = 10
"""Retryable failures in a row after which the other rows are not tried: the service is down."""
JOURNAL_INTERVAL: Final = 5.0
"""Seconds between two records of the time while requests are sent."""
LOG_INTERVAL: Final = 10.0
"""Seconds between two lines of progress."""
_SPOOL_BATCH: Final = 500

FAILED: Final = ("failed", "unknown", "not_tried")
"""Statuses of rows that count as failed and may be fed again."""
OnProgress = Callable[[int, int], None]


class LastSentStore(Protocol):
    """The time at which a try of this task was last sending, over its tries."""

    def load(self) -> float | None:
        """Return it in seconds since the epoch; None if no try has sent anything."""

    def save(self, moment: float) -> None:
        """Record it."""


class RowsRefusedError(RingEventsConfigError):
    """The rows are not sent: some are invalid, or too much would be deleted. Each row has an outcome that says so."""


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """The choices of a run.

    :ivar on_invalid: ``fail``: send nothing when any row is invalid; ``skip``: send the others.
    :ivar delete_missing: delete the records of people who are not in the source.
    :ivar max_deletions: the most records that may be deleted; more fail the run before it writes.
    :ivar concurrency: requests in flight.
    :ivar dry_run: send nothing.
    :ivar settle_timeout: seconds after the last request of an earlier try within which the service may still apply it.
    """

    on_invalid: Literal["fail", "skip"] = "fail"
    delete_missing: bool = False
    max_deletions: int = 0
    concurrency: int = defaults.CONCURRENCY
    dry_run: bool = False
    settle_timeout: float = 60.0


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
        self._final = Event()
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
        self._load(source, mapping)
        self._refuse_invalid(source)
        to_do = self._classify()
        self._refuse_invalid(source)
        if to_do and not self._options.dry_run and (pause := self._settle_delay()) > 0:
            log.info(
                "An earlier try was still sending shortly before; looking again in %s, when its requests have settled",
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

    def _load(self, source: RowSource, mapping: ColumnMapping | DirectMapping) -> None:
        with source.open() as file:
            if file.columns is not None:
                mapping.require_columns(file.columns)
            seen: dict[str, None] = {}
            batch: list[SpooledRow] = []
            pending: dict[str, int] = {}
            count = 0
            for count, row in enumerate(file.rows(), start=1):  # noqa: B007
                if file.columns is None:
                    seen.update(dict.fromkeys(row.values))
                    if len(seen) > mapping.MAX_COLUMNS:
                        mapping.require_columns(seen)
                batch.append(self._check(row, mapping, pending))
                if len(batch) >= _SPOOL_BATCH:
                    self._spool.add_rows(batch)
                    batch, pending = [], {}
            self._spool.add_rows(batch)
            if file.columns is None and seen:
                mapping.require_columns(seen)
        log.info("%s has %s", source.uri, format_count(count, "row"))

    def _check(self, row: SourceRow, mapping: ColumnMapping | DirectMapping, pending: dict[str, int]) -> SpooledRow:
        def invalid(kind: str, reason: str, identity: str | None = None) -> SpooledRow:
            self._failures[kind] += 1
            return SpooledRow(row.number, identity, row.cells, None, "invalid", None, None, reason)

        if row.problem:
            return invalid("unreadable row", row.problem)
        attributes, problems = mapping.attributes_of(row.values)
        identity = self._target.identity_of(attributes)
        if problems:
            return invalid("value of another type", "; ".join(problems), identity)
        try:
            checked = self._target.validate(attributes)
        except RingEventsConfigError as error:
            return invalid(problem_kind(error, self._target.attributes), describe_problems(error), identity)
        identity = self._target.identity_of(checked)
        if identity is None:
            return invalid("no identity", f"`{self._target.identity}` must be given")
        first = pending.get(identity) or self._spool.first_row_of(identity)
        if first is not None:
            return invalid("duplicate in the source", f"the same person as row {first}", identity)
        pending[identity] = row.number
        return SpooledRow(row.number, identity, row.cells, checked, None, None, None, None)

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

    def _existing(self) -> Iterator[ExistingRecord]:
        throttle = LogThrottle(LOG_INTERVAL)
        throttle.restart()
        records = self._target.existing(self._client, self._options.concurrency)
        for count, record in enumerate(records, start=1):
            if count % 100 == 0 and throttle.is_due():
                log.info("%s read so far", format_count(count, f"existing {self._target.noun}"))
            yield record

    def _classify(self) -> int:
        """Compare all rows with the existing records; return the number of those to send."""
        known = self._spool.replace_existing(self._existing())
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
                reason=reason,
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
        unread = self._spool.rows_without_identity()
        limit = self._options.max_deletions
        if not unread and count <= limit:
            return
        self._spool.mark_rest("not_tried", "nothing was sent, since records that are missing cannot be deleted")
        self._spool.mark_deletions("not_tried", "nothing was deleted")
        if unread:
            raise RowsRefusedError(
                f"`delete_missing` must be False while {format_count(unread, 'row')} of the source"
                " cannot be read: the people in them would be deleted. Nothing was sent."
            )
        raise RowsRefusedError(
            f"`max_deletions` must be at least the number of records that are missing in the source, {count},"
            f" got {limit}. Nothing was sent.",
            parameter="max_deletions",
        )

    # --- sending

    def _send(self, to_do: int) -> None:
        progress = _RowProgress(to_do, self._failures, self._on_progress)
        is_over = False
        while not is_over:
            self.stopped = self._send_rows(progress)
            found, missing = self._find_ambiguous()
            # An outage after which all is found has lost responses alone: the service works again.
            is_over = self.stopped is None or self._final.is_set() or missing > 0 or not found
        if missing:
            self._failures["no response, and not found afterwards"] += missing
            self._retryable = True
        if self.stopped is not None:
            self._retryable = self._retryable or self.stopped.retryable
            self._spool.mark_rest("not_tried", "the run ended early")
        progress.finish()

    def _send_rows(self, progress: _RowProgress) -> RingEventsError | None:
        """Send the rows that have no outcome; return the error that ended it early, if one did."""
        stopped: RingEventsError | None = None
        beat = LogThrottle(JOURNAL_INTERVAL)
        outage = _OutageDetector()
        rows: Iterator[SpooledRow] = self._spool.rows(None)
        waiting: dict[Future[_Outcome | None], int] = {}
        with ThreadPoolExecutor(self._options.concurrency, thread_name_prefix="ringevents-rows") as pool:
            try:
                while True:
                    if self._journal is not None and not self._target.idempotent and beat.is_due():
                        self._journal.save(clock.now())
                    while stopped is None and len(waiting) < 2 * self._options.concurrency:
                        row = next(rows, None)
                        if row is None:
                            break
                        waiting[pool.submit(self._write, row, outage)] = row.number
                    if not waiting:
                        break
                    done, _ = wait(waiting, timeout=JOURNAL_INTERVAL, return_when=FIRST_COMPLETED)
                    for future in done:
                        number = waiting.pop(future)
                        outcome = None if future.cancelled() else future.result()
                        if outcome is None:
                            continue
                        self._record(number, outcome)
                        progress.advance()
                    if stopped is None and (stopped := outage.error) is not None:
                        for other in waiting:
                            other.cancel()
                    progress.log_if_due()
            finally:
                for future in waiting:
                    future.cancel()
        return stopped

    def _write(self, row: SpooledRow, outage: _OutageDetector) -> _Outcome | None:
        """Send one row; None if no row is to be sent any more."""
        if self._final.is_set() or outage.error is not None:
            return None
        outcome = self._send_row(row)
        if outcome.error is not None and _is_final(outcome.error):
            self._final.set()
        outage.record(outcome.error)
        return outcome

    def _send_row(self, row: SpooledRow) -> _Outcome:
        target = self._target
        try:
            call = target.call(row.attributes or {}, row.id)
        except RingEventsConfigError as error:  # an id of the service that no request can use
            return _Outcome("failed", error=error)
        try:
            record = conceal_credentials(parse_resource(call, self._client.send(call)))
            validate_identifier("id", record.get("id", ""))
        except RingEventsConfigError as error:
            # The service has accepted the request, and its response names no usable id.
            return _Outcome("failed" if target.idempotent else "unknown", error=error)
        except RingEventsError as error:
            return _Outcome("unknown" if error.ambiguous and not target.idempotent else "failed", error=error)
        return _Outcome("updated" if row.id else "created", id=record["id"], link=magic_link(record))

    def _record(self, number: int, outcome: _Outcome) -> None:
        if outcome.error is None:
            self._spool.update(number, outcome.status, id=outcome.id, link=outcome.link)
            return
        self._spool.update(number, outcome.status, reason=describe_failure(outcome.error))
        if outcome.status == "failed":
            self._failures[failure_kind(outcome.error)] += 1
            self._retryable = self._retryable or outcome.error.retryable

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
                self._spool.replace_existing(self._existing())
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

    def _delete(self) -> None:
        if self.stopped is not None:
            self._spool.mark_deletions("not_tried", "the run ended early")
            return
        in_a_row = 0
        for deletion in self._spool.deletions():
            try:
                self._client.send(self._target.delete_call(deletion.id))
            except RingEventsNotFoundError:
                in_a_row = 0
            except RingEventsError as error:
                self._spool.update_deletion(deletion.number, "failed", describe_failure(error))
                self._failures[failure_kind(error)] += 1
                self._retryable = self._retryable or error.retryable
                in_a_row = in_a_row + 1 if error.retryable else 0
                if _ends_run(error, in_a_row):
                    self.stopped = error
                    self._spool.mark_deletions("not_tried", "the run ended early")
                    return
                continue
            self._spool.update_deletion(deletion.number, "deleted")


def _is_final(error: RingEventsError) -> bool:
    """Return True for an error after which no further row is tried: all would fail alike."""
    if isinstance(error, RingEventsAuthError | RingEventsRateLimitError):
        return True
    retry_after = error.retry_after if isinstance(error, RingEventsApiError) else None
    return retry_after is not None and retry_after > defaults.RETRY_AFTER_MAX


def _ends_run(error: RingEventsError | None, in_a_row: int) -> bool:
    return error is not None and (_is_final(error) or in_a_row >= MAX_FAILURES_IN_A_ROW)


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: str
    id: str | None = None
    link: Secret | None = None
    error: RingEventsError | None = None


class _OutageDetector:
    """A detector of the end of a run, for the threads that send rows.

    Each thread counts its failure before it takes another row: where another one counted them, requests would go on
    while it was busy.

    :ivar error: the error that ends the run, if one does.
    """

    def __init__(self) -> None:
        self.error: RingEventsError | None = None
        self._in_a_row = 0
        self._lock = Lock()

    def record(self, error: RingEventsError | None) -> None:
        """Take the error of a request; None for a success."""
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if error is not None and error.retryable else 0
            if self.error is None and _ends_run(error, self._in_a_row):
                self.error = error


class _RowProgress:
    """Lines of progress every ten seconds: rows done, rate, remaining time, and failures by reason."""

    def __init__(self, total: int, failures: Counter[str], on_progress: OnProgress | None) -> None:
        self._total = total
        self._failures = failures
        self._on_progress = on_progress
        self._done = 0
        self._started = clock.monotonic()
        self._throttle = LogThrottle(LOG_INTERVAL)
        self._throttle.restart()
        log.info("Sending %s", format_count(total, "row"))

    def advance(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)

    def log_if_due(self) -> None:
        if not self._throttle.is_due():
            return
        rate = self._done / max(clock.monotonic() - self._started, 1e-9)
        left = f"{format_duration((self._total - self._done) / rate)} left" if rate else "none done yet"
        total = format_count(self._total, "row")
        log.info("%s of %s sent, %.1f/s, %s%s", f"{self._done:,}", total, rate, left, self._shown_failures())

    def finish(self) -> None:
        seconds = clock.monotonic() - self._started
        log.info(
            "%s of %s sent in %s, %.1f/s%s",
            f"{self._done:,}",
            format_count(self._total, "row"),
            format_duration(seconds),
            self._done / max(seconds, 1e-9),
            self._shown_failures(),
        )

    def _shown_failures(self) -> str:
        if not self._failures:
            return ""
        return "; not sent or failed: " + _listed(self._failures.most_common(5))


def _listed(reasons: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{reason} ({number:,})" for reason, number in reasons)
