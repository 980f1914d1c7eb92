"""What the transfers' arguments and results share. Cheap to import: DAG files are parsed often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

IfExists = Literal["overwrite", "skip", "fail"]


def check_target(known: Callable[[Any], bool], destination: Any, if_exists: Any) -> None:
    """Refuse a destination that cannot be, as far as it is known, or an unknown ``if_exists``.

    :raises RingEventsConfigError: the message names the argument, its value and what is allowed.
    """
    from airflow_provider_ringevents.client.types import check_choice
    from airflow_provider_ringevents.storage.uris import check_destination

    check_choice("if_exists", if_exists, get_args(IfExists), closed=True)
    if known(destination):
        check_destination(destination)


def manifest(
    published: Mapping[str, Any],
    *,
    report_id: str | None,
    event_id: str | None,
    report_type: str | None,
    title: str | None,
) -> dict[str, Any]:
    """What a transfer returns: what was published, and what it is."""
    return {
        **published,
        "report_id": report_id,
        "event_id": event_id,
        "report_type": report_type,
        "title": title,
    }
