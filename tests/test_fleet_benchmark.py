"""The parts of the benchmark of waits: a benchmark that measures something else is worse than none."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from airflow_harness.versions import AIRFLOW_VERSION

# Benchmarks are run from the root of the repository, and belong to no package that is installed.
sys.path.append(str(Path(__file__).parents[1]))
fleet = importlib.import_module("benchmarks.fleet")
fleet_server = importlib.import_module("benchmarks.fleet_server")
fleet_waits = importlib.import_module("benchmarks.fleet_waits")
charts = importlib.import_module("benchmarks.charts")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("/v1/reports/{}", (202, "in_progress"), (200, "completed")),
        ("/api/v2/accounts/1/runs/{}/", (200, "'status': 3"), (200, "'status': 10")),
        ("/api/public/v1/jobs/{}", (200, "running"), (200, "succeeded")),
        ("/things/{}", (404, "False"), (200, "True")),
    ],
)
def test_a_thing_is_ready_from_the_moment_that_its_id_says(path: str, before: Any, after: Any) -> None:
    service = fleet_server.Service()
    target = path.format(fleet_server.job(7, ready=100.5))
    for now, (status, word) in ((100.4, before), (100.6, after)):
        got, body, _ = service.answer(target, now)
        assert got == status
        assert word in str(body)
    assert service.stats.polls == [100.4, 100.6]


def test_the_server_lets_so_many_through_and_counts_the_others() -> None:
    service = fleet_server.Service(limit=20)
    now = 1000.0
    answers = [service.answer("/things/1", now) for _ in range(25)]
    assert [status for status, _, _ in answers].count(429) == 5
    assert answers[-1][2] == 1, "a Retry-After in whole seconds"
    assert service.answer("/things/1", now + 0.06)[0] != 429
    assert service.answer("/things/1", now + 0.06)[0] == 429
    status, told, _ = service.answer(fleet_server.STATS, now)
    assert (status, told["refused"], len(told["polls"])) == (200, 6, 27)
    assert service.stats.polls == []


def test_a_loop_that_is_blocked_is_late_by_every_tick_that_it_misses() -> None:
    async def main() -> Any:
        lag = fleet_waits.Lag()
        watching = asyncio.create_task(lag.watch())
        await asyncio.sleep(0.001)
        time.sleep(0.5)
        await asyncio.sleep(0.001)
        watching.cancel()
        return lag

    lag = asyncio.run(main())
    half, _, latest = lag.told()
    assert latest >= 0.47
    assert half >= 0.2, "as late as each of the ticks would have been"


def run(polls: list[float]) -> Any:
    outcome = fleet_waits.Outcome(10, 20, 1.5, (0, 0, 0), 1000, [1.0, 5.0, 5.1], 0)
    figures = fleet_waits.Figures(waits=4, interval=5, warm=0, steady=10, patience=0)
    return fleet.Run(figures, outcome, fleet_server.Stats(polls=polls))


def test_shares_are_of_what_was_measured() -> None:
    even = run([place / 10 for place in range(300)])
    assert even.cpu == pytest.approx(0.15)
    assert len(even.measured) == 100
    assert even.fullest == pytest.approx(1.0)
    assert even.in_time == 0.5, "two of four: one was late and one never came"
    assert run([15.5] * 10).fullest == pytest.approx(10)


@pytest.mark.system
@pytest.mark.skipif(AIRFLOW_VERSION < (3, 3), reason="the benchmark is written for Airflow 3.3 and later")
def test_a_small_fleet_of_ours_is_served_to_the_end() -> None:
    found = fleet.run("ours", fleet_waits.Figures(30, 0.5, 1, 1, 20), 0.01)
    assert len(found.outcome.noticed) == 30
    assert min(found.outcome.noticed) > 0
    assert found.outcome.failed == 0
    assert 0 < found.stats.connections <= 16
    assert found.cpu > 0
    assert len(found.measured) > 10


def test_what_is_not_installed_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_PEERS_PYTHON", raising=False)
    monkeypatch.setitem(fleet.MODULES, "dbt", "airflow.providers.no_such")
    assert fleet.interpreter("dbt") is None
    assert fleet.run("dbt", None, 0) is None
    assert "skipped" in fleet._table("x", {"ours": run([11.0]), "dbt": None}, fleet.LABELS)


def test_bars_are_an_svg_with_every_value() -> None:
    rows = [charts.Bar("ours", 1, "1 %"), charts.Bar("other & co", 100, "100 %"), charts.Bar("none", 0, "0 %")]
    drawn = ElementTree.fromstring(charts.bars("title", {"plain": rows, "logarithmic": rows}))
    texts = {element.text for element in drawn.iter() if element.text}
    assert {"plain", "ours", "other & co", "1 %", "100 %"} <= texts
    widths = [float(element.get("width", "")) for element in drawn.iter() if element.tag.endswith("rect")][1:]
    assert widths[0] < widths[1] / 50
    assert widths[3] > widths[4] / 10
