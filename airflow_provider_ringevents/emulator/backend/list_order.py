"""The orders in which a list shows registrations."""

from __future__ import annotations

from airflow_provider_ringevents.emulator.backend.registrations import Matches, Registrations


def ordered_slice(registrations: Registrations, found: Matches, start: int, stop: int, order: str) -> list[int]:
    """Return the indexes of a page.

    :param found: the matching indexes.
    :param order: value of the setting ``registrations_order``.
    """
    if order == "created":
        return found.slice(start, stop)
    if order == "newest_first":
        return found.slice(max(0, found.total - stop), max(0, found.total - start))[::-1]
    return sorted(found.slice(0, found.total), key=registrations.updated)[start:stop]
