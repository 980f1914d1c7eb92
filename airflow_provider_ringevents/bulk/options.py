"""The choices of a bulk run, and what it needs of its caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError

FAILED: Final = ("failed", "unknown", "not_tried")
"""Statuses of rows that count as failed and may be fed again."""
DRY_RUN: Final = "dry run"
"""How the reasons of a dry run begin whose status a load has too."""


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
