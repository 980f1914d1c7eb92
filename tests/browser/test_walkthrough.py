"""Airflow's web pages in a real browser: the connection form, Test, a run, its log, its link."""

from __future__ import annotations

from pathlib import Path

from browser.chromium import skip_without_a_browser
from browser.walkthrough import walk


def test_from_an_empty_list_of_connections_to_an_exported_file(tmp_path: Path) -> None:
    skip_without_a_browser()
    walk(tmp_path, limit=600)
