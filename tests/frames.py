"""What a tool that records the variables of a failed task, such as Sentry, would keep of an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from types import FrameType
from typing import Any

PACKAGE = "airflow_provider_ringevents"


def recorded(error: BaseException) -> Iterator[str]:
    """Yield every text that is kept of an error: messages, attributes, and the variables of the frames of the package.

    Causes and contexts are followed, also those that Python does not print.
    """
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        pending += [current.__cause__, current.__context__]
        for text in _serialized([str(current), repr(current), current.args, vars(current)]):
            yield f"{type(current).__name__}: {text}"
        traceback = current.__traceback__
        while traceback is not None:
            frame: FrameType = traceback.tb_frame
            where = f"{frame.f_code.co_filename}:{traceback.tb_lineno}"
            if f"/{PACKAGE}/" in where:
                for name, value in frame.f_locals.items():
                    for text in _serialized(value):
                        yield f"{where} {name}: {text}"
            traceback = traceback.tb_next


def _serialized(value: Any, depth: int = 0) -> Iterator[str]:
    try:
        yield from _texts(value, depth)
    except Exception as error:  # Airflow's own accessors, which reach out only while a task runs
        yield f"<{type(value).__name__}: {type(error).__name__}>"


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, bytes | bytearray):
        yield value.decode("latin-1")
    elif isinstance(value, Mapping) and depth < 12:
        for name in list(value):
            yield from _serialized(name, depth + 1)
            yield from _serialized(value[name], depth + 1)
    elif isinstance(value, Sequence | Set) and depth < 12:
        for item in value:
            yield from _serialized(item, depth + 1)
    else:
        yield repr(value)
