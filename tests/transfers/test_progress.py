"""What a long transfer says of itself."""

from __future__ import annotations

import pytest

from airflow_provider_ringevents.observability.formatting import format_bytes
from airflow_provider_ringevents.transfers.report_upload import ProgressReporter

MIB = 2**20


def test_says_every_ten_seconds_how_far_it_is() -> None:
    said: list[str] = []
    now = [100.0]
    progress = ProgressReporter(40 * MIB, lambda text, *arguments: said.append(text % arguments), clock=lambda: now[0])
    for second in range(1, 26):
        now[0] = 100.0 + second
        progress.update(second * MIB)

    assert said == [
        "10.0 MiB of 40.0 MiB (25 %), 1.0 MiB/s",
        "20.0 MiB of 40.0 MiB (50 %), 1.0 MiB/s",
    ]


def test_says_no_share_of_an_unknown_size() -> None:
    said: list[str] = []
    now = [0.0]
    progress = ProgressReporter(None, lambda text, *arguments: said.append(text % arguments), clock=lambda: now[0])
    now[0] = 20.0
    progress.update(2048)

    assert said == ["2.0 KiB, 102 B/s"]


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * MIB, "5.0 MiB"), (3 * 2**40, "3072.0 GiB")],
)
def test_numbers_of_bytes_are_for_people(number: int, said: str) -> None:
    assert format_bytes(number) == said
