"""Two hundred hostile or broken services: `make chaos ARGS=hostile`, not `make test`.

Writes the outcomes into docs/generated/chaos-hostile.md when no promise was broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.hostile_scenarios import DEADLINE, JOBS, MEBIBYTE, PIECES, Outcome, play

PAGE = Path(__file__).parents[2] / "docs" / "generated" / "chaos-hostile.md"
SEEDS = range(200)


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """Collect the outcomes of all seeds; they are written at the end if none is missing."""
    collected: list[Outcome] = []
    yield collected
    if len(collected) == len(SEEDS):
        PAGE.write_text(table(collected), encoding="utf-8")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hostile_service_breaks_no_promise(seed: int, outcomes: list[Outcome], tmp_path: Path) -> None:
    outcome = play(seed, tmp_path)
    assert not outcome.broken, outcome
    outcomes.append(outcome)


def table(outcomes: list[Outcome]) -> str:
    """Return the page, in Markdown."""
    lines = [
        f"{len(outcomes)} services of {len(PIECES)} kinds of hostile or broken responses, each on a real socket, met"
        f" {len(JOBS)} kinds of work, each in a process of its own. All ended within {DEADLINE:g} s, done or with an"
        " error of this package; no error and no log line held the key, a signed link or an escape character; nothing"
        " partial was published, no other machine was connected to, and no other origin got the key."
        " `make chaos ARGS=hostile` plays them, from fixed seeds, and writes this.",
        "",
        "| work | services | done | ended with an error | longest (s) | largest growth (MiB) |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for job in JOBS:
        lines.append(f"| {job} | {_figures([each for each in outcomes if each.job == job])} |")
    lines += [
        f"| **all** | {_figures(outcomes)} |",
        "",
        "| responses | services | done | ended with an error | longest (s) | largest growth (MiB) |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for piece in PIECES:
        lines.append(f"| {piece} | {_figures([each for each in outcomes if each.piece == piece])} |")
    return "\n".join([*lines, ""])


def _figures(outcomes: list[Outcome]) -> str:
    failed = sum(bool(each.error) for each in outcomes)
    longest = max(each.seconds or 0.0 for each in outcomes)
    growth = max(each.growth for each in outcomes) / MEBIBYTE
    return f"{len(outcomes)} | {len(outcomes) - failed} | {failed} | {longest:.1f} | {growth:.0f}"
