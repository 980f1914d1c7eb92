"""Fixtures of the stores, and quiet libraries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure_server import AzureServer
from quiet_logs import quiet_logs
from s3_server import S3Server
from storage.stores import AZURE_CONN_ID, CONN_ID, AzureStore, LocalStore, MemoryStore, S3Store, Store

_TALKATIVE = ("adlfs", "aiobotocore", "asyncio", "azure", "botocore", "fsspec", "s3fs", "urllib3")


@pytest.fixture(autouse=True)
def _quiet_libraries() -> Iterator[None]:
    with quiet_logs(*_TALKATIVE):
        yield


@pytest.fixture(scope="session")
def shared_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server for all tests that leave it running."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3_store(shared_s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(shared_s3.airflow_connection()))
    return S3Store(shared_s3, "b" + hashlib.md5(str(tmp_path).encode()).hexdigest())


@pytest.fixture(scope="session")
def shared_azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """One Azure server for all tests that leave it running."""
    with AzureServer(tmp_path_factory.mktemp("azure")) as server:
        yield server


@pytest.fixture
def azure_store(shared_azure: AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AzureStore:
    monkeypatch.setenv(f"AIRFLOW_CONN_{AZURE_CONN_ID.upper()}", json.dumps(shared_azure.airflow_connection()))
    return AzureStore(shared_azure, "c" + hashlib.md5(str(tmp_path).encode()).hexdigest())


@pytest.fixture
def local_store(tmp_path: Path) -> LocalStore:
    folder = tmp_path / "store"
    folder.mkdir()
    return LocalStore(folder)


@pytest.fixture(params=["local", "s3", "azure", "memory"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore()
    found: Store = request.getfixturevalue(f"{request.param}_store")
    return found
