"""Every term of the glossary is linked from the page where it first stands."""

from __future__ import annotations

import re

import pytest

from docs import DOCS

TERMS = re.findall(r"^## (.+)$", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)


def reading_order() -> list[str]:
    """Return the pages of the guides and explanations in the order of the index, without the reference."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    names = re.findall(r"^(?!reference/)([\w-]+(?:/[\w-]+)?)$", index, re.MULTILINE)
    return [name for name in names if (DOCS / f"{name}.md").is_file() and name not in ("glossary", "code-map")]


def slug(term: str) -> str:
    """Return the anchor of a term."""
    return term.lower().replace(" ", "-")


def prose(name: str) -> str:
    """Return a page without its code blocks, headings and tables."""
    text = re.sub(
        r"^```.*?^```$", "", (DOCS / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    return "\n".join(line for line in text.splitlines() if not line.startswith(("#", "|")))


def test_terms_are_in_alphabetical_order() -> None:
    assert len(TERMS) >= 20
    assert sorted(TERMS, key=str.lower) == TERMS


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_linked_from_a_page(term: str) -> None:
    linked = [name for name in reading_order() if f"glossary.md#{slug(term)})" in (DOCS / f"{name}.md").read_text()]
    assert linked, f"no page links to glossary.md#{slug(term)}"


@pytest.mark.parametrize("term", [term for term in TERMS if " " in term])
def test_a_compound_term_is_linked_where_it_first_stands(term: str) -> None:
    pattern = re.compile(r"\b" + r"\s+".join(map(re.escape, term.split())) + r"s?\b", re.IGNORECASE)
    first = next(name for name in reading_order() if pattern.search(prose(name)))
    assert f"glossary.md#{slug(term)})" in (DOCS / f"{first}.md").read_text(), f"{first}.md does not link {term!r}"


def test_every_link_into_the_glossary_leads_to_a_term() -> None:
    anchors = {slug(term) for term in TERMS}
    for page in DOCS.rglob("*.md"):
        if "_build" not in page.parts:
            assert set(re.findall(r"glossary\.md#([\w-]+)", page.read_text(encoding="utf-8"))) <= anchors, page
