"""Which arguments of a collection's export go together: checked while a DAG is parsed, and again when a task runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_ringevents import _compat
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.paths import check_id
from airflow_provider_ringevents.client.settings import check_number
from airflow_provider_ringevents.collections.catalog import collection_named
from airflow_provider_ringevents.collections.formats.naming import FileKind
from airflow_provider_ringevents.transfers.windows import given_window

Known = Callable[[Any], bool]
PLACE_OF_THE_PARENT = "{parent_id}"


def check_list(known: Known, collection: Any, filter: Any, concurrency: Any) -> None:
    """Refuse a list that there is not, or a filter that it does not document.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    if concurrency is not None:
        check_number("concurrency", concurrency, whole=True, least=1, most=defaults.MAX_CONCURRENCY)
    if known(collection) and known(filter):
        collection_named(collection).check_filter(filter)
    elif known(collection):
        collection_named(collection)


def check_parents(known: Known, collection: Any, parent_id: Any, parent_ids: Any) -> None:
    """Refuse parents that the list does not have, or lacks.

    :raises RingEventsConfigError: the message says what the list belongs to.
    """
    if parent_id is not None and parent_ids is not None:
        raise RingEventsConfigError("parent_id and parent_ids: one of them is wanted, both are given")
    if known(collection):
        parent = collection_named(collection).parent
        if parent is None and (parent_id is not None or parent_ids is not None):
            name = "parent_id" if parent_id is not None else "parent_ids"
            raise RingEventsConfigError(f"{name}: {collection} belong to the key and have no parent; leave it out")
        if parent not in (None, "organization") and parent_id is None and parent_ids is None:
            raise RingEventsConfigError(
                f"parent_id: {collection} belong to one {parent}: give its id, or parent_ids for several"
            )
    if parent_id is not None and known(parent_id):
        check_id("parent_id", parent_id)
    if parent_ids is not None and known(parent_ids):
        if isinstance(parent_ids, str) or not isinstance(parent_ids, Sequence):
            raise RingEventsConfigError(f"parent_ids: a list of ids is wanted, got {parent_ids!r}")
        for id in parent_ids:
            check_id("parent_ids", id)


def check_place(known: Known, destination: Any, format: Any, *, several: bool, escape_formulas: bool) -> None:
    """Refuse one object for several lists, a format that does not fit the destination, and what only CSV has.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    if not known(destination):
        return
    if several and not destination.endswith("/") and PLACE_OF_THE_PARENT not in destination:
        raise RingEventsConfigError(
            f"destination: {destination!r} is one object, and parent_ids gives one for each: put {PLACE_OF_THE_PARENT}"
            " into it, or end it in /"
        )
    if known(format):
        kind = FileKind.of(destination, format)
        kind.check_installed()
        if escape_formulas and kind.format != "csv":
            raise RingEventsConfigError(
                f"escape_formulas: only CSV is opened by spreadsheets as formulas, and {destination!r} is written as"
                f" {kind.format}; leave it out, or write csv"
            )


def check_window(known: Known, collection: Any, filter: Any, field: Any, window: Any) -> None:
    """Refuse a window on a field that the list cannot be filtered by, without a field, or empty.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    if field is None:
        if window is not None:
            raise RingEventsConfigError("window_field: a window needs the field that it is laid on, and none is given")
        return
    if known(collection) and known(field):
        collection_named(collection).check_window_field(field)
    if window is not None and known(window):
        checked = given_window(str(field), window)
        if known(filter) and known(field):
            checked.added_to(filter)


def check_watermark(field: Any, window: Any, outlets: Sequence[Any]) -> None:
    """Refuse a watermark that there is no place for.

    :raises RingEventsConfigError: the message says what is missing.
    """
    from airflow.providers.common.compat.sdk import Asset

    if not _compat.AIRFLOW_V_3_3_PLUS:
        raise RingEventsConfigError(
            "watermark: needs Airflow 3.3 or later, where assets have a state; before, give window=(start, end) or a"
            " schedule with data intervals"
        )
    if field is None:
        raise RingEventsConfigError(
            "window_field: watermark=True needs the field that it is laid on, and none is given"
        )
    if window is not None:
        raise RingEventsConfigError("window: watermark=True makes the window itself; leave window out")
    if len(outlets) != 1 or not isinstance(outlets[0], Asset):
        raise RingEventsConfigError(
            "outlets: watermark=True keeps its place with the asset that the task declares: give"
            f" outlets=[Asset(...)], exactly one; got {list(outlets)!r}"
        )
