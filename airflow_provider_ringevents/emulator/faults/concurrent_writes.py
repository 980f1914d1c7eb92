"""Faults under which a list of registrations changes while somebody reads it page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from airflow_provider_ringevents.emulator.api import filters
from airflow_provider_ringevents.emulator.api.filters import Selection, read_filter
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.emulator.faults.context import Action, FaultContext

_Change = Callable[[Store, str, Selection, int], list[str]]
_LIST: Final = re.compile(r"/v1/events/(\w+)/registrations\Z")


def register(store: Store, event_id: str, _: Selection, number: int) -> list[str]:
    """Let ``number`` people register now; returns the ids of their registrations.

    :raises KeyError: there is no such event.
    """
    return store.add_registrations(event_id, number)


def cancel(store: Store, event_id: str, selection: Selection, number: int) -> list[str]:
    """Take away the first ``number`` registrations that the selected list shows; returns their ids.

    :raises KeyError: there is no such event.
    """
    with store.lock:
        book = store.events[event_id].registrations
        found = book.select(selection)
        first = 0 if store.settings.registrations_order == "created" else max(0, found.total - number)
        gone = found.slice(first, first + number)
        for index in gone:
            book.delete(index)
        return [book.id(index) for index in gone]


def _changing(change: _Change) -> Action:
    async def run(context: FaultContext) -> None:
        # Made before the change: what follows then does not fit this page, however many requests are in flight.
        answer = await context.collect()
        asked = _LIST.match(context.scope["path"])
        if asked is not None and answer.status == 200:
            query = parse_qsl(context.scope["query_string"].decode("latin-1"), keep_blank_values=True)
            selection = read_filter(query, filters.REGISTRATIONS)
            change(context.backend.store, asked[1], selection, context.fault.value or 1)
        await context.reply(answer)

    return run


ACTIONS: dict[str, Action] = {"registrations_added": _changing(register), "registrations_cancelled": _changing(cancel)}
