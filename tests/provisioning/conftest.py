"""A service whose time passes when somebody waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_ringevents.emulator import Emulator
from provisioning.harness import Harness, Hours


@pytest.fixture
def hours() -> Iterator[Hours]:
    with Hours().passing() as hours:
        yield hours


@pytest.fixture
def harness(hours: Hours) -> Iterator[Harness]:
    with Emulator(seed=1, clock=hours.now, registrations=3) as emulator:
        yield Harness(emulator, hours)
