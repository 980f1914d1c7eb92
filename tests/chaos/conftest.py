"""What the parts of the campaign have in common: they are counted, and the counts are written down at the end."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from chaos.report_page import Counts

PAGE = Path(__file__).parents[2] / "docs" / "generated" / "chaos.md"


def pytest_addoption(parser: pytest.Parser) -> None:
    options = parser.getgroup("chaos")
    options.addoption("--seeds", type=int, default=4, help="exports: how often each scenario is played")
    options.addoption("--events", type=int, default=36, help="real processes: how many things happen")
    options.addoption("--waits", type=int, default=100, help="real processes: waits that are open at a time")
    options.addoption("--every-seed", action="store_true", help="creating events: the whole matrix, which takes longer")


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Count what a test has seen: ``counted(part, row, name=number, ...)``; said at its end, when all was well."""

    def count(part: str, row: str, **numbers: int) -> None:
        record_property("chaos", (part, row, numbers))

    return count


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Writer(config), "chaos-writer")


class _Writer:
    """Adds up what all tests have counted, also those in other processes."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._counts = Counts()
        self._began = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self._counts.tests += 1
        self._counts.failed += report.failed
        if report.when == "teardown":  # by then all is counted
            self._counts.add(value for name, value in report.user_properties if name == "chaos")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if hasattr(self._config, "workerinput") or not self._counts.rows:
            return
        page = self._counts.page(shlex.join(sys.argv[1:]), time.monotonic() - self._began)
        terminalreporter.write_line("")
        terminalreporter.write_line(page)
        if self._counts.complete:
            PAGE.write_text(page + "\n")
            terminalreporter.write_line(f"Written to {PAGE}")
