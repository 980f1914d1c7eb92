"""Ten of the hostile services of the campaign, in `make test`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from chaos.hostile_scenarios import JOBS, play, play_piece


@pytest.mark.parametrize("seed", range(0, 200, 21))
def test_a_hostile_service_breaks_no_promise(seed: int, tmp_path: Path) -> None:
    outcome = play(seed, tmp_path)
    assert not outcome.broken, outcome


@pytest.mark.parametrize("job", JOBS)
def test_all_jobs_are_done_where_the_service_is_well(job: str, tmp_path: Path) -> None:
    outcome = play_piece(job, lambda scene: scene.usual, (), tmp_path, random.Random(0), "none")
    assert not outcome.error, outcome
    assert not outcome.broken, outcome
