"""What a task remembers of its creating request, over its tries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_ringevents import clock

_KEY = "ringevents_event"


class RequestJournal:
    """``posting`` before a request is sent, ``accepted`` after the service took it.

    :param store: Airflow's task state store, or None where there is none (before 3.3).
    :param key: the key; what was remembered for another is not ours.
    """

    def __init__(self, store: Any | None, key: str) -> None:
        self._store = store
        self._key = key

    @property
    def lasting(self) -> bool:
        """What is remembered outlives this try."""
        return self._store is not None

    def get(self) -> dict[str, Any]:
        """``state``, ``time`` (seconds since the epoch), perhaps ``id`` and ``silent``; empty: nothing remembered."""
        saved = self._store.get(_KEY) if self._store is not None else None
        return saved if isinstance(saved, dict) and saved.get("key") == self._key else {}

    def posting(self) -> None:
        """A creating request is about to be sent."""
        self._set(state="posting", time=clock.now())

    def silent(self) -> None:
        """The service did not answer in time, and may be at work on the request still."""
        self._set(**{**self.get(), "silent": True})

    def accepted(self, event_id: str | None = None) -> None:
        """The service took it; its id, once it is known."""
        self._set(state="accepted", time=self.get().get("time", clock.now()), id=event_id)

    def refused(self, before: Mapping[str, Any]) -> None:
        """The service did not take it, or it never left.

        :param before: what was remembered before: an earlier request may have been taken all the same.
        """
        if before:
            self._set(**before)
        elif self._store is not None:
            self._store.delete(_KEY)

    def _set(self, **values: Any) -> None:
        if self._store is not None:
            self._store.set(_KEY, {**values, "key": self._key})
