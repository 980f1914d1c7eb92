"""A real Azure Blob server for tests: ``azurite-blob`` over a folder, on a free loopback port.

::

    with AzureServer(tmp_path) as server:
        server.make_container("exports")
        monkeypatch.setenv("AIRFLOW_CONN_MY_AZURE", json.dumps(server.airflow_connection()))
        ...  # abfs://my_azure@exports/report.csv

``make stores`` installs it (it needs Node). Where it, or adlfs, is missing the test is skipped, unless the environment
says ``RINGEVENTS_NO_SKIP=1``: then it fails.
"""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Self

import pytest

START_TIMEOUT = 60.0
"""Seconds that the server may take until it listens."""

_BESIDE = Path(__file__).with_name("storage") / "node_modules" / ".bin" / "azurite-blob"


def azurite_program() -> str:
    """Return the path of the ``azurite-blob`` program; skip (or fail) the test where something is missing."""
    found = str(_BESIDE) if _BESIDE.exists() else shutil.which("azurite-blob")
    reason = None
    if importlib.util.find_spec("adlfs") is None:
        reason = "no filesystem for Azure: pip install 'airflow-provider-ringevents[azure]'"
    elif found is None:
        reason = "no Azure server: azurite is not installed (make stores)"
    elif shutil.which("node") is None:
        reason = "no Azure server: azurite needs Node"
    if reason is not None or found is None:
        if os.environ.get("RINGEVENTS_NO_SKIP") == "1":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    return found


class AzureServer:
    """``azurite-blob`` as a context manager.

    :ivar url: where it listens, such as ``http://127.0.0.1:41231``.
    :ivar account: the storage account's name.
    :ivar key: its key, in base64.
    """

    def __init__(self, directory: Path) -> None:
        self.account = "test" + secrets.token_hex(8)
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.url = ""
        self.log: list[str] = []
        self._directory = directory
        self._port = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the server and return when it listens. After a :meth:`kill`: at the same port again."""
        self._process = subprocess.Popen(
            [
                *(azurite_program(), "--blobHost", "127.0.0.1", "--blobPort", str(self._port)),
                *("--location", str(self._directory / "azurite"), "--silent", "--disableTelemetry"),
                # The client library speaks a newer version of the API than the server knows by name.
                "--skipApiVersionCheck",
            ],
            env=os.environ | {"HOME": str(self._directory), "AZURITE_ACCOUNTS": f"{self.account}:{self.key}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        listening = threading.Event()
        threading.Thread(target=self._read_log, args=(self._process, listening), daemon=True).start()
        if not listening.wait(START_TIMEOUT) or not self.url:
            self.kill()
            pytest.fail("azurite-blob did not start:\n" + "\n".join(self.log))

    def _read_log(self, process: subprocess.Popen[str], listening: threading.Event) -> None:
        if process.stdout is None:
            return
        for line in process.stdout:
            self.log.append(line.rstrip())
            if address := re.search(r"successfully listen\w* (?:at|on) (http://[^/\s]+)", line):
                self.url = address.group(1)
                self._port = int(self.url.rpartition(":")[2])
                listening.set()
        listening.set()

    def kill(self) -> None:
        """End the server at once, as a crash would: requests in flight are cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    @property
    def connection_string(self) -> str:
        """What Azure's own libraries connect with."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.url}/{self.account};"
        )

    def airflow_connection(self) -> dict[str, Any]:
        """Return the connection as Airflow reads it from JSON in ``AIRFLOW_CONN_...``."""
        return {"conn_type": "wasb", "extra": {"connection_string": self.connection_string}}

    def client(self) -> Any:
        """Return a plain client of Azure's own library, to look at the server past the code under test."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.connection_string)
