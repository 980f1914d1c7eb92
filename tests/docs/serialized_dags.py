"""A process that serializes all example DAGs and all DAGs of the documentation, as the DAG processor does.

    python serialized_dags.py FILE

Writes a JSON object: the place of each DAG to its serialized form. Blocks may print something.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from airflow.providers.common.compat.sdk import DAG
from airflow_harness.versions import AIRFLOW_VERSION, HAS_STATE_STORE, HAS_TASK_SDK

from docs import ROOT, blocks
from docs.test_code_blocks import names_of_the_package


def serialize(dag: Any) -> Any:
    if AIRFLOW_VERSION >= (3, 2):
        from airflow.serialization.serialized_objects import DagSerialization

        return DagSerialization.to_dict(dag)
    from airflow.serialization.serialized_objects import SerializedDAG

    return SerializedDAG.to_dict(dag)


def examples() -> Iterator[tuple[str, Any]]:
    for file in sorted((ROOT / "example_dags").glob("*.py")):
        if file.stem == "example_ringevents_registrations_sync" and not HAS_TASK_SDK:
            continue
        spec = importlib.util.spec_from_file_location(file.stem, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for dag in vars(module).values():
            if isinstance(dag, DAG):
                yield f"{file.name}:{dag.dag_id}", dag


def documented() -> Iterator[tuple[str, Any]]:
    found: list[Any] = []
    enter = DAG.__enter__
    DAG.__enter__ = lambda dag: found.append(dag) or enter(dag)  # type: ignore[method-assign,func-returns-value]
    names = names_of_the_package()
    for block in blocks("python"):
        if "task_id=" not in block.text or "def test_" in block.text:
            continue
        if "AssetWatcher" in block.text and not HAS_TASK_SDK:
            continue
        if re.search(r"(watermark|start_from_trigger)=True", block.text) and not HAS_STATE_STORE:
            continue
        found.clear()
        with DAG("documentation", schedule=None):
            exec(compile(block.text, str(block), "exec"), {**names, "__name__": "documentation"})
        for number, dag in enumerate(found):
            yield f"{block}:{number}:{dag.dag_id}", dag


if __name__ == "__main__":
    dags = [*examples(), *documented()]
    forms = {place: serialize(dag) for place, dag in dags}
    Path(sys.argv[1]).write_text(json.dumps(forms, sort_keys=True, default=repr), encoding="utf-8")
