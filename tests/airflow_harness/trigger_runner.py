"""Run one trigger as a triggerer does: its own event loop, first event, cleanup on every exit."""

from __future__ import annotations

import asyncio
from typing import Any


class TriggerTimedOut(Exception):
    """`defer(timeout=...)` passed without an event."""


def first_event(trigger: Any, timeout: float | None) -> Any:
    """Run `trigger` in a fresh event loop and return its first event, or None when it ends without one.

    :param timeout: seconds, None for no limit. Raises `TriggerTimedOut` when they pass.
    Raises whatever the trigger raises.
    """
    events = collect_events(trigger, 1, timeout)
    return events[0] if events else None


def collect_events(trigger: Any, count: int, timeout: float | None) -> list[Any]:
    """The first `count` events of `trigger`, fewer when it ends before."""
    return asyncio.run(_collect(trigger, count, timeout))


async def _collect(trigger: Any, count: int, timeout: float | None) -> list[Any]:
    events: list[Any] = []
    stream = trigger.run()
    try:
        async with asyncio.timeout(timeout):
            async for event in stream:
                events.append(event)
                if len(events) == count:
                    break
    except TimeoutError as error:
        if timeout is None:
            raise  # the trigger's own
        raise TriggerTimedOut(f"no event within {timeout} s") from error
    finally:
        await stream.aclose()
        await trigger.cleanup()
    return events
