"""Fixtures that run a test once through each client."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator

import pytest
from certificates import Authority
from client_drivers import AsyncDriver, SyncDriver


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> type[SyncDriver]:
    """The way to a client: call it with the server's URL."""
    made: type[SyncDriver] = request.param
    return made


@pytest.fixture(autouse=True)
def _quiet_http() -> Iterator[None]:
    """Thousands of requests with a dozen debug lines each would take most of the time."""
    loggers = [logging.getLogger(name) for name in ("httpcore", "httpx", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def trusted(authority: Authority) -> ssl.SSLContext:
    return authority.context("good.pem")
