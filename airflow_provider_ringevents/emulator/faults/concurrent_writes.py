"""Faults under which a list of registrations changes while a client reads it page by page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

from airflow_provider_ringevents.contract._generated import OPERATIONS
from airflow_provider_ringevents.emulator.api import filters
from airflow_provider_ringevents.emulator.api.filters import Selection, read_filter
from airflow_provider_ringevents.emulator.backend.list_order import ordered_slice
from airflow_provider_ringevents.emulator.backend.store import Store
from airflow_provider_ringevents.emulator.faults.context import Action, FaultContext

_Change = Callable[[Store, str, Selection, int], list[str]]
_LIST: Final = re.compile(re.sub(r"{\w+}", r"(\\w+)", OPERATIONS["list_registrations"][1][0]) + r"\Z")


def register(store: Store, event_id: str, _: Selection, number: int) -> list[str]:
    """Register ``number`` people now and return the ids of their registrations.

    :raises KeyError: the event does not exist.
    """
    return store.add_registrations(event_id, number)


def cancel(store: Store, event_id: str, selection: Selection, number: int) -> list[str]:
    """Delete the first ``number`` registrations of the selected list and return their ids.

    :raises KeyError: the event does not exist.
    """
    with store.lock:
        book = store.events[event_id].registrations
        found = book.select(selection)
        gone = ordered_slice(book, found, 0, number, store.settings.registrations_order)
        for index in gone:
            book.delete(index)
        return [book.id(index) for index in gone]


def update(store: Store, event_id: str, selection: Selection, number: int) -> list[str]:
    """Change the first ``number`` registrations of the selected list now and return their ids.

    :raises KeyError: the event does not exist.
    """
    with store.lock:
        book = store.events[event_id].registrations
        changed = ordered_slice(book, book.select(selection), 0, number, store.settings.registrations_order)
        for index in changed:
            book.patch(index, {"metadata": {"changed": str(store.now())}}, store.now())
        return [book.id(index) for index in changed]


def _changing(change: _Change) -> Action:
    async def run(context: FaultContext) -> None:
        # The response precedes the change, so that later pages do not fit this one.
        answer = await context.collect()
        asked = _LIST.match(context.scope["path"])
        if asked is not None and answer.status == 200:
            query = parse_qsl(context.scope["query_string"].decode("latin-1"), keep_blank_values=True)
            selection = read_filter(query, filters.REGISTRATIONS)
            change(context.backend.store, asked[1], selection, context.fault.value or 1)
        await context.reply(answer)

    return run


ACTIONS: dict[str, Action] = {
    "registrations_added": _changing(register),
    "registrations_cancelled": _changing(cancel),
    "registrations_updated": _changing(update),
}
