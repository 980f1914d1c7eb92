"""Ten of the lists of the campaign, in `make test`."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos.list_scenarios import play


@pytest.mark.parametrize("seed", range(10))
def test_no_list_that_changes_is_green_and_short(seed: int, tmp_path: Path) -> None:
    outcome = play(seed, tmp_path)
    assert not outcome.is_green_and_short or outcome.cancelled, outcome
