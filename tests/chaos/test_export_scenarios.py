"""A few scenarios of the campaign, in the ordinary run: those that end in seconds whatever the machine's pace."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_harness import HAS_TASK_SDK
from chaos.export_scenarios import Harness, LocalFolder, Scenario, quick

from airflow_provider_ringevents.emulator import Emulator

# A worker of Airflow 2 has the metadata database open: it would find the disk full as well.
TROUBLES = ("cut", "5xx and 429", "disk full") if HAS_TASK_SDK else ("cut", "5xx and 429")
CHOSEN = [
    Scenario(export, "local file", trouble, 1)
    for trouble in TROUBLES
    for export in ("report, deferrable", "list, worker")
]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(seed=1, report_seconds=0.05) as emulator:
        yield emulator


@pytest.mark.parametrize("scenario", [*CHOSEN, Scenario("report, worker", "local file", "worker killed", 1)], ids=str)
def test_an_export_is_whole_or_not_there(
    scenario: Scenario, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root.manager, "disable", logging.DEBUG)
    with quick():
        outcome = Harness(emulator, LocalFolder(tmp_path / "out")).play(scenario)
    assert outcome.looks >= outcome.tries > 0
    assert outcome.faults + outcome.failed_tries > 0
    if scenario.trouble == "worker killed":
        assert outcome.kills > 0
        assert outcome.leftovers > 0
