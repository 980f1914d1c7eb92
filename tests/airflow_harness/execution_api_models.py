"""JSON bodies of the Execution API: what the harness answers, and what it reads from a worker's reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.models.connection import Connection
from airflow.sdk.api.datamodels._generated import DagRun
from airflow.utils.types import DagRunType
from pydantic import TypeAdapter

from airflow_harness.spec import Spec


def dag_run_body(spec: Spec) -> dict[str, Any]:
    start, end = spec.data_interval or (None, None)
    logical_date = spec.logical_date if spec.data_interval is not None else None
    wanted = {
        "dag_id": spec.dag_id,
        "run_id": spec.run_id,
        "logical_date": logical_date,
        "data_interval_start": start,
        "data_interval_end": end,
        "run_after": spec.logical_date,
        "start_date": spec.logical_date,
        "end_date": None,
        "run_type": DagRunType.from_run_id(spec.run_id).value,
        "state": "running",
        "conf": dict(spec.conf),
        "consumed_asset_events": [],
        "partition_key": None,
    }
    known = {name: value for name, value in wanted.items() if name in DagRun.model_fields}
    body: dict[str, Any] = TypeAdapter(dict[str, Any]).dump_python(known, mode="json")
    return body


def connection_body(conn_id: str, text: str) -> dict[str, Any]:
    conn = Connection.from_json(text, conn_id) if text.lstrip().startswith("{") else Connection(conn_id, uri=text)
    fields = ("conn_type", "host", "schema", "login", "password", "port")
    return {"conn_id": conn_id, **{name: getattr(conn, name) for name in fields}, "extra": conn.get_extra() or None}


def asset_events(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry for each event that the API server would write: every outlet, and what aliases resolved to."""
    told = [event for event in report.get("outlet_events") or [] if event.get("dest_asset_key")]
    events: list[dict[str, Any]] = []
    for outlet in report.get("task_outlets") or []:
        if outlet["type"] == "Asset":
            direct = [event for event in told if event["dest_asset_key"]["uri"] == outlet["uri"]]
            events += [_asset_event(outlet, event) for event in direct or [{}]]
        elif outlet["type"] in ("AssetNameRef", "AssetUriRef"):
            by = "name" if outlet["type"] == "AssetNameRef" else "uri"
            meant = [event for event in told if event["dest_asset_key"][by] == outlet[by]]
            events += [_asset_event(event["dest_asset_key"], event) for event in meant]
    return events + [_asset_event(event["dest_asset_key"], event) for event in told if event.get("source_alias_name")]


def _asset_event(asset: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    made = {"name": asset["name"], "uri": asset["uri"], "extra": event.get("extra") or {}}
    partition = event.get("partition_key")
    return made if partition is None else {**made, "partition_key": partition}
