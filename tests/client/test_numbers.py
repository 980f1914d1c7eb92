"""Numbers that are given as text."""

from __future__ import annotations

import pytest

from airflow_provider_ringevents.client.validation.numbers import parse_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        (" 12\n", 12),
        ("-3", -3),
        ("+4", 4),
        ("007", 7),
        ("2.50", 2.5),
        ("5.", 5.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5E-05", 0.000015),
        ("1" * 4_000, int("1" * 4_000)),
    ],
)
def test_a_number(text: str, number: float) -> None:
    found = parse_number(text)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "e5", "--1", "1e", "1.5.2", "true", "1_000", "1,000", "1 000", "0x10"),
        *("nan", "inf", "-Infinity", "1e400", "9" * 5_000),
        *("\u0661\u0662", "\uff11", "\u00b2", "1\u0660", "1.\u0660", "\ud800"),
    ],
    ids=ascii,
)
def test_a_text_that_is_no_number(text: str) -> None:
    assert parse_number(text) is None
