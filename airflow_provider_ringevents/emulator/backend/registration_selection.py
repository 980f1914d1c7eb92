"""Which of a million generated registrations a filter asks for, without looking at them one by one.

The times of registrations never fall as their index grows, within each of four classes that repeat every 64 indexes.
So a range of times is a range of indexes per class, found by bisection, and counting is arithmetic.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Final

PERIOD: Final = 64
EVERYONE: Final = (1 << PERIOD) - 1


class Span:
    """The indexes in [low, high) whose remainder by 64 is in ``mask`` (bit r stands for remainder r)."""

    __slots__ = ("_before", "_prefix", "high", "low", "mask")

    def __init__(self, mask: int, low: int, high: int) -> None:
        self.mask = mask
        self.low = low
        self.high = high
        self._prefix = [(mask & ((1 << place) - 1)).bit_count() for place in range(PERIOD + 1)]
        self._before = self._members_below(low)

    def _members_below(self, index: int) -> int:
        rounds, rest = divmod(index, PERIOD)
        return rounds * self._prefix[PERIOD] + self._prefix[rest]

    def count_below(self, index: int) -> int:
        """How many members are less than ``index``."""
        if index <= self.low:
            return 0
        return self._members_below(min(index, self.high)) - self._before

    def __contains__(self, index: int) -> bool:
        return self.low <= index < self.high and bool(self.mask >> (index % PERIOD) & 1)


class Matches:
    """The indexes in some disjoint spans, less ``removed``, and ``added`` ones; in order.

    :param size: all indexes are below it.
    :param removed: indexes to leave out, whether or not they are in a span.
    :param added: indexes to have although no span has them, or although they are removed.
    """

    def __init__(
        self, size: int, spans: Sequence[Span], removed: Iterable[int] = (), added: Iterable[int] = ()
    ) -> None:
        self._size = size
        self._spans = [span for span in spans if span.low < span.high]
        self._removed = sorted(index for index in set(removed) if any(index in span for span in self._spans))
        self._added = sorted(set(added))
        self._gone = frozenset(self._removed)
        self._extra = frozenset(self._added)
        self.total = self._rank(size)

    def _rank(self, index: int) -> int:
        members = sum(span.count_below(index) for span in self._spans)
        return members - bisect_left(self._removed, index) + bisect_left(self._added, index)

    def __contains__(self, index: int) -> bool:
        if index in self._extra:
            return True
        return index not in self._gone and any(index in span for span in self._spans)

    def slice(self, start: int, stop: int) -> list[int]:
        """The matching indexes number ``start`` up to ``stop``, counted from 0."""
        stop = min(stop, self.total)
        if start >= stop:
            return []
        index = bisect_left(range(self._size), start + 1, key=lambda place: self._rank(place + 1))
        found: list[int] = []
        while len(found) < stop - start:
            if index in self:
                found.append(index)
            index = self._next(index + 1)
        return found

    def _next(self, index: int) -> int:
        """The least index from ``index`` on that a span or an added one could hold."""
        candidates = [max(index, span.low) for span in self._spans if index < span.high]
        place = bisect_left(self._added, index)
        if place < len(self._added):
            candidates.append(self._added[place])
        return min(candidates, default=self._size)


def indexes_between(size: int, low: int, high: int, value: Callable[[int], int]) -> tuple[int, int]:
    """The range of indexes below ``size`` whose never-falling ``value`` lies in [low, high)."""
    everything = range(size)
    return bisect_left(everything, low, key=value), bisect_left(everything, high, key=value)
