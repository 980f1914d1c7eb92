"""Reads the pages of the documentation."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]

_QUOTED = r"<!-- (?P<file>example_dags/\w+\.py): (?P<section>\w+) -->\n"
_BLOCK = re.compile(rf"^(?:{_QUOTED})?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code in a page.

    :ivar quoted: the file and the section of an example DAG that it shows, if a comment before it names them.
    """

    page: Path
    line: int
    language: str
    text: str
    quoted: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(language: str) -> list[Block]:
    """All blocks of one language, of all pages, but those that show a part of an example."""
    return [block for block in _blocks() if block.language == language and block.quoted is None]


def quoted_blocks() -> list[Block]:
    """All blocks that show a part of an example."""
    return [block for block in _blocks() if block.quoted]


@functools.cache
def _blocks() -> list[Block]:
    return [
        Block(
            page,
            text.count("\n", 0, match.start()) + 1,
            match["language"],
            match["text"],
            (match["file"], match["section"]) if match["file"] else None,
        )
        for page in PAGES
        for text in [page.read_text(encoding="utf-8")]
        for match in _BLOCK.finditer(text)
    ]


def rows(page: str, heading: str) -> Iterator[list[str]]:
    """The rows of the first table below a heading, each a list of cells; the head and its rule are left out."""
    text = (DOCS / page).read_text(encoding="utf-8")
    _, found, below = text.partition(f"\n{heading}\n")
    assert found, f"{page} has no heading {heading!r}"
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table, f"{page}: no table below {heading!r}"
    for line in table[0].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def code(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)
