"""`python -m benchmarks.scale`: what the measured figures mean for 10, 100 and 1,000 tasks, into docs/generated/."""

from __future__ import annotations

import re
from collections.abc import Callable

from airflow_provider_ringevents.client import defaults
from benchmarks.machine import GENERATED

PAGE = GENERATED / "scale.md"
TASKS = (10, 100, 1000)
OURS_WAITING, PEER_WAITING = "**ours**: `RingEventsReportTrigger`", "http: `HttpSensorTrigger`"
OURS_WRITING, PEER_WRITING = "**ours**: `RingEventsDownloadReportOperator`", "`HttpToS3Operator`"
OURS_PARSED, PEER_PARSED = "**ours**: `RingEventsReportToObjectStorageOperator`", "`HttpOperator`"
OURS_IMPORTED = "every operator, sensor and transfer of this provider"
PEER_IMPORTED = "airflow.providers.http.operators.http"


def figure(benchmark: str, row: str, column: str) -> float | None:
    """Return the first number of a cell of a benchmark's page; None if the row was not measured.

    :param row: the first cell of the row; of several such rows the first one counts.
    :param column: the beginning of the column's head.
    :raises LookupError: no table of the page has such a row and column.
    """
    head: list[str] = []
    for line in (GENERATED / f"{benchmark}-benchmark.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("|") else []
        if not cells:
            head = []
        elif not head:
            head = cells
        elif cells[0] == row:
            place = next((index for index, name in enumerate(head) if name.startswith(column)), None)
            if place is None:
                continue
            number = re.match(r"[\d,]+(?:\.\d+)?", cells[place]) if len(cells) > place else None
            return float(number[0].replace(",", "")) if number else None
    raise LookupError(f"{benchmark}: no row {row!r} with a column {column!r}")


def text() -> str:
    """Return the table."""
    made = _pair("fleet", OURS_WAITING, PEER_WAITING, "polls made of those that are due")
    cpu = _pair("fleet", OURS_WAITING, PEER_WAITING, "CPU of a poll")
    memory = _pair("fleet", OURS_WAITING, PEER_WAITING, "memory of a wait")
    connections = _pair("fleet", OURS_WAITING, PEER_WAITING, "connections at once")
    writing = _pair("cold", OURS_WRITING, PEER_WRITING, "peak memory over the baseline")
    parsing = _pair("cold", OURS_PARSED, PEER_PARSED, "ms to parse")
    importing = _pair("imports", OURS_IMPORTED, PEER_IMPORTED, "ms over")
    share = _ours(made) / 100 / defaults.POLL_INTERVAL
    lines = [
        f"| each wait polls every {defaults.POLL_INTERVAL:.0f} s | ratio to the HTTP provider |"
        f"{''.join(f' {tasks:,} tasks |' for tasks in TASKS)}",
        f"|---|---:|{'---:|' * len(TASKS)}",
        _row("triggerer: requests per minute", made, lambda tasks: f"{tasks * share * 60:,.0f}"),
        _row("triggerer: share of a core", cpu, lambda tasks: f"{tasks * share * _ours(cpu) / 10:.2f} %"),
        _row("triggerer: memory of the waits, MiB", memory, lambda tasks: f"{tasks * _ours(memory) / 1024:.1f}"),
        _row("triggerer: connections to the API", connections, lambda tasks: f"{min(tasks, _ours(connections)):.0f}"),
        _row(
            "workers: memory of exports of a report that run at the same time, MiB",
            writing,
            lambda tasks: f"{tasks * _ours(writing):,.0f}",
        ),
        _row("DAG processor: importing the operators, ms a file", importing, lambda _: f"{_ours(importing):.0f}"),
        _row(
            "DAG processor: parsing a file of so many tasks, ms",
            parsing,
            lambda tasks: f"{_ours(parsing):.0f}" if tasks == 100 else "not measured",
        ),
    ]
    return "\n".join([*lines, ""])


def _pair(benchmark: str, ours: str, peer: str, column: str) -> tuple[float | None, float | None]:
    return figure(benchmark, ours, column), figure(benchmark, peer, column)


def _ours(pair: tuple[float | None, float | None]) -> float:
    if pair[0] is None:
        raise LookupError("this provider was not measured")
    return pair[0]


def _row(label: str, pair: tuple[float | None, float | None], cell: Callable[[int], str]) -> str:
    ratio = "not measured" if pair[1] is None else f"{_ours(pair) / pair[1]:.2f}"
    return f"| {label} | {ratio} | {' | '.join(cell(tasks) for tasks in TASKS)} |"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
