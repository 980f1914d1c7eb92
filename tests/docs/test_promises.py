"""No promise without a test: every one names tests that exist, and its figures are those of the code."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from airflow_provider_ringevents.cli.check_report import session, survey
from airflow_provider_ringevents.client import defaults
from airflow_provider_ringevents.provisioning import idempotent_create
from docs import ROOT, code, rows

PROMISES = list(rows("reliability.md", "## Promises"))


@cache
def named_in(path: str) -> frozenset[str]:
    """The names of a file's tests, read and not run: the campaign's are not to be collected here."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    places = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    return frozenset(
        node.name
        for place in places
        for node in place.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_promises_are_numbered() -> None:
    assert [row[0] for row in PROMISES] == [str(number) for number in range(1, len(PROMISES) + 1)]
    assert len(PROMISES) >= 30


@pytest.mark.parametrize("row", PROMISES, ids=lambda row: row[0])
def test_every_promise_has_a_limit_and_tests_that_exist(row: list[str]) -> None:
    _, promise, limit, held = row
    assert promise
    assert limit
    named = code(held)
    assert named, promise
    assert ", ".join(f"`{name}`" for name in named) == held
    for name in named:
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert function in named_in(path), name


FIGURES = {
    "## One request": {
        "requests per call": [defaults.MAX_ATTEMPTS],
        "total of these delays": [defaults.BACKOFF_TOTAL],
        "`Retry-After`": [defaults.RETRY_AFTER_MAX],
        "silence": [defaults.READ_TIMEOUT, defaults.CONNECT_TIMEOUT],
    },
    "## A wait": {
        "first poll of a report": [defaults.POLL_FIRST],
        "consecutive polls that may fail": [defaults.POLL_FAILURES - 1],
        "`Retry-After` of a failed poll": [defaults.RETRY_AFTER_MAX],
        "list of events that waits of one organization share": [
            defaults.LOOKUP_TIMEOUT / 60,
            defaults.LISTING_STALL,
            defaults.MAX_LISTINGS,
        ],
    },
    "## A list": {
        "rows per page": [defaults.PER_PAGE],
        "concurrent pages": [defaults.CONCURRENCY, defaults.MAX_CONCURRENCY],
        "connections per client": [defaults.MAX_CONNECTIONS],
    },
    "## A download": {
        "resumed after an interruption": [defaults.MAX_RESUMES],
        "restarted from the beginning": [defaults.MAX_RESUMES],
        "new links for an expired one": [defaults.MAX_LINK_REFRESHES],
        "redirects": [defaults.MAX_REDIRECTS],
    },
    "## Creating a registration": {
        "creating requests in one try of a task": [idempotent_create.MAX_CREATE_REQUESTS],
        "lookups after an unclear end": [*idempotent_create.LOOKUP_DELAYS],
    },
    "## A report on the service": {
        "requests of `ringevents check --report`": [session.MAX_REQUESTS],
        "repetitions after a 429": [session.MAX_REPETITIONS, defaults.RETRY_AFTER_MAX, session.DEFAULT_PAUSE],
        "events": [survey.EXAMINED_EVENTS, survey.EVENTS_WITH_REPORTS],
    },
    "## Sizes": {
        "one resource": [defaults.MAX_RESOURCE_BYTES / 2**20],
        "one page of a list": [defaults.MAX_PAGE_BYTES / 2**20, defaults.MAX_PAGE_ROWS],
        "all buffered pages of a list": [defaults.MAX_PAGES_BYTES / 2**20],
        "one error page": [defaults.MAX_ERROR_BYTES / 2**10],
    },
}


@pytest.mark.parametrize("heading", FIGURES)
def test_the_figures_are_those_of_the_code(heading: str) -> None:
    shown = {row[0]: row[1] for row in rows("reliability.md", heading)}
    for what, numbers in FIGURES[heading].items():
        said = re.findall(r"\d+(?:\.\d+)?", shown[what])
        assert [float(number) for number in said[: len(numbers)]] == numbers, what
