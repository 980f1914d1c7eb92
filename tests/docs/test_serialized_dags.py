"""No DAG of the examples and of the documentation makes a new version of itself each time that it is parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ringevents._compat import AIRFLOW_VERSION
from docs import ROOT, blocks, quoted_blocks

SCRIPT = Path(__file__).with_name("serialized_dags.py")


def serialized(file: Path, hash_seed: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(file)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    dags: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return dags


@pytest.mark.skipif(AIRFLOW_VERSION < (3, 0), reason="Airflow 2 keeps no versions of DAGs")
def test_two_processes_serialize_every_dag_alike(tmp_path: Path) -> None:
    one, other = serialized(tmp_path / "one.json", "1"), serialized(tmp_path / "other.json", "2")
    assert len([place for place in one if place.startswith("example_")]) >= 6
    assert len(one) >= 25
    assert one.keys() == other.keys()
    assert [place for place in one if one[place] != other[place]] == []
    assert " object at 0x" not in json.dumps(one)


def test_params_of_a_dag_are_not_given_to_partial() -> None:
    shown = {str(block): block.text for block in [*blocks("python"), *quoted_blocks()]}
    written = {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "example_dags").glob("*.py")}
    for place, code in (shown | written).items():
        for partial in code.split(".partial(")[1:]:
            assert "dag.param(" not in partial.partition(".expand")[0], place
