"""Two hundred lists that change while they are read: `make chaos ARGS=lists`, not `make test`.

Writes what came of them into docs/generated/chaos-lists.md, when all were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.list_scenarios import COUNTS, ORDERS, PER_PAGE, Outcome, play

PAGE = Path(__file__).parents[2] / "docs" / "generated" / "chaos-lists.md"
SEEDS = range(200)
_NAMES = {
    "newest_first": "newest first",
    "created": "oldest first",
    "updated": "oldest change first",
    "exact": "exact",
    "capped": "capped at 100",
    "approximate": "5 % wrong",
}


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """What came of all seeds; written down at the end, if none is missing."""
    collected: list[Outcome] = []
    yield collected
    if len(collected) == len(SEEDS):
        PAGE.write_text(table(collected), encoding="utf-8")


@pytest.mark.parametrize("seed", SEEDS)
def test_no_list_that_changes_is_green_and_short(seed: int, outcomes: list[Outcome], tmp_path: Path) -> None:
    outcome = play(seed, tmp_path)
    assert not outcome.is_green_and_short or outcome.cancelled, outcome
    outcomes.append(outcome)


def table(outcomes: list[Outcome]) -> str:
    """All of it, in Markdown."""
    lines = [
        f"{len(outcomes)} lists of 80 to 300 registrations, in pages of {PER_PAGE}: half of them exports with four"
        " pages in flight, half loops of the asynchronous client, while rows were added, moved and deleted between two"
        " pages. None ended well with a row missing that was there from beginning to end, but where rows were added and"
        " deleted between the same two pages. `make chaos ARGS=lists` reads them, from fixed seeds, and writes this.",
        "",
        "| order | count | lists | read once | read twice | read three times | failed | a cancellation hid a row |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for order in ORDERS:
        for count in COUNTS:
            here = [each for each in outcomes if (each.order, each.count) == (order, count)]
            lines.append(f"| {_NAMES[order]} | {_NAMES[count]} | {_figures(here)} |")
    return "\n".join([*lines, f"| **all** | | {_figures(outcomes)} |", ""])


def _figures(outcomes: list[Outcome]) -> str:
    readings = [sum(each.readings == number for each in outcomes) for number in (1, 2, 3, 0)]
    hidden = sum(each.is_green_and_short for each in outcomes)
    return " | ".join(str(number) for number in (len(outcomes), *readings, hidden))
