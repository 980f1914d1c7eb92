"""The status of a report. The API reference enumerates no status words; their interpretation is here alone."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_ringevents.client.pagination import flatten_resource
from airflow_provider_ringevents.client.transport.redaction import clean_value
from airflow_provider_ringevents.client.transport.responses import Envelope

FAILED_WORDS: Final = frozenset(
    {"failed", "failure", "error", "errored", "cancelled", "canceled", "aborted", "rejected", "expired"}
)
IN_PROGRESS_WORDS: Final = frozenset(
    {
        *("pending", "queued", "enqueued", "created", "new", "scheduled", "waiting", "started", "running"),
        *("processing", "in_progress", "inprogress", "generating", "building", "working", "retrying"),
    }
)
READY_WORDS: Final = frozenset(
    {"ready", "completed", "complete", "done", "finished", "succeeded", "success", "available", "generated"}
)


class ReportState(enum.Enum):
    """The states of a report."""

    IN_PROGRESS = "in_progress"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """The status of a report as one response describes it.

    :ivar state: the state.
    :ivar word: the service's own status word, fit to be shown, if it sent one.
    :ivar known: the word has a known meaning, or there is none.
    """

    state: ReportState
    word: str | None
    known: bool


def report_status(envelope: Envelope) -> ReportStatus:
    """Read ``GET /v1/reports/{reportId}``; an unknown word is taken neither for success nor for failure."""
    data = envelope.get("data")
    report = flatten_resource(data) if isinstance(data, Mapping) else {}
    value = report.get("status")
    text = clean_value(value.strip() if isinstance(value, str) else value) if value is not None else ""
    word = text or None
    plain = word.strip().lower().replace("-", "_").replace(" ", "_") if word else ""
    known = not plain or plain in FAILED_WORDS | IN_PROGRESS_WORDS | READY_WORDS

    if plain in FAILED_WORDS:
        state = ReportState.FAILED
    elif envelope.status == 202:
        state = ReportState.IN_PROGRESS
    elif report.get("url") or not plain or plain in READY_WORDS:
        state = ReportState.READY
    else:
        state = ReportState.IN_PROGRESS
    return ReportStatus(state, word, known)
