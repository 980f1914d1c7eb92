"""Exports under faults, a few hundred times: part of `make chaos`, not of `make test`.

Every worker session is a process of its own, the service and the S3 server are real ones. What is promised is looked at
after each session: the destination has all of what the service holds, or what was there before.

    python -m pytest tests/chaos/campaign_exports.py --seeds 1
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.export_scenarios import Bucket, Harness, LocalFolder, Scenario, imported, quick, scenarios
from s3_server import S3Server

from airflow_provider_ringevents.emulator import Emulator


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seeds = range(1, metafunc.config.getoption("seeds") + 1)
    metafunc.parametrize("scenario", scenarios(seeds), ids=str)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(seed=1, report_seconds=0.05) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    imported()
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


def test_an_export_is_whole_or_not_there(
    scenario: Scenario,
    emulator: Emulator,
    s3_server: S3Server,
    tmp_path: Path,
    counted: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if scenario.store == "S3":
        store: Any = Bucket(s3_server, f"bucket-{request.node.callspec.indices['scenario']}")
        s3_server.connect(monkeypatch)
    else:
        store = LocalFolder(tmp_path / "out")
    logging.disable(logging.DEBUG)
    try:
        with quick():
            outcome = Harness(emulator, store).play(scenario)
    finally:
        logging.disable(logging.NOTSET)
    counted("exports", scenario.trouble, runs=1, **vars(outcome))
