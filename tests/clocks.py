"""An event loop in which hours pass in no time: whoever sleeps wakes in order, and nobody waits."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its clock moves on only where everything sleeps. Not for sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        selector: Any = self._selector  # type: ignore[attr-defined]
        real = selector.select

        def select(timeout: float | None) -> Any:
            self._now += timeout or 0.0
            return real(0)

        selector.select = select

    def time(self) -> float:
        return self._now


def run_in_virtual_time(main: Coroutine[Any, Any, _Result]) -> _Result:
    """As `asyncio.run`, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def loop_time() -> float:
    """Seconds of the loop's clock."""
    return asyncio.get_running_loop().time()
