"""What each supported Airflow has, as tables: `python scripts/support_table.py RESULTS FEATURES BEHAVIOUR`.

Writes the page of features and the page of the behaviour inside Airflow. RESULTS is a folder of what runs of all tests
have written (see `tests/version_support.py`).
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

HAS: dict[tuple[str, ...], str] = {("passed",): "yes", ("skipped",): "no"}
"""From the outcomes of the tests of one thing."""
RAN = {**HAS, ("passed", "skipped"): "yes"}
"""The same for behaviour: some cases of its tests are about features that an older Airflow lacks."""


def table(runs: list[dict[str, Any]], kind: str = "features") -> str:
    """The page, in Markdown.

    :param runs: one for each Airflow and Python.
    :param kind: ``features`` or ``behaviour``.
    :raises ValueError: a test has failed or did not run, or the Pythons of one Airflow do not agree.
    """
    runs = sorted(runs, key=lambda run: [_order(run["airflow"]), _order(run["python"])])
    versions = {airflow: list(group) for airflow, group in groupby(runs, key=lambda run: run["airflow"])}
    lines = [
        f"| Airflow | {' | '.join(versions)} |",
        f"|---|{':---:|' * len(versions)}",
        f"| Python | {' | '.join(_pythons(group) for group in versions.values())} |",
    ]
    for label in runs[0][kind]:
        cells = [_mark(label, airflow, group, kind) for airflow, group in versions.items()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _pythons(group: list[dict[str, Any]]) -> str:
    return ", ".join(run["python"].rpartition(".")[0] for run in group)


def _mark(label: str, airflow: str, group: list[dict[str, Any]], kind: str) -> str:
    marks = HAS if kind == "features" else RAN
    outcomes = {tuple(run[kind][label]) for run in group}
    if len(outcomes) != 1 or not outcomes <= marks.keys():
        raise ValueError(f"{airflow}: its Pythons say of {label!r}: {sorted(outcomes)}")
    return marks[outcomes.pop()]


if __name__ == "__main__":
    results, features, behaviour = map(Path, sys.argv[1:])
    runs = [json.loads(file.read_text()) for file in sorted(results.glob("*.json"))]
    features.write_text(table(runs))
    behaviour.write_text(table(runs, "behaviour"))
