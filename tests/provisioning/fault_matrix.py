"""The matrix: every way of creating an event x everything that may go wrong on the way x one task or many."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from airflow_harness import Run, WorkerKilled

from airflow_provider_ringevents.client.client import Client
from airflow_provider_ringevents.provisioning.request_journal import RequestJournal
from provisioning.harness import KINDS, Harness

POST = {"method": "POST"}
LIST = {"method": "GET", "path": "/events$"}


@dataclass(frozen=True)
class Trouble:
    """What goes wrong.

    :ivar faults: of the service, in the order in which requests meet them.
    :ivar kill: where the worker dies, once; see :func:`dying`.
    :ivar down: nobody listens during the first attempt.
    :ivar again: ``clear``: the task is cleared after its success; ``run``: the same row in another DAG run.
    :ivar settings: of the service.
    :ivar posts: the most creating requests for each event.
    """

    faults: tuple[Mapping[str, Any], ...] = ()
    kill: str | None = None
    down: bool = False
    again: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    posts: int = 1


RETRIES = 8


def _fault(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, **POST, **more}


_CUT = _fault("applied_then_cut")
TROUBLES: dict[str, Trouble] = {
    "nothing": Trouble(),
    "connection refused": Trouble(down=True),
    "reset before it was read": Trouble((_fault("reset"),), posts=2),
    "closed before it was read": Trouble((_fault("close"),), posts=2),
    "cut after it was applied": Trouble((_CUT,)),
    "cut twice, the second time applied": Trouble((_fault("reset"), _CUT), posts=2),
    "cut three times, then applied and cut": Trouble((_fault("reset", times=3), _CUT), posts=4),
    "cut after it was applied, shown 15 s later": Trouble((_CUT,), settings={"visible_seconds": 15.0}),
    "cut after it was applied, then no list": Trouble((_CUT, {"kind": "status", "status": 503, "times": 20, **LIST})),
    "500 after it was applied": Trouble((_fault("applied_then_status", status=500),)),
    "502 after it was applied": Trouble((_fault("applied_then_status", status=502),)),
    "504 after it was applied, shown 5 min later": Trouble(
        (_fault("applied_then_status", status=504),), settings={"visible_seconds": 300.0}
    ),
    "408 after it was applied": Trouble((_fault("applied_then_status", status=408),)),
    "500 before": Trouble((_fault("status", status=500),), posts=2),
    "503 before, five times": Trouble((_fault("status", status=503, times=5),), posts=6),
    "504 before": Trouble((_fault("status", status=504),), posts=2),
    "429": Trouble((_fault("status", status=429, headers={"Retry-After": "1"}),), posts=2),
    "429 without end": Trouble((_fault("status", status=429, times=6),), posts=7),
    "429, an hour": Trouble((_fault("status", status=429, headers={"Retry-After": "3600"}),), posts=2),
    "half an answer": Trouble((_fault("truncated_json"),)),
    "timeout, applied": Trouble((_fault("applied_then_hang"),)),
    "timeout, applied, shown 5 min later": Trouble((_fault("applied_then_hang"),), settings={"visible_seconds": 300.0}),
    "timeout, not applied": Trouble((_fault("hang"),), posts=2),
    "killed before anything": Trouble(kill="before posting"),
    "killed before the POST": Trouble(kill="before the POST"),
    "killed after the POST": Trouble(kill="after the POST"),
    "killed before the id was remembered": Trouble(kill="before accepted"),
    "killed after the id was remembered": Trouble(kill="after accepted"),
    "cut after it was applied, killed while looking": Trouble((_CUT,), kill="while looking"),
    "task cleared": Trouble(again="clear"),
    "DAG run again": Trouble(again="run"),
}


def _play_dead() -> None:
    raise WorkerKilled


@contextmanager
def dying(where: str, kill: Callable[[], None] = _play_dead) -> Iterator[None]:
    """The worker dies, the first time that it comes there."""
    alive = [True]

    def die() -> None:
        if alive:
            alive.clear()
            kill()

    def before(method: Callable[..., Any], when: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        def dead(*args: Any, **kwargs: Any) -> Any:
            if when(*args):
                die()
            return method(*args, **kwargs)

        return dead

    def after(method: Callable[..., Any], when: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        def dead(*args: Any, **kwargs: Any) -> Any:
            answer = method(*args, **kwargs)
            if when(*args):
                die()
            return answer

        return dead

    def creates(_client: Client, call: Any, *_budget: Any) -> bool:
        return bool(call.method == "POST")

    def looks(_client: Client, call: Any, *_budget: Any) -> bool:
        return bool(call.operation == "list_events")

    places: dict[str, tuple[type, str, Callable[..., Any]]] = {
        "before posting": (RequestJournal, "record_intent", before(RequestJournal.record_intent)),
        "before the POST": (Client, "_send_once", before(Client._send_once, creates)),
        "after the POST": (Client, "_send_once", after(Client._send_once, creates)),
        "before accepted": (RequestJournal, "record_accepted", before(RequestJournal.record_accepted)),
        "after accepted": (RequestJournal, "record_accepted", after(RequestJournal.record_accepted)),
        "while looking": (Client, "_send_once", before(Client._send_once, looks)),
    }
    target, name, instead = places[where]
    with patch.object(target, name, instead):
        yield


STORM = "storm"
"""Several troubles at once, chosen by the seed."""


def storm(dice: random.Random) -> Trouble:
    """What goes wrong in a storm."""
    pool = [
        *(_fault(kind) for kind in ("reset", "close", "applied_then_cut", "truncated_json", "html")),
        *(_fault("applied_then_status", status=status) for status in (408, 500, 502, 503, 504)),
        *(_fault("status", status=status) for status in (408, 429, 500, 503, 504)),
        {"kind": "status", "status": 503, "times": 7, "skip": 1, **LIST},
        {"kind": "reset", "times": 3, **LIST},
        {"kind": "truncated_json", "times": 2, **LIST},
        {"kind": "wrong_count", "value": 2, **LIST},
        {"kind": "missing_count", "times": 3, **LIST},
    ]
    return Trouble(
        faults=tuple(dict(fault) for fault in dice.choices(pool, k=dice.randint(1, 4))),
        kill=dice.choice([None, *(trouble.kill for trouble in TROUBLES.values() if trouble.kill)]),
        down=dice.random() < 0.2,
        again=dice.choice([None, "clear", "run"]),
        settings={"visible_seconds": dice.choice([0.0, 0.0, 6.0, 30.0])},
        posts=100,
    )


@dataclass(frozen=True)
class Scenario:
    """One cell of the matrix, with all that is left to chance."""

    kind: str
    trouble: str
    tasks: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}, {self.trouble}, {self.tasks} {'tasks' if self.tasks > 1 else 'task'}, seed {self.seed}"

    def dice(self) -> random.Random:
        """All chance of this scenario."""
        return random.Random(self.name)


@dataclass(frozen=True)
class Outcome:
    """What came of it: events for each task, creating requests, and processes that were killed."""

    scenario: Scenario
    events: tuple[int, ...]
    posts: int
    kills: int = 0


def scenarios(seeds: range, tasks: tuple[int, ...] = (1, 3)) -> Iterator[Scenario]:
    """The whole matrix, once for each seed."""
    for seed in seeds:
        for kind in KINDS:
            for trouble in TROUBLES:
                for number in tasks:
                    yield Scenario(kind, trouble, number, seed)


def storms(seeds: range, tasks: int = 3) -> Iterator[Scenario]:
    """As many storms, of every kind in turn."""
    for seed in seeds:
        yield Scenario(KINDS[seed % len(KINDS)], STORM, tasks, seed)


def play(harness: Harness, scenario: Scenario) -> Outcome:
    """Let it happen.

    :raises AssertionError: not exactly one event for each task, or a task that did not end with its id.
    """
    dice = scenario.dice()
    trouble = storm(dice) if scenario.trouble == STORM else TROUBLES[scenario.trouble]
    given = trouble.again == "run" or dice.random() < 0.5
    chance = {
        "copy_keeps_metadata": dice.random() < 0.5,
        "events_order": dice.choice(["shuffled", "created"]),
        "naive_event_times": dice.random() < 0.3,
        "duplicate_seconds": dice.choice([0.0, 1.0, 4.0]),
        **dice.choice([{"max_per_page": 5}, {"max_per_page": 100}, {"refuse_large_pages": True}]),
    }
    more: dict[str, Any] = {} if scenario.kind == "create" else {"deferrable": dice.random() < 0.5}
    if scenario.kind == "template" and dice.random() < 0.3:
        more |= {"wait_for": "draft"}
    harness.emulator.reset(**{**chance, **trouble.settings})
    runs = _tasks(harness, scenario, more, given=given, day=1)
    with ExitStack() as stack:
        for fault in trouble.faults:
            harness.emulator.fault(**fault)
        if trouble.kill:
            stack.enter_context(dying(trouble.kill))
        if trouble.down:
            _attempt_while_down(harness, runs)
        _to_the_end(runs, dice)
    results = [run.result for run in runs]
    if trouble.again == "clear":
        for run in runs:
            run.clear()
        _to_the_end(runs, dice)
    elif trouble.again == "run":
        harness.later(3600)  # by then the list shows all
        runs = _tasks(harness, scenario, more, given=given, day=2)
        _to_the_end(runs, dice)
    return _checked(harness, scenario, trouble, runs, [result.xcom["id"] for result in results if result.xcom])


def _tasks(harness: Harness, scenario: Scenario, more: dict[str, Any], *, given: bool, day: int) -> list[Run]:
    # Same name, same times: only their keys tell them apart.
    key = "idempotency_key"
    rows = [{"name": "Data Hour", **({key: f"row-{row}"} if given else {})} for row in range(scenario.tasks)]
    if scenario.tasks == 1:
        return [harness.run(scenario.kind, day=day, retries=RETRIES, **rows[0], **more)]
    return harness.mapped(scenario.kind, rows, day=day, retries=RETRIES, **more)


def _attempt_while_down(harness: Harness, runs: list[Run]) -> None:
    harness.emulator.stop()
    try:
        for run in runs:
            assert run.attempt().state == "up_for_retry"
    finally:
        harness.emulator.start()


def _to_the_end(runs: list[Run], dice: random.Random) -> None:
    """Worker sessions of all tasks in turn, so that they meet each other half done."""
    for _ in range(20):
        left = [run for run in runs if run.result.state not in ("success", "failed")]
        if not left:
            return
        for run in dice.sample(left, len(left)):
            if run.attempt().state == "deferred":
                run.trigger()
    raise AssertionError("not finished after 20 rounds")


def _checked(harness: Harness, scenario: Scenario, trouble: Trouble, runs: list[Run], first_ids: list[str]) -> Outcome:
    results = [run.result for run in runs]
    ids = [result.xcom["id"] if result.xcom else None for result in results]
    made = [event.id for event in harness.emulator.state.events.values() if event.request]
    told = f"{scenario.name}: made {made}, results {ids}, {harness.posts()} requests\n{results[0].log_text}"
    assert [result.state for result in results] == ["success"] * scenario.tasks, told
    assert len(made) == scenario.tasks, told
    assert sorted(ids) == sorted(made), told
    assert ids == first_ids, told
    # Faults may hit one task or several, but each of them once: what is too much for one is too much for all.
    assert harness.posts() <= scenario.tasks + trouble.posts - 1, told
    return Outcome(scenario, tuple(made.count(each) for each in ids), harness.posts())
