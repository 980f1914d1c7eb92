"""A file of rows into the API, with a file of results: the work of the operators and of the commands."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.bulk.columns import ColumnMapping
from airflow_provider_ringevents.bulk.engine import BulkRun
from airflow_provider_ringevents.bulk.failures import failure_kind
from airflow_provider_ringevents.bulk.options import DRY_RUN, FAILED, BulkOptions, LastSentStore, RowsRefusedError
from airflow_provider_ringevents.bulk.results import write_failed_rows, write_results
from airflow_provider_ringevents.bulk.row_progress import OnProgress
from airflow_provider_ringevents.bulk.source import Source, require_pyarrow, source_format
from airflow_provider_ringevents.bulk.spool import Spool
from airflow_provider_ringevents.bulk.targets import Target
from airflow_provider_ringevents.client.errors import (
    RingEventsApiError,
    RingEventsConfigError,
    RingEventsError,
    RingEventsTransferError,
    invalid_argument,
)
from airflow_provider_ringevents.exports.formats.file_format import FileFormat
from airflow_provider_ringevents.observability.formatting import format_bytes, format_count, format_duration
from airflow_provider_ringevents.storage import Destination, IfExists, ObjectExistsError
from airflow_provider_ringevents.storage.readable import ReadableObject

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client

log = logging.getLogger(__name__)

_WRITTEN: Final = ("created", "updated", "deleted")
_UNFINISHED: Final = frozenset({*FAILED, "invalid", "create", "update", "delete"})
"""Statuses of rows that another run may still send; the last three are those of a dry run."""


@dataclass(frozen=True, slots=True)
class BulkLoad:
    """The files of a bulk load and its choices; the operators' docstrings describe them."""

    source: str
    results: str
    columns: Mapping[str, str] | None = None
    format: str | None = None
    delimiter: str = ","
    encoding: str = "utf-8"
    on_invalid: Literal["fail", "skip"] = "fail"
    max_failures: int = 0
    failed_rows: str | None = None
    delete_missing: bool = False
    max_deletions: int = 0
    concurrency: int | None = None
    dry_run: bool = False
    include_links: bool = False
    settle_timeout: float = 60.0
    if_exists: IfExists = "overwrite"
    allow_undocumented: bool = False
    source_conn_id: str | None = None
    results_conn_id: str | None = None
    object_options: Mapping[str, Any] | None = None

    def mapping(self, target: Target) -> ColumnMapping:
        """Return the mapping of columns to the attributes of a target.

        :raises RingEventsConfigError: ``columns`` is invalid.
        """
        return ColumnMapping(
            self.columns,
            attributes=target.attributes,
            maps=target.maps,
            required=target.required,
            allow_undocumented=self.allow_undocumented,
        )


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """The outcome of a bulk load.

    :ivar manifest: counts and places, without personal data.
    :ivar error: the error with which the task fails; None if it succeeds.
    :ivar written: the number of records that were created, updated or deleted.
    :ivar source_account: the storage account of the source, where its URI does not name it (Azure).
    :ivar results_account: the storage account of the results.
    """

    manifest: dict[str, Any]
    error: RingEventsError | None = None
    written: int = 0
    source_account: str | None = None
    results_account: str | None = None


def load_rows(
    client: Client,
    target: Target,
    load: BulkLoad,
    *,
    journal: LastSentStore | None = None,
    on_progress: OnProgress | None = None,
) -> BulkOutcome:
    """Write the rows of the source and publish the results, also when too many rows failed.

    :param journal: the times of sending of earlier tries; None: there were none.
    :param on_progress: called with the rows done and the rows to do.
    :returns: the outcome, with the error where rows were refused or too many failed.
    :raises RingEventsError: nothing was sent and there are no results, or the results could not be published.
    """
    started = clock.monotonic()
    mapping = load.mapping(target)
    results = _destination(load, load.results, "results")
    if_exists = load.if_exists
    if if_exists != "overwrite" and results.exists() and _are_unfinished(load):
        log.info(
            "The results in %s are those of a dry run or have rows that were not sent; they are replaced", results.uri
        )
        if_exists = "overwrite"
    if results.must_skip(if_exists):
        return BulkOutcome({"uri": results.uri, "skipped": True})
    place = ReadableObject.resolve(load.source, load.source_conn_id)
    source = Source(place, load.format, delimiter=load.delimiter, encoding=load.encoding)
    failed_rows = None if load.failed_rows is None else _destination(load, load.failed_rows, "failed_rows")
    options = BulkOptions(
        on_invalid=load.on_invalid,
        delete_missing=load.delete_missing,
        max_deletions=load.max_deletions,
        concurrency=load.concurrency or client.settings.concurrency,
        dry_run=load.dry_run,
        settle_timeout=load.settle_timeout,
    )
    with Spool() as spool:
        run = BulkRun(client, target, spool, options, journal=journal, on_progress=on_progress)
        refusal: RingEventsError | None = None
        try:
            run.execute(source, mapping)
        except RowsRefusedError as error:
            refusal = error
        with _name_outcomes(spool):
            manifest = _publish_results(load, results, spool, if_exists)
            if failed_rows is not None and not load.dry_run:
                manifest |= _publish_failed_rows(load, failed_rows, spool, source)
        counts = spool.counts()
        deletions = spool.deletion_counts()
    manifest |= {
        "source": source.uri,
        "rows": sum(counts.values()),
        "counts": {status: counts.get(status, 0) + deletions.get(status, 0) for status in {**counts, **deletions}},
        "failures": run.failures,
        "dry_run": load.dry_run,
        "seconds": round(clock.monotonic() - started, 3),
    }
    counted = manifest["counts"]
    log.info(
        "%s%s of %s: %s in %s; results in %s, %s",
        "Dry run, nothing was sent: " if load.dry_run else "",
        format_count(manifest["rows"], "row"),
        source.uri,
        ", ".join(f"{count:,} {status}" for status, count in sorted(counted.items())) or "nothing to do",
        format_duration(manifest["seconds"]),
        results.uri,
        format_bytes(manifest["bytes"]),
    )
    return BulkOutcome(
        manifest,
        refusal or _failure(run, manifest, load.max_failures),
        sum(counted.get(status, 0) for status in _WRITTEN),
        place.account,
        results.account,
    )


def check_files(load: BulkLoad) -> None:
    """Refuse files that cannot be used, without connecting to a store.

    :raises RingEventsConfigError: the message names the argument.
    """
    source = Destination.parse(load.source, load.source_conn_id, parameter="source")
    format, _ = source_format(source.uri, load.format)
    results = Destination.parse(load.results, load.results_conn_id, parameter="results", options=load.object_options)
    if source_format(results.uri, None, parameter="results")[0] == "parquet":
        require_pyarrow("results")
    for place, parameter in ((source, "source"), (results, "results")):
        if place.is_prefix:
            raise invalid_argument(parameter, "the place of one object", place.uri, hint="It names a folder.")
    if results.is_same_object(source):
        raise invalid_argument("results", "another object than the source", results.uri)
    if load.failed_rows is None:
        return
    failed = Destination.parse(
        load.failed_rows, load.results_conn_id, parameter="failed_rows", options=load.object_options
    )
    if failed.is_prefix or failed.is_same_object(source) or failed.is_same_object(results):
        raise invalid_argument("failed_rows", "another object than the source and the results", failed.uri)
    if source_format(failed.uri, None, parameter="failed_rows")[0] != format:
        raise invalid_argument("failed_rows", f"a file in the format of the source, {format}", failed.uri)


def _destination(load: BulkLoad, uri: str, parameter: str) -> Destination:
    return Destination.parse(uri, load.results_conn_id, parameter=parameter, options=load.object_options).connect()


def _are_unfinished(load: BulkLoad) -> bool:
    """Tell whether the object at ``results`` has rows that were not sent; False for what is not read as results.

    :raises RingEventsTransferError: it could not be read, so that nobody knows whether there is anything left to send.
    """
    try:
        earlier = Source(ReadableObject.resolve(load.results, load.results_conn_id, parameter="results"))
        with earlier.open() as opened:
            return any(
                row.values.get("status") in _UNFINISHED or str(row.values.get("reason") or "").startswith(DRY_RUN)
                for row in opened.rows()
            )
    except RingEventsConfigError:
        return False


def _publish_results(load: BulkLoad, results: Destination, spool: Spool, if_exists: IfExists) -> dict[str, Any]:
    format, gzip = source_format(results.uri, None, parameter="results")
    content_type = FileFormat.from_destination(results.uri, None).content_type
    publishing = results.publish(content_type=content_type, if_exists=if_exists)
    try:
        writer = write_results(publishing, spool, format=format, gzip=gzip, include_links=load.include_links)
    except ObjectExistsError as error:
        raise invalid_argument(
            "results",
            f"a place at which nothing appears during the load while `if_exists` is {load.if_exists!r}",
            results.uri,
            hint=f"The object there is kept, and there are no results of this load ({_outcomes(spool)})."
            " Another one finds them.",
        ) from error
    return {"uri": results.uri, "bytes": writer.bytes, "sha256": writer.sha256, "content_type": content_type}


@contextmanager
def _name_outcomes(spool: Spool) -> Iterator[None]:
    """Add the outcomes of the rows to errors of stores, which know of their own place alone."""
    try:
        yield
    except RingEventsTransferError as error:
        raise RingEventsTransferError(
            f"The results of the load ({_outcomes(spool)}) could not be written: {error}"
            " Another load finds what this one has sent."
        ) from error.__cause__


def _outcomes(spool: Spool) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(spool.counts().items())) or "no rows"


def _publish_failed_rows(load: BulkLoad, place: Destination, spool: Spool, source: Source) -> dict[str, Any]:
    _, gzip = source_format(place.uri, None, parameter="failed_rows")
    content_type = FileFormat.from_destination(place.uri, None).content_type
    write_failed_rows(place.publish(content_type=content_type), spool, source, gzip=gzip, statuses=FAILED)
    return {"failed_rows": place.uri}


def _failure(run: BulkRun, manifest: Mapping[str, Any], max_failures: int) -> RingEventsError | None:
    """Return the error of a run with too many failed rows; in words of our own, since the service's name people."""
    counts = manifest["counts"]
    failed = sum(counts.get(status, 0) for status in FAILED)
    if failed <= max_failures:
        return None
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in manifest["failures"].items())
    message = (
        f"{format_count(failed, 'row')} of {manifest['rows']:,} failed, and `max_failures` allows {max_failures:,}"
        f" ({reasons}). The results name each row: {manifest['uri']}."
    )
    stopped = run.stopped
    if stopped is None:
        return RingEventsError(message, retryable=run.retryable)
    message += f" The run ended early: {failure_kind(stopped)}."
    if isinstance(stopped, RingEventsApiError):
        return type(stopped)(message, status=stopped.status, retry_after=stopped.retry_after)
    return RingEventsError(message, retryable=run.retryable)
