"""Which arguments of a collection's export go together: checked while a DAG is parsed, and again when a task runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from airflow_provider_ringevents import _compat
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import RingEventsConfigError
from airflow_provider_ringevents.client.settings import check_number
from airflow_provider_ringevents.client.validation.identifiers import validate_identifier
from airflow_provider_ringevents.exports.catalog import collection_named
from airflow_provider_ringevents.exports.formats.file_format import FileFormat
from airflow_provider_ringevents.exports.window import parse_window

Known = Callable[[Any], bool]
PARENT_ID_PLACEHOLDER = "{parent_id}"
LONGEST_PARTITION_KEY = 250
"""What Airflow's metadata database takes."""

_PLACE = re.compile(r"\{\w+\}")


def validate_collection(known: Known, collection: Any, filter: Any, concurrency: Any) -> None:
    """Refuse a list that there is not, or a filter that it does not document.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    if concurrency is not None:
        check_number("concurrency", concurrency, integer=True, minimum=1, maximum=defaults.MAX_CONCURRENCY)
    if known(collection):
        named = collection_named(collection)
        if known(filter):
            named.check_filter(filter)


def validate_parents(known: Known, collection: Any, parent_id: Any, parent_ids: Any) -> None:
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
        validate_identifier("parent_id", parent_id)
    if parent_ids is not None and known(parent_ids):
        if isinstance(parent_ids, str) or not isinstance(parent_ids, Sequence):
            raise RingEventsConfigError(f"parent_ids: a list of ids is wanted, got {parent_ids!r}")
        for id in parent_ids:
            validate_identifier("parent_ids", id)


def validate_destination(known: Known, destination: Any, format: Any, *, several: bool, escape_formulas: bool) -> None:
    """Refuse one object for several lists, a format that does not fit the destination, and what only CSV has.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    if not known(destination):
        return
    if unknown := [place for place in _PLACE.findall(destination) if place != PARENT_ID_PLACEHOLDER]:
        raise RingEventsConfigError(
            f"destination: {unknown[0]} in {destination!r} stands for nothing; {PARENT_ID_PLACEHOLDER} stands for the"
            " parent's id, and Jinja is written with two braces"
        )
    if several and not destination.endswith("/") and PARENT_ID_PLACEHOLDER not in destination:
        raise RingEventsConfigError(
            f"destination: {destination!r} is one object, and parent_ids gives one for each: put"
            f" {PARENT_ID_PLACEHOLDER} into it, or end it in /"
        )
    if known(format):
        kind = FileFormat.from_destination(destination, format)
        kind.check_installed()
        if escape_formulas and kind.format != "csv":
            raise RingEventsConfigError(
                f"escape_formulas: only CSV is opened by spreadsheets as formulas, and {destination!r} is written as"
                f" {kind.format}; leave it out, or write csv"
            )


def validate_window(known: Known, collection: Any, filter: Any, field: Any, window: Any) -> None:
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
        checked = parse_window(str(field), window)
        if known(filter) and known(field):
            checked.merge_into(filter)


def validate_flags(**switches: Any) -> None:
    """Refuse what is neither True nor False: a word such as "no" would count as True.

    :raises RingEventsConfigError: the message names the argument and its value.
    """
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise RingEventsConfigError(f"{name}: True or False is wanted, got {value!r}")


def validate_partition(known: Known, partition_key: Any, outlets: Sequence[Any]) -> None:
    """Refuse a partition that there is no asset for, or that Airflow would not take once all is published.

    :raises RingEventsConfigError: the message says what is wanted.
    """
    if partition_key is None:
        return
    if not any(_compat.is_asset(outlet) for outlet in outlets):
        raise RingEventsConfigError(
            f"partition_key: {partition_key!r} is a partition of an asset, and outlets has none: give"
            " outlets=[Asset(...)]"
        )
    if known(partition_key) and not (
        isinstance(partition_key, str) and partition_key.strip() and len(partition_key) <= LONGEST_PARTITION_KEY
    ):
        raise RingEventsConfigError(
            f"partition_key: a text of 1 to {LONGEST_PARTITION_KEY} characters is wanted, got {partition_key!r}"
        )


def validate_watermark(field: Any, window: Any, outlets: Sequence[Any], if_exists: Any) -> None:
    """Refuse a watermark that there is no place for.

    :raises RingEventsConfigError: the message says what is missing.
    """
    if not _compat.AIRFLOW_V_3_3_PLUS:
        raise RingEventsConfigError(
            "watermark: needs Airflow 3.3 or later, where assets have a state; before, give window=(start, end) or a"
            " schedule with data intervals"
        )
    if field is None:
        raise RingEventsConfigError(
            "window_field: watermark=True needs the field that it is laid on, and none is given"
        )
    if if_exists == "skip":
        raise RingEventsConfigError(
            "if_exists: 'skip' would leave a window out that no later run takes up; with watermark=True, 'overwrite'"
            " or 'fail' is wanted"
        )
    if window is not None:
        raise RingEventsConfigError("window: watermark=True makes the window itself; leave window out")
    if len(outlets) != 1 or not _compat.is_asset(outlets[0]):
        raise RingEventsConfigError(
            "outlets: watermark=True keeps its place with the asset that the task declares: give"
            f" outlets=[Asset(...)], exactly one; got {list(outlets)!r}"
        )
