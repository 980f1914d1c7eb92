"""Connections to a server of the test's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from client_drivers import KEY
from quiet_logs import quiet_logs

Connect = Callable[..., str]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes an Airflow connection of type `ringevents`: fields as in its JSON form; returns its id."""

    def make(conn_id: str = "ringevents_default", **fields: Any) -> str:
        described = {"conn_type": "ringevents", "password": KEY, **fields}
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(described))
        return conn_id

    return make


@pytest.fixture(autouse=True)
def _quiet_http() -> Iterator[None]:
    with quiet_logs("httpcore", "httpx", "asyncio"):
        yield
