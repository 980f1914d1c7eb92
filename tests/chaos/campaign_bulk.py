"""The campaign of bulk loads, `make chaos ARGS=bulk`: workers killed, requests applied up to 5 s after a cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chaos.bulk_kills import play

ROWS = 2_000


@pytest.mark.parametrize("seed", range(100, 120))
def test_each_address_has_one_link_after_a_kill(seed: int, tmp_path: Path, counted: Callable[..., None]) -> None:
    played = play(seed, ROWS, tmp_path, latest=5.0, longest=8.0, settle=7.0)
    counted("bulk loads", "2,000 people, killed and finished", loads=1, kills=played.kills, links=played.rows)
