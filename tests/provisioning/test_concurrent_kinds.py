"""Tasks of different kinds that ask for the same name and times: each has an event of its own."""

from __future__ import annotations

import itertools

import pytest

from provisioning.harness import KINDS, Harness


@pytest.mark.parametrize("fault", ["reset", "applied_then_cut"])
@pytest.mark.parametrize(("first", "second"), itertools.permutations(KINDS, 2))
def test_an_event_with_another_kind_of_mark_is_not_taken(harness: Harness, first: str, second: str, fault: str) -> None:
    """Plain events bear their mark in the slug, all others in the metadata."""
    assert harness.run(first, task_id="first").to_end().state == "success"
    harness.emulator.fault(fault, method="POST")
    result = harness.run(second, task_id="second").to_end()
    assert result.state == "success", result.log_text
    assert len(harness.made()) == 2
    assert result.xcom["id"] == harness.made()[1].id
