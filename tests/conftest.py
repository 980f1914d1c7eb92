"""An Airflow of our own for the tests, and what they share.

Airflow reads its configuration when it is first imported, so it is set here before anything imports it.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_HOME = tempfile.mkdtemp(prefix="ringevents-tests-")
_FOREIGN = ("AIRFLOW", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_CONFIG = {
    "AIRFLOW_HOME": _HOME,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": os.path.join(_HOME, "dags"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME}/airflow.db",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": os.path.join(_HOME, "logs"),
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
_NO_SKIP = "RINGEVENTS_NO_SKIP"
ASYNC_TEST_SECONDS = 60.0


def _clean_environment() -> None:
    for name in [name for name in os.environ if name.upper().startswith(_FOREIGN)]:
        del os.environ[name]
    os.environ.update(_CONFIG)
    # Each of the test processes, and each that a test starts, would compile every module again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


_clean_environment()
os.makedirs(_CONFIG["AIRFLOW__CORE__DAGS_FOLDER"], exist_ok=True)


# How fast examples are made is no fault of what is tested, and a machine may be busy.
settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """Watch layers and the network; with RINGEVENTS_SUPPORT=file, write there what this Airflow has."""
    import layers
    import network_guard

    config.pluginmanager.register(layers)
    config.pluginmanager.register(network_guard)
    if (file := os.environ.get("RINGEVENTS_SUPPORT")) and not hasattr(config, "workerinput"):
        from version_support import SupportWriter

        config.pluginmanager.register(SupportWriter(Path(file)))


def pytest_collection_finish() -> None:
    """Keep what lives to the end of the session out of every garbage collection: modules, tests, parameters."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Nothing is printed after pytest's summary line, not even by what Airflow does at exit."""
    logging.disable(logging.CRITICAL)
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine in an event loop of its own, for a minute at most."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None

    async def run() -> None:
        async with asyncio.timeout(ASYNC_TEST_SECONDS):
            await pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames})

    asyncio.run(run())
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the Airflow log of a failed test; with RINGEVENTS_NO_SKIP=1 a test that was skipped has failed."""
    outcome: Any = yield
    report: pytest.TestReport = outcome.get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(_NO_SKIP) == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{_NO_SKIP}=1 and the test was skipped: {reason}"
    if report.failed:
        from airflow_harness.logs import LogBook

        report.sections += [("Airflow log", book.text) for book in LogBook.of_this_test]


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """The same for a module that skips itself while it is collected."""
    outcome: Any = yield
    report: pytest.CollectReport = outcome.get_result()
    if report.skipped and os.environ.get(_NO_SKIP) == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{_NO_SKIP}=1 and the module was skipped: {reason}"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """Whatever a test does to the environment and to the metadata database ends with it."""
    from airflow_harness.database import empty_database
    from airflow_harness.logs import LogBook

    LogBook.of_this_test.clear()
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
    empty_database()
    _forget_secrets()


def _forget_secrets() -> None:
    """Airflow 2 masks each secret that it has met, be it one character long, in all that is logged later."""
    if masking := sys.modules.get("airflow.utils.log.secrets_masker"):
        masker = getattr(masking, "_secrets_masker", None)
        if masker is not None and hasattr(masker(), "patterns"):
            masker().patterns.clear()
            masker().replacer = None


@pytest.fixture
def fake_clock() -> Iterator[Any]:
    """A clock that sleeping moves on, in the place of the package's (see `clocks.FakeClock`)."""
    from clocks import FakeClock

    with FakeClock().installed() as fake:
        yield fake


@pytest.fixture
def emulator() -> Iterator[Any]:
    """A fresh emulator of the Events API on a free loopback port (see `emulator.Emulator`)."""
    from airflow_provider_ringevents.emulator import Emulator

    with Emulator(seed=1) as running:
        yield running


@pytest.fixture
def ringevents_conn(emulator: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The connection id `ringevents_default`, which leads to the test's emulator."""
    monkeypatch.setenv("AIRFLOW_CONN_RINGEVENTS_DEFAULT", emulator.connection_json())
    return "ringevents_default"
