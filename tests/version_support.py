"""What depends on the version of Airflow, each with a test that shows it: skipped means that the version lacks it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
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

_EVERY = "tests/operators/test_every_operator.py"
_RUNS = "tests/operators/test_real_dag_runs.py"
_DATA = "tests/example_dags/test_data_are_not_templates.py"
_ARGUMENTS = "tests/operators/test_arguments.py"
_CLIENTS = "tests/hooks/test_client_registry.py"
_ERRORS = "tests/test_errors_of_all_rooms.py"

BEHAVIOUR: Final[Mapping[str, tuple[str, ...]]] = {
    "Rows that people hand in are data, never templates": (
        f"{_DATA}::test_rows_of_a_series",
        f"{_DATA}::test_names_of_a_copy_its_ticket_and_its_guests",
    ),
    "A real triggerer starts a sensor with `xcom_pull(..., map_indexes=-1)`; the bare form is refused": (
        "tests/sensors/test_start_in_triggerer.py"
        "::test_a_real_triggerer_renders_the_result_of_a_task_and_the_bare_form_is_refused",
    ),
    "A wait reads its connection when it begins, a watcher every five minutes": (
        f"{_CLIENTS}::test_a_wait_that_begins_reads_the_connection_whatever_other_waits_use",
        f"{_CLIENTS}::test_a_thousand_waits_that_begin_together_read_the_connection_once",
        "tests/triggers/test_registrations_trigger.py::test_a_connection_that_is_changed_is_taken_over_in_its_place",
    ),
    "The output of a mapped task (`mapped.output`) is a list in every argument": (
        f"{_RUNS}::test_lists_of_mapped_tasks_are_lists_in_every_argument",
    ),
    "Switches are read from templates; anything else is refused": (
        f"{_EVERY}::test_every_switch_is_checked",
        f"{_EVERY}::test_switches_of_an_export_are_read_from_templates",
        f"{_ARGUMENTS}::test_a_rendered_switch_is_read",
    ),
    "Examples and shown DAGs get no new version by themselves": (
        "tests/docs/test_serialized_dags.py::test_two_processes_serialize_every_dag_alike",
    ),
    "Shown tasks run without a logical date, or say that they need one": (
        "tests/docs/test_blocks_in_runs.py::test_a_shown_task_succeeds_or_says_what_it_needs",
    ),
    "Native rendering (`render_template_as_native_obj`), in every operator": (
        f"{_RUNS}::test_digits_are_text_in_every_operator_of_a_native_dag",
    ),
    "`None` as text and blanks are refused as ids, keys, paths and filters": (
        f"{_EVERY}::test_a_mistake_of_a_template_is_refused",
        f"{_EVERY}::test_nothing_is_sent_where_a_template_has_rendered_none",
        f"{_EVERY}::test_values_of_a_filter",
    ),
    "Every error can be pickled and copied": (
        f"{_ERRORS}::test_a_duplicate_is_the_same_error",
        f"{_ERRORS}::test_each_comes_out_of_a_process_pool",
    ),
    "Jinja that is left in a destination is refused; other delimiters are templates": (
        f"{_EVERY}::test_a_part_of_a_path_that_a_template_has_spoilt",
        f"{_ARGUMENTS}::test_other_delimiters_of_the_dag_are_not_taken_for_literals",
    ),
    "One expansion of a mapped task group is a list of one parent": (
        f"{_RUNS}::test_lists_of_mapped_tasks_are_lists_in_every_argument",
    ),
    "`soft_fail` and `never_fail` end a wait alike on the worker, rescheduled and deferred": (
        "tests/sensors/test_never_fail.py::test_a_wait_that_fails_ends_alike_in_every_mode",
    ),
}
"""How the package behaves inside Airflow, each with the tests that show it."""

SHOWN_BY: Final[Mapping[str, Sequence[str]]] = {**{label: (test,) for label, test in FEATURES.items()}, **BEHAVIOUR}


class SupportWriter:
    """A pytest plugin that writes what this Airflow has, as JSON: the outcomes of the tests that show it.

    :param file: where to.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._outcomes: dict[str, set[str]] = {label: set() for label in SHOWN_BY}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        path, *_, name = report.nodeid.partition("[")[0].split("::")
        for label, tests in SHOWN_BY.items():
            if f"{path}::{name}" in tests:
                self._outcomes[label].add(report.outcome)

    def pytest_sessionfinish(self) -> None:
        said = {
            "airflow": version("apache-airflow"),
            "python": platform.python_version(),
            "features": {label: sorted(self._outcomes[label]) for label in FEATURES},
            "behaviour": {label: sorted(self._outcomes[label]) for label in BEHAVIOUR},
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(said, indent=1) + "\n")
