"""The asset events of an export."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import Asset, AssetAlias

from airflow_provider_ringevents import _compat

log = logging.getLogger(__name__)

_EXTRA = ("uri", "rows", "columns", "bytes", "skipped")


def emit_asset_events(
    context: Mapping[str, Any],
    outlets: Sequence[Any],
    manifests: Sequence[Mapping[str, Any]],
    *,
    window: Mapping[str, Any] | None = None,
    partition_key: str | None = None,
) -> None:
    """Add sizes, columns and the window of an export to the asset events of the task, never the content of rows.

    An alias gets one asset for each object, under the object's URI without a connection.

    :param manifests: one for each object.
    :param partition_key: the partition of the asset, for DAGs that are scheduled by partitions; Airflow 3.3 and later,
        left out before.
    """
    for outlet in outlets:
        if isinstance(outlet, AssetAlias):
            for manifest in manifests:
                try:
                    asset = Asset(uri=manifest["uri"])
                except ValueError as error:
                    log.warning("No asset event for %s: not an asset for Airflow: %s", manifest["uri"], error)
                    continue
                extra = _extra([manifest], window)
                if _compat.AIRFLOW_VERSION < (3, 0):  # it hashes the values, which a list does not survive
                    extra.pop("columns", None)
                context["outlet_events"][outlet].add(asset, extra=extra)
        elif _compat.is_asset(outlet):
            events = _compat.outlet_event(context, outlet)
            if events is None:
                log.warning("No asset event for %s: the asset is unknown to Airflow, since no DAG declares it", outlet)
                continue
            events.extra = {**events.extra, **_extra(manifests, window)}
            if partition_key is not None and not _compat.add_partition(events, partition_key):
                log.warning("partition_key is left out: assets have partitions on Airflow 3.3 and later")


def _extra(manifests: Sequence[Mapping[str, Any]], window: Mapping[str, Any] | None) -> dict[str, Any]:
    if len(manifests) == 1:
        extra = {name: manifests[0][name] for name in _EXTRA if manifests[0].get(name) is not None}
        extra |= {f"rows_{status}": count for status, count in (manifests[0].get("counts") or {}).items()}
    else:
        extra = {
            "objects": len(manifests),
            "rows": sum(manifest.get("rows") or 0 for manifest in manifests),
            "bytes": sum(manifest.get("bytes", 0) for manifest in manifests),
        }
    # Flat: Airflow 2 fails a task whose alias gets an extra with a mapping in it.
    return {**extra, **{f"window_{name}": value for name, value in window.items()}} if window else extra
