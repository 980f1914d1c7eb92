"""Waits take turns on one timer; what each of them sees is what a task of its own would see."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import clocks
import pytest

from airflow_provider_ringevents import clock
from airflow_provider_ringevents.triggers.turns import Turns

WHOSE: contextvars.ContextVar[str] = contextvars.ContextVar("WHOSE")
Take = Callable[[int], Coroutine[Any, Any, bool]]
"""The number of a turn, from 1 on -> whether it was the last."""


@pytest.fixture(autouse=True)
def _virtual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "monotonic", clocks.loop_time)


class Someone:
    """Wants a turn after each of its pauses, in seconds; the last one comes again and again."""

    def __init__(self, *pauses: float, take: Take | None = None) -> None:
        self._pauses = list(pauses)
        self._take = take
        self.turns: list[float] = []

    def pause(self) -> float:
        return self._pauses.pop(0) if len(self._pauses) > 1 else self._pauses[0]

    async def take(self) -> bool:
        self.turns.append(clocks.loop_time())
        return await self._take(len(self.turns)) if self._take else False


def times(many: list[float]) -> list[float]:
    return [round(moment, 3) for moment in many]


async def for_a_while(turns: Turns, seconds: float, *many: Someone) -> list[asyncio.Task[None]]:
    """The tasks of those that have not ended after so many seconds, cancelled."""
    tasks = [asyncio.ensure_future(turns.until_end(who)) for who in many]
    _, left = await asyncio.wait(tasks, timeout=seconds)
    for task in left:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return tasks


def test_each_has_its_turns_after_its_own_pauses() -> None:
    quick, slow, changing = Someone(2), Someone(5), Someone(7, 1, 10)

    async def main() -> None:
        await for_a_while(Turns(), 20.5, slow, quick, changing)

    clocks.run_in_virtual_time(main())
    assert times(quick.turns) == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert times(slow.turns) == [5, 10, 15, 20]
    assert times(changing.turns) == [7, 8, 18]


def test_one_that_comes_later_and_is_due_earlier_does_not_wait_for_the_others() -> None:
    patient, hasty = Someone(60), Someone(1)

    async def main() -> None:
        turns = Turns()
        waiting = asyncio.ensure_future(turns.until_end(patient))
        await asyncio.sleep(10)
        await for_a_while(turns, 2.5, hasty)
        await asyncio.wait([waiting], timeout=50)
        waiting.cancel()

    clocks.run_in_virtual_time(main())
    assert times(hasty.turns) == [11, 12]
    assert times(patient.turns) == [60]


def test_a_turn_that_takes_long_holds_nobody_else_and_its_next_one_comes_after_it() -> None:
    async def work(number: int) -> bool:
        await asyncio.sleep(7)
        return False

    busy, other = Someone(1, take=work), Someone(2)

    async def main() -> None:
        await for_a_while(Turns(), 10.5, busy, other)

    clocks.run_in_virtual_time(main())
    assert times(busy.turns) == [1, 9]
    assert times(other.turns) == [2, 4, 6, 8, 10]


def test_the_turn_that_says_so_is_the_last() -> None:
    async def third(number: int) -> bool:
        return number == 3

    ends, stays = Someone(1, take=third), Someone(1)

    async def main() -> list[bool]:
        return [task.cancelled() for task in await for_a_while(Turns(), 10.5, ends, stays)]

    assert clocks.run_in_virtual_time(main()) == [False, True]
    assert times(ends.turns) == [1, 2, 3]
    assert len(stays.turns) == 10


def test_what_a_turn_raises_ends_its_own_wait_alone() -> None:
    async def fail(number: int) -> bool:
        raise KeyError("it")

    fails, stays = Someone(1, take=fail), Someone(1)

    async def main() -> None:
        tasks = await for_a_while(Turns(), 5.5, fails, stays)
        assert isinstance(tasks[0].exception(), KeyError)

    clocks.run_in_virtual_time(main())
    assert len(fails.turns) == 1
    assert len(stays.turns) == 5


def test_one_that_is_cancelled_while_it_sleeps_gets_no_turn_any_more() -> None:
    gone, stays = Someone(2), Someone(2)

    async def main() -> None:
        turns = Turns()
        other = asyncio.ensure_future(turns.until_end(stays))
        await for_a_while(turns, 3, gone)
        await asyncio.sleep(4)
        other.cancel()

    clocks.run_in_virtual_time(main())
    assert times(gone.turns) == [2]
    assert times(stays.turns) == [2, 4, 6]


def test_one_that_is_cancelled_ends_when_its_turn_has_cleaned_up() -> None:
    seen: list[str] = []

    async def work(number: int) -> bool:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            seen.append("cleaned up")
        return False

    assert ends_when_cancelled(work, 2) == pytest.approx(3)
    assert seen == ["cleaned up"]


def test_cancelled_once_more_it_still_ends_after_its_turn() -> None:
    """The second time it is the cleaning up that is cancelled."""
    seen: list[str] = []

    async def work(number: int) -> bool:
        try:
            await asyncio.sleep(60)
        finally:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(1)
                seen.append("cleaned up")
        return False

    assert ends_when_cancelled(work, 2, 4) == pytest.approx(5)
    assert seen == ["cleaned up"]


def ends_when_cancelled(take: Take, *moments: float) -> float:
    """When a wait ends that is cancelled at these moments; its first turn begins at 1."""

    async def main() -> float:
        waiting = asyncio.ensure_future(Turns().until_end(Someone(1, take=take)))
        for moment in moments:
            await asyncio.sleep(moment - clocks.loop_time())
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert asyncio.all_tasks() == {asyncio.current_task()}, "the turn has ended, too"
        return clocks.loop_time()

    return clocks.run_in_virtual_time(main())


def test_a_turn_that_is_cancelled_from_inside_leaves_nobody_waiting_for_ever() -> None:
    async def cancelled(number: int) -> bool:
        raise asyncio.CancelledError

    async def main() -> None:
        waiting = asyncio.ensure_future(Turns().until_end(Someone(1, take=cancelled)))
        await asyncio.wait([waiting], timeout=10)
        assert waiting.cancelled()

    clocks.run_in_virtual_time(main())


End = Callable[[], Coroutine[Any, Any, bool]]


async def says_yes() -> bool:
    return True


async def says_no() -> bool:
    return False


async def fails() -> bool:
    raise KeyError("it")


@pytest.mark.parametrize("end", [says_yes, says_no, fails])
def test_whatever_a_cancelled_turn_does_at_last_is_no_error_of_the_loop(end: End) -> None:
    """asyncio complains of errors that nobody has looked at."""
    complaints: list[dict[str, Any]] = []

    async def work(number: int) -> bool:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return await end()

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        await for_a_while(Turns(), 2, Someone(1, take=work))
        await asyncio.sleep(100)
        gc.collect()

    clocks.run_in_virtual_time(main())
    assert complaints == []


def test_between_its_turns_nothing_of_them_is_kept() -> None:
    kept: list[weakref.ref[Any]] = []

    async def look(number: int) -> bool:
        kept.append(weakref.ref(asyncio.current_task()))
        return False

    async def main() -> None:
        waiting = asyncio.ensure_future(Turns().until_end(Someone(1, 1, 50, take=look)))
        await asyncio.sleep(10)
        assert [task() for task in kept] == [None, None]
        waiting.cancel()

    clocks.run_in_virtual_time(main())


def test_a_turn_runs_in_the_context_of_its_wait() -> None:
    seen: list[str] = []

    async def look(number: int) -> bool:
        seen.append(WHOSE.get())
        return number == 2

    async def waits(turns: Turns, name: str) -> None:
        WHOSE.set(name)
        await turns.until_end(Someone(1, take=look))

    async def main() -> None:
        turns = Turns()
        await asyncio.gather(waits(turns, "a"), waits(turns, "b"))

    clocks.run_in_virtual_time(main())
    assert sorted(seen) == ["a", "a", "b", "b"]


class Panic(BaseException):
    """What libraries in other languages raise."""


@pytest.mark.parametrize("raised", [Panic, SystemExit, KeyboardInterrupt])
def test_whatever_a_turn_raises_leaves_nobody_waiting_for_ever(raised: type[BaseException]) -> None:
    async def fail(number: int) -> bool:
        raise raised("it")

    async def main() -> None:
        await asyncio.wait_for(Turns().until_end(Someone(1, take=fail)), 10)

    with pytest.raises(raised, match="it"):
        clocks.run_in_virtual_time(main())


@pytest.mark.parametrize("stay", [0, 1, 40])
def test_those_that_are_cancelled_are_not_kept_until_they_would_be_due(stay: int) -> None:
    async def main() -> None:
        turns = Turns()
        others = [asyncio.ensure_future(turns.until_end(Someone(10_000))) for _ in range(stay)]
        many = [Someone(3_600) for _ in range(500)]
        kept = [weakref.ref(who) for who in many]
        await for_a_while(turns, 10, *many)
        many.clear()
        await asyncio.sleep(0.1)  # the loop lets go of their tasks
        gc.collect()
        assert sum(who() is not None for who in kept) <= stay
        for other in others:
            other.cancel()

    clocks.run_in_virtual_time(main())


def test_those_that_stay_keep_their_order_when_most_have_gone() -> None:
    everybody = {pause: Someone(pause) for pause in (20.0, 90.0, 30.0, 95.0, 96.0, 40.0, 50.0)}
    go, stay = (20.0, 95.0, 96.0, 50.0), (30.0, 40.0, 90.0)

    async def main() -> None:
        turns = Turns()
        tasks = {pause: asyncio.ensure_future(turns.until_end(who)) for pause, who in everybody.items()}
        await asyncio.sleep(10)
        for pause in go:
            tasks[pause].cancel()
        await asyncio.sleep(90)
        for pause in stay:
            tasks[pause].cancel()

    clocks.run_in_virtual_time(main())
    assert [times(everybody[pause].turns)[0] for pause in stay] == [*stay]


def test_when_all_have_gone_no_timer_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    timers = _watched(monkeypatch)

    async def main() -> None:
        await for_a_while(Turns(), 10, *(Someone(3_600 + number) for number in range(5)))

    clocks.run_in_virtual_time(main())
    assert timers
    assert all(timer.cancelled() for timer in timers)


def _watched(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.TimerHandle]:
    real = clock.call_later
    timers: list[asyncio.TimerHandle] = []

    def counted(seconds: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        timers.append(real(seconds, call))
        return timers[-1]

    monkeypatch.setattr(clock, "call_later", counted)
    return timers


def test_however_many_sleep_there_is_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    timers = _watched(monkeypatch)

    async def main() -> None:
        looking = asyncio.ensure_future(look())
        await for_a_while(Turns(), 100, *(Someone(11 - number % 7) for number in range(300)))
        assert len(await looking) == 9

    async def look() -> list[int]:
        found = []
        for _ in range(9):
            await asyncio.sleep(10.5)
            now = clocks.loop_time()
            found.append(sum(not timer.cancelled() and timer.when() > now for timer in timers))
        assert set(found) == {1}
        return found

    clocks.run_in_virtual_time(main())
