"""The table of supported versions is made of what the tests show; the matrix is what the package says it supports."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from version_support import BEHAVIOUR, FEATURES, SHOWN_BY, SupportWriter

from docs import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from support_table import table


def supported(name: str = "SUPPORTED") -> dict[str, tuple[str, ...]]:
    """What `make matrix` runs: versions of Airflow, and the Pythons of each; OPTIONAL: where the machine has them."""
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    (found,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    assert isinstance(found, dict)
    return found


def test_every_feature_and_behaviour_has_its_tests() -> None:
    for test in [test for tests in SHOWN_BY.values() for test in tests]:
        path, _, name = test.partition("::")
        assert re.search(rf"def {name}\(", (ROOT / path).read_text()), test


def test_there_are_constraints_for_every_version_of_the_matrix() -> None:
    for airflow, pythons in supported().items():
        pinned = (ROOT / "constraints" / f"airflow-{airflow}.txt").read_text()
        assert f"\napache-airflow=={airflow}." in pinned
        for python in pythons:
            assert f"Programming Language :: Python :: {python}" in (ROOT / "pyproject.toml").read_text()


def run(airflow: str, python: str, **outcomes: list[str]) -> dict[str, Any]:
    return {"airflow": airflow, "python": python, "features": outcomes, "behaviour": outcomes}


def test_the_table_is_of_all_runs_in_the_order_of_versions() -> None:
    runs = [
        run("3.10.0", "3.12.1", a=["passed"], b=["passed"]),
        run("3.9.1", "3.12.1", a=["skipped"], b=["passed"]),
        run("3.9.1", "3.11.7", a=["skipped"], b=["passed"]),
    ]
    assert table(runs).splitlines() == [
        "| Airflow | 3.9.1 | 3.10.0 |",
        "|---|:---:|:---:|",
        "| Python | 3.11, 3.12 | 3.12 |",
        "| a | no | yes |",
        "| b | yes | yes |",
    ]


@pytest.mark.parametrize("outcomes", [["failed"], [], ["passed", "skipped"]])
def test_what_was_not_shown_is_in_no_table(outcomes: list[str]) -> None:
    with pytest.raises(ValueError, match="'a'"):
        table([run("3.3.2", "3.11.7", a=outcomes)])


def test_pythons_that_do_not_agree_are_in_no_table() -> None:
    with pytest.raises(ValueError, match="'a'"):
        table([run("3.3.2", "3.11.7", a=["passed"]), run("3.3.2", "3.12.1", a=["skipped"])])


def test_behaviour_may_have_cases_that_an_older_airflow_lacks() -> None:
    runs = [run("3.9.1", "3.11.7", a=["passed", "skipped"], b=["skipped"])]
    assert table(runs, "behaviour").splitlines()[3:] == ["| a | yes |", "| b | no |"]
    with pytest.raises(ValueError, match="'a'"):
        table([run("3.9.1", "3.11.7", a=["failed", "passed"])], "behaviour")


def test_outcomes_are_written(tmp_path: Path) -> None:
    label, test = next(iter(FEATURES.items()))
    path, _, name = test.partition("::")
    writer = SupportWriter(file := tmp_path / "results" / "one.json")
    for when in ("setup", "call", "teardown"):
        writer.pytest_runtest_logreport(
            pytest.TestReport(f"{path}::TestIt::{name}[one]", (path, 1, name), {}, "passed", None, when)  # type: ignore[arg-type]
        )
    writer.pytest_sessionfinish()
    assert '"passed"' in file.read_text()
    assert label in file.read_text()


def test_the_page_has_the_features_and_the_versions_of_today() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in (ROOT / "docs" / "generated" / "support.md").read_text().splitlines()
    ]
    (_, *versions), _, (_, *pythons), *features = rows
    assert [row[0] for row in features] == list(FEATURES)
    tested = {
        version.rpartition(".")[0]: tuple(each.split(", ")) for version, each in zip(versions, pythons, strict=True)
    }
    optional = supported("OPTIONAL")
    always = {
        airflow: tuple(python for python in pythons if python not in optional.get(airflow, ()))
        for airflow, pythons in tested.items()
    }
    assert always == supported()


def test_the_page_of_the_behaviour_has_every_line_on_every_airflow() -> None:
    page = (ROOT / "docs" / "generated" / "behaviour.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in page]
    (_, *versions), _, (_, *pythons), *lines = rows
    assert [row[0] for row in lines] == list(BEHAVIOUR)
    assert [version.rpartition(".")[0] for version in versions] == list(supported())
    allowed = {airflow: {*pythons, *supported("OPTIONAL").get(airflow, ())} for airflow, pythons in supported().items()}
    for version, each in zip(versions, pythons, strict=True):
        assert {*each.split(", ")} <= allowed[version.rpartition(".")[0]]
    assert {cell for row in lines for cell in row[1:]} <= {"yes", "no"}
    # What the newest Airflow lacks is no feature of an older one.
    assert {row[-1] for row in lines} == {"yes"}


def test_every_python_of_the_matrix_may_install_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for pythons in [*supported().values(), *supported("OPTIONAL").values()]:
        for python in pythons:
            assert f"Programming Language :: Python :: {python}" in text
    assert 'requires-python = ">=3.11"\n' in text
