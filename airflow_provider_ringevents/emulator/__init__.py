"""The Events API on your own machine: to try a DAG without an account, and to test against.

From the command line: ``python -m airflow_provider_ringevents.emulator --port 8765``. In a test::

    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1, registrations=1000, report_seconds=0.2) as emulator:
        ...  # emulator.url, emulator.api_key, emulator.organization_id
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_ringevents.emulator.backend.clock import ManualClock
    from airflow_provider_ringevents.emulator.faults.registry import Fault
    from airflow_provider_ringevents.emulator.server.runner import Emulator
    from airflow_provider_ringevents.emulator.settings import Settings

__all__ = ["Emulator", "Fault", "ManualClock", "Settings"]

_HOMES = {
    "Emulator": "server.runner",
    "Fault": "faults.registry",
    "ManualClock": "backend.clock",
    "Settings": "settings",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that what is missing can be named.

    :raises ImportError: starlette or uvicorn is not installed.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_HOMES[name]}")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in ("starlette", "uvicorn"):
            raise
        hint = "pip install 'airflow-provider-ringevents[emulator]'"
        raise ImportError(f"the emulator needs {missing}: {hint}", name=missing) from error
    return getattr(module, name)
