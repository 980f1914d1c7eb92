"""The fixture for users' own tests, in projects of their own: a folder, a pytest, an AIRFLOW_HOME."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs/guides/test-your-dags.md"
OURS = ("AIRFLOW", "PYTEST", "RINGEVENTS")

Project = Callable[[Mapping[str, str]], subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Write a project and run its tests, as its owner would."""

    def run(files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        for name, text in {"pytest.ini": "[pytest]\naddopts = --strict-markers\n", **files}.items():
            target = tmp_path / "project" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=tmp_path / "project",
            env={**environment, "AIRFLOW_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_the_example_of_the_guide_can_be_copied(project: Project) -> None:
    page = PAGE.read_text(encoding="utf-8")
    files = dict(re.findall(r"in `((?:dags|tests)/\w+\.py)`:\n\n```python\n(.*?)```", page, re.DOTALL))
    assert len(files) == 2
    done = project(files)
    assert "3 passed" in done.stdout, done.stdout


def test_the_marker_reaches_the_emulator_from_module_and_test(project: Project) -> None:
    done = project(
        {
            "test_it.py": """
import os, pytest

pytestmark = pytest.mark.ringevents_emulator(registrations=7, seed=2)

def test_of_the_module(ringevents_emulator):
    assert (ringevents_emulator.state.settings.registrations, ringevents_emulator.state.settings.seed) == (7, 2)
    assert ringevents_emulator.url in os.environ["AIRFLOW_CONN_RINGEVENTS_DEFAULT"]

@pytest.mark.ringevents_emulator(registrations=8, conn_id="mine")
def test_of_the_test(ringevents_emulator):
    assert (ringevents_emulator.state.settings.registrations, ringevents_emulator.state.settings.seed) == (8, 2)
    assert ringevents_emulator.url in os.environ["AIRFLOW_CONN_MINE"]
    assert "AIRFLOW_CONN_RINGEVENTS_DEFAULT" not in os.environ
"""
        }
    )
    assert "2 passed" in done.stdout, done.stdout


def test_the_plugin_leaves_airflow_to_the_project(project: Project) -> None:
    done = project(
        {
            "conftest.py": """
import os, sys
assert "airflow" not in sys.modules and "httpx" not in sys.modules, sorted(sys.modules)
os.environ["AIRFLOW_HOME"] = os.path.join(os.path.dirname(__file__), "own")
""",
            "test_it.py": """
from airflow.configuration import AIRFLOW_HOME

def test_the_home_is_the_projects(ringevents_emulator):
    assert AIRFLOW_HOME.endswith("/project/own")
""",
        }
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
