"""The version of the package, the changelog and the upgrade notes agree."""

from __future__ import annotations

import re
from datetime import date

from airflow_provider_ringevents import __version__
from docs import DOCS, ROOT

RELEASES = re.findall(
    r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
)


def test_the_newest_release_is_the_version_of_the_package() -> None:
    assert RELEASES[0][0] == __version__


def test_releases_are_dated_newest_first() -> None:
    dates = [date.fromisoformat(day) for _, day in RELEASES]
    assert dates == sorted(dates, reverse=True)


def test_every_release_has_upgrade_notes() -> None:
    page = (DOCS / "guides" / "upgrading.md").read_text(encoding="utf-8")
    _, _, notes = page.partition("\n## Upgrade notes\n")
    notes, _, _ = notes.partition("\n## ")
    assert re.findall(r"^### (\d\S+)$", notes, re.MULTILINE) == [version for version, _ in RELEASES]
