"""The upload of a list to object storage: read page by page, written as it comes, published whole."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import tzinfo
from functools import cache
from typing import Any

from airflow_provider_ringevents.client import endpoints
from airflow_provider_ringevents.client.client import Client
from airflow_provider_ringevents.client.errors import RingEventsConfigError, RingEventsError
from airflow_provider_ringevents.client.filters import FilterLike
from airflow_provider_ringevents.client.transport.responses import parse_resource
from airflow_provider_ringevents.client.types import OnIncomplete
from airflow_provider_ringevents.client.validation.timezones import get_zone
from airflow_provider_ringevents.exports.catalog import Collection
from airflow_provider_ringevents.exports.formats import open_row_writer
from airflow_provider_ringevents.exports.formats.base import ZoneOf
from airflow_provider_ringevents.exports.formats.file_format import FileFormat
from airflow_provider_ringevents.exports.reader import CollectionReader
from airflow_provider_ringevents.observability.formatting import format_bytes, format_count, format_duration
from airflow_provider_ringevents.storage import (
    Destination,
    IfExists,
    ObjectExistsError,
    identifier_file_name,
    safe_file_name,
)
from airflow_provider_ringevents.transfers.report_upload import ProgressReporter

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CollectionExport:
    """The settings of an export, the same for every parent.

    :ivar filter: conditions that the list documents, a window's among them.
    :ivar concurrency: pages in flight; None: the client's.
    :ivar strict: publish nothing when the list may have changed while it was read.
    :ivar include_credentials: export the fields that admit their holder to the event.
    :ivar escape_formulas: CSV only: put an apostrophe before text that a spreadsheet would take for a formula.
    :ivar on_incomplete: ``fail``: publish nothing if rows are missing; ``warn``: publish what came.
    """

    collection: Collection
    kind: FileFormat
    if_exists: IfExists = "overwrite"
    filter: FilterLike | None = None
    concurrency: int | None = None
    strict: bool = False
    include_credentials: bool = False
    escape_formulas: bool = False
    on_incomplete: OnIncomplete = "fail"

    @property
    def hidden(self) -> frozenset[str]:
        """Return the fields that are left out of every row."""
        return self.collection.dropped | (frozenset() if self.include_credentials else self.collection.credentials)


def upload_collection(
    client: Client, export: CollectionExport, parent_id: str | None, destination: Destination
) -> dict[str, Any]:
    """Read one list and publish it whole, in memory that does not grow with it.

    :param parent_id: the id of the parent of the list; None for organizations.
    :param destination: an object, or a folder, in which the object is named after the list and its parent.
    :returns: ``uri``, ``bytes``, ``sha256``, ``content_type``, ``rows``, ``count``, ``count_stable``,
        ``duplicates_dropped``, ``pages``, ``readings``, ``complete``, ``seconds``; or ``uri`` and ``skipped``.
    :raises RingEventsError: nothing was published, unless the message says so.
    """
    collection = export.collection
    call = collection.call(parent_id, export.filter)
    if destination.is_prefix:
        name = f"{collection.name}-{identifier_file_name(parent_id)}" if parent_id else collection.name
        destination = destination.child(safe_file_name(name + export.kind.suffix, collection.name))
    if destination.must_skip(export.if_exists):
        return {"uri": destination.uri, "skipped": True}
    started = time.monotonic()
    reading = CollectionReader(
        client,
        call,
        concurrency=export.concurrency,
        hidden=export.hidden,
        on_incomplete=export.on_incomplete,
        exact_numbers=True,
    )
    try:
        with destination.publish(content_type=export.kind.content_type, if_exists=export.if_exists) as writer:
            progress = ProgressReporter(None, log.info)
            zone_of = _zones(client, collection, parent_id)
            rows = open_row_writer(
                export.kind, collection.name, writer.write, zone_of, escape_formulas=export.escape_formulas
            )
            # No variable keeps a page, which may hold magic links, while the next one is fetched.
            for _ in map(rows.write, reading):
                progress.update(writer.bytes)
            rows.finish()
            if export.strict:
                reading.require_stable()
    except ObjectExistsError:
        if export.if_exists == "fail":
            raise
        log.info("%s appeared in the meantime and is kept", destination.uri)
        return {"uri": destination.uri, "skipped": True}
    seconds = time.monotonic() - started
    log.info(
        "Wrote %s: %s of %s in %s, %s in %s%s",
        destination.uri,
        format_count(reading.rows, "row"),
        collection.name if parent_id is None else f"{collection.name} of {collection.parent} {parent_id}",
        format_count(reading.pages, "page"),
        format_bytes(writer.bytes),
        format_duration(seconds),
        "; the list changed while it was read" if reading.figures()["count_stable"] is False else "",
    )
    return {
        "uri": destination.uri,
        "bytes": writer.bytes,
        "sha256": writer.sha256,
        "content_type": export.kind.content_type,
        **reading.figures(),
        "seconds": round(seconds, 3),
    }


def _zones(client: Client, collection: Collection, parent_id: str | None) -> ZoneOf:
    """Return the function that gives the zone of a row's times without an offset: the event's, looked up at need."""

    @cache
    def named(name: object) -> tzinfo | None:
        try:
            return get_zone(name, allow_undocumented=True) if isinstance(name, str) else None
        except RingEventsConfigError:
            return None

    @cache
    def of_the_event() -> tzinfo | None:
        call = endpoints.get_event(str(parent_id))
        try:
            return named(parse_resource(call, client.send(call)).get("timezone"))
        except RingEventsError as error:
            if error.retryable:
                raise
            log.warning("Times without an offset cannot be read: the zone of the event could not be read: %s", error)
            return None

    if collection.parent == "event":
        return lambda row: of_the_event()
    if collection.parent == "organization":
        return lambda row: named(row.get("timezone"))
    return lambda row: None
