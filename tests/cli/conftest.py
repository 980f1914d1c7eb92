"""Commands run in the test's process, as Airflow and the console script run them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was written, decoded."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``ringevents`` with arguments."""
    from airflow_provider_ringevents.cli.main import main

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def connect(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the default connection: to the emulator, one attempt for each request; arguments are its other fields."""

    def connect(extra: dict[str, Any] | None = None, **fields: Any) -> None:
        connection = {**emulator.connection(), **fields}
        connection["extra"] = {**connection["extra"], "max_attempts": 1, **(extra or {})}
        monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", json.dumps(connection))

    connect()
    return connect
