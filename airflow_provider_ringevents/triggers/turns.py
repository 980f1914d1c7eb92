"""Waits that sleep for minutes and work for moments take turns, with one timer for all of them.

A task that sleeps holds a timer, a coroutine and a dozen other objects, new ones after each poll. With thousands of
waits they outlive the young generations of Python's collector, and the full collections that follow stop the event loop
for half a second each. Here a wait's own task awaits one future from its beginning to its end, and its turns are tasks
that live for a moment.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
from contextlib import suppress
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

    :ivar who: whose turns these are.
    :ivar ended: what its wait's own task awaits: a result after the last turn, or what that one has raised.
    :ivar context: of that task: a turn writes its log as if the task took it.
    :ivar task: the turn that it takes just now.
    :ivar queued: it waits for its turn.
    """

    who: TakesTurns
    ended: asyncio.Future[None]
    context: contextvars.Context
    task: asyncio.Task[None] | None = None
    queued: bool = False


class Turns:
    """Whose turn it is when. Belongs to the running event loop."""

    def __init__(self) -> None:
        self._places: list[tuple[float, int, _Place]] = []
        self._gone = 0
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0

    async def until_end(self, who: TakesTurns) -> None:
        """Let somebody take turns, one after the other, until one says that it was the last.

        Where the task that waits here is cancelled, the turn that is taken just then is cancelled, too, and has ended
        when this ends.

        :param who: waits for a pause before each turn, also before the first.
        :raises Exception: what a turn has raised; it was the last one, too.
        """
        place = _Place(who, asyncio.get_running_loop().create_future(), contextvars.copy_context())
        self._queue(place)
        try:
            await place.ended
        finally:
            if place.queued:
                self._left()
            while place.task is not None and not place.task.done():
                place.task.cancel()
                with suppress(asyncio.CancelledError):  # cancelled again: so is the turn, whatever it cleans up
                    await asyncio.wait([place.task])

    def _queue(self, place: _Place) -> None:
        place.queued = True
        heapq.heappush(self._places, (clock.monotonic() + place.who.pause(), next(self._numbers), place))
        self._set_timer()

    def _left(self) -> None:
        # Taken out of a heap one by one they would cost its whole length each, and left there they keep their memory.
        self._gone += 1
        if 2 * self._gone > len(self._places):
            self._places = [entry for entry in self._places if not entry[2].ended.done()]
            heapq.heapify(self._places)
            self._gone = 0
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
            self._timer = clock.call_later(max(0.0, due - clock.monotonic()), self._start_turns)

    def _start_turns(self) -> None:
        self._timer = None
        loop, now = asyncio.get_running_loop(), clock.monotonic()
        while self._places and self._places[0][0] <= now:
            place = heapq.heappop(self._places)[2]
            place.queued = False
            if place.ended.done():
                self._gone -= 1
            else:
                place.task = loop.create_task(self._turn(place), context=place.context)
        self._set_timer()

    async def _turn(self, place: _Place) -> None:
        try:
            last = await place.who.take()
        except asyncio.CancelledError:
            place.ended.cancel()
            raise
        except BaseException as error:  # also a panic of a library: nobody else would end this wait
            if not place.ended.done():
                place.ended.set_exception(error)
        else:
            if place.ended.done():
                return
            if last:
                place.ended.set_result(None)
            else:
                self._queue(place)
        finally:
            place.task = None
