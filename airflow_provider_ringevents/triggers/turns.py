"""Waits that sleep for minutes and work for moments take turns, with one timer for all of them.

A task that sleeps holds a timer, two coroutines and a dozen other objects, new ones after each poll. With thousands of
them Python's collector has millions to look at, and while it looks the event loop stands still. Here a wait's own task
awaits one future from its beginning to its end, and what it does in between are tasks that live for a moment.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_ringevents import clock


class TakesTurns(Protocol):
    """What wants a turn now and then until it has reached its end."""

    def pause(self) -> float:
        """Seconds until its next turn."""

    async def take(self) -> bool:
        """Take a turn; True when there is nothing more to do."""


@dataclass(eq=False, slots=True)
class _Place:
    """One that waits for its turn, or takes it.

    :ivar context: of the task that waits: a turn writes its log as if that task took it.
    :ivar task: the turn that it takes just now.
    """

    who: TakesTurns
    ended: asyncio.Future[None]
    context: contextvars.Context
    task: asyncio.Task[None] | None = None


class Turns:
    """Whose turn it is when. Belongs to the running event loop."""

    def __init__(self) -> None:
        self._places: list[tuple[float, int, _Place]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    async def until_end(self, who: TakesTurns) -> None:
        """Let it take its turns, one after the other, until one says that it was the last.

        :raises Exception: what a turn has raised; it was the last one, too.
        """
        place = _Place(who, asyncio.get_running_loop().create_future(), contextvars.copy_context())
        self._queue(place)
        try:
            await place.ended
        finally:
            if place.task is not None:  # cancelled in the middle of a turn
                place.task.cancel()
                await asyncio.wait([place.task])

    def close(self) -> None:
        """Start no more turns."""
        self._places.clear()
        self._set_timer()

    def _queue(self, place: _Place) -> None:
        heapq.heappush(self._places, (clock.steady() + place.who.pause(), next(self._numbers), place))
        self._set_timer()

    def _set_timer(self) -> None:
        due = self._places[0][0] if self._places else None
        if self._timer is not None:
            if due is not None and due >= self._timer_due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer_due = due
            self._timer = clock.call_later(max(0.0, due - clock.steady()), self._start_turns)

    def _start_turns(self) -> None:
        self._timer = None
        loop, now = asyncio.get_running_loop(), clock.steady()
        while self._places and self._places[0][0] <= now:
            place = heapq.heappop(self._places)[2]
            if not place.ended.done():
                place.task = loop.create_task(self._turn(place), context=place.context)
        self._set_timer()

    async def _turn(self, place: _Place) -> None:
        try:
            if not await place.who.take():
                self._queue(place)
            elif not place.ended.done():
                place.ended.set_result(None)
        except asyncio.CancelledError:
            place.ended.cancel()
            raise
        except Exception as error:
            if not place.ended.done():
                place.ended.set_exception(error)
        finally:
            place.task = None
