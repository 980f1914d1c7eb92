"""Fixtures that run a test once through each client."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
from certificates import Authority
from client_drivers import AsyncDriver, SyncDriver
from quiet_logs import quiet_logs


@pytest.fixture(params=[SyncDriver, AsyncDriver], ids=lambda driver: driver.name)
def driver(request: pytest.FixtureRequest) -> type[SyncDriver]:
    """The way to a client: call it with the server's URL."""
    made: type[SyncDriver] = request.param
    return made


@pytest.fixture(autouse=True)
def _quiet_http() -> Iterator[None]:
    with quiet_logs("httpcore", "httpx", "asyncio"):
        yield


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def trusted(authority: Authority) -> ssl.SSLContext:
    return authority.context("good.pem")
