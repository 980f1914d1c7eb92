"""The journal of a task's creating request, kept over the tries of the task."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.client.validation.identifiers import is_valid_identifier

log = logging.getLogger(__name__)

_STORE_KEY = "ringevents_event"
_STATES = ("posting", "accepted")


class RequestJournal:
    """A record of ``posting`` before a request is sent and of ``accepted`` after the service took it.

    :param store: Airflow's task state store, or None where there is none (before Airflow 3.3).
    :param key: the idempotency key; records of another key are ignored.
    """

    def __init__(self, store: Any | None, key: str) -> None:
        self._store = store
        self._key = key

    @property
    def is_durable(self) -> bool:
        """True if the records outlive this try."""
        return self._store is not None

    def load(self) -> dict[str, Any]:
        """Return ``state``, ``time`` (seconds since the epoch) and possibly ``id`` and ``silent``; empty: no record.

        A record that cannot be read is dropped, with a warning.
        """
        saved = self._store.get(_STORE_KEY) if self._store is not None else None
        if saved is None or (isinstance(saved, dict) and saved.get("key") != self._key):
            return {}
        if not _is_readable(saved):
            log.warning("The record of this task's request cannot be read and is dropped: %.200r", saved)
            self._delete()
            return {}
        return dict(saved)

    def record_intent(self) -> None:
        """Record that a creating request is about to be sent."""
        self._save(state="posting", time=clock.now())

    def record_no_response(self) -> None:
        """Record that the service did not respond in time and may still be processing the request."""
        self._save(**{**self.load(), "silent": True})

    def record_accepted(self, event_id: str | None = None) -> None:
        """Record that the service took the request.

        :param event_id: the id of the event, once it is known and checked.
        """
        self._save(state="accepted", time=self.load().get("time", clock.now()), id=event_id)

    def roll_back(self, before: Mapping[str, Any]) -> None:
        """Restore the record from before a request that the service refused or that was never sent.

        :param before: the earlier record: an earlier request may have been accepted all the same.
        """
        if before:
            self._save(**before)
        else:
            self._delete()

    def _save(self, **values: Any) -> None:
        if self._store is not None:
            self._store.set(_STORE_KEY, {**values, "key": self._key})

    def _delete(self) -> None:
        if self._store is not None:
            self._store.delete(_STORE_KEY)


def is_usable_id(event_id: Any) -> bool:
    """Return True if an id of the service can be used in later requests, and so may be remembered."""
    return is_valid_identifier(event_id)


def _is_readable(saved: Any) -> bool:
    if not isinstance(saved, dict) or saved.get("state") not in _STATES:
        return False
    time, event_id = saved.get("time"), saved.get("id")
    is_time = isinstance(time, (int, float)) and not isinstance(time, bool) and math.isfinite(time)
    return is_time and (event_id is None or is_usable_id(event_id))
