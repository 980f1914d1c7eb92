"""A service whose time passes when somebody waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clocks import FakeClock

from airflow_provider_ringevents.emulator import Emulator
from provisioning.harness import Harness


@pytest.fixture
def harness(fake_clock: FakeClock) -> Iterator[Harness]:
    with Emulator(seed=1, clock=fake_clock.now, registrations=3) as emulator:
        yield Harness(emulator, fake_clock)
