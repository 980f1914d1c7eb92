"""The log lines of an export of lists, beside those of each object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.exports.catalog import Collection
from airflow_provider_ringevents.exports.window import Window
from airflow_provider_ringevents.observability.formatting import format_bytes, format_count, format_duration
from airflow_provider_ringevents.observability.progress_log import LogFunction, log_group


def log_start(log: LogFunction, collection: Collection, parent_id: str | None, window: Window | None) -> None:
    """Say which list is exported."""
    whose = f" of {collection.parent} {parent_id}" if parent_id is not None else ""
    log("Exporting %s%s%s", collection.name, whose, _within(window))


@contextmanager
def log_batch(
    log: LogFunction, collection: Collection, parents: Sequence[Any], window: Window | None
) -> Iterator[list[dict[str, Any]]]:
    """Fold away what is said of each list, and say what they come to, also when one of them fails.

    :returns: where the manifests go.
    """
    manifests: list[dict[str, Any]] = []
    started = clock.monotonic()
    lists = format_count(len(parents), "list")
    try:
        with log_group(
            log, f"Exporting {lists} of {collection.name}, one for each {collection.parent}{_within(window)}"
        ):
            yield manifests
    finally:
        written = [manifest for manifest in manifests if not manifest.get("skipped")]
        skipped = len(manifests) - len(written)
        log(
            "Wrote %d of %s: %s, %s in %s%s",
            len(written),
            lists,
            format_count(sum(manifest["rows"] for manifest in written), "row"),
            format_bytes(sum(manifest["bytes"] for manifest in written)),
            format_duration(clock.monotonic() - started),
            f"; {format_count(skipped, 'object')} skipped" if skipped else "",
        )


def _within(window: Window | None) -> str:
    return f", {window}" if window is not None else ""
