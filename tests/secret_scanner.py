"""Finds secrets in whatever a run of a task has left behind."""

from __future__ import annotations

import base64
import json
import sqlite3
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from airflow_harness import Result

PLACES = (
    "log",
    "XComs",
    "rendered fields",
    "trigger rows",
    "next_kwargs",
    "events",
    "error",
    "outlet events",
    "state store",
    "links",
    "OpenLineage events",
)


def places(result: Result, lineage: str = "") -> Mapping[str, str]:
    """Every place, as text.

    :param lineage: all events that OpenLineage was sent.
    """
    error = result.exception
    found = {
        "log": result.log_text,
        "XComs": result.xcoms,
        "rendered fields": result.rendered_fields,
        "trigger rows": [(row.classpath, row.kwargs, row.next_method) for row in result.trigger_rows],
        "next_kwargs": [row.next_kwargs for row in result.trigger_rows],
        "events": result.events,
        "error": [] if error is None else [*traceback.format_exception(error), *_inside(error)],
        "outlet events": result.outlet_events,
        "state store": result.store,
        "links": result.links,
        "OpenLineage events": lineage,
    }
    assert tuple(found) == PLACES
    return {place: "\n".join(_texts(what)) for place, what in found.items()}


def _texts(what: Any) -> Iterator[str]:
    """Every text inside, as it is: names as well as values."""
    if isinstance(what, Mapping):
        for name, value in what.items():
            yield str(name)
            yield from _texts(value)
    elif isinstance(what, list | tuple | set | frozenset):
        for value in what:
            yield from _texts(value)
    else:
        yield str(what)


def _inside(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield repr((error.args, vars(error)))
        error = error.__cause__ or error.__context__


def leaks(result: Result, canaries: Mapping[str, Sequence[str]], lineage: str = "") -> list[str]:
    """Where which canary was found, in any of the ways in which it may be spelt.

    :param canaries: the secrets, under the names of their kinds.
    :param lineage: all events that OpenLineage was sent.
    """
    return _found(places(result, lineage).items(), canaries)


def leaks_on_disk(folders: Sequence[Path], database: Path, canaries: Mapping[str, Sequence[str]]) -> list[str]:
    """The same for what an Airflow has left: all files, and all cells of all tables of its metadata database.

    The database is searched as a file, too: what was deleted from a table may still be in it.
    """
    return _found(_on_disk(folders, database), canaries)


def _found(texts: Iterable[tuple[str, str]], canaries: Mapping[str, Sequence[str]]) -> list[str]:
    return [
        f"{kind} in {place} as {spelling}"
        for place, text in texts
        for kind, secrets in canaries.items()
        for secret in secrets
        for spelling, spelt in _spellings(secret)
        if spelt in text
    ]


def _on_disk(folders: Sequence[Path], database: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
        yield f"file {file.name}", file.read_bytes().decode("latin-1")
    with closing(sqlite3.connect(database)) as connection:
        connection.text_factory = lambda content: content.decode("latin-1")
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            cells = (cell for row in connection.execute(f'SELECT * FROM "{table}"') for cell in row)
            yield f"table {table}", "\n".join(_as_text(cell) for cell in cells if cell is not None)


def _as_text(cell: Any) -> str:
    return cell.decode("latin-1") if isinstance(cell, bytes) else str(cell)


def _spellings(secret: str) -> Iterator[tuple[str, str]]:
    yield "it is", secret
    yield "a part of a URL", quote(secret, safe="")
    yield "base64", base64.b64encode(secret.encode()).decode()
    yield "JSON", json.dumps(secret)[1:-1]
    if len(secret) >= 24:
        yield "its beginning", secret[:16]
