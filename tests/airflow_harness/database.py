"""The metadata database of the test session: made once, emptied between tests."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

_KEPT = ("alembic_version", "log_template", "slot_pool")


@functools.cache
def ensure_database() -> None:
    """Create all tables in the (SQLite) database that the configuration names, once for each process."""
    from airflow.utils import db

    db.initdb()


def empty_database() -> None:
    """Delete every row that a test may have written. Does nothing where no test has used the database."""
    global _empty
    if not ensure_database.cache_info().currsize or _files() == _empty:
        return
    from airflow.utils.session import create_session

    with create_session() as session:
        for table in reversed(_tables()):
            if table.name not in _KEPT and not table.name.startswith("ab_"):
                session.execute(table.delete())
    _empty = _files()


_empty: frozenset[tuple[str, int, int]] | None = None
"""The files of the database when it was last emptied: this process or another may have written to them since."""


def _files() -> frozenset[tuple[str, int, int]]:
    home = Path(os.environ["AIRFLOW_HOME"])
    return frozenset((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in home.glob("airflow.db*"))


def _tables() -> list[Any]:
    from airflow.models.base import Base

    return list(Base.metadata.sorted_tables)
