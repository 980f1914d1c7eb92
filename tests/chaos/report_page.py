"""The campaign's page: what was counted, as tables."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

PARTS = ("exports", "processes", "waits", "secrets", "create once")
_MOST = ("longest_run",)


class Counts:
    """Numbers by part and row.

    :ivar tests: tests that ran.
    :ivar failed: those that failed.
    """

    def __init__(self) -> None:
        self.tests = 0
        self.failed = 0
        self.rows: dict[str, dict[str, dict[str, int]]] = {}

    def add(self, counted: Iterable[tuple[str, str, Mapping[str, int]]]) -> None:
        """Add what one test has counted."""
        for part, row, numbers in counted:
            held = self.rows.setdefault(part, {}).setdefault(row, defaultdict(int))
            for name, number in numbers.items():
                held[name] = max(held[name], number) if name in _MOST else held[name] + number

    @property
    def complete(self) -> bool:
        """Whether it was the whole campaign, and all was well."""
        if self.failed or any(part not in self.rows for part in PARTS):
            return False
        return self._sum("exports", "runs") >= 200 and self._sum("processes", "happened") >= 30

    def _sum(self, part: str, name: str) -> int:
        return sum(numbers.get(name, 0) for numbers in self.rows.get(part, {}).values())

    def page(self, command: str, seconds: float) -> str:
        """All of it, in Markdown."""
        sections = [
            self._about(command, seconds),
            self._exports(),
            self._processes(),
            self._waits(),
            self._secrets(),
            self._created(),
            self._loaded(),
        ]
        return "\n\n".join(section for section in sections if section)

    def _about(self, command: str, seconds: float) -> str:
        return (
            f"{self.tests} tests, {self.failed} failed, in {seconds / 60:.1f} minutes on {os.cpu_count()} processors"
            f" ({_processor()}), Python {platform.python_version()}, Airflow {version('apache-airflow')}. `make chaos`"
            f" runs it and writes this page: `pytest {command}`. Everything is drawn from fixed seeds: what goes wrong,"
            " where, and when."
        )

    def _exports(self) -> str:
        rows = self.rows.get("exports", {})
        if not rows:
            return ""
        names = ("runs", "tries", "kills", "faults", "leftovers", "looks")
        heads = ("exports", "tries", "processes killed", "requests that met a fault", "left behind", "looks")
        body = [
            "Exports under faults: after every session of a worker the destination held all of what the service holds,"
            f" or what was there before ({self._sum('exports', 'looks')} looks, 0 partial objects); all"
            f" {self._sum('exports', 'runs')} exports succeeded and are byte-identical; nothing that a killed or failed"
            " try left behind was there after the next that succeeded; no session passed its deadline of 60 s.",
            "",
            *_table("what goes wrong", heads, {row: [held.get(n, 0) for n in names] for row, held in rows.items()}),
        ]
        return "\n".join(body)

    def _processes(self) -> str:
        rows = self.rows.get("processes", {})
        totals: Mapping[str, Any] = self.rows.get("totals", {}).get("all", {})
        if not rows or not totals:
            return ""
        names = ("happened", "tasks_under_way")
        body = [
            f"A real Airflow (API server, scheduler, triggerer, workers): {totals['tasks']} tasks, {totals['tries']}"
            f" tries, {totals['faults']} requests that met a fault of the network. All tasks succeeded; all"
            f" {totals['exports']} exports are byte-identical, with 0 other objects and 0 open uploads;"
            f" {totals['events_wanted']} provisioning tasks made {totals['events_made']} events"
            f" ({totals['creating_requests']} writing requests came in all, those that met a fault and those of"
            f" {totals['reports']} reports among them); the longest DAG run took {totals['longest_run']} s."
            f' Airflow itself failed {totals["late_words"]} tries whose trigger had fired early ("state is queued").',
            "",
            *_table(
                "what happens",
                ("times", "tasks under way"),
                {row: [held.get(n, 0) for n in names] for row, held in rows.items()},
            ),
        ]
        return "\n".join(body)

    def _waits(self) -> str:
        held = self.rows.get("waits", {}).get("triggerer killed")
        if not held:
            return ""
        return (
            f"The triggerer was killed while {held['waits']} exports waited in it: all went on in its successor and"
            f" succeeded, with {held['writes']} writing requests in all, one for each, in {held['tries']} tries."
        )

    def _secrets(self) -> str:
        held = self.rows.get("secrets", {}).get("all")
        if not held:
            return ""
        return (
            f"Afterwards all {held['files']} files of that Airflow and all tables of its database were searched for"
            f" {held['searched']} secrets (the key, an event's password, signed links, magic links), with the HTTP"
            " libraries' debug log on: 0 were found."
        )

    def _loaded(self) -> str:
        rows = self.rows.get("bulk loads", {})
        if not rows:
            return ""
        names = ("loads", "kills", "links")
        body = [
            "Files of people into magic links: the service applied requests up to 5 s after it had cut them, and"
            " workers were killed at any moment. Each address has exactly one link, and the results have a row for each"
            " person.",
            "",
            *_table(
                "what was loaded",
                ("loads", "processes killed", "links"),
                {row: [held.get(name, 0) for name in names] for row, held in rows.items()},
            ),
        ]
        return "\n".join(body)

    def _created(self) -> str:
        rows = self.rows.get("create once", {})
        if not rows:
            return ""
        tasks, events = self._sum("create once", "tasks"), self._sum("create once", "events")
        return (
            f"Creating events: {tasks} tasks, {events} events, {self._sum('create once', 'kills')} worker processes"
            " killed, one event for each."
        )


def _processor() -> str:
    """The processor's name, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _table(first: str, heads: Iterable[str], rows: Mapping[str, list[int]]) -> list[str]:
    heads = list(heads)
    lines = [f"| {first} | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
    sums = [sum(column) for column in zip(*rows.values(), strict=True)]
    for name, numbers in [*rows.items(), ("**all**", sums)]:
        lines.append(f"| {name} | {' | '.join(f'{number:,}' for number in numbers)} |")
    return lines
