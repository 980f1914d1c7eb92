"""The upload of a report's file to object storage: the work of both report transfers and of the CLI."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.client import Client
from airflow_provider_ringevents.client.downloads.state import DownloadRestartRequired
from airflow_provider_ringevents.client.downloads.transfer_clock import TransferClock
from airflow_provider_ringevents.client.endpoints import download_report
from airflow_provider_ringevents.client.transport.redaction import hide_in
from airflow_provider_ringevents.observability.formatting import format_bytes, format_duration
from airflow_provider_ringevents.storage import Destination, IfExists, ObjectExistsError, safe_file_name
from airflow_provider_ringevents.transfers._report_content import ReportPipeline
from airflow_provider_ringevents.transfers._report_name import true_name

log = logging.getLogger(__name__)

_PROGRESS_INTERVAL = 10.0
_HEAD_BYTES = 16
"""Bytes that tell gzip and other formats."""


def upload_report(
    client: Client,
    report_id: str,
    destination: Destination,
    *,
    if_exists: IfExists,
    fallback_name: str,
    required_columns: Sequence[str] = (),
    allow_empty: bool = False,
) -> dict[str, Any]:
    """Download a report and publish it whole.

    :param destination: an object, or a folder, which then takes the server's file name.
    :param fallback_name: the name in a folder where the server gives none.
    :param required_columns: names of columns that the report must have.
    :param allow_empty: also publish an empty report.
    :returns: ``uri``, ``bytes``, ``sha256``, ``content_type``, ``verified``, ``columns``, ``rows``; or ``uri`` and
        ``skipped``.
    :raises RingEventsError: nothing was published, unless the message says so.
    """
    clock = client.transfer_clock()
    for restart in range(defaults.MAX_RESUMES + 1):
        try:
            return _upload_once(
                client,
                report_id,
                destination,
                if_exists,
                fallback_name,
                required_columns,
                allow_empty=allow_empty,
                clock=clock,
            )
        except DownloadRestartRequired as error:
            if restart == defaults.MAX_RESUMES:
                raise
            log.warning("%s; starting over", error)
            time.sleep(client.policy.backoff(restart + 1))
    raise AssertionError("the loop returns or raises")


def _upload_once(
    client: Client,
    report_id: str,
    destination: Destination,
    if_exists: IfExists,
    fallback_name: str,
    required_columns: Sequence[str],
    *,
    allow_empty: bool,
    clock: TransferClock,
) -> dict[str, Any]:
    if destination.must_skip(if_exists):
        return {"uri": destination.uri, "skipped": True}
    with client.download(download_report(report_id), clock=clock) as download:
        state = download.state
        blocks = iter(download)
        head = _read_head(blocks)
        if destination.is_prefix:
            name = safe_file_name(state.file_name, fallback_name)
            destination = destination.child(true_name(name, head))
            if destination.must_skip(if_exists):
                return {"uri": destination.uri, "skipped": True}
        pipeline = ReportPipeline(destination.uri, head, required_columns)
        content_type = pipeline.content_type(state.content_type)
        progress = ProgressReporter(state.size, log.info)
        expected_size = state.size if pipeline.passes_through and not state.encoded else None
        try:
            with destination.publish(expected_size, content_type=content_type, if_exists=if_exists) as writer:
                pipeline.open(writer.write)
                pipeline.write(head)
                for block in blocks:
                    pipeline.write(block)
                    progress.update(writer.bytes)
                pipeline.finish(allow_empty=allow_empty)
        except ObjectExistsError:
            if if_exists == "fail":
                raise
            log.info("%s appeared in the meantime and is kept", destination.uri)
            return {"uri": destination.uri, "skipped": True}
    inspector = pipeline.inspector
    log.info(
        "Wrote %s: %s in %s (%s/s), sha256 %s%s",
        destination.uri,
        format_bytes(writer.bytes),
        format_duration(progress.seconds),
        format_bytes(progress.rate(writer.bytes)),
        writer.sha256,
        "" if state.verified else "; the server sent neither its length nor a checksum: it could not be verified",
    )
    return {
        "uri": destination.uri,
        "bytes": writer.bytes,
        "sha256": writer.sha256,
        "content_type": content_type,
        "verified": state.verified,
        "columns": hide_in(inspector.columns) if inspector.columns is not None else None,
        "rows": inspector.rows,
    }


def _read_head(blocks: Iterator[bytes]) -> bytes:
    """Return the beginning of a file: a connection that was cut leaves a first block of any size."""
    head = b""
    while len(head) < _HEAD_BYTES and (block := next(blocks, b"")):
        head += block
    return head


class ProgressReporter:
    """A reporter of the progress of a transfer, every ten seconds.

    :param size: bytes in all, if known.
    :param log: takes a message and its arguments, as ``log.info`` does.
    """

    def __init__(self, size: int | None, log: Callable[..., None], clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._log = log
        self._clock = clock
        self._started = self._logged_at = clock()

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return self._clock() - self._started

    def rate(self, done: int) -> float:
        """Return the bytes per second since the start."""
        return done / max(self.seconds, 1e-9)

    def update(self, done: int) -> None:
        """Report that ``done`` bytes are transferred."""
        now = self._clock()
        if now - self._logged_at < _PROGRESS_INTERVAL:
            return
        self._logged_at = now
        share = f" of {format_bytes(self._size)} ({100 * done / self._size:.0f} %)" if self._size else ""
        self._log("%s%s, %s/s", format_bytes(done), share, format_bytes(self.rate(done)))
