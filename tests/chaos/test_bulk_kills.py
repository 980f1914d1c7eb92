"""Two seeds of the campaign of bulk loads, smaller."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos.bulk_kills import play


@pytest.mark.system
@pytest.mark.parametrize("seed", [1, 2])
def test_each_address_has_one_link_after_a_kill(seed: int, tmp_path: Path) -> None:
    played = play(seed, 300, tmp_path, latest=1.0, longest=1.5, settle=2.0)
    assert played.requests >= 300
