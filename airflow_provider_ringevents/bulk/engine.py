"""Rows of a source into the service: checked first, each person once, with an outcome for each row."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.bulk.columns import ColumnMapping
from airflow_provider_ringevents.bulk.source import Source, SourceRow
from airflow_provider_ringevents.bulk.spool import Spool, SpooledRow
from airflow_provider_ringevents.bulk.targets import Target
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsAuthError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsNotFoundError,
    RingEventsRateLimitError,
)
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.observability.progress_log import format_count, format_duration

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client

log = logging.getLogger(__name__)

LOOKUP_DELAYS: Final = (2.0, 5.0, 10.0, 20.0)
"""Seconds before each look for rows whose request ended ambiguously."""
MAX_FAILURES_IN_A_ROW: Final = 10
"""Failures that a later try may mend: a service that is down is not asked for each of ten thousand rows."""
JOURNAL_INTERVAL: Final = 5.0
"""Seconds between two notes of the time while requests are sent."""
LOG_INTERVAL: Final = 10.0
"""Seconds between two lines of progress."""
_SPOOL_BATCH: Final = 500

FAILED: Final = ("failed", "unknown", "not_tried")
"""Statuses of rows that are not done and count as failed."""
DRY_RUN: Final = ("create", "update", "delete")
"""Statuses that only a dry run gives."""
OnProgress = Callable[[int, int], None]


class SendJournal(Protocol):
    """A note of the last time at which a try of this task was sending."""

    def load(self) -> float | None:
        """Return it in seconds since the epoch; None: no try has sent anything."""

    def save(self, moment: float) -> None:
        """Note it."""


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """The choices of a run.

    :ivar on_invalid: ``fail``: send nothing when any row is invalid; ``skip``: send the others.
    :ivar delete_missing: delete the records of people who are not in the source.
    :ivar max_deletions: the most that may be deleted; more of them fail the run before it writes.
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
    :param journal: None where the task has no memory over its tries, and this is the first.
    :param on_progress: called with the rows done and the rows to do.
    """

    def __init__(
        self,
        client: Client,
        target: Target,
        spool: Spool,
        options: BulkOptions,
        *,
        journal: SendJournal | None = None,
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
        self.stopped: RingEventsError | None = None
        self.deleted: list[tuple[str, str | None, str, str | None]] = []

    @property
    def retryable(self) -> bool:
        """A later try may mend at least one of the failed rows."""
        return self._retryable

    @property
    def failures(self) -> dict[str, int]:
        """The number of failed rows by reason, without anything personal."""
        return dict(self._failures)

    def execute(self, source: Source, mapping: ColumnMapping) -> None:
        """Check, look, and send. The outcomes are in the spool, also when this raises.

        :raises RingEventsConfigError: the source or its columns cannot be used, rows are invalid and ``on_invalid`` is
            ``fail``, or too many records would be deleted. Nothing was sent.
        :raises RingEventsError: the people whom the service has could not be read whole. Nothing was sent.
        """
        self._target.prepare(self._client)
        self._load(source, mapping)
        invalid = self._spool.counts().get("invalid", 0)
        if invalid and self._options.on_invalid == "fail" and not self._options.dry_run:
            self._spool.mark_rest("not_tried", "other rows are invalid, and on_invalid is 'fail'")
            raise RingEventsConfigError(
                f"{format_count(invalid, 'row')} of {source.uri} cannot be sent ({self._reasons()}); nothing was sent."
                " Mend them, or set on_invalid='skip'."
            )
        to_do = self._classify()
        if to_do and (until := self._settled_at()) > clock.now():
            pause = until - clock.now()
            log.info(
                "An earlier try was sending until shortly before; looking again in %s, when its requests have settled",
                format_duration(pause),
            )
            clock.sleep(pause)
            to_do = self._classify()
        doomed = self._doomed() if self._options.delete_missing else []
        if self._options.dry_run:
            self.deleted = [(identity, id, "delete", None) for identity, id in doomed]
            return
        if to_do:
            self._send(to_do)
        if doomed and self.stopped is None:
            self._delete(doomed)

    # --- before anything is sent

    def _load(self, source: Source, mapping: ColumnMapping) -> None:
        with source.open() as file:
            if file.columns is not None:
                mapping.require_columns(file.columns)
            seen_columns: dict[str, None] = {}
            batch: list[SpooledRow] = []
            pending: dict[str, int] = {}
            for row in file.rows():
                if file.columns is None:
                    seen_columns.update(dict.fromkeys(row.values))
                spooled = self._check(row, mapping, pending)
                batch.append(spooled)
                if len(batch) >= _SPOOL_BATCH:
                    self._spool.add_rows(batch)
                    batch, pending = [], {}
            self._spool.add_rows(batch)
            if file.columns is None and self._spool.counts():
                mapping.require_columns(seen_columns)

    def _check(self, row: SourceRow, mapping: ColumnMapping, pending: dict[str, int]) -> SpooledRow:
        def invalid(problems: list[str], identity: str | None = None) -> SpooledRow:
            return SpooledRow(row.number, identity, row.cells, None, "invalid", None, None, "; ".join(problems))

        if row.problem:
            self._failures["unreadable row"] += 1
            return invalid([row.problem])
        attributes, problems = mapping.attributes_of(row.values)
        identity = self._target.identity_of(attributes)
        if problems:
            self._failures["value of a wrong type"] += 1
            return invalid(problems, identity)
        try:
            checked = self._target.validate(attributes)
        except RingEventsConfigError as error:
            self._failures[_parameter_of(error)] += 1
            return invalid([_one_line(error)], identity)
        identity = self._target.identity_of(checked)
        if identity is None:
            self._failures["no identity"] += 1
            return invalid(["the row says nothing that its person is known by"])
        first = pending.get(identity) or self._spool.first_row_of(identity)
        if first is not None:
            self._failures["twice in the source"] += 1
            return invalid([f"the same person as row {first}"], identity)
        pending[identity] = row.number
        return SpooledRow(row.number, identity, row.cells, checked, None, None, None, None)

    def _classify(self) -> int:
        """Hold all rows against the people whom the service has; return how many are to be sent."""
        known = self._spool.replace_existing(self._target.existing(self._client, self._options.concurrency))
        log.info("The service has %s", format_count(known, self._target.noun))
        to_do = 0
        for row in self._spool.rows(None):
            if row.identity is None or row.attributes is None:
                continue
            found = self._spool.find_existing(row.identity)
            decision, attributes, reason = self._target.decide(row.attributes, found)
            if decision in ("create", "update"):
                to_do += 1
                if attributes != row.attributes:
                    self._spool.set_attributes(row.number, attributes)
                if self._options.dry_run:
                    self._spool.update(row.number, decision, id=found[0].id if found else None)
                continue
            record = found[0] if found else None
            self._spool.update(
                row.number,
                decision,
                id=record.id if record else None,
                link=record.link if record else None,
                reason=reason,
            )
            if decision == "invalid":
                self._failures["cannot be matched"] += 1
        return to_do

    def _settled_at(self) -> float:
        """Return the time after which what an earlier try has sent is shown by the service."""
        sent = self._journal.load() if self._journal is not None else None
        return 0.0 if sent is None else sent + JOURNAL_INTERVAL + self._options.settle_timeout

    def _doomed(self) -> list[tuple[str, str]]:
        limit = self._options.max_deletions
        doomed: list[tuple[str, str]] = []
        count = 0
        for record in self._spool.absent_from_source():
            count += 1
            if record.id is not None and len(doomed) <= limit:
                doomed.append((record.identity, record.id))
        if count > limit and not self._options.dry_run:
            self._spool.mark_rest("not_tried", "more would be deleted than max_deletions allows")
            raise RingEventsConfigError(
                f"`max_deletions` must be at least the number of records that are missing in the source, {count},"
                f" got {limit}; nothing was sent."
            )
        return doomed

    # --- sending

    def _send(self, to_do: int) -> None:
        progress = _Progress(to_do, self._failures, self._on_progress)
        in_a_row = 0
        ambiguous = False
        noted = 0.0
        rows: Iterator[SpooledRow] = self._spool.rows(None)
        waiting: dict[Future[_Outcome], int] = {}
        with ThreadPoolExecutor(self._options.concurrency, thread_name_prefix="ringevents-rows") as pool:
            try:
                while True:
                    while self.stopped is None and len(waiting) < 2 * self._options.concurrency:
                        row = next(rows, None)
                        if row is None:
                            break
                        waiting[pool.submit(self._write, row)] = row.number
                    if not waiting:
                        break
                    if (self._journal is not None and clock.monotonic() - noted >= JOURNAL_INTERVAL) or not noted:
                        if self._journal is not None:
                            self._journal.save(clock.now())
                        noted = clock.monotonic()
                    done, _ = wait(waiting, timeout=JOURNAL_INTERVAL, return_when=FIRST_COMPLETED)
                    for future in done:
                        number = waiting.pop(future)
                        if future.cancelled():
                            continue
                        outcome = future.result()
                        ambiguous |= outcome.status == "unknown"
                        self._record(number, outcome)
                        in_a_row = in_a_row + 1 if outcome.error is not None and outcome.error.retryable else 0
                        progress.advance()
                        if self.stopped is None and (error := self._reason_to_stop(outcome, in_a_row)):
                            self.stopped = error
                            for other in waiting:
                                other.cancel()
            finally:
                for future in waiting:
                    future.cancel()
        if ambiguous:
            self._find_ambiguous()
        if self.stopped is not None:
            self._retryable = self._retryable or self.stopped.retryable
            self._spool.mark_rest("not_tried", "the run was ended before")
        progress.finish()

    def _write(self, row: SpooledRow) -> _Outcome:
        target = self._target
        call = target.call(row.attributes or {}, row.id)
        try:
            record = parse_resource(call, self._client.send(call))
            id = str(record.get("id"))
            validate_identifier("id", id)
        except RingEventsError as error:
            status = "unknown" if error.ambiguous and not target.idempotent else "failed"
            return _Outcome(status, error=error)
        return _Outcome("updated" if row.id else "created", id=id, link=record.get("magicLink"))

    def _record(self, number: int, outcome: _Outcome) -> None:
        if outcome.error is None:
            self._spool.update(number, outcome.status, id=outcome.id, link=outcome.link)
            return
        reason = describe_failure(outcome.error)
        self._spool.update(number, outcome.status, reason=reason)
        if outcome.status == "failed":
            self._failures[_kind_of(outcome.error)] += 1
            self._retryable = self._retryable or outcome.error.retryable

    @staticmethod
    def _reason_to_stop(outcome: _Outcome, in_a_row: int) -> RingEventsError | None:
        error = outcome.error
        if isinstance(error, RingEventsAuthError | RingEventsRateLimitError):
            return error
        return error if in_a_row >= MAX_FAILURES_IN_A_ROW else None

    def _find_ambiguous(self) -> None:
        """Look for the rows whose request may have been applied; those that are not found stay ``unknown``."""
        missing = self._spool.counts().get("unknown", 0)
        for delay in LOOKUP_DELAYS:
            if not missing:
                break
            log.info("%s ended without an answer; looking for them in %g s", format_count(missing, "request"), delay)
            clock.sleep(delay)
            try:
                self._spool.replace_existing(self._target.existing(self._client, self._options.concurrency))
            except RingEventsError as error:
                log.warning("The list could not be read: %s", error)
                continue
            for row in self._spool.rows("unknown"):
                found = self._spool.find_existing(row.identity or "")
                if found is not None:
                    self._spool.update(row.number, "created", id=found[0].id, link=found[0].link)
                    missing -= 1
        if missing:
            self._failures["no answer, and not found afterwards"] += missing
            self._retryable = True

    def _delete(self, doomed: list[tuple[str, str]]) -> None:
        for identity, id in doomed:
            try:
                self._client.send(self._target.delete_call(id))
            except RingEventsNotFoundError:
                pass
            except RingEventsError as error:
                self.deleted.append((identity, id, "failed", describe_failure(error)))
                self._failures[_kind_of(error)] += 1
                self._retryable = self._retryable or error.retryable
                if isinstance(error, RingEventsAuthError | RingEventsRateLimitError):
                    self.stopped = error
                    return
                continue
            self.deleted.append((identity, id, "deleted", None))

    def _reasons(self) -> str:
        return ", ".join(f"{reason}: {number}" for reason, number in self._failures.most_common(10))


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: str
    id: str | None = None
    link: str | None = None
    error: RingEventsError | None = None


class _Progress:
    """Lines of progress every ten seconds: done, rate, remaining time, and failures by reason."""

    def __init__(self, total: int, failures: Counter[str], on_progress: OnProgress | None) -> None:
        self._total = total
        self._failures = failures
        self._on_progress = on_progress
        self._done = 0
        self._started = self._logged = clock.monotonic()

    def advance(self) -> None:
        self._done += 1
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)
        now = clock.monotonic()
        if now - self._logged >= LOG_INTERVAL:
            self._logged = now
            rate = self._done / max(now - self._started, 1e-9)
            log.info(
                "%s of %s sent, %.1f/s, %s left%s",
                f"{self._done:,}",
                format_count(self._total, "row"),
                rate,
                format_duration((self._total - self._done) / rate),
                self._shown_failures(),
            )

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
        return "; failed: " + ", ".join(f"{reason} ({number})" for reason, number in self._failures.most_common(5))


def describe_failure(error: RingEventsError) -> str:
    """Return the reason of a failed row for the results: parameter, status and title of the service, or the message."""
    if not isinstance(error, RingEventsApiError):
        return _one_line(error)
    details = [
        ": ".join(filter(None, [_last_part(detail.pointer), detail.title or "", detail.detail or ""]))
        for detail in error.errors
    ]
    return f"{error.status}{': ' if details else ''}{'; '.join(details)}"


def _kind_of(error: RingEventsError) -> str:
    """Return the reason of a failure as it may stand in a log: without anything that the service says."""
    if isinstance(error, RingEventsApiError):
        return f"HTTP {error.status}"
    return "not reached" if not error.ambiguous else "no answer"


def _parameter_of(error: RingEventsConfigError) -> str:
    return str(getattr(error, "parameter", None) or "invalid value")


def _last_part(pointer: str | None) -> str:
    return (pointer or "").rpartition("/")[2]


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


__all__ = ["FAILED", "BulkOptions", "BulkRun", "SendJournal", "describe_failure"]
