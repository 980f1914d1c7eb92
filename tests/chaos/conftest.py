"""What the parts of the campaign have in common: they are counted, and the counts are written down at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    options = parser.getgroup("chaos")
    options.addoption(
        "--seeds", type=int, default=4, help="exports: how often each scenario is played, with other dice"
    )
    options.addoption("--events", type=int, default=32, help="real processes: how many things happen")
    options.addoption("--waits", type=int, default=100, help="real processes: waits that are open at a time")


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Count what a test has seen: ``counted(part, row, name=number, ...)``; said at its end, when all was well."""

    def count(part: str, row: str, **numbers: int) -> None:
        record_property("chaos", {"part": part, "row": row, "numbers": numbers})

    return count
