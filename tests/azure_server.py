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
from pathlib import Path
from typing import Any

from server_process import ServerProcess, skip_or_fail

_BESIDE = Path(__file__).with_name("storage") / "node_modules" / ".bin" / "azurite-blob"


def azurite_program() -> str:
    """Return the path of the ``azurite-blob`` program; skip (or fail) the test where something is missing."""
    found = str(_BESIDE) if _BESIDE.exists() else shutil.which("azurite-blob")
    if importlib.util.find_spec("adlfs") is None:
        skip_or_fail("no filesystem for Azure: pip install 'airflow-provider-ringevents[azure]'")
    if shutil.which("node") is None:
        skip_or_fail("no Azure server: azurite needs Node")
    return found or skip_or_fail("no Azure server: azurite is not installed (make stores)")


class AzureServer(ServerProcess):
    """``azurite-blob`` as a context manager.

    :ivar account: the storage account's name.
    :ivar key: its key, in base64.
    """

    LISTENING = re.compile(r"successfully listen\w* (?:at|on) (http://[^/\s]+)")

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.account = "test" + secrets.token_hex(8)
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        self._directory = directory

    def environment(self) -> dict[str, str]:
        return os.environ | {"HOME": str(self._directory), "AZURITE_ACCOUNTS": f"{self.account}:{self.key}"}

    def command(self) -> list[str]:
        return [
            *(azurite_program(), "--blobHost", "127.0.0.1", "--blobPort", str(self.port)),
            *("--location", str(self._directory / "azurite"), "--silent", "--disableTelemetry"),
            # The client library speaks a newer version of the API than the server knows by name.
            "--skipApiVersionCheck",
        ]

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
