"""What the parts of the campaign have in common: they are counted, and the counts are written down at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seeds", type=int, default=5, help="how many times each scenario is played, with other dice")


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Count what a test has seen: ``counted(part, row, name=number, ...)``; said at its end, when all was well."""

    def count(part: str, row: str, **numbers: int) -> None:
        record_property("chaos", {"part": part, "row": row, "numbers": numbers})

    return count
