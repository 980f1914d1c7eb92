"""The slow part of the proof that events are created once: `make chaos`, not `make test`.

Real processes that are really killed, with pauses that are really slept, and many more seeds of the matrix. Writes what
came of it into docs/generated/create-once.md, when all of it was run (`--every-seed`).
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow_harness import Run, WorkerKilled
from clocks import FakeClock
from provisioning.fault_matrix import STORM, TROUBLES, Outcome, Scenario, dying, play, scenarios, storms
from provisioning.harness import KINDS, OPERATORS, Harness

from airflow_provider_ringevents.emulator import Emulator

TABLE = Path(__file__).parents[2] / "docs" / "generated" / "create-once.md"
SEEDS = range(1, 4)
STORMS = range(1000, 1150)
FEW_SEEDS = range(1, 2)
FEW_STORMS = range(1000, 1030)
POINTS = (
    "before posting",
    "before the POST",
    "after the POST",
    "before accepted",
    "after accepted",
    "while looking",
)
SETTLE = 6.0
"""Seconds: short, since here they are really slept."""
ANY_MOMENT = "killed at any moment, really"
AT_A_POINT = "killed at a known moment, really"
LATE = "cut, applied 3 s later, really"


@pytest.fixture(scope="module")
def all_outcomes() -> Iterator[list[Outcome]]:
    """What came of everything; written down at the end, if nothing is missing."""
    collected: list[Outcome] = []
    yield collected
    if len(collected) == _expected():
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(_table(collected))


@pytest.fixture
def outcomes(all_outcomes: list[Outcome], counted: Callable[..., None]) -> Iterator[list[Outcome]]:
    """What came of one test."""
    own: list[Outcome] = []
    yield own
    all_outcomes += own
    for each in own:
        tasks = each.scenario.tasks
        counted("create once", each.scenario.trouble, tasks=tasks, events=sum(each.events), kills=each.kills)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)


# --- the matrix, with time that only passes when somebody waits


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "scenario" in metafunc.fixturenames:
        every = metafunc.config.getoption("every_seed")
        chosen = [*scenarios(SEEDS if every else FEW_SEEDS), *storms(STORMS if every else FEW_STORMS)]
        metafunc.parametrize("scenario", chosen, ids=lambda scenario: scenario.name)


def test_the_matrix(scenario: Scenario, outcomes: list[Outcome]) -> None:
    with FakeClock().installed() as fake_clock, Emulator(seed=1, clock=fake_clock.now, registrations=3) as emulator:
        outcomes.append(play(Harness(emulator, fake_clock), scenario))


# --- processes that are really killed


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(seed=1, registrations=3, duplicate_seconds=0.5, visible_seconds=0.2) as emulator:
        yield emulator


class Workers:
    """Mapped tasks whose worker sessions are processes of their own.

    :param threat: called at the start of each of these processes.
    """

    def __init__(self, emulator: Emulator, kind: str, tasks: int, threat: Callable[[], None]) -> None:
        self._emulator = emulator
        self._here = os.getpid()
        harness = Harness(emulator, FakeClock())
        common = harness.arguments(kind, settle_timeout=SETTLE)
        del common["name"]
        rows = [{"name": "Data Hour"}] * tasks

        def make() -> Any:
            if os.getpid() != self._here:
                threat()
            return OPERATORS[kind].partial(**common).expand_kwargs(rows)

        connections = {"ringevents_default": harness.connection()}
        self.runs = [Run(make, connections=connections, retries=50, map_index=index) for index in range(tasks)]
        self.kills = 0

    def to_the_end(self) -> None:
        """Sessions in turn until all tasks have succeeded."""
        for _ in range(50):
            left = [run for run in self.runs if run.result.state not in ("success", "failed")]
            if not left:
                return
            for run in left:
                result = run.attempt(in_child=True)
                self.kills += isinstance(result.exception, WorkerKilled)
                if result.state == "deferred":
                    run.trigger()
        raise AssertionError("not finished after 50 rounds")

    def checked(self, scenario: Scenario) -> Outcome:
        """What came of it: one event for each task."""
        made = [event.id for event in self._emulator.state.events.values() if event.request]
        results = [run.result for run in self.runs]
        told = f"{scenario.name}: made {made}, {self.kills} kills\n{results[0].log_text}"
        assert [result.state for result in results] == ["success"] * len(results), told
        assert sorted(result.xcom["id"] for result in results) == sorted(made), told
        events = tuple(made.count(result.xcom["id"]) for result in results)
        return Outcome(scenario, events, self._emulator.count("POST"), self.kills)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_that_is_really_killed_at_a_known_moment(
    emulator: Emulator, outcomes: list[Outcome], kind: str, point: str
) -> None:
    if point == "while looking":
        emulator.fault("applied_then_cut", method="POST")
    workers = Workers(emulator, kind, 1, lambda: None)
    (run,) = workers.runs
    with dying(point, _die):
        assert isinstance(run.attempt(in_child=True).exception, WorkerKilled)
    workers.kills += 1
    workers.to_the_end()
    outcomes.append(workers.checked(Scenario(kind, AT_A_POINT, 1, POINTS.index(point))))


@pytest.mark.parametrize("seed", range(12))
def test_workers_that_are_really_killed_at_any_moment(emulator: Emulator, outcomes: list[Outcome], seed: int) -> None:
    scenario = Scenario(KINDS[seed % len(KINDS)], ANY_MOMENT, 2, seed)
    dice = scenario.dice()
    for _ in range(dice.randint(0, 2)):
        emulator.fault(dice.choice(["applied_then_cut", "reset"]), method="POST")
    marks = iter([dice.uniform(0.0, 0.6) for _ in range(6)])
    delay = [0.0]

    def threat() -> None:
        if delay[0]:
            threading.Timer(delay[0], _die).start()

    workers = Workers(emulator, scenario.kind, scenario.tasks, threat)
    for mark in marks:
        delay[0] = mark
        for run in workers.runs:
            if run.result.state not in ("success", "failed"):
                result = run.attempt(in_child=True)
                workers.kills += isinstance(result.exception, WorkerKilled)
                if result.state == "deferred":
                    run.trigger()
    delay[0] = 0.0
    workers.to_the_end()
    outcomes.append(workers.checked(scenario))


@pytest.mark.parametrize("kind", KINDS)
def test_a_request_that_is_applied_after_it_was_cut(emulator: Emulator, outcomes: list[Outcome], kind: str) -> None:
    """With the pauses that users have: the third second is before the second look."""
    emulator.fault("applied_late", method="POST", seconds=3.0)
    harness = Harness(emulator, FakeClock())
    arguments = harness.arguments(kind)
    run = Run(lambda: OPERATORS[kind](**arguments), connections={"ringevents_default": harness.connection()})
    started = time.monotonic()
    result = run.to_end()
    assert result.state == "success", result.log_text
    assert time.monotonic() - started >= 2 + 5
    made = [event.id for event in emulator.state.events.values() if event.request]
    assert made == [result.xcom["id"]]
    outcomes.append(Outcome(Scenario(kind, LATE, 1, 0), (1,), emulator.count("POST")))


# --- what is written down


def _expected() -> int:
    return len([*scenarios(SEEDS), *storms(STORMS)]) + len(KINDS) * len(POINTS) + 12 + len(KINDS)


def _table(outcomes: list[Outcome]) -> str:
    lines = [
        "| what goes wrong | operator | runs | events for each key | creating requests for each event |",
        "|---|---|---:|---:|---:|",
    ]
    for trouble in [*TROUBLES, STORM, LATE, AT_A_POINT, ANY_MOMENT]:
        for kind in KINDS:
            here = [each for each in outcomes if (each.scenario.trouble, each.scenario.kind) == (trouble, kind)]
            runs = sum(each.scenario.tasks for each in here)
            events = sorted({count for each in here for count in each.events})
            posts = sum(each.posts for each in here) / runs
            counted = " to ".join(str(count) for count in dict.fromkeys((events[0], events[-1])))
            lines.append(f"| {trouble} | {kind} | {runs} | {counted} | {posts:.2f} |")
    total = sum(each.scenario.tasks for each in outcomes)
    kills = sum(each.kills for each in outcomes)
    return "\n".join(
        [*lines, "", f"{total} runs, {kills} processes really killed. Written by `make chaos ARGS=--every-seed`.", ""]
    )
