"""Every line of the threat model names a test that exists."""

from __future__ import annotations

import pytest

from docs import ROOT, code, rows
from docs.test_promises import named_in

CASES = [
    row
    for heading in (
        "## Numbers without bounds",
        "## Sizes after decompression and decoding",
        "## Time, although the service is never silent",
        "## Secrets in frames, causes and responses",
        "## Places that are not ours",
    )
    for row in rows("hostile-services.md", heading)
]
LINES = list(rows("security.md", "## Threat model"))


def test_the_table_has_all_lines() -> None:
    assert len(LINES) >= 15


@pytest.mark.parametrize("row", LINES, ids=lambda row: code(row[3])[0].partition("::")[2])
def test_every_threat_names_what_holds_it_and_a_test_that_exists(row: list[str]) -> None:
    who, what, held, shown = row
    assert who
    assert what
    assert held
    for name in code(shown):
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert function in named_in(path), name


def test_all_cases_are_listed() -> None:
    assert len(CASES) >= 35


@pytest.mark.parametrize("row", CASES, ids=lambda row: row[0][:40])
def test_every_case_has_a_limit_and_tests_that_exist(row: list[str]) -> None:
    sent, limit, shown = row
    assert sent
    assert limit
    named = code(shown)
    assert ", ".join(f"`{name}`" for name in named) == shown
    for name in named:
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert function in named_in(path), name
