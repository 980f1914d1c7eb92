"""The checkpoint of a report that a task has requested, over its tries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.endpoints import get_report
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsNotFoundError
from airflow_provider_ringevents.client.report_status import ReportState, report_status
from airflow_provider_ringevents.state.entry import StateEntry

if TYPE_CHECKING:
    from airflow_provider_ringevents.client.client import Client

_KEY = "ringevents_report"


class _Checkpoint(NamedTuple):
    report_id: str
    fingerprint: str
    requested_at: float


def fingerprint(*arguments: Any) -> str:
    """Return a short hash of rendered arguments, which distinguishes a request from one with other arguments."""
    return hashlib.sha256(json.dumps(arguments, sort_keys=True, default=str).encode()).hexdigest()[:32]


class ReportCheckpoint:
    """The report of a task in Airflow's task state store (3.3 and later; before, nothing is kept).

    :param store: the store, or None.
    :param fingerprint: the fingerprint of the request; a report with another one is not resumed.
    :param max_age: seconds after which a report is too old to be resumed.
    """

    def __init__(self, store: Any | None, fingerprint: str, max_age: float) -> None:
        self._entry = StateEntry(store, _KEY, _decode)
        self._fingerprint = fingerprint
        self._max_age = max_age

    def save(self, report_id: str, requested_at: float) -> None:
        """Store a report.

        :param requested_at: seconds since the epoch.
        """
        self._entry.save({"id": report_id, "fingerprint": self._fingerprint, "time": requested_at})

    def clear(self) -> None:
        """Remove the report, so that the next try requests a new one."""
        self._entry.clear()

    def load(self, client: Client) -> tuple[str, float] | None:
        """Return the id and the time of the request of a report that can still become ready, if there is one.

        Any other report that is stored is removed.
        """
        stored = self._entry.load()
        if stored is None:
            return None
        age = clock.now() - stored.requested_at
        is_current = stored.fingerprint == self._fingerprint and age <= self._max_age
        if is_current and _can_become_ready(client, stored.report_id):
            return stored.report_id, stored.requested_at
        self.clear()
        return None

    @contextmanager
    def clear_on(self, *errors: type[RingEventsError]) -> Iterator[None]:
        """Remove the report when the block raises one of these errors, which show that it will never be ready."""
        try:
            yield
        except errors:
            self.clear()
            raise


def _decode(value: Any) -> _Checkpoint:
    return _Checkpoint(str(value["id"]), str(value["fingerprint"]), float(value["time"]))


def _can_become_ready(client: Client, report_id: str) -> bool:
    try:
        return report_status(client.send(get_report(report_id))).state is not ReportState.FAILED
    except RingEventsNotFoundError:
        return False
