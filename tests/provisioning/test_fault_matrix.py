"""One event for each key, whatever goes wrong."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest
from airflow_harness import HAS_TASK_SDK
from clocks import FakeClock

from airflow_provider_ringevents.emulator import Emulator
from provisioning.fault_matrix import Scenario, play, scenarios, storms
from provisioning.harness import Harness


@pytest.fixture(scope="module")
def service() -> Iterator[Harness]:
    """One service for all: each scenario resets it."""
    with FakeClock().installed() as fake_clock, Emulator(seed=1, clock=fake_clock.now, registrations=3) as emulator:
        yield Harness(emulator, fake_clock)


@pytest.fixture
def _quiet() -> Iterator[None]:
    """What httpcore says of each byte is not worth the time."""
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)


def _chosen() -> list[Scenario]:
    # One task or several in turn: `make chaos` plays every trouble with both.
    half = [
        one if number % 2 else several
        for number, (one, several) in enumerate(zip(*[scenarios(range(1))] * 2, strict=True))
    ]
    everything = [*half, *storms(range(15))]
    # A run on Airflow 2 takes three times as long, since it goes through a database.
    return everything if HAS_TASK_SDK else random.Random(1).sample(everything, 60)


@pytest.mark.parametrize("scenario", _chosen(), ids=lambda scenario: scenario.name)
@pytest.mark.usefixtures("_quiet")
def test_exactly_one_event_for_each_task(service: Harness, scenario: Scenario) -> None:
    play(service, scenario)
