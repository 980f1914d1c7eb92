"""All of the way in the browser, on ``airflow standalone``, with pictures for the documentation.

Run by hand: ``make screenshots``.
"""

from __future__ import annotations

from pathlib import Path

from browser.chromium import skip_without_a_browser
from browser.walkthrough import walk

PICTURES = Path(__file__).parents[2] / "docs" / "images" / "screenshots"
LARGEST = 80_000
"""Bytes."""


def test_all_of_the_way_with_pictures(tmp_path: Path) -> None:
    skip_without_a_browser()
    walk(tmp_path, limit=480, standalone=True, everything=True, pictures=str(PICTURES))
    too_large = {picture.name for picture in PICTURES.glob("*.png") if picture.stat().st_size > LARGEST}
    assert not too_large
