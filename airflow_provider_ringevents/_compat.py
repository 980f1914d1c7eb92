"""Differences between Airflow versions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow import __version__ as _airflow_version
from airflow.providers.common.compat.sdk import Asset

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

AIRFLOW_VERSION = tuple(int(part) for part in _airflow_version.split(".")[:2])
AIRFLOW_V_3_3_PLUS = AIRFLOW_VERSION >= (3, 3)


async def get_connection_async(conn_id: str) -> Connection:
    """Look a connection up from an event loop without blocking it.

    The way that works in every triggerer fails under ``dag.test()``, whose supervisor is synchronous; a thread works
    there.
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook
    from asgiref.sync import sync_to_async

    try:
        return await get_async_connection(conn_id)
    except AirflowNotFoundException:
        return await sync_to_async(BaseHook.get_connection)(conn_id)


def silence_request_log() -> None:
    """Keep the request lines of httpx out of the task's log, as Airflow 3 does by itself.

    A level that the user has set is kept.
    """
    log = logging.getLogger("httpx")
    if log.level == logging.NOTSET:
        log.setLevel(logging.WARNING)


def task_state_store(context: Mapping[str, Any]) -> Any | None:
    """Return the state store of a task, which outlives its tries; None before Airflow 3.3."""
    return context.get("task_state_store")


def first_reschedule_date(context: Mapping[str, Any]) -> datetime | None:
    """Return when a rescheduled sensor began; None for its first poke, and on Airflow 2, which does not tell it."""
    find = getattr(context["ti"], "get_first_reschedule_date", None)
    date: datetime | None = find(context) if find is not None else None
    return date


def asset_state_stores(trigger: Any) -> list[Any]:
    """Return the state stores of the assets that a watcher serves; empty before Airflow 3.3."""
    stores = getattr(trigger, "asset_state_store", None)
    if stores is None:
        return []
    # Airflow offers a store for a given asset, but does not tell a trigger which assets it serves.
    by_asset = [*getattr(stores, "_by_name", {}).values(), *getattr(stores, "_by_uri", {}).values()]
    return by_asset or [stores]


def asset_state_store(context: Mapping[str, Any], asset: Any) -> Any | None:
    """Return the state store of an asset of the task, which outlives its runs; None before Airflow 3.3."""
    stores = context.get("asset_state_store")
    return None if stores is None else stores[asset]


def mapped_arguments(operator: Any, context: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the arguments that ``expand`` maps; None where they are not known (``expand_kwargs``, a task group)."""
    expand_input = getattr(context["dag"].get_task(operator.task_id), "expand_input", None)
    value = getattr(expand_input, "value", None)
    return frozenset(value) if isinstance(value, Mapping) else None


def is_asset(outlet: Any) -> bool:
    """Return True for an outlet that is one asset or, on Airflow 3, a reference to one."""
    if isinstance(outlet, Asset):
        return True
    if AIRFLOW_VERSION < (3, 0):
        return False
    from airflow.sdk.definitions.asset import AssetRef

    return isinstance(outlet, AssetRef)


def outlet_event(context: Mapping[str, Any], outlet: Any) -> Any | None:
    """Return the accessor of an outlet's asset event; None for a reference to an asset that no DAG declares."""
    if isinstance(outlet, Asset):
        return context["outlet_events"][outlet]
    from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

    try:
        return context["outlet_events"][outlet]
    except AirflowRuntimeError as error:
        if error.error.error is not ErrorType.ASSET_NOT_FOUND:
            raise
        return None


def add_partition(event: Any, key: str) -> bool:
    """Add a partition key to an outlet's event; return False before Airflow 3.3."""
    if not hasattr(event, "add_partitions"):
        return False
    event.add_partitions(key)
    return True
