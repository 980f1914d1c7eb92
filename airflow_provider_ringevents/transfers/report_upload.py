"""A report's file -> object storage: the step that both report transfers share."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.client import Client
from airflow_provider_ringevents.client.downloads.state import DownloadRestartRequired
from airflow_provider_ringevents.client.endpoints import download_report
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.observability.formatting import format_bytes, format_duration
from airflow_provider_ringevents.storage import Destination, safe_file_name
from airflow_provider_ringevents.transfers.base import IfExists

log = logging.getLogger(__name__)

_PROGRESS_EVERY = 10.0


def skip_if_exists(destination: Destination, if_exists: IfExists) -> bool:
    """Whether an object that must be kept is at the destination.

    :returns: True with ``skip``: there is nothing to do.
    :raises RingEventsConfigError: with ``fail``.
    """
    if if_exists == "overwrite" or destination.is_prefix or not destination.exists():
        return False
    if if_exists == "skip":
        log.info("%s is there already; skipped", destination.uri)
        return True
    raise RingEventsConfigError(f"destination: {destination.uri} is there already, and if_exists is 'fail'")


def upload_report(
    client: Client, report_id: str, destination: Destination, *, if_exists: IfExists, fallback_name: str
) -> dict[str, Any]:
    """Download a report and publish it whole.

    :param destination: an object, or a folder, which then takes the server's file name.
    :param fallback_name: the name in a folder where the server gives none.
    :returns: ``uri``, ``bytes``, ``sha256``, ``content_type``, ``verified``; or ``uri`` and ``skipped``.
    :raises RingEventsError: nothing was published, unless the message says so.
    """
    for restart in range(defaults.MAX_RESUMES + 1):
        try:
            return _publish_once(client, report_id, destination, if_exists, fallback_name)
        except DownloadRestartRequired as error:
            if restart == defaults.MAX_RESUMES:
                raise
            log.warning("%s; starting over", error)
            time.sleep(client.policy.backoff(restart + 1))
    raise AssertionError("the loop returns or raises")


def _publish_once(
    client: Client, report_id: str, destination: Destination, if_exists: IfExists, fallback_name: str
) -> dict[str, Any]:
    with client.download(download_report(report_id)) as download:
        state = download.state
        if destination.is_prefix:
            destination = destination.child(safe_file_name(state.file_name, fallback_name))
            if skip_if_exists(destination, if_exists):
                return {"uri": destination.uri, "skipped": True}
        progress = ProgressReporter(state.size, log.info)
        with destination.publish(None if state.encoded else state.size) as writer:
            for block in download:
                writer.write(block)
                progress.update(writer.bytes)
    log.info(
        "Wrote %s: %s in %s (%s/s), sha256 %s%s",
        destination.uri,
        format_bytes(writer.bytes),
        format_duration(progress.seconds),
        format_bytes(progress.rate(writer.bytes)),
        writer.sha256,
        "" if state.verified else "; the server said neither its length nor a checksum: it could not be verified",
    )
    return {
        "uri": destination.uri,
        "bytes": writer.bytes,
        "sha256": writer.sha256,
        "content_type": state.content_type or "application/octet-stream",
        "verified": state.verified,
    }


class ProgressReporter:
    """Says every ten seconds how far a transfer is.

    :param size: bytes in all, if known.
    :param say: takes a message and its arguments, as ``log.info`` does.
    """

    def __init__(self, size: int | None, say: Callable[..., None], clock: Callable[[], float] = time.monotonic) -> None:
        self._size = size
        self._say = say
        self._clock = clock
        self._started = self._said = clock()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return self._clock() - self._started

    def rate(self, done: int) -> float:
        """Bytes per second since the start."""
        return done / max(self.seconds, 1e-9)

    def update(self, done: int) -> None:
        """Tell how many bytes are through."""
        now = self._clock()
        if now - self._said < _PROGRESS_EVERY:
            return
        self._said = now
        share = f" of {format_bytes(self._size)} ({100 * done / self._size:.0f} %)" if self._size else ""
        self._say("%s%s, %s/s", format_bytes(done), share, format_bytes(self.rate(done)))
