"""What depends on the version of Airflow, each with a test that shows it: skipped means that the version lacks it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import pytest

FEATURES: Final[Mapping[str, str]] = {
    "Exports start by themselves when registrations arrive (`AssetWatcher`)": (
        "tests/triggers/test_registrations_trigger.py::test_nothing_fires_until_something_changes_and_then_once"
    ),
    "Outlets by reference (`Asset.ref`)": (
        "tests/transfers/test_collection_windows.py::test_a_reference_to_an_asset_is_told_as_the_asset"
    ),
    "`airflow ringevents ...` beside `ringevents ...`": "tests/cli/test_commands.py::test_airflow_takes_the_group",
    "A retry takes up the report that an earlier try has asked for": (
        "tests/transfers/test_report_to_object_storage.py::test_a_retry_resumes_the_same_report"
    ),
    "A creating request that was accepted is remembered over tries": (
        "tests/provisioning/test_recovery.py::test_after_it_was_accepted_nothing_is_posted_again"
    ),
    "`watermark=True`: only what came since the last run, without intervals": (
        "tests/transfers/test_collection_windows.py::test_each_run_exports_what_came_since_the_last"
    ),
    "A watcher goes on where it was when its triggerer was down": (
        "tests/triggers/test_registrations_trigger.py::test_a_restarted_triggerer_goes_on_where_it_was"
    ),
    "`partition_key` of an export's outlets": (
        "tests/transfers/test_collection_windows.py::test_a_reference_has_partitions_and_a_watermark"
    ),
    "A long `Retry-After` becomes the delay of the task's retry": (
        "tests/operators/test_reports.py::test_a_long_retry_after_becomes_the_delay_of_the_retry"
    ),
    "Sensors that start in the triggerer, without a worker (`start_from_trigger`)": (
        "tests/sensors/test_report_sensor.py::test_starts_in_the_triggerer_without_a_worker"
    ),
    "Failed pokes are counted over a rescheduled sensor's processes": (
        "tests/sensors/test_report_sensor.py::test_rescheduled_pokes_that_fail_are_counted_over_their_processes"
    ),
}


class SupportWriter:
    """A pytest plugin that writes what this Airflow has, as JSON: the outcomes of the tests that show it.

    :param file: where to.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._features: dict[str, set[str]] = {label: set() for label in FEATURES}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        path, *_, name = report.nodeid.partition("[")[0].split("::")
        for label, test in FEATURES.items():
            if test == f"{path}::{name}":
                self._features[label].add(report.outcome)

    def pytest_sessionfinish(self) -> None:
        said = {
            "airflow": version("apache-airflow"),
            "python": platform.python_version(),
            "features": {label: sorted(outcomes) for label, outcomes in self._features.items()},
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(said, indent=1) + "\n")
