"""Docstrings of the package begin with a statement, not with a question word, and class names are unique."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from docs import ROOT

PACKAGE = ROOT / "airflow_provider_ringevents"
QUESTION_WORD = re.compile(r"(What|Whether|How|Where|Who|Whose)\b")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Yield every node of the package's source, with its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path.relative_to(ROOT).as_posix(), node


def asks(summary: str) -> bool:
    """Return True for a summary that begins with a question word."""
    return QUESTION_WORD.match(summary) is not None


def test_no_summary_begins_with_a_question_word() -> None:
    summaries = [
        (file, summary)
        for file, node in nodes()
        if isinstance(node, Documented) and (summary := ast.get_docstring(node))
    ]
    assert len(summaries) > 500
    assert not [f"{file}: {summary.splitlines()[0]}" for file, summary in summaries if asks(summary)]


def test_a_question_word_is_recognized() -> None:
    assert asks("Whether a row is new.")
    assert not asks("However long it takes.")


def test_class_names_are_unique() -> None:
    files: dict[str, list[str]] = defaultdict(list)
    for file, node in nodes():
        # The types generated from the contract have the names of the API's schemas, as the emulator's resources have.
        if isinstance(node, ast.ClassDef) and "/contract/_generated" not in file:
            files[node.name.lstrip("_")].append(file)
    assert not {name: where for name, where in files.items() if len(where) > 1}


def test_every_module_is_read() -> None:
    assert len({file for file, _ in nodes()}) == len(list(Path(PACKAGE).rglob("*.py")))
