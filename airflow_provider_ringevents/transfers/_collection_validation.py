"""The checks of the arguments of a collection's export, which depend on each other."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents import _compat
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.client.types import ON_INCOMPLETE
from airflow_provider_ringevents.exports.catalog import Collection, collection_named
from airflow_provider_ringevents.exports.formats.file_format import FileFormat
from airflow_provider_ringevents.exports.window import parse_window
from airflow_provider_ringevents.operators.arguments import Arguments
from airflow_provider_ringevents.transfers.base import check_destination

if TYPE_CHECKING:
    from collections.abc import Sequence

PARENT_ID_PLACEHOLDER: Final = "{parent_id}"
MAX_PARTITION_KEY: Final = 250
"""The longest partition key that Airflow's metadata database takes, in characters."""

_PLACE = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


def check_collection_arguments(arguments: Arguments, outlets: Sequence[Any]) -> None:
    """Check all arguments of the export, as far as they are known.

    :param outlets: the assets of the task.
    """
    collection: Collection | None = None
    if arguments.knows("collection"):
        with arguments.gather():
            collection = collection_named(arguments["collection"])
    if arguments["concurrency"] is not None:
        arguments.number_within("concurrency", 1, defaults.MAX_CONCURRENCY, integer=True)
    arguments.duration("watermark_delay")
    arguments.choice("on_incomplete", ON_INCOMPLETE)
    _check_parents(arguments, collection)
    if check_destination(arguments):
        _check_format(arguments)
    _check_filter_and_window(arguments, collection)
    _check_partition(arguments, outlets)
    if arguments["watermark"] is True:
        _check_watermark(arguments, outlets)


def _check_parents(arguments: Arguments, collection: Collection | None) -> None:
    one, several = arguments["parent_id"], arguments["parent_ids"]
    if one is not None and several is not None:
        arguments.refuse("parent_ids", "left out where `parent_id` is given", several)
    elif collection is not None and collection.parent is None and (one is not None or several is not None):
        name = "parent_id" if one is not None else "parent_ids"
        arguments.refuse(name, f"left out: {collection.name} belong to the key and have no parent", arguments[name])
    elif collection is not None and collection.parent not in (None, "organization") and one is None and several is None:
        arguments.refuse(
            "parent_id",
            f"the id of the {collection.parent} that the {collection.name} belong to",
            None,
            hint="Give `parent_ids` for several.",
        )
    arguments.identifier("parent_id", required=False)
    arguments.identifiers("parent_ids", required=False)


def _check_format(arguments: Arguments) -> None:
    destination = arguments["destination"]
    if unknown := [place for place in _PLACE.findall(destination) if f"{{{place}}}" != PARENT_ID_PLACEHOLDER]:
        arguments.refuse(
            "destination",
            f"free of {{{unknown[0]}}}, which stands for nothing",
            destination,
            hint=f"{PARENT_ID_PLACEHOLDER} stands for the id of the parent, and Jinja is written with two braces.",
        )
    several = arguments["parent_ids"] is not None
    if several and not destination.endswith("/") and PARENT_ID_PLACEHOLDER not in destination:
        arguments.refuse(
            "destination",
            f"one object for each of `parent_ids`, with {PARENT_ID_PLACEHOLDER} in it or a / at its end",
            destination,
        )
    if not arguments.knows("format"):
        return
    with arguments.gather():
        file_format = FileFormat.from_destination(destination, arguments["format"])
        file_format.check_installed()
        if arguments["escape_formulas"] is True and file_format.format != "csv":
            raise invalid_argument(
                "escape_formulas",
                f"False for {file_format.format}: only CSV is opened by spreadsheets as formulas",
                True,
            )


def _check_filter_and_window(arguments: Arguments, collection: Collection | None) -> None:
    filter, field, window = arguments["filter"], arguments["window_field"], arguments["window"]
    is_checkable = arguments.filter("filter")
    if collection is not None and is_checkable:
        with arguments.gather():
            collection.check_filter(filter)
    if field is None:
        if window is not None:
            arguments.refuse("window_field", "the field of `window`", None)
        return
    if not arguments.is_known(field):
        return
    if collection is not None:
        with arguments.gather():
            collection.check_window_field(field)
    if window is not None and arguments.is_known(window):
        with arguments.gather():
            parsed = parse_window(str(field), window)
            if is_checkable:
                parsed.merge_into(filter)


def _check_partition(arguments: Arguments, outlets: Sequence[Any]) -> None:
    def validate(key: Any) -> None:
        if not isinstance(key, str) or not key.strip() or len(key) > MAX_PARTITION_KEY:
            raise invalid_argument("partition_key", f"a text of 1 to {MAX_PARTITION_KEY} characters", key)

    key = arguments["partition_key"]
    if key is not None and not any(_compat.is_asset(outlet) for outlet in outlets):
        arguments.refuse("partition_key", "left out without an asset in `outlets`", key)
    arguments.key("partition_key", validate)


def _check_watermark(arguments: Arguments, outlets: Sequence[Any]) -> None:
    if not _compat.AIRFLOW_V_3_3_PLUS:
        arguments.refuse(
            "watermark",
            "False before Airflow 3.3, where assets have no state",
            True,
            hint="Give window=(start, end), or a schedule with data intervals.",
        )
    if arguments["window_field"] is None:
        arguments.refuse("window_field", "given with `watermark`", None)
    if arguments["if_exists"] == "skip":
        arguments.refuse(
            "if_exists",
            "'overwrite' or 'fail' with `watermark`",
            "skip",
            hint="A skipped object would leave out a window that no later run exports.",
        )
    if arguments["window"] is not None:
        arguments.refuse("window", "left out with `watermark`, which makes the window itself")
    if len(outlets) != 1 or not _compat.is_asset(outlets[0]):
        arguments.refuse("outlets", "exactly one asset with `watermark`, which is kept in its state", list(outlets))
