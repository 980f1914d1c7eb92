"""What each supported Airflow has, as a table: `python scripts/support_table.py RESULTS PAGE`.

RESULTS is a folder of what runs of all tests have written (see `tests/version_support.py`).
"""

from __future__ import annotations

import json
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

HAS: dict[tuple[str, ...], str] = {("passed",): "yes", ("skipped",): "no"}
"""From the outcomes of the tests of one thing."""


def table(runs: list[dict[str, Any]]) -> str:
    """The page, in Markdown.

    :param runs: one for each Airflow and Python.
    :raises ValueError: a test has failed or did not run, or the Pythons of one Airflow do not agree.
    """
    runs = sorted(runs, key=lambda run: [_order(run["airflow"]), _order(run["python"])])
    versions = {airflow: list(group) for airflow, group in groupby(runs, key=lambda run: run["airflow"])}
    lines = [
        f"| Airflow | {' | '.join(versions)} |",
        f"|---|{':---:|' * len(versions)}",
        f"| Python | {' | '.join(_pythons(group) for group in versions.values())} |",
    ]
    for label in runs[0]["features"]:
        cells = [_mark(label, airflow, group) for airflow, group in versions.items()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _pythons(group: list[dict[str, Any]]) -> str:
    return ", ".join(run["python"].rpartition(".")[0] for run in group)


def _mark(label: str, airflow: str, group: list[dict[str, Any]]) -> str:
    outcomes = {tuple(run["features"][label]) for run in group}
    if len(outcomes) != 1 or not outcomes <= HAS.keys():
        raise ValueError(f"{airflow}: its Pythons say of {label!r}: {sorted(outcomes)}")
    return HAS[outcomes.pop()]


if __name__ == "__main__":
    results, page = map(Path, sys.argv[1:])
    page.write_text(table([json.loads(file.read_text()) for file in sorted(results.glob("*.json"))]))
