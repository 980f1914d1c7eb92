"""The time at which a task was last sending rows, over its tries."""

from __future__ import annotations

from typing import Any, Final

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.state.entry import StateEntry

_KEY: Final = "ringevents_bulk_sent_at"


class SendJournal:
    """The last sending time in Airflow's task state store (3.3 and later).

    Without a store, a try that is not the first takes the time of its own start for it.

    :param store: the store, or None.
    :param try_number: the number of the try, from 1.
    """

    def __init__(self, store: Any | None, try_number: int) -> None:
        self._entry = StateEntry(store, _KEY, float)
        self._assumed = clock.now() if store is None and try_number > 1 else None

    def load(self) -> float | None:
        """Return it in seconds since the epoch; None if no try has sent anything."""
        return self._assumed if self._assumed is not None else self._entry.load()

    def save(self, moment: float) -> None:
        """Record that requests are sent now.

        :param moment: seconds since the epoch.
        """
        self._entry.save(moment)
