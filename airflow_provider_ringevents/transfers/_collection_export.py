"""The work of the operator that exports lists; imported when such a task runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_provider_ringevents._compat import asset_state_store, mapped_arguments, outlet_event
from airflow_provider_ringevents.client.errors import invalid_argument
from airflow_provider_ringevents.exports.catalog import COLLECTIONS
from airflow_provider_ringevents.exports.formats.file_format import FileFormat
from airflow_provider_ringevents.exports.window import Window, data_interval_window, parse_window
from airflow_provider_ringevents.state.export_watermark import ExportWatermark
from airflow_provider_ringevents.state.report_checkpoint import fingerprint
from airflow_provider_ringevents.storage import identifier_file_name
from airflow_provider_ringevents.transfers import _export_log
from airflow_provider_ringevents.transfers._collection_validation import PARENT_ID_PLACEHOLDER
from airflow_provider_ringevents.transfers.collection_upload import CollectionExport, upload_collection

_OF_THE_WATERMARK: Final = ("ringevents_conn_id", "collection", "parent_id", "parent_ids", "filter", "window_field")
"""Arguments whose values have a watermark of their own."""

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_ringevents.hooks.ringevents import RingEventsHook
    from airflow_provider_ringevents.transfers.collection_to_object_storage import (
        RingEventsCollectionToObjectStorageOperator,
    )


def export_lists(operator: RingEventsCollectionToObjectStorageOperator, context: Context) -> list[dict[str, Any]]:
    """Read the lists, publish them, emit the asset events, and return the manifests."""
    watermark = _watermark(operator, context) if operator.watermark else None
    window = _window(operator, context, watermark)
    export = CollectionExport(
        COLLECTIONS[operator.collection],
        FileFormat.from_destination(operator.destination, operator.format),
        if_exists=operator.if_exists,
        filter=window.merge_into(operator.filter) if window is not None else operator.filter,
        concurrency=operator.concurrency,
        on_incomplete=operator.on_incomplete,
        strict=operator.strict,
        include_credentials=operator.include_credentials,
        escape_formulas=operator.escape_formulas,
    )
    with operator.hook as hook:
        parents = _parents(operator, hook)
        if operator.parent_ids is None:
            _export_log.log_start(operator.log.info, export.collection, parents[0], window)
            manifests = [_export(operator, hook, export, parents[0])]
        else:
            with _export_log.log_batch(operator.log.info, export.collection, parents, window) as manifests:
                for parent_id in parents:
                    manifests.append(_export(operator, hook, export, parent_id))
    shown = window.to_dict() if window is not None else None
    for manifest in manifests:
        manifest["window"] = shown
    operator.publish_outcome(context, manifests, window=shown, partition_key=operator.partition_key)
    if watermark is not None and window is not None:
        if all(manifest.get("complete", True) for manifest in manifests):
            watermark.advance(window)
        else:
            operator.log.warning(
                "Rows are missing: the watermark stays where it was, and the next run reads them again"
            )
    return manifests


def _parents(operator: RingEventsCollectionToObjectStorageOperator, hook: RingEventsHook) -> list[str | None]:
    if operator.parent_ids is not None:
        return list(dict.fromkeys(operator.parent_ids))
    if COLLECTIONS[operator.collection].parent == "organization":
        return [hook.organization_id(operator.parent_id)]
    return [operator.parent_id]


def _export(
    operator: RingEventsCollectionToObjectStorageOperator,
    hook: RingEventsHook,
    export: CollectionExport,
    parent_id: str | None,
) -> dict[str, Any]:
    name = identifier_file_name(parent_id) if parent_id else operator.collection
    destination = operator.connect_destination(operator.destination.replace(PARENT_ID_PLACEHOLDER, name))
    published = upload_collection(hook.client, export, parent_id, destination)
    operator.record_lineage(hook, export.collection.call(parent_id).path, published, destination)
    return {**published, "collection": operator.collection, "parent_id": parent_id}


def _window(
    operator: RingEventsCollectionToObjectStorageOperator, context: Context, watermark: ExportWatermark | None
) -> Window | None:
    if operator.window_field is None:
        return None
    if watermark is not None:
        return watermark.next_window(operator.window_field)
    if operator.window is not None:
        return parse_window(operator.window_field, operator.window)
    return data_interval_window(operator.window_field, context)


def _watermark(operator: RingEventsCollectionToObjectStorageOperator, context: Context) -> ExportWatermark:
    outlet = operator.outlets[0]
    store = asset_state_store(context, outlet)
    if store is None:
        raise invalid_argument("watermark", "False, since this task has no asset state store")
    if outlet_event(context, outlet) is None:
        raise invalid_argument("outlets", "an asset that a DAG declares, where the watermark is stored", outlet)
    task, run = context["ti"], context["dag_run"]
    request = fingerprint(
        task.dag_id,
        task.task_id,
        *(getattr(operator, name) for name in _OF_THE_WATERMARK),
        _distinguishing_map_index(operator, context),
    )
    run_after = getattr(run, "run_after", None)
    return ExportWatermark(store, request, f"{task.dag_id} {run.run_id}", run_after, operator.watermark_delay)


def _distinguishing_map_index(operator: RingEventsCollectionToObjectStorageOperator, context: Context) -> int:
    """Return the map index of a task instance, -1 where the arguments of its watermark tell it from its siblings.

    There the order of the mapped values may change from run to run.
    """
    index = context["ti"].map_index
    if index is None or index < 0:
        return -1
    mapped = mapped_arguments(operator, context)
    return -1 if mapped is not None and mapped.issubset(_OF_THE_WATERMARK) else index
