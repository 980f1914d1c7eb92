"""Which rows came before: exactly as a set would say, in a fraction of its memory."""

from __future__ import annotations

import random

import pytest

from airflow_provider_ringevents.client.compact_id_set import CompactIdSet


@pytest.mark.parametrize("expected", [0, 5_000, 100_000], ids=["nothing said", "too few said", "enough said"])
def test_says_what_a_set_would_say(expected: int) -> None:
    chance = random.Random(7)
    ids = [f"{chance.randrange(20_000):025d}" for _ in range(30_000)]
    seen, model = CompactIdSet(expected), set[str]()
    for start in range(0, len(ids), 97):
        part = ids[start : start + 97]
        new = []
        for id in part:
            new.append(id not in model)
            model.add(id)
        assert seen.add(part) == new
    assert len(seen) == len(model)


def test_an_id_twice_in_one_page_is_new_once() -> None:
    assert CompactIdSet().add(["a", "b", "a"]) == [True, True, False]


def test_any_text_is_an_id() -> None:
    ids = ["", " ", "\ud800", "Ä", "a/b", "0"]
    seen = CompactIdSet()
    assert seen.add(ids) == [True] * len(ids)
    assert seen.add(ids) == [False] * len(ids)


def test_seventeen_bytes_a_row() -> None:
    seen = CompactIdSet(1_000_000)
    assert seen._keys.itemsize * len(seen._keys) + seen._checks.itemsize * len(seen._checks) < 17.5e6
