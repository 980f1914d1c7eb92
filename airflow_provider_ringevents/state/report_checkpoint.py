"""Which report a task has asked for, over its tries."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_ringevents.client.endpoints import get_report
from airflow_provider_ringevents.client.errors import RingEventsError, RingEventsNotFoundError
from airflow_provider_ringevents.client.report_status import ReportState, report_status

if TYPE_CHECKING:
    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook

_KEY = "ringevents_report"


def fingerprint(*rendered: Any) -> str:
    """A short hash of rendered arguments: what was asked for, so that other arguments never get its report."""
    return hashlib.sha256(json.dumps(rendered, sort_keys=True, default=str).encode()).hexdigest()[:32]


class ReportCheckpoint:
    """The report of a task, kept in Airflow's task state store (3.3 and later; before, nothing is kept).

    :param store: the store, or None.
    :param asked_for: fingerprint of the request; one that differs is not ours any more.
    :param good_for: seconds after which it is too old to be taken up.
    """

    def __init__(self, store: Any | None, asked_for: str, good_for: float) -> None:
        self._store = store
        self._asked_for = asked_for
        self._good_for = good_for

    def keep(self, report_id: str, asked_at: float) -> None:
        """Remember a report, asked for at ``asked_at`` (seconds since the epoch)."""
        if self._store is not None:
            self._store.set(_KEY, {"id": report_id, "fingerprint": self._asked_for, "time": asked_at})

    def drop(self) -> None:
        """Forget it: the next try asks for a fresh one."""
        if self._store is not None:
            self._store.delete(_KEY)

    def recall(self, hook: RingEventsHook) -> tuple[str, float] | None:
        """The id and time of a report that is still worth waiting for, if there is one."""
        saved = self._store.get(_KEY) if self._store is not None else None
        if not isinstance(saved, dict):
            return None
        age = time.time() - saved["time"]
        if saved["fingerprint"] == self._asked_for and age <= self._good_for and _lives(hook, saved["id"]):
            return saved["id"], saved["time"]
        self.drop()
        return None

    @contextmanager
    def dropped_on(self, *errors: type[RingEventsError]) -> Iterator[None]:
        """Forget the report when one of these errors shows that it will never be had."""
        try:
            yield
        except errors:
            self.drop()
            raise


def _lives(hook: RingEventsHook, report_id: str) -> bool:
    try:
        return report_status(hook.client.send(get_report(report_id))).state is not ReportState.FAILED
    except RingEventsNotFoundError:
        return False
