"""What tasks tell OpenLineage: the real provider's listener, with its file transport."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow_harness.versions import AIRFLOW_VERSION

if AIRFLOW_VERSION >= (3, 2):
    from airflow.sdk.listener import get_listener_manager
else:
    from airflow.listeners.listener import get_listener_manager


class LineageBook:
    """All events that tasks have sent while it was open."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def text(self) -> str:
        return self._file.read_text(encoding="utf-8") if self._file.exists() else ""

    @property
    def events(self) -> Sequence[dict[str, Any]]:
        """Oldest first."""
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def recorded_lineage(folder: Path) -> Iterator[LineageBook]:
    """Have tasks inside send their events into a file. Raises ImportError without the OpenLineage provider."""
    from airflow.providers.openlineage import conf
    from airflow.providers.openlineage.plugins.listener import OpenLineageListener

    book = LineageBook(folder / "openlineage.jsonl")
    transport = json.dumps({"type": "file", "log_file_path": str(folder / "openlineage.jsonl"), "append": True})
    manager = get_listener_manager()
    with patch.dict(os.environ, {"AIRFLOW__OPENLINEAGE__TRANSPORT": transport}):
        _forget(conf)
        listener = OpenLineageListener()
        manager.add_listener(listener)
        try:
            yield book
        finally:
            manager.pm.unregister(listener)
    _forget(conf)


def _forget(conf: Any) -> None:
    for value in vars(conf).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
