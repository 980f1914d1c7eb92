"""The documentation, docstrings and messages avoid a small list of words."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from docs import DOCS, ROOT

INSTEAD = {
    "told": "distinguished, or given",
    "is wanted": "must be",
    "are wanted": "must be",
    "somebody": "someone",
    "please": "nothing",
    "mend": "fix",
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "and others, by name",
    "utilize": "use",
    "leverage": "use",
    "whilst": "while",
    "simply": "nothing",
    "easily": "nothing",
    "obviously": "nothing",
    "in order to": "to",
    "performant": "fast",
    "and/or": "or",
}
# Data of the emulator, answers of the service, and a page that a proxy would answer with.
QUOTED = {
    "emulator/api/filters.py",
    "emulator/backend/sample_data.py",
    "emulator/backend/seeding.py",
    "emulator/faults/no_response.py",
}
PACKAGE = ROOT / "airflow_provider_ringevents"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *(path for path in DOCS.rglob("*") if path.suffix in {".md", ".rst"} and "_build" not in path.parts),
    *(path for path in PACKAGE.rglob("*.py") if str(path.relative_to(PACKAGE)) not in QUOTED),
    *(ROOT / "example_dags").glob("*.py"),
]


@pytest.mark.parametrize("word", INSTEAD)
def test_a_word_is_not_used(word: str) -> None:
    pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in PAGES
        for number, line in _lines(path)
        if pattern.search(line)
    ]
    assert not found, f"{word!r}: write {INSTEAD[word]!r} instead:\n" + "\n".join(found)


@functools.cache
def _lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
